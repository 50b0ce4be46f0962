"""What a tenant has subscribed to, as Stripe has it now: whatever Stripe told, in whatever order, it ends the same."""

import logging
from collections.abc import Iterable
from dataclasses import replace
from typing import cast

from flowchat.billing import Plan, Subscription, SubscriptionStatus
from flowchat.domain import Actor, Tenant, now
from flowchat.net.stripe_api import customers
from flowchat.net.stripe_api.client import Stripe, StripeFailure, Unanswered, Unavailable, connect
from flowchat.net.stripe_api.customers import RemoteSubscription
from flowchat.services import billing_emails
from flowchat.services.context import Context
from flowchat.services.metering import seal_all
from flowchat.settings import Settings
from flowchat.store import audit_log, emails, plans, subscriptions, tenants, users
from flowchat.store.database import Connection

# Better ones come first. What is not begun, or never was (incomplete, incomplete_expired), is none.
RANKS = (("active", "trialing"), ("past_due",), ("unpaid", "paused"), ("canceled",))
LIVE = ("active", "trialing", "past_due", "unpaid", "paused")
DUE = ("past_due", "unpaid")

log = logging.getLogger(__name__)


async def sync_all(app: Context, stripe: Stripe) -> None:
    """Of every tenant that is a customer: Stripe forgets an event that FlowChat could not take for three days."""
    for customer in await subscriptions.stripe_customers(app.db):
        try:
            await sync(app, stripe, customer)
        except StripeFailure as failure:
            log.warning("what %s has subscribed to at Stripe can't be looked up: %s", customer, failure.message)
            if isinstance(failure, Unavailable | Unanswered):
                return


async def sync_tenant(app: Context, tenant_id: str) -> None:
    """For whoever comes back from Stripe's pages: what they did there may not have been told yet.

    Raises Conflict `not_billed`, and FlowChatError `stripe_unavailable`, `stripe_unanswered` and `stripe_refused`.
    """
    present = await subscriptions.get(app.db, tenant_id)
    if present is not None and present.stripe_customer is not None:
        async with connect(app.settings) as stripe:
            await sync(app, stripe, present.stripe_customer)


async def sync(app: Context, stripe: Stripe, customer: str) -> bool:
    """Store what the customer has subscribed to, as it is now. False: it is no tenant's of this machine.

    Raises StripeFailure.
    """
    async with app.syncing:  # what was fetched first is stored first
        tenant_id = await subscriptions.tenant_of_customer(app.db, customer)
        present = await subscriptions.get(app.db, tenant_id) if tenant_id else None
        found = await customers.subscriptions(stripe, customer, present.stripe_subscription if present else None)
        tenant = await tenants.get(app.db, tenant_id or next((one.tenant_id for one in found if one.tenant_id), ""))
        if tenant is None or tenant.moved_at is not None:
            return False
        if tenant_id is None:
            present = await subscriptions.get(app.db, tenant.id)
            if present is not None and present.stripe_customer is not None:  # it has had another one so far
                found += await customers.subscriptions(stripe, present.stripe_customer, present.stripe_subscription)
        remote = chosen(found)
        if remote is not None:
            email = present.email if present else ""
            email = email or await customers.email(stripe, remote.customer)
            await app.db.write(lambda conn: _store(conn, app.settings, tenant, remote, email))
        return True


def chosen(found: Iterable[RemoteSubscription]) -> RemoteSubscription | None:
    """The best one of FlowChat's, and the newest of several. A customer can have subscribed to other things, too."""
    ours = [remote for remote in found if remote.plan_id or remote.tenant_id]
    for statuses in RANKS:
        if of_rank := [remote for remote in ours if remote.status in statuses]:
            return max(of_rank, key=lambda remote: (remote.created, remote.id))
    return None


def _store(conn: Connection, settings: Settings, tenant: Tenant, remote: RemoteSubscription, email: str) -> None:
    present, moment = subscriptions.find(conn, tenant.id), now()
    if present is None and remote.status == "canceled":
        return  # an operator has taken the tenant's plan away since
    plan = _plan(conn, tenant, remote, present)
    if plan is None:
        return
    changed = merged(present or _none_yet(tenant, plan, remote), remote, plan.id, email, moment)
    if changed == present:
        return
    if present is not None and _is_billed_otherwise(present, changed):
        seal_all(conn, tenant.id)
    subscriptions.put(conn, changed)
    actor = Actor(tenant.id, "stripe", frozenset())
    audit_log.insert(conn, actor, "billing.update", remote.id, **_changes(present, changed), plan=plan.name)
    letter = billing_emails.about(present, changed, tenant.name, plan.name, moment, settings)
    if letter is not None:
        for address in [email] if email else users.owners(conn, tenant.id):
            emails.insert(conn, address, letter.subject, letter.body, tenant.id)


def _plan(conn: Connection, tenant: Tenant, remote: RemoteSubscription, present: Subscription | None) -> Plan | None:
    """That of its price; else the tenant keeps what it has."""
    if plan := plans.find(conn, remote.plan_id):
        return plan
    log.warning(
        "Stripe's subscription %s of tenant %s has no price of a plan: prices, or their products, are told apart by "
        "the metadata flowchat_plan",
        remote.id,
        tenant.id,
    )
    return plans.find(conn, present.plan_id) if present else None


def _none_yet(tenant: Tenant, plan: Plan, remote: RemoteSubscription) -> Subscription:
    return Subscription(tenant_id=tenant.id, plan_id=plan.id, status="active", started_at=remote.started_at)


def merged(present: Subscription, remote: RemoteSubscription, plan_id: str, email: str, moment: str) -> Subscription:
    """What is stored after Stripe was asked. A subscription that is over says nothing about what began after it."""
    is_same = present.stripe_subscription == remote.id
    if remote.status == "canceled" and not is_same and present.started_at > (remote.ended_at or ""):
        return present
    status = cast(SubscriptionStatus, remote.status)
    return replace(
        present,
        plan_id=plan_id,
        status=status,
        email=email,
        started_at=remote.started_at,
        trial_ends_at=remote.trial_ends_at if status == "trialing" else None,
        past_due_at=((present.past_due_at if is_same else None) or moment) if status in DUE else None,
        cancels_at=remote.ended_at if status == "canceled" else remote.cancels_at,
        renews_at=None if status == "canceled" else remote.renews_at,
        billed_from=min(present.billed_from or remote.started_at, remote.started_at) if is_same else remote.started_at,
        stripe_customer=remote.customer,
        stripe_subscription=remote.id,
    )


def _is_billed_otherwise(before: Subscription, after: Subscription) -> bool:
    return (before.billed_from, before.stripe_customer) != (after.billed_from, after.stripe_customer)


def _changes(before: Subscription | None, after: Subscription) -> dict[str, str]:
    """The status, and what else has changed, for the audit log."""
    told: dict[str, str] = {"status": after.status}
    for name in ("trial_ends_at", "renews_at", "cancels_at"):
        value = getattr(after, name)
        if value is not None and (before is None or getattr(before, name) != value):
            told[name] = value
    return told
