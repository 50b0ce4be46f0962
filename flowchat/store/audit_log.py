"""Who did what. Written in the transaction of the deed."""

import json
import sqlite3
from typing import Any

from flowchat.domain import Actor, AuditEntry, new_id, now
from flowchat.store.database import Database, Row
from flowchat.store.paging import Cursor, newest_first


def insert(conn: sqlite3.Connection, actor: Actor, operation: str, target: str, **detail: Any) -> None:
    conn.execute(
        "insert into audit_log (id, tenant_id, actor, operation, target, detail, address, created_at)"
        " values (?, ?, ?, ?, ?, ?, ?, ?)",
        (new_id("aud"), actor.tenant_id, actor.name, operation, target, json.dumps(detail), actor.address, now()),
    )


async def page(
    db: Database, tenant_id: str, cursor: Cursor, *, operation: str | None, target: str | None, actor: str | None
) -> list[AuditEntry]:
    """Entries with that operation, target and actor; None: any."""
    where = {"tenant_id = ?": tenant_id, "operation = ?": operation, "target = ?": target, "actor = ?": actor}
    rows = await newest_first(db, "select * from audit_log", cursor, where)
    return [_entry(row) for row in rows]


def _entry(row: Row) -> AuditEntry:
    return AuditEntry(
        id=row["id"],
        actor=row["actor"],
        operation=row["operation"],
        target=row["target"],
        detail=json.loads(row["detail"]),
        address=row["address"],
        created_at=row["created_at"],
    )
