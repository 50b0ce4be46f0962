"""Endpoints that are told of events."""

import json
import sqlite3

from flowchat.domain import Webhook, now
from flowchat.store.database import Database, Row
from flowchat.store.paging import Cursor, newest_first


def insert(conn: sqlite3.Connection, webhook: Webhook) -> None:
    conn.execute(
        "insert into webhooks (id, tenant_id, url, events, description, secret, created_at)"
        " values (?, ?, ?, ?, ?, ?, ?)",
        (
            webhook.id,
            webhook.tenant_id,
            webhook.url,
            json.dumps(webhook.events),
            webhook.description,
            webhook.secret,
            webhook.created_at,
        ),
    )


def change(conn: sqlite3.Connection, webhook_id: str, url: str, events: tuple[str, ...], description: str) -> None:
    conn.execute(
        "update webhooks set url = ?, events = ?, description = ? where id = ?",
        (url, json.dumps(events), description, webhook_id),
    )


def rotate(conn: sqlite3.Connection, webhook_id: str, secret: str, former_until: str) -> None:
    """The present secret becomes the former one."""
    conn.execute(
        "update webhooks set former_secret = secret, former_until = ?, secret = ? where id = ?",
        (former_until, secret, webhook_id),
    )


def delete(conn: sqlite3.Connection, webhook_id: str) -> None:
    """With its deliveries."""
    conn.execute("delete from webhooks where id = ?", (webhook_id,))


def disable(conn: sqlite3.Connection, webhook_id: str, reason: str) -> None:
    """No more deliveries; those that wait end."""
    conn.execute("update webhooks set disabled_at = ?, disabled_reason = ? where id = ?", (now(), reason, webhook_id))
    conn.execute(
        "update deliveries set status = 'failed', next_attempt_at = null"
        " where webhook_id = ? and next_attempt_at is not null",
        (webhook_id,),
    )


def enable(conn: sqlite3.Connection, webhook_id: str) -> None:
    conn.execute(
        "update webhooks set disabled_at = null, disabled_reason = null, failing_since = null where id = ?",
        (webhook_id,),
    )


def set_failing(conn: sqlite3.Connection, webhook_id: str, since: str | None) -> None:
    """Nothing but failures since then; None: an attempt has succeeded."""
    conn.execute("update webhooks set failing_since = ? where id = ?", (since, webhook_id))


def count(conn: sqlite3.Connection, tenant_id: str) -> int:
    return int(conn.execute("select count(*) from webhooks where tenant_id = ?", (tenant_id,)).fetchone()[0])


def get_now(conn: sqlite3.Connection, tenant_id: str, webhook_id: str) -> Webhook | None:
    """Inside a transaction."""
    row = conn.execute("select * from webhooks where tenant_id = ? and id = ?", (tenant_id, webhook_id)).fetchone()
    return _webhook(row) if row else None


async def get(db: Database, tenant_id: str, webhook_id: str) -> Webhook | None:
    row = await db.row("select * from webhooks where tenant_id = ? and id = ?", (tenant_id, webhook_id))
    return _webhook(row) if row else None


async def page(db: Database, tenant_id: str, cursor: Cursor) -> list[Webhook]:
    rows = await newest_first(db, "select * from webhooks", cursor, {"tenant_id = ?": tenant_id})
    return [_webhook(row) for row in rows]


def _webhook(row: Row) -> Webhook:
    return Webhook(
        id=row["id"],
        tenant_id=row["tenant_id"],
        url=row["url"],
        events=tuple(json.loads(row["events"])),
        description=row["description"],
        secret=row["secret"],
        created_at=row["created_at"],
        former_secret=row["former_secret"],
        former_until=row["former_until"],
        failing_since=row["failing_since"],
        disabled_at=row["disabled_at"],
        disabled_reason=row["disabled_reason"],
    )
