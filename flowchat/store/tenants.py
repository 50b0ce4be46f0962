"""Tenants."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from flowchat.domain import Tenant, new_id, now
from flowchat.errors import Conflict
from flowchat.store import jobs
from flowchat.store.database import Database, Row
from flowchat.store.paging import Cursor, newest_first

_FIRST = "select * from tenants order by id limit 1"
_ONE = "select * from tenants where id = ? or slug = ?"
NOT_MOVED = "tenant_id not in (select id from tenants where moved_at is not null)"  # of rows that have a tenant
_CLOSED = "the tenant is closed"  # as the triggers on keys and sources say it
# What a closed tenant leaves behind, in this order, beside its sources and conversations: table and condition.
# Deliveries that tell of its end are made first.
_REST = {
    "deliveries": "webhook_id in (select id from webhooks where tenant_id = {tenant}) and next_attempt_at is null",
    "events": "tenant_id = {tenant} and id not in (select event_id from deliveries)",
    "webhooks": "tenant_id = {tenant} and id not in (select webhook_id from deliveries)",
    "curated_answers": "tenant_id = {tenant}",
    "users": "tenant_id = {tenant}",
    "idempotency_keys": "tenant_id = {tenant}",
    "emails": "tenant_id = {tenant} and next_attempt_at is null",
    "signups": "tenant_id = {tenant}",
}


def insert(conn: sqlite3.Connection, slug: str, name: str, retention_days: int = 90) -> Tenant:
    """Raises sqlite3.IntegrityError when there is a tenant of that slug."""
    tenant = Tenant(new_id("ten"), slug, name, now(), retention_days)
    conn.execute(
        "insert into tenants (id, slug, name, created_at, retention_days) values (?, ?, ?, ?, ?)",
        (tenant.id, slug, name, tenant.created_at, retention_days),
    )
    return tenant


def update(conn: sqlite3.Connection, tenant_id: str, name: str, retention_days: int) -> None:
    conn.execute("update tenants set name = ?, retention_days = ? where id = ?", (name, retention_days, tenant_id))


def close(conn: sqlite3.Connection, tenant_id: str) -> None:
    conn.execute("update tenants set closed_at = ? where id = ?", (now(), tenant_id))


def freeze(conn: sqlite3.Connection, tenant_id: str) -> None:
    """It goes on at another machine: its jobs are paused, and nothing of it is sent from here."""
    moment = now()
    conn.execute("update tenants set moved_at = ? where id = ?", (moment, tenant_id))
    for job in conn.execute(
        "select id from jobs where tenant_id = ? and status in ('queued', 'running') and paused_at is null",
        (tenant_id,),
    ).fetchall():
        jobs.pause(conn, job["id"], moment)


def thaw(conn: sqlite3.Connection, tenant_id: str) -> None:
    """It goes on here, with the jobs that were paused because it had moved."""
    conn.execute(
        "update jobs set paused_at = null where tenant_id = ?1 and paused_at ="
        " (select moved_at from tenants where id = ?1)",
        (tenant_id,),
    )
    conn.execute("update tenants set moved_at = null where id = ?", (tenant_id,))


def stop_sending(conn: sqlite3.Connection, tenant_id: str) -> None:
    """End what a tenant that has moved would still have to send: its other machine does."""
    conn.execute(
        "update deliveries set status = 'failed', next_attempt_at = null"
        " where tenant_id = ? and next_attempt_at is not null",
        (tenant_id,),
    )
    conn.execute("update emails set next_attempt_at = null, body = '' where tenant_id = ?", (tenant_id,))


@contextmanager
def refused_if_closed() -> Iterator[None]:
    """Around an insert that a trigger refuses to closed tenants. Raises Conflict `tenant_closed` then."""
    try:
        yield
    except sqlite3.IntegrityError as error:
        if str(error) != _CLOSED:
            raise
        raise Conflict("tenant_closed", "The tenant was closed a moment ago. Nothing can be made in it.") from None


def find(conn: sqlite3.Connection, id_or_slug: str) -> Tenant | None:
    """The tenant as a transaction sees it."""
    row = conn.execute(_ONE, (id_or_slug, id_or_slug)).fetchone()
    return _tenant(row) if row else None


def slugs_like(conn: sqlite3.Connection, slug: str) -> set[str]:
    """That slug and those made of it with a number, as far as they are taken."""
    rows = conn.execute("select slug from tenants where slug = ?1 or slug glob ?1 || '-*'", (slug,))
    return {row["slug"] for row in rows}


def unrevoked(conn: sqlite3.Connection, tenant_id: str) -> tuple[list[str], list[str]]:
    """Ids of the tenant's keys and sources that are not revoked."""
    keys = conn.execute("select id from keys where tenant_id = ? and revoked_at is null", (tenant_id,))
    sources = conn.execute("select id from sources where tenant_id = ? and status <> 'revoked'", (tenant_id,))
    return [row["id"] for row in keys], [row["id"] for row in sources]


def revoked(conn: sqlite3.Connection, tenant_id: str) -> tuple[list[str], list[str]]:
    """Ids of the tenant's keys and sources that are revoked."""
    keys = conn.execute("select id from keys where tenant_id = ? and revoked_at is not null", (tenant_id,))
    sources = conn.execute("select id from sources where tenant_id = ? and status = 'revoked'", (tenant_id,))
    return [row["id"] for row in keys], [row["id"] for row in sources]


async def first(db: Database) -> Tenant | None:
    row = await db.row(_FIRST)
    return _tenant(row) if row else None


def first_now(conn: sqlite3.Connection) -> Tenant | None:
    """The first tenant as a transaction sees it."""
    row = conn.execute(_FIRST).fetchone()
    return _tenant(row) if row else None


async def get(db: Database, id_or_slug: str) -> Tenant | None:
    row = await db.row(_ONE, (id_or_slug, id_or_slug))
    return _tenant(row) if row else None


async def is_moved(db: Database, tenant_id: str) -> bool:
    row = await db.row("select moved_at from tenants where id = ?", (tenant_id,))
    return row is not None and row["moved_at"] is not None


async def page(db: Database, cursor: Cursor) -> list[Tenant]:
    rows = await newest_first(db, "select * from tenants", cursor, {})
    return [_tenant(row) for row in rows]


async def closed_with_rest(db: Database) -> list[str]:
    """Ids of closed tenants of which something can be erased."""
    left = [f"exists (select 1 from {table} where {sql.format(tenant='t.id')})" for table, sql in _REST.items()]  # noqa: S608
    rows = await db.rows(f"select id from tenants t where closed_at is not null and ({' or '.join(left)})")  # noqa: S608
    return [row["id"] for row in rows]


def erase_rest(conn: sqlite3.Connection, tenant_id: str, limit: int) -> None:
    """Delete some of what a closed tenant left behind: at most `limit` rows of each table."""
    for table, sql in _REST.items():
        conn.execute(
            f"delete from {table} where rowid in"  # noqa: S608 (our names)
            f" (select rowid from {table} where {sql.format(tenant=':tenant')} limit :limit)",
            {"tenant": tenant_id, "limit": limit},
        )


def _tenant(row: Row) -> Tenant:
    return Tenant(**{name: row[name] for name in Tenant.__dataclass_fields__})
