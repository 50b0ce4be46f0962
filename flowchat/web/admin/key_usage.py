"""What was asked with each key in the last days, from the tenant's usage."""

from dataclasses import dataclass, field

from flowchat.domain import Actor, UsageDay
from flowchat.services import usage
from flowchat.services.context import Context
from flowchat.services.usage import UsageRequest
from flowchat.web.admin.charts import Chart, Series, draw, last_days

DAYS = 30


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
    def chart(self) -> Chart:
        answered = Series("Answered", {day.date: day.counts.queries - day.counts.refusals for day in self.days})
        refused = Series("Refused", {day.date: day.counts.refusals for day in self.days})
        return draw("asked", "Questions", last_days(DAYS), [answered, refused], lambda number: f"{number:,.0f}")


async def by_key(app: Context, actor: Actor) -> dict[str, KeyUsage]:
    """{key id: its usage of the last DAYS days}; a key that was not used is not there."""
    asked = UsageRequest(limit=DAYS, first=last_days(DAYS)[0], group_by="key")
    found: dict[str, KeyUsage] = {}
    for day in (await usage.list_page(app, actor, asked)).items:
        if day.group_id is not None:
            found.setdefault(day.group_id, KeyUsage()).days.append(day)
    return found
