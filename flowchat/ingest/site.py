"""The host of a source, and how a crawl behaves towards it."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import urlsplit

from flowchat.errors import FlowChatError
from flowchat.ingest.decode import decode
from flowchat.net.feed import parse_feed
from flowchat.net.fetch import Fetched, Fetcher, retry_after_s
from flowchat.net.llms_txt import parse_llms_txt
from flowchat.net.robots import RobotsRules
from flowchat.net.sitemap import parse_sitemap
from flowchat.net.urls import normalise

MAX_SITEMAPS = 50
ROBOTS_UNREACHABLE = "robots_unreachable"
RETRY_PAUSE_S = 1.0
BUSY_PAUSES_S = (2.0, 8.0)  # where a busy site doesn't say how long
MAX_BUSY_PAUSE_S = 30.0
BUSY_PATIENCE_S = 600.0  # of a whole crawl
MIN_SLOW_S, MAX_SLOW_S = 0.5, 10.0  # pause between requests to a site that was too busy for them
_CALMER = 0.5  # of that pause is left after each request that went well
MAX_DEAD = 10  # fetches in a row without an answer: the site is down, and each of them takes two time-outs
MAX_BUSY = {429: 5, 503: 20}  # answers in a row, three times each; pages of their own may be out of order with 503
_BUSY = tuple(MAX_BUSY)
_DEAD = ("fetch_failed", "fetch_timeout")


class SiteFault(FlowChatError):
    """Nothing usable came from a site: its own fault, or its configuration's."""


