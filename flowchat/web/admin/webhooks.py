"""Webhooks: endpoints, what was delivered to them, and the events there were."""

import json
from typing import get_args

from msgspec import UNSET
from quart import Response

from flowchat.domain import Delivery, EventType, Webhook, now
from flowchat.services import events, webhooks
from flowchat.services.lists import ListRequest
from flowchat.services.webhooks import DeliveryList, NewWebhook, Subscription, WebhookChange
from flowchat.web.admin import live, shell
from flowchat.web.admin.blueprint import blueprint, performs
from flowchat.web.admin.forms import Form
from flowchat.web.current import appliance

LIST = "/admin/webhooks"
SUBSCRIPTIONS = [name for name in get_args(Subscription) if name != "*"]
TYPES = [("", "any"), *((name, name) for name in get_args(EventType))]


@blueprint.get("/webhooks")
@performs("webhooks.list")
async def webhooks_list() -> Response:
    asked = shell.query(ListRequest)
    listed = await webhooks.list_page(appliance(), shell.actor(), asked)
    return await shell.render("admin/webhooks/list.html", webhooks=listed.items, paging=shell.paging(listed, asked))


@blueprint.get("/webhooks/new")
@performs("webhooks.create")
async def webhooks_new() -> Response:
    return await _new(Form({"events": ["*"]}))


async def _new(form: Form, status: int = 200) -> Response:
    return await shell.render("admin/webhooks/new.html", status, form=form, subscriptions=SUBSCRIPTIONS)


@blueprint.post("/webhooks")
@performs("webhooks.create")
async def webhooks_create() -> Response:
    form = await Form.entered()
    with form:
        new = form.to(NewWebhook, lists=["events"])
        return await _show_once(await webhooks.create(appliance(), shell.actor(), new))
    return await _new(form, 422)


async def _show_once(made: tuple[Webhook, str]) -> Response:
    webhook, secret = made
    return await shell.render("admin/webhooks/secret.html", webhook=webhook, secret=secret)


@blueprint.get("/webhooks/<webhook>")
@performs("webhooks.get", "deliveries.list")
async def webhooks_show(webhook: str) -> Response:
    app, actor, asked = appliance(), shell.actor(), shell.query(DeliveryList)
    shown = await webhooks.get(app, actor, webhook)
    listed = await webhooks.list_deliveries(app, actor, webhook, asked)
    wanted = {name: value for name in ("status", "type") if (value := getattr(asked, name)) is not UNSET}
    return await shell.render(
        "admin/webhooks/show.html",
        webhook=shown,
        deliveries=listed.items,
        filters=Form(wanted),
        is_filtered=bool(wanted),
        types=TYPES,
        now=now(),
        paging=shell.paging(listed, asked),
    )


@blueprint.get("/webhooks/<webhook>/edit")
@performs("webhooks.get", "webhooks.update")
async def webhooks_edit(webhook: str) -> Response:
    shown = await webhooks.get(appliance(), shell.actor(), webhook)
    form = Form({"url": shown.url, "events": shown.events, "description": shown.description})
    return await _edit(shown, form)


async def _edit(webhook: Webhook, form: Form, status: int = 200) -> Response:
    return await shell.render(
        "admin/webhooks/edit.html", status, webhook=webhook, form=form, subscriptions=SUBSCRIPTIONS
    )


@blueprint.post("/webhooks/<webhook>")
@performs("webhooks.update", "webhooks.get")
async def webhooks_update(webhook: str) -> Response:
    app, actor, form = appliance(), shell.actor(), await Form.entered()
    with form:
        await webhooks.update(app, actor, webhook, form.to(WebhookChange, lists=["events"]))
        return await shell.done("The endpoint is changed.", f"{LIST}/{webhook}")
    return await _edit(await webhooks.get(app, actor, webhook), form, 422)


