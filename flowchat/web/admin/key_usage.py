"""What was asked with each key in the last days, from the tenant's usage."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from flowchat.domain import Actor, UsageCounts, UsageDay
from flowchat.services import usage
from flowchat.services.context import Context
from flowchat.services.usage import UsageRequest

DAYS = 30
_NOTHING = UsageCounts()


@dataclass
class KeyUsage:
    """`days`: the ones on which it was used, newest first."""

    days: list[UsageDay] = field(default_factory=list)

    @property
    def queries(self) -> int:
        return sum(day.counts.queries for day in self.days)

    @property
    def refusals(self) -> int:
        return sum(day.counts.refusals for day in self.days)

    @property
    def last_date(self) -> str:
        return self.days[0].date if self.days else ""

    @property
    def most(self) -> int:
        """Questions of its busiest day."""
        return max((day.counts.queries for day in self.days), default=0)

    @property
    def bars(self) -> list[tuple[str, UsageCounts]]:
        """(date, counts) of all the last days, oldest first, those without any use among them."""
        counts = {day.date: day.counts for day in self.days}
        return [(date, counts.get(date, _NOTHING)) for date in _dates()]


async def by_key(app: Context, actor: Actor) -> dict[str, KeyUsage]:
    """{key id: its usage of the last DAYS days}; a key that was not used is not there."""
    asked = UsageRequest(limit=DAYS, first=_dates()[0], group_by="key")
    found: dict[str, KeyUsage] = {}
    for day in (await usage.list_page(app, actor, asked)).items:
        if day.group_id is not None:
            found.setdefault(day.group_id, KeyUsage()).days.append(day)
    return found


def _dates() -> list[str]:
    today = datetime.now(UTC).date()
    return [(today - timedelta(days=ago)).isoformat() for ago in reversed(range(DAYS))]
