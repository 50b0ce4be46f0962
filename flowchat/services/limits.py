"""What keeps one machine from being asked too much: requests a minute of each client, and places for answers."""

import math
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from flowchat.errors import Busy, FlowChatError

WINDOW_S = 60
RESTART_RETRY_AFTER_S = 30
STREAM_RETRY_AFTER_S = 10
_HOST_BITS = 64
FIRST_GUESS_S = 1.0  # what a search takes on two cores, until some were timed
NEWEST_WEIGHT = 0.2
MAX_WAIT = 1.0  # searches
OVERLOADED_S = 10.0
MOST_CLIENTS = 30_000  # that are remembered, about 40 MB: who has that many addresses gains nothing by being forgotten


@dataclass(frozen=True, slots=True)
class Quota:
    """What a policy leaves a client of its window: `remaining` requests now, and the next `reset_s` seconds later."""

    policy: str
    limit: int
    remaining: int
    reset_s: int


def headers(quotas: Sequence[Quota]) -> dict[str, str]:
    """The `RateLimit` fields of draft-ietf-httpapi-ratelimit-headers-11; none without quotas."""
    if not quotas:
        return {}
    return {
        "RateLimit-Policy": ", ".join(f'"{quota.policy}";q={quota.limit};w={WINDOW_S}' for quota in quotas),
        "RateLimit": ", ".join(f'"{quota.policy}";r={quota.remaining};t={quota.reset_s}' for quota in quotas),
    }


@dataclass(frozen=True, slots=True)
class Policy:
    """At most `limit` requests in any `WINDOW_S` seconds for each client of that name. 0: no limit."""

    name: str
    client: str
    limit: int


def visitor_of(address: str) -> str:
    """What an address counts as: an IPv6 one as its /64, which is what one household or server has."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(IPv6Address(int(parsed) >> _HOST_BITS << _HOST_BITS)) + "/64"


class RateLimiter:
    """Counts requests by policy and client."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._asked: OrderedDict[tuple[str, str], deque[float]] = OrderedDict()  # least recently active client first

    def quotas(self, policies: Sequence[Policy]) -> list[Quota]:
        """What is left of each policy that limits anything."""
        self._forget_old()
        return [self._quota(policy) for policy in policies if policy.limit]

    def count(self, policies: Sequence[Policy]) -> None:
        """One more request. Raises FlowChatError `rate_limited` (429), and counts nothing, where it is one too many."""
        for quota in self.quotas(policies):
            if not quota.remaining:
                raise FlowChatError(
                    "rate_limited",
                    f"No more than {quota.limit} requests a minute ({quota.policy}). Try again in {quota.reset_s} s.",
                    status=429,
                    retry_after_s=quota.reset_s,
                )
        for policy in policies:
            if policy.limit:
                name = (policy.name, policy.client)
                self._asked.setdefault(name, deque()).append(self._clock())
                self._asked.move_to_end(name)

    def _quota(self, policy: Policy) -> Quota:
        asked = self._asked.get((policy.name, policy.client), deque())
        while asked and asked[0] <= self._clock() - WINDOW_S:
            asked.popleft()
        reset_s = math.ceil(asked[0] + WINDOW_S - self._clock()) if asked else WINDOW_S
        return Quota(policy.name, policy.limit, max(0, policy.limit - len(asked)), max(1, reset_s))

    def _forget_old(self) -> None:
        while self._asked:
            name, asked = next(iter(self._asked.items()))
            if asked and asked[-1] > self._clock() - WINDOW_S and len(self._asked) <= MOST_CLIENTS:
                return
            del self._asked[name]


class Streams:
    """Those that are open, by whose they are."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()

    def check(self, reader: str, most: int) -> None:
        """Raises FlowChatError `too_many_streams` (429) for a reader who has as many open already. 0: no limit."""
        if most and self._open[reader] >= most:
            message = "You have as many streams open as you may. Close some of them."
            raise FlowChatError("too_many_streams", message, status=429, retry_after_s=STREAM_RETRY_AFTER_S)

    @contextmanager
    def reading(self, reader: str) -> Iterator[None]:
        """One more, as long as the block runs."""
        self._open[reader] += 1
        try:
            yield
        finally:
            self._open[reader] -= 1
            if not self._open[reader]:
                del self._open[reader]


class Place:
    """Of one answer, from before it is begun. Give it back by `release`; `show` says that its first text is there."""

    def __init__(self, slots: "Slots") -> None:
        self._slots = slots

    def show(self) -> None:
        self._slots.shown(self)

    def release(self) -> None:
        self._slots.released(self)


class Slots:
    """Places for answers, as many as are likely to show their first text in time.

    `parallel` are taken in whatever comes, and `queued` more while they need not wait longer than MAX_WAIT searches, by
    what the last ones took; the others know at once that their answer would come late. For OVERLOADED_S after somebody
    was turned away, all are taken in by their wait alone: a handful who come together may queue, a crowd would make
    everybody wait as long as the last of a full queue.
    """

    def __init__(self, parallel: int, queued: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._parallel = parallel
        self._limit = parallel + queued
        self._clock = clock
        self._taken = 0
        self._searching: list[Place] = []  # without a text yet, first come first
        self._turn_began = 0.0  # when the first of these came, or became the first
        self._search_s = FIRST_GUESS_S
        self._turned_away_at = -math.inf

    @property
    def limit(self) -> int:
        """Most answers that are taken in at once."""
        return self._limit

    @property
    def taken(self) -> int:
        """Answers in the making."""
        return self._taken

    @property
    def waiting(self) -> int:
        """Of these, those without a text yet."""
        return len(self._searching)

    @property
    def expected_wait_s(self) -> float:
        """How long a question that comes now would wait before its search begins, by what the last ones took."""
        if not self._searching:
            return 0.0
        rest_s = max(0.0, self._search_s - (self._clock() - self._turn_began))
        return rest_s + (len(self._searching) - 1) * self._search_s

    def check_free(self) -> None:
        """Raises Busy (503) when another answer would come too late."""
        wait_s = self.expected_wait_s
        is_overloaded = self._clock() < self._turned_away_at + OVERLOADED_S
        if self._taken < self._limit and wait_s <= MAX_WAIT * self._search_s:
            return
        if self._taken < self._parallel and not is_overloaded:
            return
        self._turned_away_at = self._clock()
        raise Busy(
            "The machine is answering as many questions as it can. Ask again in a few seconds.",
            retry_after_s=math.ceil(wait_s + self._search_s),
        )

    def reserve(self) -> Place:
        """Raises Busy."""
        self.check_free()
        self._taken += 1
        place = Place(self)
        if not self._searching:
            self._turn_began = self._clock()
        self._searching.append(place)
        return place

    def shown(self, place: Place) -> None:
        if place not in self._searching:
            return
        if place is self._searching[0]:
            self._search_s += NEWEST_WEIGHT * (self._clock() - self._turn_began - self._search_s)
        self._leave(place)

    def released(self, place: Place) -> None:
        self._taken -= 1
        if place in self._searching:
            self._leave(place)

    def _leave(self, place: Place) -> None:
        if place is self._searching[0]:
            self._turn_began = self._clock()
        self._searching.remove(place)
