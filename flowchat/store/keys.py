"""Keys, by the SHA-256 of their secret."""

import json
import sqlite3
from collections.abc import Collection

from flowchat.domain import Key, now
from flowchat.store.database import Database, Row


def insert(conn: sqlite3.Connection, key: Key, secret_hash: str) -> None:
    conn.execute(
        "insert into keys (id, tenant_id, type, name, hash, prefix, last_four, mode, scopes, origins, sources,"
        " daily_cap, created_at) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            key.id,
            key.tenant_id,
            key.type,
            key.name,
            secret_hash,
            key.prefix,
            key.last_four,
            key.mode,
            json.dumps(key.scopes),
            json.dumps(key.origins),
            json.dumps(key.sources),
            key.daily_cap,
            key.created_at,
        ),
    )


def set_allowed(conn: sqlite3.Connection, key_id: str, origins: tuple[str, ...], sources: tuple[str, ...]) -> None:
    conn.execute(
        "update keys set origins = ?, sources = ? where id = ?", (json.dumps(origins), json.dumps(sources), key_id)
    )


def revoke(conn: sqlite3.Connection, tenant_id: str, key_id: str) -> bool:
    """False if there is no such key; a key already revoked stays as it is."""
    conn.execute(
        "update keys set revoked_at = ? where id = ? and tenant_id = ? and revoked_at is null",
        (now(), key_id, tenant_id),
    )
    found = conn.execute("select 1 from keys where id = ? and tenant_id = ?", (key_id, tenant_id)).fetchone()
    return found is not None


async def revoked_among(db: Database, key_ids: Collection[str]) -> list[str]:
    """Which of these keys are revoked."""
    marks = ",".join("?" * len(key_ids))
    rows = await db.rows(
        f"select id from keys where revoked_at is not null and id in ({marks})",  # noqa: S608 (marks)
        key_ids,
    )
    return [row["id"] for row in rows]


async def by_hash(db: Database, secret_hash: str) -> Key | None:
    row = await db.row("select * from keys where hash = ?", (secret_hash,))
    return _key(row) if row else None


async def list_all(db: Database, tenant_id: str) -> list[Key]:
    rows = await db.rows("select * from keys where tenant_id = ? order by id", (tenant_id,))
    return [_key(row) for row in rows]


def _key(row: Row) -> Key:
    return Key(
        id=row["id"],
        tenant_id=row["tenant_id"],
        type=row["type"],
        name=row["name"],
        prefix=row["prefix"],
        last_four=row["last_four"],
        mode=row["mode"],
        scopes=tuple(json.loads(row["scopes"])),
        origins=tuple(json.loads(row["origins"])),
        sources=tuple(json.loads(row["sources"])),
        daily_cap=row["daily_cap"],
        created_at=row["created_at"],
        revoked_at=row["revoked_at"],
    )
