"""What a tenant has subscribed to, as Stripe has it now: whatever Stripe told, in whatever order, it ends the same."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from flowchat.billing import Subscription, SubscriptionStatus
from flowchat.domain import Actor, now
from flowchat.net.stripe_api import customers
from flowchat.net.stripe_api.client import Stripe
from flowchat.net.stripe_api.customers import RemoteSubscription
from flowchat.services import billing_emails
from flowchat.services.context import Context
from flowchat.services.metering import seal_until
from flowchat.store import audit_log, plans, subscriptions, tenants
from flowchat.store import emails as outbox
from flowchat.store.database import Connection

LIVE = ("active", "trialing", "past_due", "unpaid", "paused")
DUE = ("past_due", "unpaid")

log = logging.getLogger(__name__)


async def sync(app: Context, stripe: Stripe, tenant_id: str, customer: str) -> None:
    """Store the customer's subscription as it is. Raises FlowChatError where Stripe can't be asked."""
    async with app.syncing:  # what was fetched first is stored first
        remote = chosen(await customers.subscriptions(stripe, customer))
        if remote is None:
            return
        present = await subscriptions.get(app.db, tenant_id)
        email = present.email if present else ""
        email = email or await customers.email(stripe, customer)
        await app.db.write(lambda conn: _store(conn, app, tenant_id, customer, remote, email))


def chosen(found: Sequence[RemoteSubscription]) -> RemoteSubscription | None:
    """The newest one that is not over, else the newest that was. One that never began is none."""
    begun = [remote for remote in found if remote.status in (*LIVE, "canceled")]
    live = [remote for remote in begun if remote.status != "canceled"]
    if len(live) > 1:
        log.warning("a customer has %s subscriptions at Stripe: %s", len(live), ", ".join(r.id for r in live))
    return max(live or begun, key=lambda remote: (remote.created, remote.id), default=None)


def _store(
    conn: Connection, app: Context, tenant_id: str, customer: str, remote: RemoteSubscription, email: str
) -> None:
    present = subscriptions.find(conn, tenant_id)
    if present is None or present.stripe_customer != customer:
        return
    plan = plans.find(conn, remote.plan_id)
    if plan is None:
        log.warning("the subscription %s of tenant %s has no price of a plan: it keeps its plan", remote.id, tenant_id)
    changed = merged(present, remote, plan.id if plan else present.plan_id, email, now())
    if changed == present:
        return
    if changed.billed_from != present.billed_from:
        while seal_until(conn, now(), tenant_id):  # what was used under the former subscription is still billed
            pass
    subscriptions.put(conn, changed)
    actor = Actor(tenant_id, "stripe", frozenset())
    audit_log.insert(
        conn, actor, "billing.update", remote.id, status=changed.status, plan=plan.name if plan else changed.plan_id
    )
    tenant = tenants.find(conn, tenant_id)
    told = billing_emails.about(present, changed, tenant.name if tenant else "", app.settings)
    if told is not None and changed.email:
        outbox.insert(conn, changed.email, told.subject, told.body, tenant_id)


def merged(present: Subscription, remote: RemoteSubscription, plan_id: str, email: str, moment: str) -> Subscription:
    """What is stored after Stripe was asked. A subscription that is over says nothing about a tenant that has begun
    another way since.
    """
    is_over = remote.status == "canceled"
    if is_over and present.stripe_subscription != remote.id:
        return present
    status = cast(SubscriptionStatus, remote.status)
    return replace(
        present,
        plan_id=plan_id,
        status=status,
        email=email,
        started_at=remote.started_at,
        trial_ends_at=remote.trial_ends_at if status == "trialing" else None,
        past_due_at=(present.past_due_at or moment) if status in DUE else None,
        cancels_at=None if is_over else remote.cancels_at,
        renews_at=None if is_over else remote.renews_at,
        billed_from=remote.started_at,
        stripe_subscription=remote.id,
    )
