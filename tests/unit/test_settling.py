"""Whether Stripe has parked usage, by its sum of the hour: never decided wrongly, whatever really happened."""

import random
from dataclasses import replace
from typing import Any

from flowchat.billing import MeterEvent
from flowchat.services.reconciliation import Line, Verdict, decide
from flowchat.store.meter_events import HourSum

FRESH_FROM = "2026-11-21T12:00:00.000Z"
BEFORE, SINCE = "2026-11-21T11:00:00.000Z", "2026-11-21T12:00:00.000Z"


def event(seq: int, value: int, status: str, **fields: Any) -> MeterEvent:
    """Tried long ago, without an answer, unless told otherwise."""
    made = MeterEvent(
        seq=seq,
        identifier=f"e{seq}",
        tenant_id="ten_1",
        stripe_customer="cus_1",
        metric="queries",
        hour="2026-11-20T09",
        value=value,
        attempts=1,
        unanswered_since=None if status == "delivered" else BEFORE,
        last_attempt_at=BEFORE,
        delivered_at=BEFORE if status == "delivered" else None,
    )
    return replace(made, status=status, **fields)  # type: ignore[arg-type]


def verdicts(events: list[MeterEvent], at_stripe: int) -> dict[int, Verdict]:
    return {event.seq: verdict for event, verdict in decide(events, at_stripe, FRESH_FROM).items()}


def test_one_parked_event() -> None:
    events = [event(1, 5, "delivered"), event(2, 3, "parked")]
    assert verdicts(events, 8) == {2: "taken"}
    assert verdicts(events, 5) == {2: "not taken"}
    for odd in (0, 4, 7, 9):
        assert verdicts(events, odd) == {2: "unknown"}


def test_some_of_several() -> None:
    events = [event(1, 5, "parked"), event(2, 3, "parked"), event(3, 1, "parked")]
    assert verdicts(events, 4) == {1: "not taken", 2: "taken", 3: "taken"}
    assert verdicts(events, 0) == dict.fromkeys((1, 2, 3), "not taken")
    assert verdicts(events, 9) == dict.fromkeys((1, 2, 3), "taken")


def test_one_of_two_that_look_the_same() -> None:
    events = [event(1, 5, "parked"), event(2, 5, "parked")]
    assert sorted(verdicts(events, 5).values()) == ["not this one", "taken"]
    assert verdicts([*events, event(3, 5, "pending")], 5) == {1: "unknown", 2: "unknown"}


def test_stripe_may_not_have_summed_up_yet() -> None:
    for other in (event(2, 2, "delivered", last_attempt_at=SINCE), event(2, 2, "pending", last_attempt_at=SINCE)):
        assert verdicts([event(1, 5, "parked"), other], 2) == {1: "unknown"}
    assert verdicts([event(1, 5, "parked", last_attempt_at=SINCE)], 0) == {1: "unknown"}


def test_what_was_refused_every_time_is_not_there() -> None:
    refused = event(1, 5, "parked", unanswered_since=None, last_attempt_at=SINCE)
    assert verdicts([refused], 0) == {1: "not taken"}
    assert verdicts([refused, event(2, 5, "parked")], 5) == {1: "not taken", 2: "taken"}


def test_too_many_to_tell() -> None:
    assert set(verdicts([event(seq, 1, "parked") for seq in range(30)], 0).values()) == {"unknown"}


def test_the_sum_is_right_once_all_is_sent_that_is_not_there() -> None:
    """Whatever Stripe really took: in the end it has each value once, and what is not settled can still come right."""
    chance = random.Random(20261124)
    for _ in range(3000):
        events = [
            event(seq, chance.randint(1, 4), chance.choice(["delivered", "parked", "pending"]))
            for seq in range(chance.randint(1, 5))
        ]
        really = {made.seq for made in events if made.status == "delivered" or chance.random() < 0.5}
        at_stripe = sum(made.value for made in events if made.seq in really)
        known = {made.identifier for made in events if made.seq in really}
        told = verdicts(events, at_stripe)
        for made in events:
            match told.get(made.seq):
                case "not taken":
                    assert made.seq not in really
                    at_stripe += made.value
                case "not this one":  # under another identifier
                    at_stripe += made.value
                case "unknown" if made.seq not in really:  # a later look may tell
                    at_stripe += made.value
                case None if made.status == "pending" and made.identifier not in known:
                    at_stripe += made.value
        assert at_stripe == sum(made.value for made in events)


def test_states_of_a_compared_hour() -> None:
    def state(at_stripe: int, **sums: int) -> str:
        return Line("shop", HourSum("ten_1", "queries", "2026-11-20T09", **sums), at_stripe).state

    assert state(5, ledger=5, delivered=5) == "agrees"
    assert state(0, ledger=5, dropped=5) == "agrees"
    assert state(0, ledger=5, pending=5) == "waiting"
    assert state(5, ledger=5, pending=5) == "waiting"
    assert state(0, ledger=5, delivered=5, fresh=5) == "waiting"
    assert state(0, ledger=5, parked=5) == "parked"
    assert state(4, ledger=5, delivered=5) == "differs"
    assert state(6, ledger=5, delivered=5) == "differs"
    assert state(0, ledger=5) == "differs"
    assert state(3) == "differs"
