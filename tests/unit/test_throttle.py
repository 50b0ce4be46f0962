"""Guessing gets slow, and keeps nobody out."""

import pytest

from flowchat.errors import FlowChatError
from flowchat.services.throttle import FORGET_S, Rule, Throttle

RULE = Rule(free=3, longest_s=60)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def waits(throttle: Throttle, *rules: tuple[str, Rule]) -> int:
    """How long an attempt has to wait; 0: it was made, and failed."""
    try:
        throttle.begin(rules)
    except FlowChatError as error:
        assert (error.code, error.status) == ("too_many_attempts", 429)
        return error.retry_after_s or 0
    return 0


def test_the_delay_grows_and_has_an_end() -> None:
    clock = Clock()
    throttle = Throttle(clock)
    assert [waits(throttle, ("ann", RULE)) for _ in range(3)] == [0, 0, 0]
    delays = []
    for _ in range(9):
        delay = waits(throttle, ("ann", RULE))
        delays.append(delay)
        clock.now += delay
        assert waits(throttle, ("ann", RULE)) == 0
    assert delays == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_waiting_does_not_count() -> None:
    clock = Clock()
    throttle = Throttle(clock)
    for _ in range(3):
        waits(throttle, ("ann", RULE))
    assert {waits(throttle, ("ann", RULE)) for _ in range(100)} == {1}


def test_the_longest_wait_counts_and_others_are_free() -> None:
    throttle = Throttle(Clock())
    for _ in range(4):
        waits(throttle, ("from here", Rule(4, 60)), ("ann", Rule(99, 60)))
    assert waits(throttle, ("ann", Rule(99, 60)), ("from here", Rule(4, 60))) == 1
    assert waits(throttle, ("ann", Rule(99, 60)), ("from there", Rule(4, 60))) == 0


def test_success_is_not_counted_and_clears_the_pair() -> None:
    throttle = Throttle(Clock())
    rules = [("ann from here", RULE), ("from here", RULE)]
    waits(throttle, *rules)
    for _ in range(20):
        throttle.begin(rules)
        throttle.succeed(rules, clear="ann from here")
    assert [waits(throttle, ("from here", RULE)) for _ in range(2)] == [0, 0]
    assert waits(throttle, ("from here", RULE)) == 1, "earlier failures of the address still count"


def test_old_failures_are_forgotten() -> None:
    clock = Clock()
    throttle = Throttle(clock)
    for _ in range(3):
        waits(throttle, ("ann", RULE))
    clock.now += FORGET_S + 1
    assert [waits(throttle, ("ann", RULE)) for _ in range(3)] == [0, 0, 0]


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowchat.services.throttle._MOST_KEPT", 10)
    throttle = Throttle(Clock())
    for number in range(100):
        waits(throttle, (f"name {number}", RULE))
    assert len(throttle._failures) <= 11
