"""Deliveries: one of each event to each endpoint, with a log of its attempts. Events are recorded in `events`."""

import json
import sqlite3
from dataclasses import asdict

from flowchat.domain import Delivery, DeliveryAttempt, DeliveryStatus, EventType, WebhookEvent, now
from flowchat.store.database import Database, Row
from flowchat.store.paging import Cursor, newest_first
from flowchat.store.tenants import NOT_MOVED

KEPT_ATTEMPTS = 24  # of one delivery: three rounds of its eight
_SELECT = (
    "select d.*, e.type, e.data, e.created_at as event_created_at from deliveries d join events e on e.id = d.event_id"
)


def add_attempt(
    conn: sqlite3.Connection,
    delivery: Delivery,
    attempt: DeliveryAttempt,
    status: DeliveryStatus,
    next_attempt_at: str | None,
) -> None:
    """What came of an attempt, and when the next one is due."""
    attempts = [*delivery.attempts, attempt][-KEPT_ATTEMPTS:]
    conn.execute(
        "update deliveries set attempts = ?, tries = ?, status = ?, next_attempt_at = ? where id = ?",
        (
            json.dumps([asdict(made) for made in attempts]),
            delivery.tries + 1,
            status,
            next_attempt_at,
            delivery.id,
        ),
    )


def begin_again(conn: sqlite3.Connection, delivery_id: str) -> None:
    """Due at once, with all its attempts before it."""
    conn.execute(
        "update deliveries set status = 'pending', tries = 0, next_attempt_at = ? where id = ?", (now(), delivery_id)
    )


def delete_old(conn: sqlite3.Connection, before: str, limit: int) -> int:
    """At most `limit` deliveries of before that time that are over; returns how many."""
    deleted = conn.execute(
        "delete from deliveries where id in"
        " (select id from deliveries where created_at < ? and next_attempt_at is null order by created_at limit ?)",
        (before, limit),
    )
    return deleted.rowcount


def delete_some(conn: sqlite3.Connection, webhook_id: str, limit: int) -> int:
    """At most `limit` deliveries to an endpoint; returns how many."""
    return conn.execute(
        "delete from deliveries where id in (select id from deliveries where webhook_id = ? limit ?)",
        (webhook_id, limit),
    ).rowcount


def free_stranded(conn: sqlite3.Connection, after: str) -> int:
    """What is due only after that time is due now, and so is what was never tried; returns how many there were."""
    return conn.execute(
        "update deliveries set next_attempt_at = ?1 where next_attempt_at > ?1 and (next_attempt_at > ?2 or tries = 0)",
        (now(), after),
    ).rowcount


def get_now(conn: sqlite3.Connection, tenant_id: str, webhook_id: str, delivery_id: str) -> Delivery | None:
    """Inside a transaction."""
    row = conn.execute(
        f"{_SELECT} where d.tenant_id = ? and d.webhook_id = ? and d.id = ?", (tenant_id, webhook_id, delivery_id)
    ).fetchone()
    return _delivery(row) if row else None


async def get(db: Database, tenant_id: str, webhook_id: str, delivery_id: str) -> Delivery | None:
    row = await db.row(
        f"{_SELECT} where d.tenant_id = ? and d.webhook_id = ? and d.id = ?", (tenant_id, webhook_id, delivery_id)
    )
    return _delivery(row) if row else None


async def page(
    db: Database,
    tenant_id: str,
    webhook_id: str,
    status: DeliveryStatus | None,
    event_type: EventType | None,
    cursor: Cursor,
) -> list[Delivery]:
    """Deliveries with that status, of events of that type; None: of any."""
    where = {
        "d.tenant_id = ?": tenant_id,
        "d.webhook_id = ?": webhook_id,
        "d.status = ?": status,
        "e.type = ?": event_type,
    }
    rows = await newest_first(db, _SELECT, cursor, where, by="d.id")
    return [_delivery(row) for row in rows]


async def counts(db: Database, tenant_id: str) -> dict[str, int]:
    """How many deliveries there are of each status."""
    rows = await db.rows(
        "select status, count(*) as number from deliveries where tenant_id = ? group by status", (tenant_id,)
    )
    return {row["status"]: row["number"] for row in rows}


async def endpoints_due(db: Database) -> list[str]:
    """Ids of the endpoints for which something is due."""
    rows = await db.rows(
        f"select distinct webhook_id from deliveries where next_attempt_at <= ? and {NOT_MOVED}",  # noqa: S608
        (now(),),
    )
    return [row["webhook_id"] for row in rows]


async def due(db: Database, webhook_id: str, limit: int) -> list[Delivery]:
    """What is due at an endpoint, longest due first."""
    rows = await db.rows(
        f"{_SELECT} where d.webhook_id = ? and d.next_attempt_at <= ? and d.{NOT_MOVED}"
        " order by d.next_attempt_at limit ?",
        (webhook_id, now(), limit),
    )
    return [_delivery(row) for row in rows]


def _delivery(row: Row) -> Delivery:
    return Delivery(
        id=row["id"],
        tenant_id=row["tenant_id"],
        webhook_id=row["webhook_id"],
        event=WebhookEvent(
            row["event_id"], row["tenant_id"], row["type"], json.loads(row["data"]), row["event_created_at"]
        ),
        status=row["status"],
        attempts=tuple(DeliveryAttempt(**made) for made in json.loads(row["attempts"])),
        tries=row["tries"],
        next_attempt_at=row["next_attempt_at"],
        created_at=row["created_at"],
    )
