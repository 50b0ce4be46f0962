"""Who did what. Written in the transaction of the deed."""

import json
import sqlite3
from typing import Any

from flowchat.domain import Actor, now


def insert(conn: sqlite3.Connection, actor: Actor, operation: str, target: str, **detail: Any) -> None:
    conn.execute(
        "insert into audit_log (tenant_id, actor, operation, target, detail, address, created_at)"
        " values (?, ?, ?, ?, ?, ?, ?)",
        (actor.tenant_id, actor.name, operation, target, json.dumps(detail), actor.address, now()),
    )
