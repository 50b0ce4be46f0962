"""What a crawl knows of a site's addresses, and which comes next."""

import heapq
from collections import Counter, deque
from collections.abc import Iterable

from flowchat.domain import Page, PageOutcome
from flowchat.ingest.duplicates import different_bits, is_nearly_same
from flowchat.net.urls import is_trap, shape

MAX_BARREN = 20  # addresses of one shape in a row that bring nothing new, such as the months of an empty calendar
MAX_NUMBERED = 200  # such addresses in a row whose texts differ only in their numbers: the parts of a list may do so
MAX_VARIANTS = {2: 2000, 3: 1000}  # addresses of one path with so many query parameters, or more: filters of a shop
MAX_ALIKE_BITS = 2  # of 48: with 9, pages of which a fifth is their own were alike
_REMEMBERED = 16  # pages of one shape to which the next one is compared: a calendar repeats itself after 12
_TELLING = ("indexed", "no_content", "noindex", "near_duplicate", "canonical_elsewhere", "needs_javascript")


class Frontier:
    """Up to `max_urls` URLs once each, with their depth, and those still to fetch: few query parameters first.

    Pages without parameters are what a site is about; combinations of parameters have no end.
    """

    def __init__(self, pages: Iterable[Page], max_urls: int) -> None:
        self.max_urls = max_urls
        self.known: set[str] = set()
        self._chained: set[str] = set()
        self._queue: list[tuple[int, int, str, int]] = []
        for page in pages:
            self.known.add(page.url)
            if page.status == "queued":
                self._push(page.url, page.depth)

    def add(self, url: str, depth: int, found_on: str = "") -> bool:
        """False for a URL that is known already, or one too many. `found_on`: the page that leads to it."""
        if url in self.known:
            if url in self._chained and not _is_next_of(found_on, url):
                self._chained.remove(url)
            return False
        if len(self.known) >= self.max_urls:
            return False
        if _is_next_of(found_on, url):
            self._chained.add(url)
        self.known.add(url)
        self._push(url, depth)
        return True

    def _push(self, url: str, depth: int) -> None:
        heapq.heappush(self._queue, (_parameters(url), len(self.known), url, depth))

    def again(self, url: str, depth: int) -> None:
        """Fetch a URL once more."""
        self._push(url, depth)

    def is_chained(self, url: str) -> bool:
        """Whether only pages like it lead there: whatever has no end is reached that way."""
        return url in self._chained

    def __bool__(self) -> bool:
        """Whether there is something to fetch."""
        return bool(self._queue)

    def next(self) -> tuple[str, int] | None:
        if not self._queue:
            return None
        *_, url, depth = heapq.heappop(self._queue)
        return url, depth


class Traps:
    """Tells addresses that a site generates without end from those of its pages, by what the ones before brought."""

    def __init__(self) -> None:
        self._barren: Counter[str] = Counter()  # {shape: addresses in a row, MAX_NUMBERED being too many}
        self._variants: Counter[str] = Counter()
        self._recent: dict[str, deque[int]] = {}

    def holds(self, url: str, is_chained: bool) -> bool:
        """Whether a URL, about to be fetched, leads into a trap."""
        if is_trap(url):
            return True
        if not is_chained:
            return False
        if self._barren[shape(url)] >= MAX_NUMBERED:
            return True
        parameters = min(_parameters(url), max(MAX_VARIANTS))
        if parameters not in MAX_VARIANTS:
            return False
        path = f"{parameters} {url.partition('?')[0]}"
        self._variants[path] += 1
        return self._variants[path] > MAX_VARIANTS[parameters]

    def learn(self, outcome: PageOutcome) -> None:
        """What a fetched page has brought: a text unlike those of its kind, or links to pages of another kind.

        One that leads nowhere new tells nothing unless its text is new: only what goes on and on is a trap.
        """
        kind = shape(outcome.url)
        if kind == outcome.url or (outcome.reason or outcome.status) not in _TELLING:
            return
        recent = self._recent.setdefault(kind, deque(maxlen=_REMEMBERED))
        simhash = outcome.facts.simhash
        is_alike = simhash is not None and any(different_bits(simhash, other) <= MAX_ALIKE_BITS for other in recent)
        is_same = simhash is None or any(is_nearly_same(simhash, other) for other in recent)
        is_new = (outcome.status == "indexed" and not is_alike) or any(shape(link) != kind for link in outcome.links)
        if is_new:
            self._barren[kind] = 0
        elif outcome.links:
            is_numbered = outcome.status == "indexed" and not is_same
            self._barren[kind] += 1 if is_numbered else MAX_NUMBERED // MAX_BARREN
        if simhash is not None:
            recent.append(simhash)


def _is_next_of(found_on: str, url: str) -> bool:
    """Whether a link leads from a page to one of its kind: only the query differs, or only numbers do."""
    if not found_on:
        return False
    path, _, query = url.partition("?")
    return (bool(query) and path == found_on.partition("?")[0]) or shape(found_on) == shape(url)


def _parameters(url: str) -> int:
    query = url.partition("?")[2]
    return query.count("&") + 1 if query else 0
