"""Events: what the tenant's webhooks are told, and what of it has gone by."""

import json
from typing import Annotated, Any

from msgspec import UNSET, Meta, UnsetType

from flowchat.domain import Actor, EventType, WebhookEvent, now
from flowchat.errors import NotFound
from flowchat.services.context import Context
from flowchat.services.lists import Listed, ListRequest, read_page
from flowchat.services.operations import operation
from flowchat.store import deliveries, events

KEEP_S = 30 * 24 * 3600
MAX_DATA_BYTES = 19_000  # with the rest of a body (ids, a type, a time) below the contract's 20 KB
MAX_LONG_FIELD_BYTES = 1_000
_BATCH = 500  # rows deleted in one transaction, so that other writers get their turn


class EventList(ListRequest, frozen=True, kw_only=True):
    """Which events are wanted."""

    type: Annotated[EventType, Meta(description="Only these.")] | UnsetType = UNSET


@operation("events.list", "read")
async def list_page(app: Context, actor: Actor, request: EventList) -> Listed[WebhookEvent]:
    """List the events of the last 30 days, newest first, whether or not a webhook was told of them."""
    event_type = None if request.type is UNSET else request.type
    return await read_page(request, lambda cursor: events.page(app.db, actor.tenant_id, event_type, cursor))


@operation("events.get", "read")
async def get(app: Context, actor: Actor, event_id: str) -> WebhookEvent:
    """Show an event. Raises NotFound."""
    event = await events.get(app.db, actor.tenant_id, event_id)
    if event is None:
        raise NotFound("event", event_id)
    return event


def body(event: WebhookEvent) -> bytes:
    """The event as its receivers get it: JSON in ASCII, under 20 KB, the same bytes every time.

    Of larger data the long fields are left out, and `truncated` says so.
    """
    data = event.data
    if len(_json(data)) > MAX_DATA_BYTES:
        short = {name: value for name, value in data.items() if len(_json(value)) <= MAX_LONG_FIELD_BYTES}
        data = {**dict(list(short.items())[: MAX_DATA_BYTES // MAX_LONG_FIELD_BYTES - 1]), "truncated": True}
    return _json(
        {
            "id": event.id,
            "type": event.type,
            "created_at": event.created_at,
            "tenant_id": event.tenant_id,
            "data": data,
        }
    )


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


async def delete_old(app: Context) -> None:
    """Events of more than 30 days ago, with their deliveries; what is still to be delivered stays."""
    before = now(-KEEP_S)
    while await app.db.write(
        lambda conn: deliveries.delete_old(conn, before, _BATCH) + events.delete_old(conn, before, _BATCH)
    ):
        pass
