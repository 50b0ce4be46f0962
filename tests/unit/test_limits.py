"""Questions a minute, and places for answers."""

import pytest

from flowchat.errors import Busy, FlowChatError
from flowchat.services.limits import RateLimiter, Slots


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_the_window_slides() -> None:
    clock = Clock()
    limiter = RateLimiter(2, clock)
    limiter.count("a")
    clock.now += 40
    limiter.count("a")
    with pytest.raises(FlowChatError) as caught:
        limiter.count("a")
    assert (caught.value.status, caught.value.retry_after_s) == (429, 20)
    clock.now += 21
    limiter.count("a")
    with pytest.raises(FlowChatError):
        limiter.count("a")
    limiter.count("b")


def test_headers_say_what_is_left() -> None:
    clock = Clock()
    limiter = RateLimiter(3, clock)
    limiter.count("a")
    clock.now += 10.5
    quota = limiter.quota("a")
    assert quota
    assert quota.headers() == {"RateLimit-Policy": '"questions";q=3;w=60', "RateLimit": '"questions";r=2;t=50'}


def test_clients_that_are_gone_are_forgotten() -> None:
    clock = Clock()
    limiter = RateLimiter(1, clock)
    for number in range(100):
        limiter.count(f"client {number}")
    clock.now += 61
    limiter.count("another")
    assert len(limiter._asked) == 1


def test_no_limit() -> None:
    limiter = RateLimiter(0)
    for _ in range(1000):
        limiter.count("a")
    assert limiter.quota("a") is None


def test_slots_are_few() -> None:
    slots = Slots(parallel=1, queued=1)
    slots.reserve()
    slots.reserve()
    with pytest.raises(Busy):
        slots.reserve()
    slots.release()
    slots.reserve()
