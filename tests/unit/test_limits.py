"""Requests a minute, and places for answers."""

import pytest

from flowchat.errors import Busy, FlowChatError
from flowchat.services import limits
from flowchat.services.limits import OVERLOADED_S, Policy, RateLimiter, Slots, headers, visitor_of


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def of(client: str, limit: int, name: str = "questions") -> list[Policy]:
    return [Policy(name, client, limit)]


def test_the_window_slides() -> None:
    clock = Clock()
    limiter = RateLimiter(clock)
    limiter.count(of("a", 2))
    clock.now += 40
    limiter.count(of("a", 2))
    with pytest.raises(FlowChatError) as caught:
        limiter.count(of("a", 2))
    assert (caught.value.status, caught.value.retry_after_s) == (429, 20)
    clock.now += 21
    limiter.count(of("a", 2))
    with pytest.raises(FlowChatError):
        limiter.count(of("a", 2))
    limiter.count(of("b", 2))


def test_one_full_policy_refuses_and_nothing_is_counted() -> None:
    limiter = RateLimiter(Clock())
    both = [*of("key", 3, "key"), *of("visitor", 1, "visitor")]
    limiter.count(both)
    for _ in range(2):
        with pytest.raises(FlowChatError, match=r"1 requests a minute \(visitor\)"):
            limiter.count(both)
    assert [quota.remaining for quota in limiter.quotas(both)] == [2, 0]


def test_headers_say_what_is_left_of_every_policy() -> None:
    clock = Clock()
    limiter = RateLimiter(clock)
    policies = [*of("a", 3), *of("b", 9, "key"), *of("c", 0, "visitor")]
    limiter.count(policies)
    clock.now += 10.5
    assert headers(limiter.quotas(policies)) == {
        "RateLimit-Policy": '"questions";q=3;w=60, "key";q=9;w=60',
        "RateLimit": '"questions";r=2;t=50, "key";r=8;t=50',
    }
    assert headers([]) == {}


def test_clients_that_are_gone_are_forgotten() -> None:
    clock = Clock()
    limiter = RateLimiter(clock)
    for number in range(100):
        limiter.count(of(f"client {number}", 1))
    clock.now += 61
    limiter.count(of("another", 1))
    assert len(limiter._asked) == 1


def test_no_limit() -> None:
    limiter = RateLimiter()
    for _ in range(1000):
        limiter.count(of("a", 0))
    assert limiter.quotas(of("a", 0)) == []


@pytest.mark.parametrize(
    ("address", "visitor"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("unknown", "unknown"),
        ("", ""),
    ],
)
def test_who_counts_as_one_visitor(address: str, visitor: str) -> None:
    assert visitor_of(address) == visitor


def test_places_are_few() -> None:
    slots = Slots(1, 1, Clock())
    first = slots.reserve()
    first.show()
    slots.reserve().show()
    with pytest.raises(Busy):
        slots.reserve()
    first.release()
    slots.reserve()


def test_only_who_need_not_wait_long_is_taken_in_beyond_the_first() -> None:
    clock = Clock()
    slots = Slots(2, 8, clock)
    places = [slots.reserve() for _ in range(2)]
    with pytest.raises(Busy) as caught:
        slots.reserve()
    assert caught.value.retry_after_s == 3
    clock.now += 1.0
    places[0].show()
    assert slots.expected_wait_s == 1.0
    clock.now += 0.5
    places.append(slots.reserve())
    with pytest.raises(Busy):
        slots.check_free()
    for place in places:
        place.show()
        place.show()
    assert slots.expected_wait_s == 0.0
    for place in places:
        place.release()
    assert [slots.reserve() for _ in range(2)]


def test_a_crowd_is_taken_in_by_its_wait_alone() -> None:
    clock = Clock()
    slots = Slots(3, 8, clock)
    handful = [slots.reserve() for _ in range(3)]
    with pytest.raises(Busy):
        slots.reserve()
    for place in handful[:2]:
        place.show()
        place.release()
    slots.reserve()  # one waits
    with pytest.raises(Busy):
        slots.reserve()  # although only two of three places are taken
    clock.now += 0.5
    with pytest.raises(Busy):
        slots.reserve()
    clock.now += OVERLOADED_S
    slots.reserve()


def test_what_searches_take_is_learned() -> None:
    clock = Clock()
    slots = Slots(4, 0, clock)
    for _ in range(30):
        place = slots.reserve()
        clock.now += 0.1
        place.show()
        place.release()
    slots.reserve()
    assert slots.expected_wait_s == pytest.approx(0.1, abs=0.01)


def test_an_answer_that_ends_without_a_text_does_not_hold_up_the_next() -> None:
    clock = Clock()
    slots = Slots(1, 1, clock)
    first = slots.reserve()
    clock.now += 0.5
    second = slots.reserve()
    first.release()
    clock.now += 0.5
    assert slots.expected_wait_s == 0.5
    second.release()
    assert slots.expected_wait_s == 0.0


def test_a_crowd_of_addresses_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST_CLIENTS", 100)
    limiter = RateLimiter(lambda: 0.0)
    for number in range(1000):
        limiter.count([Policy("questions", f"203.0.113.{number}", 5)])
    assert len(limiter._asked) == 101
    assert limiter.quotas([Policy("questions", "203.0.113.999", 5)])[0].remaining == 4
