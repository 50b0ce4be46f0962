"""Crawl: from a source's address to the outcome of each of its pages.

The frontier lives in memory and is rebuilt from the version's rows: a page's links are stored in the transaction
that stores the page, so whatever an interruption loses is found again by fetching the same page again.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from flowchat.domain import NO_FACTS, Page, PageOutcome, Source
from flowchat.errors import FlowChatError
from flowchat.ingest.chunk import CountTokens
from flowchat.ingest.former import Former
from flowchat.ingest.frontier import Frontier, Traps
from flowchat.ingest.site import ROBOTS_UNREACHABLE, Site, SiteFault
from flowchat.ingest.visit import QUOTA, Visit, Visitor, unchanged
from flowchat.metrics import Metrics
from flowchat.net.render import Renderer

MIN_KNOWN_URLS = 1000
KNOWN_URLS_PER_PAGE = 4  # of max_pages: what lies beyond is hardly ever reached, and a trap has no end
READ_AHEAD = 2  # pages that are fetched but not yet read


@dataclass(frozen=True, slots=True)
class Limits:
    max_pages: int
    concurrency: int  # requests at the same time
    most_crawled: int | None = None  # pages that are indexed anew, by the tenant's plan; None: any number


class Crawl:
    """One crawl of a source. `outcomes()` yields its pages as they are done, parents before their children.

    `pages` are those that an interrupted crawl left, `hashes` ({content hash: url}) what it has indexed. `former` is
    the version that is live. Without `renderer`, pages that scripts make are skipped.
    """

    def __init__(
        self,
        source: Source,
        site: Site,
        pages: list[Page],
        hashes: Mapping[str, str],
        former: Former,
        count_tokens: CountTokens,
        limits: Limits,
        renderer: Renderer | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        self._source = source
        self._site = site
        self._former = former
        self._limits = limits
        self._frontier = Frontier(pages, max(MIN_KNOWN_URLS, KNOWN_URLS_PER_PAGE * limits.max_pages))
        self._visitor = Visitor(source, site, self._frontier, former, count_tokens, renderer, pages, hashes)
        self._stages = (metrics or Metrics()).ingest_stage_s
        self._traps = Traps()
        self._named: set[str] = set()  # by a sitemap: what it names has an end
        self._asked_anew: set[str] = set()
        self._is_llms_txt_read = False
        self._reading = asyncio.Lock()
        self._ready: deque[PageOutcome] = deque()

    @property
    def found(self) -> int:
        """URLs known so far."""
        return len(self._frontier.known)

    @property
    def named(self) -> int:
        """URLs that sitemaps name, among those."""
        return len(self._named)

    async def outcomes(self) -> AsyncGenerator[PageOutcome, None]:
        await self._site.read_robots()
        for url in await self._starts():
            self._frontier.add(url, 0)
        if self._site.is_incomplete:
            for page in await self._former.indexed():
                if self._visitor.scope.wants(page.url):
                    self._frontier.add(page.url, page.depth)
        fetching: set[asyncio.Task[Visit]] = set()
        reading: set[asyncio.Task[None]] = set()
        try:
            while True:
                self._begin_fetches(fetching, len(reading))
                while self._ready:
                    yield self._ready.popleft()
                if not fetching and not reading:
                    if not await self._begin_round():
                        break
                    continue
                done, _ = await asyncio.wait(fetching | reading, return_when=asyncio.FIRST_COMPLETED)
                fetched, read = fetching & done, reading & done
                reading |= {asyncio.create_task(self._read(task.result())) for task in fetched}
                for task in read:
                    task.result()
                fetching -= fetched
                reading -= read
        finally:
            await _cancel(fetching | reading)

    async def _starts(self) -> list[str]:
        """Where the crawl begins: at the source's own sitemap, or at its address and the sitemaps of its site."""
        root = self._site.root
        if self._site.robots_reason == ROBOTS_UNREACHABLE:
            return [root]
        sitemaps = [self._source.sitemap] if self._source.sitemap else self._site.default_sitemaps
        found = await self._site.sitemap_urls(sitemaps, self._visitor.wanted_one, self._frontier.max_urls)
        self._named.update(found)
        if not self._source.sitemap:
            return [root, *found]
        if not found and not self._frontier.known:
            raise SiteFault(
                "sitemap_unavailable",
                f"{self._source.sitemap} could not be fetched, or names no page of {root} that the source takes in.",
            )
        return found

    def _begin_fetches(self, fetching: set[asyncio.Task[Visit]], reading: int) -> None:
        """Fill the free places with what comes next. What isn't fetched at all is ready at once."""
        while len(fetching) < self._limits.concurrency and reading < READ_AHEAD:
            under_way = len(fetching) + reading
            if under_way and self._is_full(under_way):
                return  # these may be the last ones
            item = self._frontier.next()
            if item is None:
                return
            url, depth = item
            reason = self._reason_against(url)
            if reason in (None, QUOTA):
                fetching.add(asyncio.create_task(self._spare(url, depth) if reason else self._fetch(url, depth)))
            else:
                self._ready.append(PageOutcome(url, depth, "skipped", reason))
                self._visitor.note(self._ready[-1])

    def _reason_against(self, url: str) -> str | None:
        if len(self._visitor.indexed) >= self._limits.max_pages:
            return "max_pages"
        if not self._site.robots.allowed(url):
            return self._site.robots_reason
        if url not in self._named and self._traps.holds(url, self._frontier.is_chained(url)):
            return "trap"
        return QUOTA if self._is_used_up(0) else None

    def _is_full(self, under_way: int) -> bool:
        return len(self._visitor.indexed) + under_way >= self._limits.max_pages or self._is_used_up(under_way)

    def _is_used_up(self, under_way: int) -> bool:
        """Whether the plan has no pages left, if those under way are crawled."""
        most = self._limits.most_crawled
        return most is not None and len(self._visitor.crawled) + under_way >= most

    async def _begin_round(self) -> bool:
        """When nothing is left to fetch: what may be worth a look in the end. False when that is done too."""
        for find_more in (self._recommended, self._doubted, self._forsaken, self._left_over):
            await find_more()
            if self._frontier or self._ready:
                return True
        return False

    async def _recommended(self) -> None:
        """Pages that only llms.txt names. What it names is often a Markdown rendering of a page that is known."""
        if self._is_llms_txt_read or self._source.sitemap or self._site.robots_reason == ROBOTS_UNREACHABLE:
            return
        self._is_llms_txt_read = True
        for url in self._visitor.wanted(await self._site.llms_txt_urls()):
            plain = url.removesuffix(".md").removesuffix(".html").removesuffix("index")
            forms = {plain, plain + ".html", plain + "/", plain.rstrip("/"), plain + "index.html"}
            if forms.isdisjoint(self._frontier.known):
                self._frontier.add(url, 0)

    async def _doubted(self) -> None:
        """Unchanged pages that said what another one did: whether some page still does."""
        doubtful, self._visitor.doubtful = self._visitor.doubtful, []
        for page in doubtful:
            twin = self._visitor.twin_of(page)
            if twin is None and page.url not in self._asked_anew:
                self._asked_anew.add(page.url)
                self._frontier.again(page.url, page.depth)
            else:
                facts = replace(page.facts, duplicate_of=twin)
                self._ready.append(unchanged(replace(page, facts=facts), page.depth))

    async def _forsaken(self) -> None:
        """Pages whose canonical page, or translation, does not exist: such as one that redirects back to them."""
        alone, others = await self._visitor.still_alone()
        self._ready.extend(alone)
        forsaken = self._visitor.forsaken()
        self._visitor.standing_alone.update(url for url, _ in forsaken)
        for url, depth in forsaken + others:
            self._asked_anew.add(url)
            self._frontier.again(url, depth)

    async def _left_over(self) -> None:
        """Where the plan had no room, pages that this crawl met by no link: nothing that answers is lost by that."""
        if self._is_used_up(0):
            for page in await self._former.indexed():
                if self._visitor.scope.wants(page.url):
                    self._frontier.add(page.url, page.depth)

    async def _fetch(self, url: str, depth: int) -> Visit:
        """Ask for a page; only for a changed one, where what it was before is enough."""
        before = await self._former.page(url)
        facts = NO_FACTS
        if before is not None and self._former.may_be_unchanged(before) and url not in self._asked_anew:
            facts = before.facts
        visit = Visit(url, depth, before)
        try:
            with self._stages.labels("fetch").time():
                fetched = await self._site.fetch(url, etag=facts.etag, last_modified=facts.last_modified)
        except SiteFault:
            raise
        except FlowChatError as error:
            return replace(visit, reason=error.code)
        return replace(visit, fetched=fetched)

    async def _spare(self, url: str, depth: int) -> Visit:
        """A page that is not asked for: the plan has none left."""
        return Visit(url, depth, await self._former.page(url), reason=QUOTA)

    async def _read(self, visit: Visit) -> None:
        async with self._reading:  # one after the other: which of two copies comes first must not be chance
            with self._stages.labels("read").time():
                outcomes = await self._visitor.outcomes(visit)
        for outcome in outcomes:
            self._traps.learn(outcome)
            self._ready.append(outcome)


async def _cancel(tasks: Iterable[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
