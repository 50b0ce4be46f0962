"""What tenants have subscribed to: one subscription each, or none."""

import json
import sqlite3
from collections.abc import Collection

from flowchat.billing import Plan, Prices, Subscription
from flowchat.domain import now
from flowchat.store.database import Database, Row
from flowchat.store.plans import plan_of
from flowchat.store.tenants import NOT_MOVED

_FIELDS = tuple(Subscription.__dataclass_fields__)
_WITH_PLAN = "select p.* from subscriptions s join plans p on p.id = s.plan_id where s.tenant_id = ?"


def put(conn: sqlite3.Connection, subscription: Subscription) -> None:
    """Store it in place of the tenant's former one. Of another plan's quotas the tenant is warned anew."""
    former = find(conn, subscription.tenant_id)
    if former is not None and former.plan_id != subscription.plan_id:
        conn.execute("delete from quota_warnings where tenant_id = ?", (subscription.tenant_id,))
    values = {name: getattr(subscription, name) for name in _FIELDS} | {"updated_at": now()}
    sets = ", ".join(f"{name} = excluded.{name}" for name in values if name != "tenant_id")
    conn.execute(
        f"insert into subscriptions ({', '.join(values)}) values ({', '.join(f':{name}' for name in values)})"  # noqa: S608 (our names)
        f" on conflict (tenant_id) do update set {sets}",
        values,
    )


def delete(conn: sqlite3.Connection, tenant_id: str) -> None:
    """The tenant has no plan from now on."""
    conn.execute("delete from quota_warnings where tenant_id = ?", (tenant_id,))
    conn.execute("delete from subscriptions where tenant_id = ?", (tenant_id,))


def find(conn: sqlite3.Connection, tenant_id: str) -> Subscription | None:
    """A tenant's subscription as a transaction sees it."""
    row = conn.execute("select * from subscriptions where tenant_id = ?", (tenant_id,)).fetchone()
    return subscription_of(row) if row else None


def plan_now(conn: sqlite3.Connection, tenant_id: str) -> Plan | None:
    """The plan of a tenant as a transaction sees it; None: no quota, nothing billed."""
    row = conn.execute(_WITH_PLAN, (tenant_id,)).fetchone()
    return plan_of(row) if row else None


def prices_now(conn: sqlite3.Connection, tenant_id: str) -> Prices | None:
    plan = plan_now(conn, tenant_id)
    return plan.prices if plan else None


async def get(db: Database, tenant_id: str) -> Subscription | None:
    row = await db.row("select * from subscriptions where tenant_id = ?", (tenant_id,))
    return subscription_of(row) if row else None


async def with_plans(db: Database, tenant_ids: Collection[str]) -> dict[str, tuple[Subscription, Plan]]:
    """Those of these tenants that have one, by tenant id."""
    rows = await db.rows(
        "select s.*, p.* from subscriptions s join plans p on p.id = s.plan_id"
        " where s.tenant_id in (select value from json_each(?))",
        (json.dumps(list(tenant_ids)),),
    )
    return {row["tenant_id"]: (subscription_of(row), plan_of(row)) for row in rows}


async def tenant_of_customer(db: Database, stripe_customer: str) -> str | None:
    row = await db.row("select tenant_id from subscriptions where stripe_customer = ?", (stripe_customer,))
    return row["tenant_id"] if row else None


async def stripe_customers(db: Database) -> list[str]:
    """Of all tenants that have one, and have not moved away."""
    rows = await db.rows(
        f"select stripe_customer from subscriptions where stripe_customer is not null and {NOT_MOVED} order by 1"  # noqa: S608
    )
    return [row["stripe_customer"] for row in rows]


def subscription_of(row: Row) -> Subscription:
    return Subscription(**{name: row[name] for name in _FIELDS})
