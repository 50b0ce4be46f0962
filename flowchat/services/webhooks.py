"""Webhooks: the endpoints of a tenant, and what was delivered to them. `delivery` is what delivers."""

from dataclasses import replace
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, UnsetType

from flowchat.domain import Actor, Delivery, DeliveryStatus, EventType, Webhook, new_id, now
from flowchat.errors import Conflict, NotFound
from flowchat.net.webhook import endpoint_url
from flowchat.services import signatures, vault
from flowchat.services.context import Context
from flowchat.services.fields import URL_PATTERN
from flowchat.services.lists import Listed, ListRequest, read_page
from flowchat.services.operations import operation
from flowchat.store import audit_log, deliveries, events, webhooks
from flowchat.store.database import Connection

ROTATION_S = 24 * 3600  # contract, section 5
MAX_PER_TENANT = 50  # every event goes to all of them, and dead ones take places from other tenants
DELETE_BATCH = 500  # deliveries of one transaction: chats wait for it
PING = {"message": "FlowChat can reach this endpoint."}

Url = Annotated[
    str,
    msgspec.Meta(
        max_length=2000,
        description="Where events are sent: https, or http to a host in FLOWCHAT_ALLOW_PRIVATE_HOSTS.",
        examples=["https://example.com/hooks/flowchat"],
        extra_json_schema={"pattern": URL_PATTERN.replace("https?", "https")},  # every appliance takes these
    ),
]
Subscription = Literal[
    "*", "source.crawl.completed", "source.crawl.failed", "source.revoked", "version.indexed", "version.failed"
]
Subscriptions = Annotated[
    tuple[Subscription, ...],
    msgspec.Meta(
        min_length=1,
        description='Which events are sent; "*" is all of them, also those of later releases.',
        examples=[["version.indexed", "source.crawl.failed"]],
    ),
]
Description = Annotated[str, msgspec.Meta(max_length=500, description="For people.")]


