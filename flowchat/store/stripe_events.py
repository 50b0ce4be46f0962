"""The inbox of what Stripe has told: each event once, and what became of it."""

import sqlite3

from flowchat.billing import StripeEvent, StripeEventStatus
from flowchat.store.database import Database, Row

_FIELDS = tuple(StripeEvent.__dataclass_fields__)


def insert(conn: sqlite3.Connection, event: StripeEvent) -> bool:
    """Due at once; False if it is known already. One that was given up, and is sent again by hand, begins anew."""
    added = conn.execute(
        "insert into stripe_events (id, type, body, status, next_attempt_at, created_at, received_at)"
        " values (?, ?, ?, 'pending', ?, ?, ?) on conflict (id) do update set status = 'pending', attempts = 0,"
        " error = null, next_attempt_at = excluded.next_attempt_at, received_at = excluded.received_at"
        " where status = 'failed'",
        (event.id, event.type, event.body, event.received_at, event.created_at, event.received_at),
    )
    return bool(added.rowcount)


def finish(conn: sqlite3.Connection, event_id: str, status: StripeEventStatus, error: str | None = None) -> None:
    """`error`: why it has failed, or was ignored although its type is of interest."""
    conn.execute(
        "update stripe_events set status = ?, error = ?, attempts = attempts + 1, next_attempt_at = null where id = ?",
        (status, error, event_id),
    )


def postpone(conn: sqlite3.Connection, event_id: str, due: str, error: str) -> None:
    conn.execute(
        "update stripe_events set attempts = attempts + 1, next_attempt_at = ?, error = ? where id = ?",
        (due, error, event_id),
    )


def free_stranded(conn: sqlite3.Connection, after: str, moment: str) -> int:
    """What is due only after that time is due now, and so is what was never tried; returns how many there were."""
    return conn.execute(
        "update stripe_events set next_attempt_at = ?1 where status = 'pending' and next_attempt_at > ?1"
        " and (next_attempt_at > ?2 or attempts = 0)",
        (moment, after),
    ).rowcount


def delete_old(conn: sqlite3.Connection, before: str, limit: int) -> int:
    """At most `limit` events of before that time that are over; returns how many."""
    return conn.execute(
        "delete from stripe_events where id in"
        " (select id from stripe_events where received_at < ? and status <> 'pending' order by received_at limit ?)",
        (before, limit),
    ).rowcount


async def due(db: Database, moment: str, limit: int) -> list[StripeEvent]:
    """Longest due first."""
    rows = await db.rows(
        "select * from stripe_events where status = 'pending' and next_attempt_at <= ?"
        " order by next_attempt_at, rowid limit ?",
        (moment, limit),
    )
    return [_event(row) for row in rows]


async def get(db: Database, event_id: str) -> StripeEvent | None:
    row = await db.row("select * from stripe_events where id = ?", (event_id,))
    return _event(row) if row else None


async def last_received_at(db: Database) -> str | None:
    row = await db.row("select max(received_at) as moment from stripe_events")
    return row["moment"] if row else None


async def last_failed(db: Database) -> StripeEvent | None:
    """The newest one that was given up."""
    row = await db.row("select * from stripe_events where status = 'failed' order by received_at desc limit 1")
    return _event(row) if row else None


async def counts(db: Database) -> dict[StripeEventStatus, int]:
    rows = await db.rows("select status, count(*) as number from stripe_events group by status")
    return {row["status"]: row["number"] for row in rows}


def _event(row: Row) -> StripeEvent:
    return StripeEvent(**{name: row[name] for name in _FIELDS})
