"""What keeps one machine from being asked too much: questions a minute of each client, and places for answers."""

import asyncio
import math
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass

from flowchat.errors import Busy, FlowChatError

WINDOW_S = 60
RESTART_RETRY_AFTER_S = 30
BUSY_RETRY_AFTER_S = 5  # about what one short answer takes on two cores


@dataclass(frozen=True, slots=True)
class Quota:
    """How much of its window a client has left: `remaining` questions now, and the next `reset_s` seconds later."""

    limit: int
    remaining: int
    reset_s: int

    def headers(self) -> dict[str, str]:
        """The `RateLimit` fields of draft-ietf-httpapi-ratelimit-headers-11."""
        return {
            "RateLimit-Policy": f'"questions";q={self.limit};w={WINDOW_S}',
            "RateLimit": f'"questions";r={self.remaining};t={self.reset_s}',
        }


class RateLimiter:
    """At most `limit` questions in any `WINDOW_S` seconds, per client. 0: no limit."""

    def __init__(self, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._clock = clock
        self._asked: OrderedDict[str, deque[float]] = OrderedDict()  # least recently active client first

    def quota(self, client: str) -> Quota | None:
        """None where nothing is limited."""
        if not self._limit:
            return None
        self._forget_old()
        asked = self._asked.get(client, ())
        times = [moment for moment in asked if moment > self._clock() - WINDOW_S]
        reset_s = math.ceil(times[0] + WINDOW_S - self._clock()) if times else WINDOW_S
        return Quota(self._limit, max(0, self._limit - len(times)), max(1, reset_s))

    def count(self, client: str) -> None:
        """One more question of this client. Raises FlowChatError `rate_limited` (429) for one too many."""
        quota = self.quota(client)
        if quota is None:
            return
        if not quota.remaining:
            raise FlowChatError(
                "rate_limited",
                f"One client may ask {self._limit} times in a minute. Ask again in {quota.reset_s} s.",
                status=429,
                retry_after_s=quota.reset_s,
            )
        self._asked.setdefault(client, deque(maxlen=self._limit)).append(self._clock())
        self._asked.move_to_end(client)

    def _forget_old(self) -> None:
        while self._asked:
            client, asked = next(iter(self._asked.items()))
            if asked[-1] > self._clock() - WINDOW_S:
                return
            del self._asked[client]


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
