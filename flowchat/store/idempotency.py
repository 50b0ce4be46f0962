"""Idempotency keys: which requests were made with them, and what they were answered."""

import sqlite3
from dataclasses import dataclass

from flowchat.domain import now

KEEP_S = 24 * 3600
INTERRUPTED = ""  # in the place of a response: the process ended before it could be stored


@dataclass(frozen=True, slots=True)
class Stored:
    """`response` is sealed, None while the request is being worked on, and INTERRUPTED if nobody knows how it ended."""

    request_hash: str
    response: str | None


def begin(conn: sqlite3.Connection, tenant_id: str, key: str, request_hash: str) -> Stored | None:
    """Take a key for a request. Returns what another request with the key has left, if there was one in 24 hours."""
    delete_old(conn)
    taken = conn.execute(
        "insert into idempotency_keys (tenant_id, key, request_hash, created_at) values (?, ?, ?, ?)"
        " on conflict do nothing",
        (tenant_id, key, request_hash, now()),
    )
    if taken.rowcount == 1:
        return None
    row = conn.execute(
        "select request_hash, response from idempotency_keys where tenant_id = ? and key = ?", (tenant_id, key)
    ).fetchone()
    return Stored(row["request_hash"], row["response"])


def finish(conn: sqlite3.Connection, tenant_id: str, key: str, response: str) -> None:
    conn.execute("update idempotency_keys set response = ? where tenant_id = ? and key = ?", (response, tenant_id, key))


def abandon(conn: sqlite3.Connection, tenant_id: str, key: str) -> None:
    """Free a key whose request came to nothing."""
    conn.execute("delete from idempotency_keys where tenant_id = ? and key = ? and response is null", (tenant_id, key))


def mark_interrupted(conn: sqlite3.Connection) -> None:
    """The requests that died with their process. Only for the one that owns the data folder."""
    conn.execute("update idempotency_keys set response = ? where response is null", (INTERRUPTED,))


def delete_old(conn: sqlite3.Connection) -> None:
    conn.execute("delete from idempotency_keys where created_at < ?", (now(-KEEP_S),))