class NewWebhook(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An endpoint to be told of events."""

    url: Url
    events: Subscriptions
    description: Description = ""


class WebhookChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change of an endpoint. What is not sent stays."""

    url: Url | UnsetType = UNSET
    events: Subscriptions | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    enabled: (
        Annotated[bool, msgspec.Meta(description="true: send again what happens from now on. false: send nothing.")]
        | UnsetType
    ) = UNSET


class DeliveryList(ListRequest, frozen=True, kw_only=True):
    """Which deliveries are wanted."""

    status: Annotated[DeliveryStatus, msgspec.Meta(description="Only these.")] | UnsetType = UNSET
    type: Annotated[EventType, msgspec.Meta(description="Only of events of this type.")] | UnsetType = UNSET


@operation("webhooks.create", "write")
async def create(app: Context, actor: Actor, new: NewWebhook) -> tuple[Webhook, str]:
    """Make an endpoint. The answer has its signing secret, which is shown only this once.

    Raises FlowChatError `bad_url`, and Conflict `too_many_webhooks`.
    """
    secret = signatures.new_secret()
    webhook = Webhook(
        id=new_id("whe"),
        tenant_id=actor.tenant_id,
        url=endpoint_url(new.url, app.settings.allow_private_hosts, URL_PATTERN),
        events=_subscriptions(new.events),
        description=new.description,
        secret=vault.seal(app.settings.data_dir, secret),
        created_at=now(),
    )

    def transaction(conn: Connection) -> None:
        if webhooks.count(conn, actor.tenant_id) >= MAX_PER_TENANT:
            raise Conflict("too_many_webhooks", f"There are {MAX_PER_TENANT} endpoints already. Delete some first.")
        webhooks.insert(conn, webhook)
        audit_log.insert(conn, actor, "webhooks.create", webhook.id, url=webhook.url, events=webhook.events)

    await app.db.write(transaction)
    return webhook, secret


def _subscriptions(wanted: tuple[str, ...]) -> tuple[str, ...]:
    return ("*",) if "*" in wanted else tuple(dict.fromkeys(wanted))


@operation("webhooks.list", "read")
async def list_page(app: Context, actor: Actor, request: ListRequest) -> Listed[Webhook]:
    """List the tenant's endpoints, newest first."""
    return await read_page(request, lambda cursor: webhooks.page(app.db, actor.tenant_id, cursor))


@operation("webhooks.get", "read")
async def get(app: Context, actor: Actor, webhook_id: str) -> Webhook:
    """Show an endpoint. Raises NotFound."""
    return _found(await webhooks.get(app.db, actor.tenant_id, webhook_id), webhook_id)


@operation("webhooks.update", "write")
async def update(app: Context, actor: Actor, webhook_id: str, change: WebhookChange) -> Webhook:
    """Change an endpoint, switch it off or on again. Raises NotFound, and FlowChatError `bad_url`."""
    wanted: dict[str, object] = {}
    if change.url is not UNSET:
        wanted["url"] = endpoint_url(change.url, app.settings.allow_private_hosts, URL_PATTERN)
    if change.events is not UNSET:
        wanted["events"] = _subscriptions(change.events)
    if change.description is not UNSET:
        wanted["description"] = change.description

    def transaction(conn: Connection) -> Webhook:
        present = _found_now(conn, actor, webhook_id)
        changed = replace(present, **wanted)  # type: ignore[arg-type]
        webhooks.change(conn, webhook_id, changed.url, changed.events, changed.description)
        if changed.url != present.url:
            webhooks.set_failing(conn, webhook_id, None)  # the failures were the former address's
        if wanted:
            audit_log.insert(conn, actor, "webhooks.update", webhook_id, **wanted)
        if change.enabled is True and present.disabled_at is not None:
            webhooks.enable(conn, webhook_id)
            audit_log.insert(conn, actor, "webhooks.enable", webhook_id)
        elif change.enabled is False and present.disabled_at is None:
            disable(conn, actor, present, f"Switched off by {actor.name}.")
        return _found_now(conn, actor, webhook_id)

    return await app.db.write(transaction)


def disable(conn: Connection, actor: Actor, webhook: Webhook, reason: str) -> None:
    """Nothing more is sent to the endpoint; what was on its way ends as failed."""
    webhooks.disable(conn, webhook.id, reason)
    audit_log.insert(conn, actor, "webhooks.disable", webhook.id, reason=reason)


@operation("webhooks.delete", "write", while_read_only=True)
async def delete(app: Context, actor: Actor, webhook_id: str) -> None:
    """Delete an endpoint with its deliveries; nothing more is sent to it. Raises NotFound."""

    def switch_off(conn: Connection) -> None:
        webhook = _found_now(conn, actor, webhook_id)
        webhooks.disable(conn, webhook_id, "It is being deleted.")
        audit_log.insert(conn, actor, "webhooks.delete", webhook_id, url=webhook.url)

    await app.db.write(switch_off)
    while await app.db.write(lambda conn: deliveries.delete_some(conn, webhook_id, DELETE_BATCH)):
        pass
    await app.db.write(lambda conn: webhooks.delete(conn, webhook_id))


@operation("webhooks.rotate", "write")
async def rotate(app: Context, actor: Actor, webhook_id: str) -> tuple[Webhook, str]:
    """Give an endpoint a new secret, shown only this once. For 24 hours the former one signs too. Raises NotFound."""
    secret = signatures.new_secret()
    sealed = vault.seal(app.settings.data_dir, secret)

    def transaction(conn: Connection) -> Webhook:
        _found_now(conn, actor, webhook_id)
        webhooks.rotate(conn, webhook_id, sealed, now(ROTATION_S))
        audit_log.insert(conn, actor, "webhooks.rotate", webhook_id)
        return _found_now(conn, actor, webhook_id)

    return await app.db.write(transaction), secret


@operation("webhooks.ping", "write")
async def ping(app: Context, actor: Actor, webhook_id: str) -> Delivery:
    """Send an event `ping` to an endpoint, whatever it wants to be told. Raises NotFound, Conflict `webhook_disabled`.

    The answer is the delivery, which is on its way.
    """

    def transaction(conn: Connection) -> Delivery:
        _enabled_now(conn, actor, webhook_id)
        event_id = events.insert(conn, actor.tenant_id, "ping", PING)
        delivery_id = events.insert_delivery(conn, actor.tenant_id, webhook_id, event_id)
        audit_log.insert(conn, actor, "webhooks.ping", webhook_id)
        return _delivery_now(conn, actor, webhook_id, delivery_id)

    delivery = await app.db.write(transaction)
    app.wake_delivery()
    return delivery


@operation("deliveries.list", "read")
async def list_deliveries(app: Context, actor: Actor, webhook_id: str, request: DeliveryList) -> Listed[Delivery]:
    """List what was sent to an endpoint in the last 30 days, newest first. Raises NotFound."""
    await get(app, actor, webhook_id)
    status = None if request.status is UNSET else request.status
    event_type = None if request.type is UNSET else request.type
    return await read_page(
        request, lambda cursor: deliveries.page(app.db, actor.tenant_id, webhook_id, status, event_type, cursor)
    )


@operation("deliveries.get", "read")
async def get_delivery(app: Context, actor: Actor, webhook_id: str, delivery_id: str) -> Delivery:
    """Show a delivery with the log of its attempts. Raises NotFound."""
    delivery = await deliveries.get(app.db, actor.tenant_id, webhook_id, delivery_id)
    if delivery is None:
        raise NotFound("delivery", delivery_id)
    return delivery


@operation("deliveries.redeliver", "write")
async def redeliver(app: Context, actor: Actor, webhook_id: str, delivery_id: str) -> Delivery:
    """Send an event once more, at once, whatever came of it before. Raises NotFound, Conflict `webhook_disabled`."""

    def transaction(conn: Connection) -> Delivery:
        _enabled_now(conn, actor, webhook_id)
        _delivery_now(conn, actor, webhook_id, delivery_id)
        deliveries.begin_again(conn, delivery_id)
        audit_log.insert(conn, actor, "deliveries.redeliver", delivery_id)
        return _delivery_now(conn, actor, webhook_id, delivery_id)

    delivery = await app.db.write(transaction)
    app.wake_delivery()
    return delivery


def _found_now(conn: Connection, actor: Actor, webhook_id: str) -> Webhook:
    return _found(webhooks.get_now(conn, actor.tenant_id, webhook_id), webhook_id)


def _found(webhook: Webhook | None, webhook_id: str) -> Webhook:
    if webhook is None:
        raise NotFound("webhook", webhook_id)
    return webhook


def _enabled_now(conn: Connection, actor: Actor, webhook_id: str) -> None:
    webhook = _found_now(conn, actor, webhook_id)
    if webhook.disabled_at is not None:
        raise Conflict(
            "webhook_disabled",
            f"The endpoint is switched off: {webhook.disabled_reason} Switch it on first: PATCH it with enabled: true.",
        )


def _delivery_now(conn: Connection, actor: Actor, webhook_id: str, delivery_id: str) -> Delivery:
    delivery = deliveries.get_now(conn, actor.tenant_id, webhook_id, delivery_id)
    if delivery is None:
        raise NotFound("delivery", delivery_id)
    return delivery
