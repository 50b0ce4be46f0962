"""What becomes of a page that was asked for."""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from flowchat.domain import Document, Page, PageFacts, PageOutcome, Source
from flowchat.errors import FlowChatError
from flowchat.ingest.chunk import CountTokens
from flowchat.ingest.duplicates import Twins
from flowchat.ingest.elsewhere import page_elsewhere
from flowchat.ingest.extract import extract_html, page_title
from flowchat.ingest.former import Former, is_keepable
from flowchat.ingest.frontier import Frontier
from flowchat.ingest.read import facts_of, index_outcome, read_document
from flowchat.ingest.scope import Scope
from flowchat.ingest.site import Site
from flowchat.net.fetch import Fetched
from flowchat.net.render import Renderer
from flowchat.net.robots import header_directives
from flowchat.net.urls import normalise

MAX_FEEDS = 10
QUOTA = "quota"  # why a page was not asked for: the tenant's plan has none left
_COPIES = ("duplicate", "near_duplicate")
_GIVING_WAY = ("redirected", "canonical_elsewhere", "other_locale")
# What is not there for a page that gives way to it. One that doesn't want to be indexed speaks for both.
_NOT_THERE = (*_GIVING_WAY, "redirected_out_of_scope", "robots", "trap", "not_a_page", "no_content", "needs_javascript")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Visit:
    """A URL that was asked for. `before`: the page in the former version. `reason`: why there is no answer."""

    url: str
    depth: int
    before: Page | None
    fetched: Fetched | None = None
    reason: str | None = None


