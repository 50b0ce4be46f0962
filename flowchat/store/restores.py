"""What this database was restored from, and whether what it would send is held back."""

import sqlite3

from flowchat.domain import OlderOutbox, Restore, new_id
from flowchat.store.database import Database, Row

_FIELDS = tuple(Restore.__dataclass_fields__)
_HELD = "select * from restores where released_at is null order by restored_at desc limit 1"
_DROPPED = "It was written before the database was restored from a backup, and was not sent when it was released."


def insert(conn: sqlite3.Connection, backup: str, backup_at: str, restored_at: str) -> str:
    """From now on all is held back. Returns its id."""
    ident = new_id("rst")
    conn.execute(
        "insert into restores (id, backup, backup_at, restored_at) values (?, ?, ?, ?)",
        (ident, backup, backup_at, restored_at),
    )
    return ident


def release(conn: sqlite3.Connection, moment: str, older: OlderOutbox) -> None:
    conn.execute("update restores set released_at = ?, older = ? where released_at is null", (moment, older))


def drop_older(conn: sqlite3.Connection, restored_at: str) -> tuple[int, int]:
    """End the deliveries and e-mails of before that time that were not made yet; returns how many."""
    deliveries = conn.execute(
        "update deliveries set status = 'failed', next_attempt_at = null"
        " where next_attempt_at is not null and created_at < ?",
        (restored_at,),
    ).rowcount
    emails = conn.execute(
        "update emails set next_attempt_at = null, error = ?, body = ''"
        " where next_attempt_at is not null and created_at < ?",
        (_DROPPED, restored_at),
    ).rowcount
    return deliveries, emails


def held_now(conn: sqlite3.Connection) -> Restore | None:
    """Inside a transaction."""
    row = conn.execute(_HELD).fetchone()
    return _restore(row) if row else None


def last(conn: sqlite3.Connection) -> Restore | None:
    """The newest one, released or not."""
    row = conn.execute("select * from restores order by restored_at desc limit 1").fetchone()
    return _restore(row) if row else None


async def held(db: Database) -> Restore | None:
    """The newest one that is not released."""
    row = await db.row(_HELD)
    return _restore(row) if row else None


async def waiting(db: Database, restored_at: str) -> dict[str, tuple[int, int]]:
    """How many deliveries and e-mails wait: of before that time, and since."""
    rows = await db.rows(
        "select kind, count(*) filter (where created_at < ?1) as older,"
        " count(*) filter (where created_at >= ?1) as newer"
        " from (select 'deliveries' as kind, created_at from deliveries where next_attempt_at is not null"
        " union all select 'emails', created_at from emails where next_attempt_at is not null) group by kind",
        (restored_at,),
    )
    found = {row["kind"]: (row["older"], row["newer"]) for row in rows}
    return {kind: found.get(kind, (0, 0)) for kind in ("deliveries", "emails")}


def _restore(row: Row) -> Restore:
    return Restore(**{name: row[name] for name in _FIELDS})
