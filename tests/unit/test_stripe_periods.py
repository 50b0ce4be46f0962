"""Periods and amounts of the fake of Stripe."""

from datetime import UTC, datetime
from typing import Any

import pytest

from flowchat.stripe_fake.amounts import amount, prorated
from flowchat.stripe_fake.periods import around, next_anchor

MONTH = {"interval": "month", "interval_count": 1}


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("anchor", "recurring", "moment", "start", "end"),
    [
        ("2026-11-01", MONTH, "2026-11-01", "2026-11-01", "2026-12-01"),
        ("2026-11-01", MONTH, "2026-11-30T23:59:59", "2026-11-01", "2026-12-01"),
        ("2026-12-01", MONTH, "2026-11-16", "2026-11-01", "2026-12-01"),
        ("2028-01-31T10:30", MONTH, "2028-02-10", "2028-01-31T10:30", "2028-02-29T10:30"),
        ("2028-01-31", MONTH, "2028-03-01", "2028-02-29", "2028-03-31"),
        ("2026-11-01", {"interval": "year", "interval_count": 1}, "2028-02-29", "2027-11-01", "2028-11-01"),
        ("2026-11-01", {"interval": "week", "interval_count": 2}, "2026-11-16", "2026-11-15", "2026-11-29"),
        ("2026-11-01", {"interval": "day", "interval_count": 1}, "2026-10-30T12:00", "2026-10-30", "2026-10-31"),
    ],
)
def test_the_period_around_a_moment(anchor: str, recurring: dict[str, Any], moment: str, start: str, end: str) -> None:
    assert around(at(anchor), recurring, at(moment)) == (at(start), at(end))


@pytest.mark.parametrize(
    ("now", "day", "anchor"),
    [
        ("2026-11-16T10:00", 1, "2026-12-01"),
        ("2026-12-31T23:59:59", 1, "2027-01-01"),
        ("2026-11-01", 1, "2026-12-01"),  # it is in the future
        ("2027-01-31", 31, "2027-02-28"),
    ],
)
def test_the_next_anchor(now: str, day: int, anchor: str) -> None:
    config = {"day_of_month": day, "hour": 0, "minute": 0, "second": 0}
    assert next_anchor(at(now), config) == at(anchor)


def test_the_next_anchor_has_the_time_of_now_unless_it_is_told() -> None:
    assert next_anchor(at("2026-11-16T10:11:12"), {"day_of_month": 1}) == at("2026-12-01T10:11:12")


@pytest.mark.parametrize(
    ("quantity", "cost"), [(0, 0), (100, 0), (101, 1), (102, 1), (103, 2), (300, 100), (301, 125), (305, 126)]
)
def test_graduated_tiers(quantity: int, cost: int) -> None:
    tiers = [
        {"up_to": 100, "unit_amount_decimal": "0", "flat_amount_decimal": None},
        {"up_to": 300, "unit_amount_decimal": "0.5", "flat_amount_decimal": None},
        {"up_to": None, "unit_amount_decimal": "0.25", "flat_amount_decimal": "25"},
    ]
    assert amount({"billing_scheme": "tiered", "tiers": tiers}, quantity) == cost


def test_amounts_are_rounded_half_up() -> None:
    assert amount({"billing_scheme": "per_unit", "unit_amount_decimal": "0.05"}, 30) == 2
    assert prorated(2900, 15 * 86400, 30 * 86400) == 1450
    assert prorated(1, 1, 2) == 1
    assert prorated(1, 1, 3) == 0
