"""Tenants."""

import sqlite3

from flowchat.domain import Tenant, new_id, now
from flowchat.store.database import Database, Row

_FIRST = "select * from tenants order by id limit 1"


def insert(conn: sqlite3.Connection, slug: str, name: str) -> Tenant:
    tenant = Tenant(new_id("ten"), slug, name, now())
    conn.execute(
        "insert into tenants (id, slug, name, created_at) values (?, ?, ?, ?)",
        (tenant.id, slug, name, tenant.created_at),
    )
    return tenant


async def first(db: Database) -> Tenant | None:
    row = await db.row(_FIRST)
    return _tenant(row) if row else None


def first_now(conn: sqlite3.Connection) -> Tenant | None:
    """The first tenant as a transaction sees it."""
    row = conn.execute(_FIRST).fetchone()
    return _tenant(row) if row else None


async def by_slug(db: Database, slug: str) -> Tenant | None:
    row = await db.row("select * from tenants where slug = ?", (slug,))
    return _tenant(row) if row else None


def _tenant(row: Row) -> Tenant:
    return Tenant(row["id"], row["slug"], row["name"], row["created_at"])
