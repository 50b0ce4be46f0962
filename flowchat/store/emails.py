"""E-mails on their way: written with the deed they tell of, in its transaction."""

import sqlite3

from flowchat.billing import Email
from flowchat.domain import new_id, now
from flowchat.store.database import Database, Row
from flowchat.store.tenants import NOT_MOVED

KEEP_S = 30 * 86_400
_FIELDS = tuple(Email.__dataclass_fields__)


def insert(conn: sqlite3.Connection, recipient: str, subject: str, body: str, tenant_id: str | None = None) -> str:
    """One that is due now; returns its id."""
    ident, moment = new_id("eml"), now()
    conn.execute(
        "insert into emails (id, tenant_id, recipient, subject, body, next_attempt_at, created_at)"
        " values (?, ?, ?, ?, ?, ?, ?)",
        (ident, tenant_id, recipient, subject, body, moment, moment),
    )
    return ident


def note_sent(conn: sqlite3.Connection, email_id: str) -> None:
    """Its text goes: it may have a link that is good for something."""
    conn.execute(
        "update emails set attempts = attempts + 1, next_attempt_at = null, error = null, body = '', sent_at = ?"
        " where id = ?",
        (now(), email_id),
    )


def note_failed(conn: sqlite3.Connection, email_id: str, error: str, next_attempt_at: str | None) -> None:
    """None: there is no further attempt."""
    conn.execute(
        "update emails set attempts = attempts + 1, next_attempt_at = ?, error = ? where id = ?",
        (next_attempt_at, error, email_id),
    )


def give_up_untried(conn: sqlite3.Connection, before: str, error: str) -> None:
    """Those that were written before that moment, and were never tried."""
    conn.execute(
        "update emails set next_attempt_at = null, error = ?"
        " where attempts = 0 and next_attempt_at is not null and created_at < ?",
        (error, before),
    )


def free_stranded(conn: sqlite3.Connection, after: str) -> int:
    """What is due only after that time is due now, and so is what was never tried; returns how many there were."""
    return conn.execute(
        "update emails set next_attempt_at = ?1 where next_attempt_at > ?1 and (next_attempt_at > ?2 or attempts = 0)",
        (now(), after),
    ).rowcount


def delete_old(conn: sqlite3.Connection) -> None:
    conn.execute("delete from emails where created_at < ?", (now(-KEEP_S),))


async def due(db: Database, limit: int) -> list[Email]:
    """Those that were never tried come first: a server that is down must not keep a new one waiting behind old ones."""
    rows = await db.rows(
        f"select * from emails where next_attempt_at <= ? and (tenant_id is null or {NOT_MOVED})"  # noqa: S608
        " order by attempts, next_attempt_at limit ?",
        (now(), limit),
    )
    return [_email(row) for row in rows]


def _email(row: Row) -> Email:
    return Email(**{name: row[name] for name in _FIELDS})