class Site:
    """Fetches from one site: as often as it likes to be asked, and what it lets be read.

    `root` is the address of the source. `headers` are sent to its origin alone, `delay_s` is the least pause between
    two requests.
    """

    def __init__(
        self,
        root: str,
        fetcher: Fetcher,
        headers: Mapping[str, str],
        delay_s: float,
        max_sitemaps: int = MAX_SITEMAPS,
    ) -> None:
        self.root = root
        self.robots = RobotsRules.parse(404, b"")
        self.robots_reason = "robots"
        self.robots_fault = ""  # what keeps robots.txt from being read
        self.is_incomplete = False  # what names its pages could not all be had just now
        self.lastmod: dict[str, str] = {}
        self._own_origin = urlsplit(root)[:2]
        self._fetcher = fetcher
        self._headers = headers
        self._delay_s = delay_s
        self._max_sitemaps = max_sitemaps
        self._slow_s = 0.0
        self._free_at = 0.0
        self._patience_s = BUSY_PATIENCE_S
        self._dead = 0
        self._busy = 0

    async def read_robots(self) -> None:
        """What can't be fetched forbids everything (RFC 9309, section 2.3.1.4); what redirects for ever, nothing.

        Where robots.txt shows that the site has moved to https or to its name with or without www., so has the root.
        """
        status, body = None, b""
        try:
            fetched = await self.fetch(self._at("/robots.txt"))
            status, body = fetched.status, fetched.body
            self._follow_move(fetched.url)
        except SiteFault as error:
            self.robots_fault = error.message
        except FlowChatError as error:
            self.robots_fault = error.message
            # The pages meet the refusal of an address too, and report it with its own reason.
            if error.code in ("address_not_public", "fetch_too_many_redirects"):
                return
        self.robots = RobotsRules.parse(status, body)
        if status is None or status >= 500:
            self.robots_reason = ROBOTS_UNREACHABLE
            self.robots_fault = self.robots_fault or f"It answered {status}."

    def _follow_move(self, robots_url: str) -> None:
        here, there = urlsplit(self.root), urlsplit(robots_url)
        is_same = here.netloc.removeprefix("www.") == there.netloc.removeprefix("www.")
        if is_same and there.path == "/robots.txt" and not self._headers:  # these must not go anywhere else
            self.root = here._replace(scheme=there.scheme, netloc=there.netloc).geturl()

    @property
    def default_sitemaps(self) -> tuple[str, ...]:
        return self.robots.sitemaps or (self._at("/sitemap.xml"),)

    async def sitemap_urls(self, named: Iterable[str], wanted: Callable[[str], str | None], max_urls: int) -> list[str]:
        """What is `wanted` of what these sitemaps, and those that they name, say.

        `lastmod` remembers when they say it changed.
        """
        waiting = deque(named)
        seen: set[str] = set()
        urls: dict[str, None] = {}
        while waiting and len(seen) < self._max_sitemaps and len(urls) < max_urls:
            address = normalise(waiting.popleft(), self.root)
            if address is None or address in seen:
                continue
            seen.add(address)
            fetched = await self._read(address)
            if fetched is not None:
                nested, pages = await asyncio.to_thread(_wanted_pages, fetched, wanted)
                waiting.extend(nested)
                urls |= dict.fromkeys(pages)
                self.lastmod |= {url: moment for url, moment in pages.items() if moment}
        return list(urls)

    async def feed_urls(self, address: str) -> tuple[str, ...]:
        """The pages that a feed names."""
        fetched = await self._read(address)
        return parse_feed(fetched.body, fetched.url) if fetched is not None else ()

    async def llms_txt_urls(self) -> tuple[str, ...]:
        """The pages that the site recommends to language models (llmstxt.org)."""
        fetched = await self._read(self._at("/llms.txt"))
        if fetched is None or fetched.content_type not in ("text/plain", "text/markdown"):
            return ()
        return parse_llms_txt(decode(fetched.body, fetched.charset), fetched.url)

    def _at(self, path: str) -> str:
        parts = urlsplit(self.root)
        return f"{parts.scheme}://{parts.netloc}{path}"

    async def _read(self, address: str) -> Fetched | None:
        """What helps to find pages, if it is there and may be read."""
        if not self.robots.allowed(address):
            return None
        try:
            fetched = await self.fetch(address)
        except SiteFault:
            raise
        except FlowChatError as error:
            self.is_incomplete = self.is_incomplete or error.code in _DEAD
            return None
        self.is_incomplete = self.is_incomplete or fetched.status in _BUSY or fetched.status >= 500
        return fetched if fetched.status == 200 else None

    async def fetch(self, url: str, *, etag: str | None = None, last_modified: str | None = None) -> Fetched:
        """A page, with two more tries while the site is busy: when it says, or a little later each time.

        Raises what Fetcher.fetch raises, and SiteFault `site_unavailable` when the site has stopped answering.
        """
        for pause_s in BUSY_PAUSES_S:
            fetched = await self._fetch_connected(url, etag, last_modified)
            if fetched.status not in _BUSY:
                self._busy = 0
                return fetched
            if self._patience_s <= 0:
                break
            asked_s = retry_after_s(fetched.headers)
            self._back_off(min(pause_s if asked_s is None else asked_s, MAX_BUSY_PAUSE_S))
        else:
            fetched = await self._fetch_connected(url, etag, last_modified)
        self._note_busy(fetched)
        return fetched

    def _note_busy(self, fetched: Fetched) -> None:
        self._busy = self._busy + 1 if fetched.status in _BUSY else 0
        if self._busy and self._busy >= MAX_BUSY[fetched.status]:
            raise SiteFault(
                "site_unavailable",
                f"{self.root} goes on answering {fetched.status}: it was too busy for {self._busy} pages in a row, "
                "three times each. Allow FlowChatBot more requests, or set FLOWCHAT_CRAWL_DELAY_S, then recrawl.",
            )

    def _back_off(self, pause_s: float) -> None:
        """All requests wait, and go on more slowly."""
        loop = asyncio.get_running_loop()
        self._patience_s -= pause_s
        self._free_at = max(self._free_at, loop.time() + pause_s)
        self._slow_s = min(max(MIN_SLOW_S, 2 * self._slow_s), MAX_SLOW_S)

    async def _fetch_connected(self, url: str, etag: str | None, last_modified: str | None) -> Fetched:
        """A page, with one more try: a kept-alive connection may close just as it is used again."""
        try:
            return await self._get(url, etag, last_modified)
        except FlowChatError as error:
            if error.code not in _DEAD:
                raise
        await asyncio.sleep(RETRY_PAUSE_S)
        return await self._get(url, etag, last_modified)

    async def _get(self, url: str, etag: str | None, last_modified: str | None) -> Fetched:
        await self._wait_turn()
        headers = self.headers_for(url)
        try:
            fetched = await self._fetcher.fetch(url, headers=headers, etag=etag, last_modified=last_modified)
        except FlowChatError as error:
            self._note_dead(error)
            raise
        self._dead = 0
        if fetched.status not in _BUSY:
            self._slow_s = self._slow_s * _CALMER if self._slow_s > MIN_SLOW_S / 10 else 0.0
        return fetched

    def headers_for(self, url: str) -> Mapping[str, str]:
        """The sign-in goes to the source's own origin; whoever requests drops it where that redirects to another."""
        return self._headers if urlsplit(url)[:2] == self._own_origin else {}

    async def _wait_turn(self) -> None:
        loop = asyncio.get_running_loop()
        pause_s = max(self._delay_s, self.robots.crawl_delay_s, self._slow_s)
        turn_at = max(self._free_at, loop.time())
        self._free_at = turn_at + pause_s if pause_s else self._free_at
        if turn_at > loop.time():
            await asyncio.sleep(turn_at - loop.time())

    def _note_dead(self, error: FlowChatError) -> None:
        if error.code not in _DEAD:
            return
        self._dead += 1
        if self._dead >= 2 * MAX_DEAD:  # each page is tried twice
            raise SiteFault(
                "site_unavailable",
                f"{self.root} has stopped answering: {MAX_DEAD} pages in a row could not be fetched. "
                "Recrawl when the site is up again.",
            ) from error


def _wanted_pages(fetched: Fetched, wanted: Callable[[str], str | None]) -> tuple[tuple[str, ...], dict[str, str]]:
    """(sitemaps, {page that is wanted: when it has changed}) that a sitemap names."""
    sitemap = parse_sitemap(fetched.body, fetched.url)
    pages = {url: sitemap.lastmod.get(named, "") for named in sitemap.pages if (url := wanted(named)) is not None}
    return sitemap.nested, pages
