"""Stripe, for operators: what it was told of usage, what is parked, and whether all of it agrees."""

from msgspec import UNSET
from quart import Response

from flowchat.errors import FlowChatError
from flowchat.services import meter_events, reconciliation, tenants
from flowchat.services.meter_events import MeterEventList
from flowchat.services.reconciliation import Reconciling
from flowchat.web.admin import shell
from flowchat.web.admin.blueprint import blueprint, performs
from flowchat.web.admin.forms import Form
from flowchat.web.current import appliance

LIST = "/admin/stripe"
STATES = {"pending": "on their way", "delivered": "delivered", "parked": "parked", "dropped": "dropped"}


@blueprint.get("/stripe")
@performs("meter_events.list", "tenants.get")
async def stripe_show() -> Response:
    app, actor, asked = appliance(), shell.actor(), shell.query(MeterEventList)
    listed = await meter_events.list_page(app, actor, asked)
    tenant_ids = {event.tenant_id for event in listed.items}
    return await shell.render(
        "admin/stripe/show.html",
        events=listed.items,
        slugs={tenant_id: (await tenants.get(app, actor, tenant_id)).slug for tenant_id in tenant_ids},
        paging=shell.paging(listed, asked),
        filters=Form({} if asked.status is UNSET else {"status": asked.status}),
        states=STATES,
        state=await meter_events.state(app, actor),
        settings=app.settings,
    )


@blueprint.post("/stripe/reconcile")
@performs("billing.reconcile")
async def stripe_reconcile() -> Response:
    form = await Form.entered()
    try:
        request = form.to(Reconciling, flags=["apply"])
        found = await reconciliation.reconcile(appliance(), shell.actor(), request)
    except FlowChatError as error:
        return await shell.done(error.message, LIST, "bad")
    return await shell.render("admin/stripe/reconciled.html", found=found, is_applied=request.apply)
