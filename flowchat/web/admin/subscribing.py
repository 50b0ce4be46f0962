"""Leads whoever pays to Stripe's pages, and changes the plan. The page with the buttons is the plan's own."""

from collections.abc import Awaitable

from quart import Response

from flowchat.errors import FlowChatError
from flowchat.services import billing_checkout
from flowchat.services.billing_checkout import PlanChoice
from flowchat.services.billing_emails import BILLING_PATH
from flowchat.web.admin import shell
from flowchat.web.admin.blueprint import blueprint, performs
from flowchat.web.admin.forms import Form
from flowchat.web.current import appliance


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
    return await shell.render("admin/stripe/leave.html", url=url, back=BILLING_PATH)


@blueprint.post("/billing/plan")
@performs("billing.change_plan")
async def billing_change_plan() -> Response:
    choice = (await Form.entered()).to(PlanChoice)
    try:
        plan, _ = await billing_checkout.change_plan(appliance(), shell.actor(), choice)
    except FlowChatError as error:
        return await shell.done(error.message, BILLING_PATH, "bad")
    return await shell.done(f"The plan is {plan.name} now.", BILLING_PATH)
