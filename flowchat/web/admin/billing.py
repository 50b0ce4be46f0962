"""A tenant's plan: what it has, what of it the month has used, what else it can choose, and Stripe's pages to pay."""

from collections.abc import Awaitable

from quart import Response, request

from flowchat.errors import FlowChatError
from flowchat.services import billing, billing_checkout, standing
from flowchat.services.billing_checkout import PlanChoice
from flowchat.services.billing_emails import BILLING_PATH
from flowchat.web.admin import live, shell
from flowchat.web.admin.blueprint import blueprint, performs
from flowchat.web.admin.forms import Form
from flowchat.web.current import appliance


@blueprint.get("/billing")
@performs("billing.get")
async def billing_show() -> Response:
    """`?checkout=done` is where Stripe leads whoever has paid: what they paid for begins a moment later."""
    app = appliance()
    shown = await billing.get(app, shell.actor())
    is_subscribed = shown.subscription is not None and shown.subscription.is_managed_by_stripe
    return await shell.render(
        "admin/billing/show.html",
        billing=shown,
        is_subscribed=is_subscribed,
        is_sold=bool(app.settings.stripe_api_key),
        is_awaited=request.args.get("checkout") == "done" and not is_subscribed,
        reason=standing.REASONS.get(shown.standing.reason, ""),
    )


@blueprint.get("/billing/live")
@performs("billing.get")
async def billing_live() -> Response:
    """Tells when Stripe has told of the payment."""
    app, actor = appliance(), shell.actor()

    async def is_awaited() -> bool:
        found = (await billing.get(app, actor)).subscription
        return found is not None and found.stripe_customer is not None and not found.is_managed_by_stripe

    return await live.follow(is_awaited, lambda awaited: awaited)


@blueprint.post("/billing/checkout")
@performs("billing.checkout")
async def billing_checkout_begin() -> Response:
    choice = (await Form.entered()).to(PlanChoice)
    return await _lead_to(billing_checkout.checkout(appliance(), shell.actor(), choice))


@blueprint.post("/billing/portal")
@performs("billing.portal")
async def billing_portal() -> Response:
    return await _lead_to(billing_checkout.portal(appliance(), shell.actor()))


async def _lead_to(opening: Awaitable[str]) -> Response:
    """By a page of its own: the admin's forms may lead nowhere else."""
    try:
        url = await opening
    except FlowChatError as error:
        return await shell.done(error.message, BILLING_PATH, "bad")
    return await shell.render("admin/billing/leave.html", url=url, back=BILLING_PATH)


@blueprint.post("/billing/plan")
@performs("billing.change_plan")
async def billing_change_plan() -> Response:
    choice = (await Form.entered()).to(PlanChoice)
    try:
        plan, _ = await billing_checkout.change_plan(appliance(), shell.actor(), choice)
    except FlowChatError as error:
        return await shell.done(error.message, BILLING_PATH, "bad")
    return await shell.done(f"The plan is {plan.name} now.", BILLING_PATH)