@blueprint.post("/webhooks/<webhook>/disable")
@performs("webhooks.update")
async def webhooks_disable(webhook: str) -> Response:
    change = webhooks.update(appliance(), shell.actor(), webhook, WebhookChange(enabled=False))
    return await shell.act(change, to=f"{LIST}/{webhook}", text="Paused: nothing is sent to it.")


@blueprint.post("/webhooks/<webhook>/enable")
@performs("webhooks.update")
async def webhooks_enable(webhook: str) -> Response:
    change = webhooks.update(appliance(), shell.actor(), webhook, WebhookChange(enabled=True))
    return await shell.act(change, to=f"{LIST}/{webhook}", text="It is told of what happens from now on.")


@blueprint.post("/webhooks/<webhook>/rotate")
@performs("webhooks.rotate")
async def webhooks_rotate(webhook: str) -> Response:
    return await _show_once(await webhooks.rotate(appliance(), shell.actor(), webhook))


@blueprint.post("/webhooks/<webhook>/delete")
@performs("webhooks.delete")
async def webhooks_delete(webhook: str) -> Response:
    deletion = webhooks.delete(appliance(), shell.actor(), webhook)
    return await shell.act(deletion, to=LIST, text="The endpoint and its deliveries are deleted.")


@blueprint.post("/webhooks/<webhook>/ping")
@performs("webhooks.ping")
async def webhooks_ping(webhook: str) -> Response:
    """Leads to the delivery, where the answer shows as soon as it is there."""
    form = Form()
    with form:
        delivery = await webhooks.ping(appliance(), shell.actor(), webhook)
        return await shell.go(f"{LIST}/{webhook}/deliveries/{delivery.id}")
    return await shell.done(form.message, f"{LIST}/{webhook}", "bad")


@blueprint.get("/webhooks/<webhook>/deliveries/<delivery>")
@performs("deliveries.get", "webhooks.get")
async def deliveries_show(webhook: str, delivery: str) -> Response:
    app, actor = appliance(), shell.actor()
    shown = await webhooks.get_delivery(app, actor, webhook, delivery)
    return await shell.render(
        "admin/webhooks/delivery.html",
        delivery=shown,
        webhook=await webhooks.get(app, actor, webhook),
        body=_indented(events.body(shown.event)),
    )


@blueprint.get("/webhooks/<webhook>/deliveries/<delivery>/live")
@performs("deliveries.get")
async def deliveries_live(webhook: str, delivery: str) -> Response:
    app, actor = appliance(), shell.actor()
    return await live.follow(lambda: webhooks.get_delivery(app, actor, webhook, delivery), _is_to_be_sent)


def _is_to_be_sent(delivery: Delivery) -> bool:
    return delivery.next_attempt_at is not None


def _indented(body: bytes) -> str:
    """A body, for people to read."""
    return json.dumps(json.loads(body), indent=2, ensure_ascii=False)


@blueprint.post("/webhooks/<webhook>/deliveries/<delivery>/redeliver")
@performs("deliveries.redeliver")
async def deliveries_redeliver(webhook: str, delivery: str) -> Response:
    again = webhooks.redeliver(appliance(), shell.actor(), webhook, delivery)
    return await shell.act(again, to=f"{LIST}/{webhook}/deliveries/{delivery}", text="It is sent once more.")


@blueprint.get("/webhooks/events")
@performs("events.list")
async def events_list() -> Response:
    asked = shell.query(events.EventList)
    listed = await events.list_page(appliance(), shell.actor(), asked)
    return await shell.render(
        "admin/webhooks/events.html",
        events=listed.items,
        filters=Form({} if asked.type is UNSET else {"type": asked.type}),
        types=TYPES,
        paging=shell.paging(listed, asked),
    )


@blueprint.get("/webhooks/events/<event>")
@performs("events.get")
async def events_show(event: str) -> Response:
    shown = await events.get(appliance(), shell.actor(), event)
    return await shell.render("admin/webhooks/event.html", event=shown, body=_indented(events.body(shown)))
