"""Events that webhooks report: an outbox, written in the transaction of the change that an event tells of."""

import json
import sqlite3
from typing import Any

from flowchat.domain import EventType, WebhookEvent, new_id, now
from flowchat.store.database import Database, Row
from flowchat.store.paging import Cursor, newest_first


def record(conn: sqlite3.Connection, tenant_id: str, event_type: EventType, data: dict[str, Any]) -> str:
    """Store an event with a delivery, due at once, to each enabled endpoint that wants it; returns its id."""
    event_id = insert(conn, tenant_id, event_type, data)
    endpoints = conn.execute(
        "select id from webhooks where tenant_id = ? and disabled_at is null and exists"
        " (select 1 from json_each(webhooks.events) where value in ('*', ?)) order by id",
        (tenant_id, event_type),
    ).fetchall()
    for endpoint in endpoints:
        insert_delivery(conn, tenant_id, endpoint["id"], event_id)
    return event_id


def insert(conn: sqlite3.Connection, tenant_id: str, event_type: EventType, data: dict[str, Any]) -> str:
    event_id = new_id("evt")
    conn.execute(
        "insert into events (id, tenant_id, type, data, created_at) values (?, ?, ?, ?, ?)",
        (event_id, tenant_id, event_type, json.dumps(data), now()),
    )
    return event_id


def insert_delivery(conn: sqlite3.Connection, tenant_id: str, webhook_id: str, event_id: str) -> str:
    """A delivery that is due at once; returns its id."""
    delivery_id = new_id("del")
    moment = now()
    conn.execute(
        "insert into deliveries (id, tenant_id, webhook_id, event_id, status, next_attempt_at, created_at)"
        " values (?, ?, ?, ?, 'pending', ?, ?)",
        (delivery_id, tenant_id, webhook_id, event_id, moment, moment),
    )
    return delivery_id


def delete_old(conn: sqlite3.Connection, before: str, limit: int) -> int:
    """At most `limit` events of before that time that nothing is to deliver any more; returns how many."""
    deleted = conn.execute(
        "delete from events where id in (select id from events where created_at < ?"
        " and not exists (select 1 from deliveries where event_id = events.id) order by created_at limit ?)",
        (before, limit),
    )
    return deleted.rowcount


async def get(db: Database, tenant_id: str, event_id: str) -> WebhookEvent | None:
    row = await db.row("select * from events where tenant_id = ? and id = ?", (tenant_id, event_id))
    return _event(row) if row else None


async def page(db: Database, tenant_id: str, event_type: EventType | None, cursor: Cursor) -> list[WebhookEvent]:
    """Events of that type; None: of any."""
    where = {"tenant_id = ?": tenant_id, "type = ?": event_type}
    rows = await newest_first(db, "select * from events", cursor, where)
    return [_event(row) for row in rows]


def _event(row: Row) -> WebhookEvent:
    return WebhookEvent(row["id"], row["tenant_id"], row["type"], json.loads(row["data"]), row["created_at"])