class Visitor:
    """Turns answers into outcomes, and puts what they lead to into the frontier.

    `pages` and `hashes` ({content hash: url}) tell what is done already.
    """

    def __init__(
        self,
        source: Source,
        site: Site,
        frontier: Frontier,
        former: Former,
        count_tokens: CountTokens,
        renderer: Renderer | None,
        pages: list[Page],
        hashes: Mapping[str, str],
    ) -> None:
        self._source = source
        self._site = site
        self._frontier = frontier
        self._former = former
        self._count_tokens = count_tokens
        self._renderer = renderer
        self._twins = Twins(pages)
        self._hashes = dict(hashes)
        self._feeds: set[str] = set()
        self.indexed = {page.url for page in pages if page.status == "indexed"}
        self.crawled = {page.url for page in pages if page.status == "indexed" and page.reason is None}
        self._deferred: dict[str, list[tuple[str, int]]] = {}  # by the page that they give way to
        self._unusable: set[str] = set()
        self.doubtful: list[Page] = []
        self.standing_alone: set[str] = set()  # although another page would stand for them
        self._unchanged_alone: list[Visit] = []
        for page in pages:
            self.note(page)

    @cached_property
    def scope(self) -> Scope:
        """Not asked for before robots.txt has told where the site is."""
        return Scope(self._site.root, self._source.config)

    def wanted(self, urls: Iterable[str]) -> list[str]:
        """The normalised URLs of those that belong to the source."""
        return [url for url in map(self.wanted_one, urls) if url is not None]

    def wanted_one(self, url: str) -> str | None:
        return self.scope.wanted(url, self.scope.root)

    async def outcomes(self, visit: Visit) -> list[PageOutcome]:
        """One, or two for a redirect: where it led, and then the address asked for.

        In that order: an interruption between the two must not lose the page. None for a page that is doubtful.
        """
        return self._settled(await self._outcomes_of(visit))

    def _settled(self, outcomes: list[PageOutcome]) -> list[PageOutcome]:
        for outcome in outcomes:
            if outcome.status == "indexed":
                self._count(outcome)
            self.note(outcome)
        return outcomes

    def note(self, page: Page | PageOutcome) -> None:
        """Remember what gives way to another page, and what is not there for such pages."""
        if page.status == "failed" or page.reason in _NOT_THERE:
            self._unusable.add(page.url)
        else:
            self._unusable.discard(page.url)
        if page.facts.duplicate_of and page.reason in _GIVING_WAY:
            self._deferred.setdefault(page.facts.duplicate_of, []).append((page.url, page.depth))

    def forsaken(self) -> list[tuple[str, int]]:
        """(url, depth) of pages that gave way to another one which is not to be had, or gave way in turn."""
        lost = {page: target for target, pages in self._deferred.items() if self._is_lost(target) for page in pages}
        urls = {url for url, _ in lost}
        # One that is lost itself may come back for the others. Where they all wait for each other, any one will do.
        back = [page for page, target in lost.items() if target not in urls] or sorted(lost)[:1]
        for page in back:
            self._deferred[lost[page]].remove(page)
        return back

    async def still_alone(self) -> tuple[list[PageOutcome], list[tuple[str, int]]]:
        """Unchanged pages for which another one would stand: as before where it is still lost, and (url, depth)."""
        visits, self._unchanged_alone = self._unchanged_alone, []
        alone: list[PageOutcome] = []
        others: list[tuple[str, int]] = []
        for visit in visits:
            if visit.before is not None and self._is_lost(visit.before.facts.duplicate_of or ""):
                alone.append(self._without_twin(await self._as_before(visit, visit.before)))
            else:
                others.append((visit.url, visit.depth))
        return self._settled(alone), others

    def _is_lost(self, target: str) -> bool:
        return target in self._unusable or target not in self._frontier.known

    def twin_of(self, page: Page) -> str | None:
        """The address of an indexed page that says what this one, a copy so far, has said before."""
        if page.reason == "duplicate":
            return self._hashes.get(page.content_hash or "")
        return self._twins.find(page.url, page.title, page.facts.simhash)

    def _count(self, outcome: PageOutcome) -> None:
        """A page with the text of another one will be skipped where it is stored, so it is none of max_pages."""
        if outcome.content_hash not in self._hashes:
            self._hashes[outcome.content_hash or ""] = outcome.url
            self.indexed.add(outcome.url)
            if outcome.reason is None:
                self.crawled.add(outcome.url)
            self._twins.add(outcome.url, outcome.title, outcome.facts.simhash)

    async def _outcomes_of(self, visit: Visit) -> list[PageOutcome]:
        fetched = visit.fetched
        if visit.reason == QUOTA:
            return [await self._spared(visit)]
        if fetched is None:
            return [await self._failed(visit)]
        if fetched.status == 304 and visit.before is not None:
            return await self._not_modified(visit, visit.before)
        url, depth = visit.url, visit.depth
        final = self.scope.on_site(fetched.url, url)
        if final == url:
            return [await self._page(visit, url, fetched)]
        moved = PageOutcome(url, depth, "skipped", "redirected", fetched.status)
        is_start = url == self._site.root and final is not None and self.scope.is_in_folder(final)
        if final is None or not (self.scope.wants(final) or is_start):
            return [replace(moved, reason="redirected_out_of_scope", facts=PageFacts(duplicate_of=fetched.url))]
        if not self._site.robots.allowed(final):
            return [replace(moved, reason=self._site.robots_reason)]
        if final in self._frontier.known:
            return [moved]
        self._frontier.known.add(final)
        return [await self._page(replace(visit, before=await self._former.page(final)), final, fetched), moved]

    async def _spared(self, visit: Visit) -> PageOutcome:
        """A page that the plan has no room for stays as it was, if it was there."""
        before = visit.before
        if before is None or before.status != "indexed" or not self.scope.includes(visit.url):
            return PageOutcome(visit.url, visit.depth, "skipped", QUOTA)
        return replace(await self._as_before(visit, before), reason=QUOTA)

    async def _failed(self, visit: Visit) -> PageOutcome:
        """A page that can't be had just now stays as it was, for a while."""
        status = visit.fetched.status if visit.fetched else None
        reason = visit.reason or f"http_{status}"
        before = visit.before
        if before is None or not is_keepable(before, visit.reason, status) or not self.scope.includes(visit.url):
            return PageOutcome(visit.url, visit.depth, "failed", reason, status)
        outcome = await self._as_before(visit, before)
        facts = replace(outcome.facts, kept=before.facts.kept + 1)
        return replace(outcome, reason=reason, http_status=status, facts=facts)

    async def _not_modified(self, visit: Visit, before: Page) -> list[PageOutcome]:
        if before.status == "indexed" and before.facts.duplicate_of is None:
            return [self._without_twin(await self._as_before(visit, before))]
        target = before.facts.duplicate_of if before.reason not in _COPIES else None
        links = self._follow(visit.url, before.facts.outlinks, visit.depth, target)
        if before.status == "indexed":
            self._unchanged_alone.append(visit)
            return []
        if before.reason in _COPIES:
            self.doubtful.append(replace(before, depth=visit.depth))
            return []
        return [replace(unchanged(before, visit.depth), links=links)]

    async def _as_before(self, visit: Visit, before: Page) -> PageOutcome:
        """The page as the former version has it."""
        return PageOutcome(
            visit.url,
            visit.depth,
            "indexed",
            http_status=visit.fetched.status if visit.fetched else None,
            title=before.title,
            content_hash=before.content_hash,
            chunks=await self._former.chunks(before),
            links=self._follow(visit.url, before.facts.outlinks, visit.depth, before.facts.duplicate_of),
            facts=before.facts,
        )

    async def _page(self, visit: Visit, url: str, fetched: Fetched) -> PageOutcome:
        visit = replace(visit, url=url)
        if fetched.status != 200:
            return await self._failed(visit)
        skipped = PageOutcome(url, visit.depth, "skipped", "not_a_page", fetched.status)
        try:
            document = await read_document(fetched)
            if document is not None and document.needs_javascript and self._renderer is not None:
                html = await self._renderer.render(url, self._site.headers_for(url))
                document = replace(await asyncio.to_thread(extract_html, html), needs_javascript=False)
                fetched = _without_validators(fetched)
        except FlowChatError as error:
            log.warning("%s: %s", url, error.message)
            return await self._failed(replace(visit, reason=error.code))
        if document is None:
            return replace(skipped, facts=PageFacts(etag=fetched.etag, last_modified=fetched.last_modified))
        return await self._document(skipped, document, fetched)

    async def _document(self, skipped: PageOutcome, document: Document, fetched: Fetched) -> PageOutcome:
        """What becomes of a page that could be read."""
        url, depth = skipped.url, skipped.depth
        noindex, nofollow = header_directives(fetched.headers.get("x-robots-tag", ""))
        base = normalise(document.base, url) if document.base else None
        links = () if nofollow or document.nofollow else document.links
        elsewhere = page_elsewhere(document, url, base or url, self.scope, self._source.locale)
        target = elsewhere[1] if elsewhere else None
        named = (target, *links) if target else links
        outlinks = await asyncio.to_thread(self.scope.outlinks, named, base or url)
        outlinks += await self._in_feeds(document, base or url)
        facts = replace(facts_of(document, fetched), outlinks=outlinks, duplicate_of=target)
        facts = replace(facts, modified=facts.modified or self._site.lastmod.get(url, ""))
        links = self._follow(url, outlinks, depth, target)
        skipped = replace(skipped, title=page_title(document, url), links=links, facts=facts)
        if noindex or document.noindex:
            return replace(skipped, reason="noindex")
        if not self.scope.includes(url):  # the start: it was fetched for its links
            return replace(skipped, reason="not_included")
        if elsewhere and url not in self.standing_alone:
            return replace(skipped, reason=elsewhere[0])
        if document.needs_javascript:
            return replace(skipped, reason="needs_javascript")
        return self._without_twin(await asyncio.to_thread(index_outcome, skipped, document, self._count_tokens))

    def _follow(self, url: str, outlinks: Iterable[str], depth: int, elsewhere: str | None = None) -> tuple[str, ...]:
        """Those of a page's links that are to be fetched because of it. Where it is elsewhere counts as no link."""
        limit = self._source.config.max_depth
        added = [elsewhere] if elsewhere and self._frontier.add(elsewhere, depth) else []
        if limit is None or depth < limit:
            wanted = (link for link in outlinks if self.scope.wants(link))
            added += [link for link in wanted if self._frontier.add(link, depth + 1, url)]
        return tuple(added)

    async def _in_feeds(self, document: Document, base: str) -> tuple[str, ...]:
        """The pages that the feeds of a page name, at the first page that leads to them."""
        found: list[str] = []
        for link in document.feeds:
            address = self.scope.on_site(link, base)
            if address is not None and address not in self._feeds and len(self._feeds) < MAX_FEEDS:
                self._feeds.add(address)
                found += self.wanted(await self._site.feed_urls(address))
        return tuple(found)

    def _without_twin(self, outcome: PageOutcome) -> PageOutcome:
        if outcome.status != "indexed" or outcome.content_hash in self._hashes:
            return outcome
        twin = self._twins.find(outcome.url, outcome.title, outcome.facts.simhash)
        if twin is None:
            return outcome
        facts = replace(outcome.facts, duplicate_of=twin)
        return replace(outcome, status="skipped", reason="near_duplicate", content_hash=None, chunks=(), facts=facts)


def _without_validators(fetched: Fetched) -> Fetched:
    """Those of a page's frame say nothing of what scripts put into it."""
    return replace(fetched, headers={**fetched.headers, "etag": "", "last-modified": ""})


def unchanged(page: Page, depth: int) -> PageOutcome:
    """A page that is what it was, and was not indexed."""
    return PageOutcome(
        page.url,
        depth,
        page.status,
        page.reason,
        304,
        title=page.title,
        content_hash=page.content_hash,
        facts=page.facts,
    )
