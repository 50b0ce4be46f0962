"""Plans that operators offer."""

import json
import sqlite3
from collections.abc import Collection
from dataclasses import asdict

from flowchat.billing import Plan, Prices
from flowchat.domain import now
from flowchat.store.database import Database, Row
from flowchat.store.paging import Cursor, newest_first

_PRICES = tuple(Prices.__dataclass_fields__)
_FIELDS = (
    "slug",
    "name",
    "description",
    "included_queries",
    "included_pages",
    "max_sources",
    "overage",
    "trial_days",
    "is_public",
    "is_trial",
)
_ONE = "select * from plans where id = ? or slug = ?"
_TRIAL = "select * from plans where is_trial = 1 and archived_at is null"


def insert(conn: sqlite3.Connection, plan: Plan) -> None:
    """Raises sqlite3.IntegrityError when there is a plan of that slug."""
    values = _values(plan) | {"id": plan.id, "created_at": plan.created_at}
    marks = ", ".join(f":{name}" for name in values)
    conn.execute(f"insert into plans ({', '.join(values)}) values ({marks})", values)  # noqa: S608 (our names)


def update(conn: sqlite3.Connection, plan: Plan) -> None:
    values = _values(plan)
    sets = ", ".join(f"{name} = :{name}" for name in values)
    conn.execute(f"update plans set {sets} where id = :id", values | {"id": plan.id})  # noqa: S608 (our names)


def set_trial(conn: sqlite3.Connection, plan_id: str) -> None:
    """Make it the one that sign-ups begin with, in place of another."""
    conn.execute("update plans set is_trial = 0 where is_trial = 1 and id <> ?", (plan_id,))
    conn.execute("update plans set is_trial = 1 where id = ?", (plan_id,))


def archive(conn: sqlite3.Connection, plan_id: str) -> None:
    conn.execute("update plans set archived_at = coalesce(archived_at, ?) where id = ?", (now(), plan_id))


def find(conn: sqlite3.Connection, id_or_slug: str) -> Plan | None:
    """A plan as a transaction sees it."""
    row = conn.execute(_ONE, (id_or_slug, id_or_slug)).fetchone()
    return plan_of(row) if row else None


def trial_now(conn: sqlite3.Connection) -> Plan | None:
    """What a sign-up begins with, as a transaction sees it."""
    row = conn.execute(_TRIAL).fetchone()
    return plan_of(row) if row else None


async def get(db: Database, id_or_slug: str) -> Plan | None:
    row = await db.row(_ONE, (id_or_slug, id_or_slug))
    return plan_of(row) if row else None


async def trial(db: Database) -> Plan | None:
    """What a sign-up begins with."""
    row = await db.row(_TRIAL)
    return plan_of(row) if row else None


async def page(db: Database, cursor: Cursor) -> list[Plan]:
    return [plan_of(row) for row in await newest_first(db, "select * from plans", cursor, {})]


async def public(db: Database) -> list[Plan]:
    """Those that tenants can choose, cheapest first."""
    rows = await db.rows(
        "select * from plans where is_public = 1 and archived_at is null order by monthly_fee_nano, created_at"
    )
    return [plan_of(row) for row in rows]


async def tenants_of(db: Database, plan_ids: Collection[str]) -> dict[str, int]:
    """How many open tenants have each of these plans; a plan that nobody has is left out."""
    rows = await db.rows(
        "select s.plan_id, count(*) as tenants from subscriptions s join tenants t on t.id = s.tenant_id"
        " where t.closed_at is null and s.plan_id in (select value from json_each(?)) group by s.plan_id",
        (json.dumps(list(plan_ids)),),
    )
    return {row["plan_id"]: row["tenants"] for row in rows}


async def every(db: Database) -> list[Plan]:
    """All that are not archived, oldest first."""
    return [plan_of(row) for row in await db.rows("select * from plans where archived_at is null order by id")]


def plan_of(row: Row) -> Plan:
    fields = {name: row[name] for name in _FIELDS} | {name: bool(row[name]) for name in ("is_public", "is_trial")}
    return Plan(
        id=row["id"],
        features=tuple(json.loads(row["features"])),
        prices=Prices(**{name: row[name] for name in _PRICES}),
        archived_at=row["archived_at"],
        created_at=row["created_at"],
        **fields,
    )


def _values(plan: Plan) -> dict[str, object]:
    values = {name: getattr(plan, name) for name in _FIELDS} | asdict(plan.prices)
    return values | {"features": json.dumps(plan.features, ensure_ascii=False)}
