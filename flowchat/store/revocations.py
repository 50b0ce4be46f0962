"""Revoked keys and sources, as the database knows them."""

import sqlite3
from typing import Literal, TypeAlias

from flowchat.store.database import Database

RevokedKind: TypeAlias = Literal["key", "source"]

_REVOKE = {
    "key": "update keys set revoked_at = ? where id = ? and revoked_at is null returning tenant_id",
    "source": "update sources set revoked_at = ?, status = 'revoked', next_crawl = null, auth = null"
    " where id = ? and status <> 'revoked' returning tenant_id",
}


async def every(db: Database) -> list[tuple[RevokedKind, str]]:
    """(kind, id) of everything that is revoked, of every tenant."""
    rows = await db.rows(
        "select 'key' as kind, id from keys where revoked_at is not null"
        " union all select 'source', id from sources where status = 'revoked'"
    )
    return [(row["kind"], row["id"]) for row in rows]


def apply(conn: sqlite3.Connection, kind: RevokedKind, ident: str, revoked_at: str) -> str | None:
    """Revoke what is not revoked yet; returns its tenant's id, None where nothing was to be done."""
    # `fetchall` runs the update to its end.
    rows = conn.execute(_REVOKE[kind], (revoked_at, ident)).fetchall()
    return rows[0]["tenant_id"] if rows else None
