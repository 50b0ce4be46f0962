"""How answers turned out, day by day."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Annotated

import msgspec

from flowchat.domain import Actor, AnswerDay
from flowchat.services import validate
from flowchat.services.context import Context
from flowchat.services.fields import Date
from flowchat.services.operations import operation
from flowchat.store import statistics

DAYS, MAX_DAYS = 30, 100


class StatisticsRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Which days are wanted."""

    first: Annotated[
        Date, msgspec.Meta(description="The earliest date: YYYY-MM-DD. Empty: 29 days before the latest one.")
    ] = msgspec.field(default="", name="from")
    last: Annotated[Date, msgspec.Meta(description="The latest date: YYYY-MM-DD. Empty: today.")] = msgspec.field(
        default="", name="to"
    )


@dataclass(frozen=True, slots=True)
class Statistics:
    """The days from `first` to `last`, newest first; those without answers are left out."""

    first: str
    last: str
    days: list[AnswerDay]


_LATELY = StatisticsRequest()


@operation("statistics.get", "read")
async def get(app: Context, actor: Actor, request: StatisticsRequest = _LATELY) -> Statistics:
    """Show how answers turned out by UTC day: refusals, verified sentences, and the time to the first text.

    It is counted from the conversations that are kept, so that days beyond the tenant's retention have none; usage
    has the counts of all days. At most 100 days. Raises FlowChatError naming the date at fault.
    """
    last = _date("to", request.last) if request.last else datetime.now(UTC).date()
    try:
        first = _date("from", request.first) if request.first else last - timedelta(days=DAYS - 1)
    except OverflowError:
        raise validate.invalid("to", f"{last} is too early.") from None
    if not 0 <= (last - first).days < MAX_DAYS:
        raise validate.invalid("from", f"from must be before to, by less than {MAX_DAYS} days.")
    days = await statistics.days(app.db, actor.tenant_id, first.isoformat(), last.isoformat())
    return Statistics(first.isoformat(), last.isoformat(), days)


def _date(param: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise validate.invalid(param, f"There is no day {text}.") from None
