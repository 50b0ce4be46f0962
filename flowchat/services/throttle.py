"""Slows guessing down by a growing delay, without keeping out whoever has signed in from the same address before."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from flowchat.errors import FlowChatError

FORGET_S = 24 * 3600.0
_MOST_KEPT = 50_000  # guesses with invented names must not fill the memory


@dataclass(frozen=True, slots=True)
class Rule:
    """`free` failures cost nothing; each further one doubles the delay, from 1 s up to `longest_s`."""

    free: int
    longest_s: float


OF_PAIR = Rule(4, 900)  # one address at one account
OF_KNOWN_PAIR = Rule(6, 30)  # the same, where the account has signed in from that address before
OF_ADDRESS = Rule(25, 900)  # one address at any account
OF_ACCOUNT = Rule(15, 900)  # any address at one account, except those it has signed in from before


@dataclass(slots=True)
class _Failures:
    count: int
    last_s: float


class Throttle:
    """Failures of each name, in memory: a restart forgets them."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: OrderedDict[str, _Failures] = OrderedDict()  # least recent first

    def begin(self, rules: Iterable[tuple[str, Rule]]) -> None:
        """One more attempt, which counts as a failure until `succeed`.

        Raises FlowChatError `too_many_attempts` (429), and counts nothing, while one of the names has to wait.
        """
        self._forget()
        wanted = list(rules)
        wait_s = max((self._wait_s(name, rule) for name, rule in wanted), default=0.0)
        if wait_s > 0:
            seconds = math.ceil(wait_s)
            raise FlowChatError(
                "too_many_attempts",
                f"Too many attempts have failed. Try again in {seconds} s.",
                status=429,
                retry_after_s=seconds,
            )
        for name, _ in wanted:
            failures = self._failures.setdefault(name, _Failures(0, 0.0))
            failures.count += 1
            failures.last_s = self._clock()
            self._failures.move_to_end(name)

    def succeed(self, rules: Iterable[tuple[str, Rule]], *, clear: str) -> None:
        """The attempt that began with these rules was right: it is not counted, and `clear` begins anew."""
        for name, _ in rules:
            if (failures := self._failures.get(name)) is not None:
                failures.count -= 1
        self._failures.pop(clear, None)

    def _wait_s(self, name: str, rule: Rule) -> float:
        failures = self._failures.get(name)
        if failures is None or failures.count < rule.free:
            return 0.0
        delay_s = min(2.0 ** min(failures.count - rule.free, 30), rule.longest_s)
        return failures.last_s + delay_s - self._clock()

    def _forget(self) -> None:
        while self._failures:
            name, failures = next(iter(self._failures.items()))
            if failures.last_s > self._clock() - FORGET_S and len(self._failures) < _MOST_KEPT:
                return
            del self._failures[name]
