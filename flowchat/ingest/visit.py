"""What becomes of a page that was asked for."""

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

from flowchat.domain import Document, Page, PageFacts, PageOutcome, Source
from flowchat.errors import FlowChatError
from flowchat.ingest.chunk import CountTokens
from flowchat.ingest.duplicates import Twins
from flowchat.ingest.extract import extract_html, page_title
from flowchat.ingest.former import Former, is_keepable
from flowchat.ingest.frontier import Frontier
from flowchat.ingest.locale import better_locale
from flowchat.ingest.read import facts_of, index_outcome, read_document
from flowchat.ingest.scope import Scope
from flowchat.ingest.site import Site
from flowchat.net.fetch import Fetched
from flowchat.net.render import Renderer
from flowchat.net.robots import header_directives
from flowchat.net.urls import normalise

MAX_FEEDS = 10
_ELSEWHERE = ("redirected", "redirected_out_of_scope", "canonical_elsewhere", "other_locale")

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

    `pages` and `hashes` tell what is indexed already.
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
        hashes: Iterable[str],
    ) -> None:
        self._source = source
        self._site = site
        self._frontier = frontier
        self._former = former
        self._count_tokens = count_tokens
        self._renderer = renderer
        self._twins = Twins(pages)
        self._hashes = set(hashes)
        self._feeds: set[str] = set()
        self.indexed = {page.url for page in pages if page.status == "indexed"}
        self._deferred: dict[str, tuple[str, int]] = {}
        self._unusable: set[str] = set()
        self.doubtful: list[Page] = []
        self.standing_alone: set[str] = set()

    @cached_property
    def scope(self) -> Scope:
        """Not asked for before robots.txt has told where the site is."""
        return Scope(self._site.root, self._source.config)

    def wanted(self, urls: Iterable[str]) -> list[str]:
        """The normalised URLs of those that belong to the source."""
        return [url for url in (self.scope.wanted(url, self.scope.root) for url in urls) if url is not None]

    async def outcomes(self, visit: Visit) -> list[PageOutcome]:
        """One, or two for a redirect: where it led, and then the address asked for.

        In that order: an interruption between the two must not lose the page. None for a page that is doubtful.
        """
        outcomes = await self._outcomes_of(visit)
        for outcome in outcomes:
            if outcome.status == "indexed":
                self._count(outcome)
            elif outcome.status == "failed" or outcome.reason in _ELSEWHERE:
                self._unusable.add(outcome.url)
        return outcomes

    def forsaken(self) -> list[tuple[str, int]]:
        """(url, depth) of pages that gave way to another one which is not to be had, or gave way in turn."""
        lost = [page for target, page in self._deferred.items() if target in self._unusable]
        self._deferred.clear()
        return lost

    def _count(self, outcome: PageOutcome) -> None:
        """A page with the text of another one will be skipped where it is stored, so it is none of max_pages."""
        if outcome.content_hash not in self._hashes:
            self._hashes.add(outcome.content_hash or "")
            self.indexed.add(outcome.url)
            self._twins.add(outcome.url, outcome.title, outcome.facts.simhash)

    async def _outcomes_of(self, visit: Visit) -> list[PageOutcome]:
        fetched = visit.fetched
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
            return [replace(moved, reason="redirected_out_of_scope")]
        if not self._site.robots.allowed(final):
            return [replace(moved, reason=self._site.robots_reason)]
        if final in self._frontier.known:
            return [moved]
        self._frontier.known.add(final)
        return [await self._page(replace(visit, before=await self._former.page(final)), final, fetched), moved]

    async def _failed(self, visit: Visit) -> PageOutcome:
        """A page that can't be had just now stays as it was, for a while."""
        status = visit.fetched.status if visit.fetched else None
        reason = visit.reason or f"http_{status}"
        before = visit.before
        if before is None or not is_keepable(before, visit.reason, status):
            return PageOutcome(visit.url, visit.depth, "failed", reason, status)
        outcome = await self._as_before(visit, before)
        facts = replace(outcome.facts, kept=before.facts.kept + 1)
        return replace(outcome, reason=reason, http_status=status, facts=facts)

    async def _not_modified(self, visit: Visit, before: Page) -> list[PageOutcome]:
        if before.reason == "near_duplicate":
            self.doubtful.append(replace(before, depth=visit.depth))
            return []
        if before.status == "indexed":
            return [await self._as_before(visit, before)]
        if before.reason == "duplicate":
            original = await self._former.page(before.facts.duplicate_of or "")
            if original is None:
                self.doubtful.append(replace(before, depth=visit.depth))
                return []
            # Which of the two is skipped is decided where they are stored.
            return [await self._as_before(visit, replace(before, id=original.id))]
        return [replace(unchanged(before, visit.depth), links=self._follow(before.facts.outlinks, visit.depth))]

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
            links=self._follow(before.facts.outlinks, visit.depth),
            facts=replace(before.facts, duplicate_of=None),
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
        elsewhere = self._elsewhere(document, url, base or url) if url not in self.standing_alone else None
        named = (elsewhere[1], *links) if elsewhere else links
        outlinks = await asyncio.to_thread(self.scope.outlinks, named, base or url)
        outlinks += await self._in_feeds(document, base or url)
        facts = replace(facts_of(document, fetched), outlinks=outlinks)
        facts = replace(facts, modified=facts.modified or self._site.lastmod.get(url, ""))
        skipped = replace(
            skipped, title=page_title(document, url), links=self._follow(outlinks, depth, elsewhere), facts=facts
        )
        if noindex or document.noindex:
            return replace(skipped, reason="noindex")
        if not self.scope.includes(url):  # the start: it was fetched for its links
            return replace(skipped, reason="not_included")
        if elsewhere:
            self._deferred[elsewhere[1]] = (url, depth)
            return replace(skipped, reason=elsewhere[0])
        if document.needs_javascript:
            return replace(skipped, reason="needs_javascript")
        return self._without_twin(await asyncio.to_thread(index_outcome, skipped, document, self._count_tokens))

    def _elsewhere(self, document: Document, url: str, base: str) -> tuple[str, str] | None:
        """(reason, address) of the page that stands for this one."""
        refresh = self.scope.wanted(document.refresh, base) if document.refresh else None
        if refresh is not None and refresh != url:
            return "redirected", refresh
        canonical = self.scope.wanted(document.canonical, base) if document.canonical else None
        if canonical is not None and canonical != url:
            return "canonical_elsewhere", canonical
        alternates = [(tag, self.scope.on_site(link, base) or "") for tag, link in document.alternates]
        own = next((tag for tag, address in alternates if address == url and tag != "x-default"), document.language)
        translated = better_locale(self._source.locale, own, alternates)
        if translated and translated != url and self.scope.wants(translated):
            return "other_locale", translated
        return None

    def _follow(self, outlinks: Iterable[str], depth: int, elsewhere: tuple[str, str] | None = None) -> tuple[str, ...]:
        """Those of a page's links that are to be fetched because of it. Where it is elsewhere counts as no link."""
        limit = self._source.config.max_depth
        added = [elsewhere[1]] if elsewhere and self._frontier.add(elsewhere[1], depth) else []
        if limit is None or depth < limit:
            added += [url for url in outlinks if self.scope.wants(url) and self._frontier.add(url, depth + 1)]
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
