"""Which plan a tenant has, as operators give it. Where Stripe bills it, the tenant chooses it itself."""

from collections.abc import Sequence

from flowchat.billing import MOVED, Plan, Subscriber, standing_of, subscribe, with_plan
from flowchat.domain import Tenant, now
from flowchat.errors import Conflict, NotFound
from flowchat.services.context import Context
from flowchat.services.metering import seal_all
from flowchat.store import plans, subscriptions
from flowchat.store.database import Connection


def give(conn: Connection, tenant_id: str, id_or_slug: str | None) -> Plan | None:
    """Let the tenant have the plan, or none, in the caller's transaction. One that it has, and that is not over, stays.

    Raises NotFound, and Conflict `managed_by_stripe` or `plan_archived`.
    """
    former = subscriptions.find(conn, tenant_id)
    plan = _find(conn, id_or_slug) if id_or_slug is not None else None
    if (former.plan_id if former else None) == (plan.id if plan else None) and not standing_of(
        former, now(), 0
    ).is_read_only:
        return plan
    if former is not None and former.is_managed_by_stripe:
        message = "Stripe bills this tenant: its owner changes the plan, under Billing in the admin."
        raise Conflict("managed_by_stripe", message, param="plan")
    if plan is None:
        seal_all(conn, tenant_id)
        subscriptions.delete(conn, tenant_id)
        return None
    if plan.archived_at is not None and (former is None or former.plan_id != plan.id):
        message = f"The plan '{plan.slug}' is archived: only those who have it keep it. Choose another one."
        raise Conflict("plan_archived", message, param="plan")
    seal_all(conn, tenant_id)
    subscriptions.put(conn, subscribe(tenant_id, plan, former, now()))
    return plan


def _find(conn: Connection, id_or_slug: str) -> Plan:
    plan = plans.find(conn, id_or_slug)
    if plan is None:
        raise NotFound("plan", id_or_slug, param="plan")
    return plan


async def subscribers(app: Context, tenants: Sequence[Tenant]) -> list[Subscriber]:
    """The tenants with their plans."""
    found = await subscriptions.with_plans(app.db, [tenant.id for tenant in tenants])
    moment = now()
    whole = []
    for tenant in tenants:
        subscription, plan = found.get(tenant.id, (None, None))
        present = standing_of(subscription, moment, app.settings.past_due_days)
        standing = present if tenant.moved_at is None else MOVED
        whole.append(with_plan(tenant, plan, subscription, standing))
    return whole
