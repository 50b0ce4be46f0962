"""Sessions of the admin. Only the hash of a session's token is stored."""

import sqlite3

from flowchat.domain import Session, now
from flowchat.store.database import Database, Row


def insert(conn: sqlite3.Connection, session: Session, hashed: str) -> None:
    conn.execute(
        "insert into sessions (id, user_id, hash, created_at, last_seen_at, address, user_agent)"
        " values (?, ?, ?, ?, ?, ?, ?)",
        (
            session.id,
            session.user_id,
            hashed,
            session.created_at,
            session.last_seen_at,
            session.address,
            session.user_agent,
        ),
    )


async def by_hash(db: Database, hashed: str, *, created_after: str, seen_after: str) -> Session | None:
    """The session of a token, unless it has timed out."""
    row = await db.row(
        "select * from sessions where hash = ? and created_at > ? and last_seen_at > ?",
        (hashed, created_after, seen_after),
    )
    return _session(row) if row else None


async def of_user(db: Database, user_id: str, *, created_after: str, seen_after: str) -> list[Session]:
    """Those that have not timed out, the one used last first."""
    rows = await db.rows(
        "select * from sessions where user_id = ? and created_at > ? and last_seen_at > ? order by last_seen_at desc",
        (user_id, created_after, seen_after),
    )
    return [_session(row) for row in rows]


def see(conn: sqlite3.Connection, session_id: str, address: str) -> None:
    """It is in use now, from that address."""
    conn.execute("update sessions set last_seen_at = ?, address = ? where id = ?", (now(), address, session_id))


def delete(conn: sqlite3.Connection, user_id: str, session_id: str) -> bool:
    """False if the user has no such session."""
    return conn.execute("delete from sessions where user_id = ? and id = ?", (user_id, session_id)).rowcount == 1


def delete_all(conn: sqlite3.Connection, user_id: str, *, but: str = "") -> int:
    """All of a user's sessions but one; returns how many there were."""
    return conn.execute("delete from sessions where user_id = ? and id <> ?", (user_id, but)).rowcount


def delete_every(conn: sqlite3.Connection) -> None:
    """Of all users."""
    conn.execute("delete from sessions")


def delete_old(conn: sqlite3.Connection, *, created_before: str, seen_before: str) -> None:
    conn.execute("delete from sessions where created_at < ? or last_seen_at < ?", (created_before, seen_before))


def _session(row: Row) -> Session:
    return Session(
        id=row["id"],
        user_id=row["user_id"],
        created_at=row["created_at"],
        last_seen_at=row["last_seen_at"],
        address=row["address"],
        user_agent=row["user_agent"],
    )
