"""The billing periods of a subscription: whole intervals before and after its anchor, in UTC."""

import calendar
from datetime import UTC, datetime, timedelta

from flowchat.stripe_fake.state import Json

_DAYS = {"day": 1, "week": 7}
_MONTHS = {"month": 1, "year": 12}


def around(anchor: int, recurring: Json, moment: int) -> tuple[int, int]:
    """Start and end of the period that the moment is in; the end is no longer part of it."""
    place = 0
    while boundary(anchor, recurring, place) > moment:
        place -= 1
    while boundary(anchor, recurring, place + 1) <= moment:
        place += 1
    return boundary(anchor, recurring, place), boundary(anchor, recurring, place + 1)


def boundary(anchor: int, recurring: Json, place: int) -> int:
    """The anchor, and so many intervals later. The 31st is the last day of shorter months."""
    start = datetime.fromtimestamp(anchor, UTC)
    count = place * recurring["interval_count"]
    if recurring["interval"] in _DAYS:
        return int((start + timedelta(days=count * _DAYS[recurring["interval"]])).timestamp())
    months = start.month - 1 + count * _MONTHS[recurring["interval"]]
    year, month = start.year + months // 12, months % 12 + 1
    day = min(start.day, calendar.monthrange(year, month)[1])
    return int(start.replace(year=year, month=month, day=day).timestamp())


def next_anchor(now: int, config: Json) -> int:
    """The next moment that a `billing_cycle_anchor_config` means; its times are those of now unless it says so."""
    start = datetime.fromtimestamp(now, UTC)
    parts = {name: config.get(name, getattr(start, name)) for name in ("hour", "minute", "second")}
    for ahead in range(14):
        months = start.month - 1 + ahead
        year, month = start.year + months // 12, months % 12 + 1
        if config.get("month", month) != month:
            continue
        day = min(config["day_of_month"], calendar.monthrange(year, month)[1])
        found = datetime(year, month, day, tzinfo=UTC, **parts)
        if found > start:
            return int(found.timestamp())
    raise AssertionError(config)
