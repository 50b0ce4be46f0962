"""What is reported to Stripe's meters, for the operator to see."""

from dataclasses import dataclass
from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from flowchat.billing import MeterEvent, MeterEventStatus, StripeEvent, StripeEventStatus
from flowchat.domain import Actor
from flowchat.services.access import require
from flowchat.services.context import Context
from flowchat.services.lists import Listed, ListRequest, read_page
from flowchat.services.operations import operation
from flowchat.store import meter_events, stripe_events


class MeterEventList(ListRequest, frozen=True, kw_only=True):
    """Which events are wanted."""

    status: Annotated[MeterEventStatus, Meta(description="Only these.")] | UnsetType = UNSET


@dataclass(frozen=True, slots=True)
class StripeState:
    """How things stand with Stripe: events out and in by status, when the last ones went and came, and the last one of
    those that came and were given up.
    """

    reported: dict[MeterEventStatus, int]
    last_reported_at: str | None
    received: dict[StripeEventStatus, int]
    last_received_at: str | None
    last_failed: StripeEvent | None


@operation("meter_events.list", "operator")
async def list_page(app: Context, actor: Actor, request: MeterEventList) -> Listed[MeterEvent]:
    """List what all tenants have used by hour, on its way to Stripe's meters or there, newest first."""
    status = None if request.status is UNSET else request.status
    return await read_page(request, lambda cursor: meter_events.page(app.db, cursor, status))


async def state(app: Context, actor: Actor) -> StripeState:
    """Of all tenants. Raises Forbidden."""
    require(actor, "operator")
    return StripeState(
        reported=await meter_events.counts(app.db),
        last_reported_at=await meter_events.last_delivered_at(app.db),
        received=await stripe_events.counts(app.db),
        last_received_at=await stripe_events.last_received_at(app.db),
        last_failed=await stripe_events.last_failed(app.db),
    )
