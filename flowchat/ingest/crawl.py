"""Crawl: from a source's address to the outcome of each of its pages, one request at a time.

The frontier lives in memory and is rebuilt from the version's rows: a page's links are stored in the transaction
that stores the page, so whatever an interruption loses is found again by fetching the same page again.
"""

import asyncio
import hashlib
from collections import deque
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import replace
from urllib.parse import urlsplit

from flowchat.domain import Document, Page, PageOutcome, Source
from flowchat.errors import FlowChatError
from flowchat.ingest.chunk import CountTokens, chunk_blocks
from flowchat.ingest.decode import decode
from flowchat.ingest.extract import extract_html, extract_markdown, page_title
from flowchat.net.fetch import Fetched, Fetcher, retry_after_s
from flowchat.net.robots import RobotsRules
from flowchat.net.sitemap import parse_sitemap
from flowchat.net.urls import in_scope, matches, normalise

MAX_SITEMAPS = 50
ROBOTS_UNREACHABLE = "robots_unreachable"
MIN_KNOWN_URLS = 1000
KNOWN_URLS_PER_PAGE = 4  # of max_pages: what lies beyond is hardly ever reached, and a trap has no end
RETRY_PAUSE_S = 1.0
BUSY_PAUSES_S = (2.0, 8.0)  # where a busy site doesn't say how long
MAX_BUSY_PAUSE_S = 30.0
BUSY_PATIENCE_S = 600.0  # of a whole crawl
_BUSY = (429, 503)
_WORTH_A_RETRY = ("fetch_failed", "fetch_timeout")
_HTML = ("text/html", "application/xhtml+xml")
_MARKDOWN = ("text/markdown", "text/plain")
_NOT_PAGES = (
    ".png .jpg .jpeg .gif .svg .webp .ico .css .js .mjs .json .xml .zip .gz .tgz .bz2 .xz .7z .exe .dmg .deb .rpm .jar "
    ".mp3 .mp4 .webm .avi .mov .woff .woff2 .ttf .iso .db .tar"
).split()


class SiteFault(FlowChatError):
    """Nothing usable came from a site: its own fault, or its configuration's."""


class Frontier:
    """What is known of a site: up to `max_urls` URLs once each, with their depth, and those still to fetch in order."""

    def __init__(self, pages: Iterable[Page], max_urls: int) -> None:
        self.max_urls = max_urls
        self._queue: deque[tuple[str, int]] = deque()
        self.known: set[str] = set()
        for page in pages:
            self.known.add(page.url)
            if page.status == "queued":
                self._queue.append((page.url, page.depth))

    def add(self, url: str, depth: int) -> bool:
        """False for a URL that is known already, or one too many."""
        if url in self.known or len(self.known) >= self.max_urls:
            return False
        self.known.add(url)
        self._queue.append((url, depth))
        return True

    def next(self) -> tuple[str, int] | None:
        return self._queue.popleft() if self._queue else None


