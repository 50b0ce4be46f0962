"""E-mails on their way: written with the deed they tell of, in its transaction."""

import sqlite3

from flowchat.domain import new_id, now


def insert(conn: sqlite3.Connection, recipient: str, subject: str, body: str, tenant_id: str | None = None) -> str:
    """One that is due now; returns its id."""
    ident, moment = new_id("eml"), now()
    conn.execute(
        "insert into emails (id, tenant_id, recipient, subject, body, next_attempt_at, created_at)"
        " values (?, ?, ?, ?, ?, ?, ?)",
        (ident, tenant_id, recipient, subject, body, moment, moment),
    )
    return ident
