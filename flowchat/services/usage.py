"""Usage: what a tenant's keys and crawls did, day by day."""

from dataclasses import replace
from typing import Annotated

import msgspec

from flowchat.domain import Actor, UsageDay, UsageGroup
from flowchat.services.context import Context
from flowchat.services.fields import Date
from flowchat.services.lists import Listed, ListRequest, read_page
from flowchat.services.operations import operation
from flowchat.store import usage


class UsageRequest(ListRequest, frozen=True, kw_only=True):
    """Which days are wanted, and of what they are the sums."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=100, description="Days of one page.")] = 20
    starting_after: Annotated[Date, msgspec.Meta(description="The last date of the page before: YYYY-MM-DD.")] = ""
    ending_before: Annotated[Date, msgspec.Meta(description="The first date of the page after: YYYY-MM-DD.")] = ""
    first: Annotated[Date, msgspec.Meta(description="The earliest date: YYYY-MM-DD.")] = msgspec.field(
        default="", name="from"
    )
    last: Annotated[Date, msgspec.Meta(description="The latest date: YYYY-MM-DD.")] = msgspec.field(
        default="", name="to"
    )
    group_by: Annotated[
        UsageGroup | None, msgspec.Meta(description="One row for each source, or for each key, of a day.")
    ] = None


@operation("usage.list", "read")
async def list_page(app: Context, actor: Actor, request: UsageRequest) -> Listed[UsageDay]:
    """List usage by UTC day, newest first. A page has `limit` days; days without any usage are left out.

    With `group_by` a day has several rows, whose sums are the day's. A row is `final` from a minute after its day has
    ended; from then on it never changes.
    """
    days = await read_page(
        request,
        lambda cursor: usage.days(app.db, actor.tenant_id, cursor, request.first or None, request.last or None),
    )
    if not days.items:
        return Listed([], days.has_more)
    rows = await usage.sums(app.db, actor.tenant_id, days.items[-1], days.items[0], request.group_by)
    return Listed([replace(row, currency=app.settings.currency) for row in rows], days.has_more)
