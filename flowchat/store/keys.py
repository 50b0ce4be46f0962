"""Keys, by the SHA-256 of their secret."""

import json
import sqlite3
from dataclasses import asdict
from typing import Any

from flowchat.domain import Caps, Key, KeyType, Limits, WidgetConfig, now
from flowchat.store.database import Database, Row
from flowchat.store.paging import Cursor, newest_first
from flowchat.store.tenants import refused_if_closed


def insert(conn: sqlite3.Connection, key: Key, secret_hash: str) -> None:
    """Raises Conflict `tenant_closed`."""
    with refused_if_closed():
        conn.execute(
            "insert into keys (id, tenant_id, type, name, hash, prefix, last_four, mode, scopes, origins, sources,"
            " daily_cap, monthly_cap, per_minute, visitor_per_minute, widget, billed, expires_at, created_at)"
            " values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
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
                key.caps.daily,
                key.caps.monthly,
                key.limits.per_minute,
                key.limits.visitor_per_minute,
                json.dumps(asdict(key.widget)),
                int(key.billed),
                key.expires_at,
                key.created_at,
            ),
        )


def update(conn: sqlite3.Connection, key: Key) -> None:
    """Store what may change in a key: all but what it is, whose it is, its secret and its revocation."""
    conn.execute(
        "update keys set name = ?, mode = ?, origins = ?, sources = ?, daily_cap = ?, monthly_cap = ?, per_minute = ?,"
        " visitor_per_minute = ?, widget = ?, expires_at = ? where id = ?",
        (
            key.name,
            key.mode,
            json.dumps(key.origins),
            json.dumps(key.sources),
            key.caps.daily,
            key.caps.monthly,
            key.limits.per_minute,
            key.limits.visitor_per_minute,
            json.dumps(asdict(key.widget)),
            key.expires_at,
            key.id,
        ),
    )


def set_successor(conn: sqlite3.Connection, key_id: str, successor_id: str, expires_at: str) -> None:
    """A key was rotated, and stays good until then."""
    conn.execute("update keys set rotated_to = ?, expires_at = ? where id = ?", (successor_id, expires_at, key_id))


def revoke(conn: sqlite3.Connection, key_id: str) -> str:
    """Revoke a key that is not revoked yet; returns when that was."""
    moment = now()
    conn.execute("update keys set revoked_at = ? where id = ? and revoked_at is null", (moment, key_id))
    return moment


def find(conn: sqlite3.Connection, tenant_id: str, key_id: str) -> Key | None:
    """A key as a transaction sees it."""
    row = conn.execute("select * from keys where tenant_id = ? and id = ?", (tenant_id, key_id)).fetchone()
    return _key(row) if row else None


async def by_hash(db: Database, secret_hash: str) -> Key | None:
    row = await db.row("select * from keys where hash = ?", (secret_hash,))
    return _key(row) if row else None


async def get(db: Database, tenant_id: str, key_id: str) -> Key | None:
    row = await db.row("select * from keys where tenant_id = ? and id = ?", (tenant_id, key_id))
    return _key(row) if row else None


async def page(db: Database, tenant_id: str, key_type: KeyType | None, cursor: Cursor) -> list[Key]:
    """Keys of that type; None: of any."""
    where = {"tenant_id = ?": tenant_id, "type = ?": key_type}
    rows = await newest_first(db, "select * from keys", cursor, where)
    return [_key(row) for row in rows]


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
        created_at=row["created_at"],
        caps=Caps(row["daily_cap"], row["monthly_cap"]),
        limits=Limits(row["per_minute"], row["visitor_per_minute"]),
        widget=_widget(json.loads(row["widget"])),
        billed=bool(row["billed"]),
        expires_at=row["expires_at"],
        revoked_at=row["revoked_at"],
        rotated_to=row["rotated_to"],
    )


def _widget(stored: dict[str, Any]) -> WidgetConfig:
    return WidgetConfig(
        tuple(stored.get("starter_questions", ())), stored.get("contact_url"), dict(stored.get("texts", {}))
    )
