"""Tenants with plans, for tests of what a plan allows and costs."""

from typing import Any

from flowchat.billing import Plan, Prices, Subscription, SubscriptionStatus
from flowchat.domain import new_id, now
from flowchat.store import plans, subscriptions
from flowchat.store.database import Connection, Database


def plan_of(slug: str, **fields: Any) -> Plan:
    """A plan with a hard stop, unless told otherwise."""
    told: dict[str, Any] = {"overage": "stop", "prices": Prices(), "created_at": now()}
    return Plan(id=new_id("pln"), slug=slug, name=slug.title(), **(told | fields))


async def subscribe(
    db: Database, tenant_id: str, plan: Plan, status: SubscriptionStatus = "active", **fields: Any
) -> Subscription:
    """Let the tenant have the plan, which is made if there is none of its slug."""
    subscription = Subscription(tenant_id=tenant_id, plan_id=plan.id, status=status, started_at=now(), **fields)

    def transaction(conn: Connection) -> None:
        if plans.find(conn, plan.id) is None:
            plans.insert(conn, plan)
        subscriptions.put(conn, subscription)

    await db.write(transaction)
    return subscription


async def used(db: Database, tenant_id: str) -> list[tuple[str, int, int]]:
    """(month, billable queries, billable pages), as they are summed up."""
    rows = await db.rows("select * from usage_months where tenant_id = ? order by month", (tenant_id,))
    return [(row["month"], row["billable_queries"], row["billable_pages"]) for row in rows]
