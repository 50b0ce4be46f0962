"""Invites to sign up, by the SHA-256 of their code."""

import sqlite3

from flowchat.billing import Invite
from flowchat.domain import now
from flowchat.store.database import Database, Row
from flowchat.store.paging import Cursor, newest_first

_WITH_PLAN = "select invites.*, plans.slug as plan from invites left join plans on plans.id = plan_id"
_BY_HASH = f"{_WITH_PLAN} where hash = ?"


def insert(conn: sqlite3.Connection, invite: Invite, code_hash: str) -> None:
    conn.execute(
        "insert into invites (id, hash, email, note, plan_id, expires_at, created_at) values (?, ?, ?, ?, ?, ?, ?)",
        (invite.id, code_hash, invite.email, invite.note, invite.plan_id, invite.expires_at, invite.created_at),
    )


def use(conn: sqlite3.Connection, invite_id: str, tenant_id: str) -> None:
    conn.execute("update invites set tenant_id = ?, used_at = ? where id = ?", (tenant_id, now(), invite_id))


def delete(conn: sqlite3.Connection, invite_id: str) -> bool:
    """False if there is none."""
    return conn.execute("delete from invites where id = ?", (invite_id,)).rowcount == 1


def find_by_hash(conn: sqlite3.Connection, code_hash: str) -> Invite | None:
    """An invite as a transaction sees it."""
    row = conn.execute(_BY_HASH, (code_hash,)).fetchone()
    return _invite(row) if row else None


async def by_hash(db: Database, code_hash: str) -> Invite | None:
    row = await db.row(_BY_HASH, (code_hash,))
    return _invite(row) if row else None


async def page(db: Database, cursor: Cursor) -> list[Invite]:
    return [_invite(row) for row in await newest_first(db, _WITH_PLAN, cursor, {}, by="invites.id")]


def _invite(row: Row) -> Invite:
    return Invite(**{name: row[name] for name in Invite.__dataclass_fields__})