class Crawl:
    """One crawl of a source. `outcomes()` yields its pages as they are done, parents before their children.

    `pages` are those that an interrupted crawl left, `hashes` the content hashes of what it has indexed. `headers`
    are sent to the source's own origin alone.
    """

    def __init__(
        self,
        source: Source,
        pages: list[Page],
        hashes: Iterable[str],
        fetcher: Fetcher,
        count_tokens: CountTokens,
        max_pages: int,
        delay_s: float,
        headers: Mapping[str, str],
    ) -> None:
        self._source = source
        self._root = normalise(source.url or "") or ""
        self._fetcher = fetcher
        self._count_tokens = count_tokens
        self._max_pages = max_pages
        self._delay_s = delay_s
        self._headers = headers
        self._frontier = Frontier(pages, max(MIN_KNOWN_URLS, KNOWN_URLS_PER_PAGE * self._max_pages))
        self._indexed = sum(page.status == "indexed" for page in pages)
        self._hashes = set(hashes)
        self._robots = RobotsRules.parse(404, b"")
        self._robots_reason = "robots"
        self._patience_s = BUSY_PATIENCE_S

    @property
    def found(self) -> int:
        """URLs known so far."""
        return len(self._frontier.known)

    async def outcomes(self) -> AsyncIterator[PageOutcome]:
        await self._read_robots()
        for url in await self._starts():
            self._frontier.add(url, 0)
        while (item := self._frontier.next()) is not None:
            url, depth = item
            if self._indexed >= self._max_pages:
                yield PageOutcome(url, depth, "skipped", "max_pages")
                continue
            if not self._robots.allowed(url):
                yield PageOutcome(url, depth, "skipped", self._robots_reason)
                continue
            for outcome in await self._visit(url, depth):
                self._count(outcome)
                yield outcome
            await asyncio.sleep(max(self._delay_s, self._robots.crawl_delay_s or 0))

    def _count(self, outcome: PageOutcome) -> None:
        """A page with the text of another one will be skipped where it is stored, so it is none of max_pages."""
        if outcome.status == "indexed" and outcome.content_hash not in self._hashes:
            self._indexed += 1
            self._hashes.add(outcome.content_hash or "")

    async def _read_robots(self) -> None:
        """What can't be fetched forbids everything (RFC 9309, section 2.3.1.4); what redirects for ever, nothing."""
        parts = urlsplit(self._root)
        status, body = None, b""
        try:
            fetched = await self._fetch(f"{parts.scheme}://{parts.netloc}/robots.txt")
            status, body = fetched.status, fetched.body
        except FlowChatError as error:
            # The pages meet the refusal of an address too, and report it with its own reason.
            if error.code in ("address_not_public", "fetch_too_many_redirects"):
                return
        self._robots = RobotsRules.parse(status, body)
        if status is None or status >= 500:
            self._robots_reason = ROBOTS_UNREACHABLE

    async def _starts(self) -> list[str]:
        """Where the crawl begins: at the source's own sitemap, or at its address and the sitemaps of its site."""
        if self._robots_reason == ROBOTS_UNREACHABLE:
            return [self._root]
        if self._source.sitemap:
            return await self._own_sitemap_urls(self._source.sitemap)
        parts = urlsplit(self._root)
        named = self._robots.sitemaps or [f"{parts.scheme}://{parts.netloc}/sitemap.xml"]
        return [self._root, *await self._sitemap_urls(named)]

    async def _own_sitemap_urls(self, sitemap: str) -> list[str]:
        found = await self._sitemap_urls([sitemap])
        if not found and not self._frontier.known:
            raise SiteFault(
                "sitemap_unavailable",
                f"{sitemap} could not be fetched, or names no page of {self._root} that the source takes in.",
            )
        return found

    async def _sitemap_urls(self, named: Iterable[str]) -> list[str]:
        """URLs in scope of these sitemaps and those that they name."""
        waiting = deque(named)
        seen: set[str] = set()
        urls: list[str] = []
        while waiting and len(seen) < MAX_SITEMAPS and len(urls) < self._frontier.max_urls:
            address = normalise(waiting.popleft(), self._root)
            if address is None or address in seen:
                continue
            seen.add(address)
            try:
                fetched = await self._get(address)
            except FlowChatError:
                continue
            if fetched.status == 200:
                sitemap = parse_sitemap(fetched.body)
                waiting.extend(sitemap.nested)
                urls.extend(url for page in sitemap.pages if (url := self._wanted(page, self._root)))
        return urls

    def _wanted(self, link: str, base: str) -> str | None:
        """The normalised URL of a link that belongs to the source, else None."""
        url = normalise(link, base)
        if url is None or not in_scope(url, self._root) or not self._is_included(url):
            return None
        return None if urlsplit(url).path.lower().endswith(tuple(_NOT_PAGES)) else url

    def _is_included(self, url: str) -> bool:
        config = self._source.config
        return (not config.include or matches(config.include, url)) and not matches(config.exclude, url)

    async def _visit(self, url: str, depth: int) -> list[PageOutcome]:
        """Fetch one URL. A redirect gives two outcomes: where it led, and the address asked for.

        In that order: an interruption between the two must not lose the page.
        """
        try:
            fetched = await self._fetch(url)
        except FlowChatError as error:
            return [PageOutcome(url, depth, "failed", error.code)]
        final = normalise(fetched.url) or url
        if final == url:
            return [self._page(url, depth, fetched)]
        moved = PageOutcome(url, depth, "skipped", "redirected", fetched.status)
        is_start = url == self._root and in_scope(final, self._root)
        if self._wanted(final, url) is None and not is_start:
            return [replace(moved, reason="redirected_out_of_scope")]
        if not self._robots.allowed(final):
            return [replace(moved, reason=self._robots_reason)]
        if final in self._frontier.known:
            return [moved]
        self._frontier.known.add(final)
        return [self._page(final, depth, fetched), moved]

    async def _fetch(self, url: str) -> Fetched:
        """A page, with two more tries while the site is busy: when it says, or a little later each time."""
        for pause_s in BUSY_PAUSES_S:
            fetched = await self._fetch_connected(url)
            if fetched.status not in _BUSY or self._patience_s <= 0:
                return fetched
            asked_s = retry_after_s(fetched.headers)
            pause_s = min(pause_s if asked_s is None else asked_s, MAX_BUSY_PAUSE_S)
            self._patience_s -= pause_s
            await asyncio.sleep(pause_s)
        return await self._fetch_connected(url)

    async def _fetch_connected(self, url: str) -> Fetched:
        """A page, with one more try: a kept-alive connection may close just as it is used again."""
        try:
            return await self._get(url)
        except FlowChatError as error:
            if error.code not in _WORTH_A_RETRY:
                raise
        await asyncio.sleep(RETRY_PAUSE_S)
        return await self._get(url)

    async def _get(self, url: str) -> Fetched:
        """The sign-in goes to the source's own origin; the fetcher drops it where that redirects to another."""
        is_own = urlsplit(url)[:2] == urlsplit(self._root)[:2]
        return await self._fetcher.fetch(url, headers=self._headers if is_own else None)

    def _page(self, url: str, depth: int, fetched: Fetched) -> PageOutcome:
        failed = PageOutcome(url, depth, "failed", f"http_{fetched.status}", fetched.status)
        if fetched.status != 200:
            return failed
        skipped = replace(failed, status="skipped")
        document = read_document(fetched)
        if document is None:
            return replace(skipped, reason="not_a_page")
        links = () if document.nofollow else self._follow(document, url, depth)
        skipped = replace(skipped, title=page_title(document, url), links=links)
        if document.noindex:
            return replace(skipped, reason="noindex")
        if not self._is_included(url):  # the start: it was fetched for its links
            return replace(skipped, reason="not_included")
        canonical = self._wanted(document.canonical, url) if document.canonical else None
        if canonical is not None and canonical != url:
            added = (canonical,) if self._frontier.add(canonical, depth) else ()
            return replace(skipped, reason="canonical_elsewhere", links=(*links, *added))
        return index_outcome(skipped, document, self._count_tokens)

    def _follow(self, document: Document, url: str, depth: int) -> tuple[str, ...]:
        limit = self._source.config.max_depth
        if limit is not None and depth >= limit:
            return ()
        wanted = (self._wanted(link, url) for link in document.links)
        links = tuple(dict.fromkeys(link for link in wanted if link is not None))
        return tuple(link for link in links if self._frontier.add(link, depth + 1))


def read_document(fetched: Fetched) -> Document | None:
    """Extract by content type; None for what is not a page of text."""
    kind = fetched.content_type or "text/html"
    if kind in _HTML:
        return extract_html(decode(fetched.body, fetched.charset))
    if kind in _MARKDOWN:
        return extract_markdown(decode(fetched.body, fetched.charset))
    return None


def index_outcome(outcome: PageOutcome, document: Document, count_tokens: CountTokens) -> PageOutcome:
    """The outcome with the document's chunks, or skipped for having none."""
    chunks = tuple(chunk_blocks(document.blocks, count_tokens))
    if not chunks:
        return replace(outcome, status="skipped", reason="no_content")
    digest = hashlib.sha256("\x00".join(chunk.text for chunk in chunks).encode()).hexdigest()
    return replace(outcome, status="indexed", reason=None, content_hash=digest, chunks=chunks)
