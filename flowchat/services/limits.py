"""What keeps one machine from being asked too much: requests a minute of each client, and places for answers."""

import asyncio
import math
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from flowchat.errors import Busy, FlowChatError

WINDOW_S = 60
RESTART_RETRY_AFTER_S = 30
_HOST_BITS = 64
BUSY_RETRY_AFTER_S = 5  # about what one short answer takes on two cores


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
            if asked and asked[-1] > self._clock() - WINDOW_S:
                return
            del self._asked[name]


class Slots:
    """Places for answers: `parallel` are worked on, `queued` wait their turn: `async with slots.turn`."""

    def __init__(self, parallel: int, queued: int) -> None:
        self._limit = parallel + queued
        self._taken = 0
        self.turn = asyncio.Semaphore(parallel)  # first come, first served

    def check_free(self) -> None:
        """Raises Busy (503) when all places are taken."""
        if self._taken >= self._limit:
            raise Busy(
                "The machine is answering as many questions as it can. Ask again in a few seconds.",
                retry_after_s=BUSY_RETRY_AFTER_S,
            )

    def reserve(self) -> None:
        """Take a place, to be given back by `release`. Raises Busy."""
        self.check_free()
        self._taken += 1

    def release(self) -> None:
        self._taken -= 1
