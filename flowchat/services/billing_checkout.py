"""Subscribing at Stripe: Checkout, the customer portal, and changing the plan of what is subscribed to."""

from dataclasses import replace
from typing import Annotated

import msgspec

from flowchat.billing import Plan, Subscription
from flowchat.domain import Actor
from flowchat.errors import Conflict, NotFound
from flowchat.net.stripe_api import catalog, customers
from flowchat.net.stripe_api.client import Stripe, connect
from flowchat.services.billing_emails import BILLING_PATH
from flowchat.services.context import Context
from flowchat.services.operations import operation
from flowchat.services.stripe_prices import wanted_prices
from flowchat.services.stripe_sync import LIVE, chosen, sync
from flowchat.store import audit_log, plans, subscriptions, tenants
from flowchat.store.database import Connection


class PlanChoice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which plan is wanted."""

    plan: Annotated[
        str,
        msgspec.Meta(min_length=1, max_length=64, description="The id or slug of a public plan.", examples=["starter"]),
    ]


@operation("billing.checkout", "billing")
async def checkout(app: Context, actor: Actor, choice: PlanChoice) -> str:
    """Begin to subscribe to a plan. The answer's `url` is Stripe's page where that is paid for.

    The plan changes when Stripe says that it is paid. The first period ends with the month, and is paid for in part.

    Raises NotFound, Conflict `not_billed`, `no_plan`, `already_subscribed`, `plan_not_sold` and `plan_not_set_up`, and
    FlowChatError `stripe_unavailable`, `stripe_unanswered` and `stripe_refused`.
    """
    async with connect(app.settings) as stripe:
        plan = await _public_plan(app, choice.plan)
        present, former = await _known_at_stripe(app, actor, stripe)
        if _is_live(present):
            raise Conflict("already_subscribed", "The tenant has a subscription. Change its plan instead.")
        prices = await _prices(app, stripe, plan)
        customer = present.stripe_customer or await _make_customer(app, actor, stripe, present, former)
        await customers.expire_checkouts(stripe, customer)  # of two pages that are open, only one may be paid
        page = app.settings.origin + BILLING_PATH
        url = await customers.checkout_url(
            stripe,
            customer,
            prices,
            success_url=f"{page}?checkout=done",
            cancel_url=page,
            metadata={"flowchat_tenant": actor.tenant_id, "flowchat_plan": plan.id},
        )
    await app.db.write(lambda conn: audit_log.insert(conn, actor, "billing.checkout", plan.id, plan=plan.name))
    return url


@operation("billing.portal", "billing")
async def portal(app: Context, actor: Actor) -> str:
    """Open Stripe's portal, where invoices are seen, cards changed and subscriptions canceled.

    Raises Conflict `not_billed` and `no_customer`, and FlowChatError `stripe_unavailable`, `stripe_unanswered` and
    `stripe_refused`.
    """
    async with connect(app.settings) as stripe:
        present = await subscriptions.get(app.db, actor.tenant_id)
        if present is None or present.stripe_customer is None:
            raise Conflict("no_customer", "The tenant has never subscribed at Stripe. Choose a plan first.")
        url = await customers.portal_url(stripe, present.stripe_customer, app.settings.origin + BILLING_PATH)
    await app.db.write(lambda conn: audit_log.insert(conn, actor, "billing.portal", ""))
    return url


@operation("billing.change_plan", "billing")
async def change_plan(app: Context, actor: Actor, choice: PlanChoice) -> tuple[Plan, Subscription]:
    """Change a subscription to another plan, at once. What is paid for the present month is prorated.

    Raises NotFound, Conflict `not_billed`, `no_plan`, `not_subscribed`, `same_plan`, `plan_not_sold` and
    `plan_not_set_up`, and FlowChatError `stripe_unavailable`, `stripe_unanswered` and `stripe_refused`.
    """
    async with connect(app.settings) as stripe:
        plan = await _public_plan(app, choice.plan)
        present = await _subscription(app, actor)
        if present.stripe_customer is None or not _is_live(present):
            raise Conflict("not_subscribed", "The tenant has no subscription at Stripe. Begin one at checkout.")
        prices = await _prices(app, stripe, plan)
        remote = chosen(await customers.subscriptions(stripe, present.stripe_customer))
        if remote is None or remote.status not in LIVE:
            raise Conflict("not_subscribed", "The subscription has ended at Stripe. Begin another at checkout.")
        if {item.price_id for item in remote.items} == set(prices.values()):
            raise Conflict("same_plan", f"The tenant has the plan {plan.name} already, at its present prices.")
        await customers.change_prices(stripe, remote, prices)
        await sync(app, stripe, present.stripe_customer)
    detail = {"plan": plan.name, "former": present.plan_id}
    await app.db.write(lambda conn: audit_log.insert(conn, actor, "billing.change_plan", plan.id, **detail))
    return plan, await _subscription(app, actor)


async def _public_plan(app: Context, id_or_slug: str) -> Plan:
    plan = await plans.get(app.db, id_or_slug)
    if plan is None or not plan.is_public or plan.archived_at is not None:
        raise NotFound("plan", id_or_slug, param="plan")
    return plan


async def _subscription(app: Context, actor: Actor) -> Subscription:
    present = await subscriptions.get(app.db, actor.tenant_id)
    if present is None:
        raise Conflict(
            "no_plan", "The tenant has no plan, so nothing of it is billed. The operator gives it one first."
        )
    return present


async def _known_at_stripe(app: Context, actor: Actor, stripe: Stripe) -> tuple[Subscription, str]:
    """The tenant's subscription after a look at Stripe: what was paid a moment ago is in it. With the customer that is
    forgotten, because Stripe does not know it (any more, or it is of another account); '' where that is not so.
    """
    present = await _subscription(app, actor)
    former = present.stripe_customer
    if former is None:
        return present, ""
    if await customers.exists(stripe, former):
        await sync(app, stripe, former)
        return await _subscription(app, actor), ""

    def transaction(conn: Connection) -> None:
        current = subscriptions.find(conn, actor.tenant_id) or present
        if current.stripe_customer == former:
            subscriptions.put(conn, replace(current, stripe_customer=None, stripe_subscription=None, billed_from=None))
            audit_log.insert(conn, actor, "billing.forget_customer", former)

    await app.db.write(transaction)
    return await _subscription(app, actor), former


def _is_live(present: Subscription) -> bool:
    return present.stripe_subscription is not None and present.status != "canceled"


async def _prices(app: Context, stripe: Stripe, plan: Plan) -> dict[str, str]:
    """Ids of Stripe's prices of the plan, by their roles."""
    wanted = wanted_prices(plan, app.settings.currency.lower())
    if not wanted:
        raise Conflict("plan_not_sold", f"The plan {plan.name} costs nothing: Stripe doesn't sell it.", param="plan")
    present = await catalog.prices(stripe, [price.lookup_key for price in wanted])
    found = {price.role: present[price.lookup_key] for price in wanted if price.lookup_key in present}
    if any(price.role not in found or found[price.role].fingerprint != price.fingerprint for price in wanted):
        message = f"Stripe doesn't know what {plan.name} costs now. The operator runs `flowchat billing setup`."
        raise Conflict("plan_not_set_up", message, param="plan")
    return {role: price.id for role, price in found.items()}


async def _make_customer(app: Context, actor: Actor, stripe: Stripe, present: Subscription, former: str) -> str:
    tenant = await tenants.get(app.db, actor.tenant_id)
    name = tenant.name if tenant else actor.tenant_id
    made = await customers.create(stripe, actor.tenant_id, name, present.email, former)

    def transaction(conn: Connection) -> str:
        now_present = subscriptions.find(conn, actor.tenant_id)
        if now_present is None or now_present.stripe_customer:
            return now_present.stripe_customer or made if now_present else made
        subscriptions.put(conn, replace(now_present, stripe_customer=made))
        audit_log.insert(conn, actor, "billing.customer", made)
        return made

    return await app.db.write(transaction)
