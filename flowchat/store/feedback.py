"""What visitors think of answers: one rating for each."""

import sqlite3

from flowchat.domain import Feedback, Rating, new_id, now
from flowchat.store.database import Database, Row
from flowchat.store.paging import Cursor, newest_first

_SELECT = "select f.*, m.conversation_id, m.query from feedback f join messages m on m.id = f.message_id"


def give(conn: sqlite3.Connection, tenant_id: str, message_id: str, rating: Rating, reason: str) -> Feedback | None:
    """In place of what was thought of the message before. None if it was erased meanwhile."""
    conn.execute(
        "insert into feedback (message_id, tenant_id, id, rating, reason, created_at)"
        " select id, ?, ?, ?, ?, ? from messages where id = ?"
        " on conflict (message_id) do update set id = excluded.id, rating = excluded.rating, reason = excluded.reason,"
        " created_at = excluded.created_at",
        (tenant_id, new_id("fbk"), rating, reason, now(), message_id),
    )
    row = conn.execute(_SELECT + " where f.message_id = ?", (message_id,)).fetchone()
    return _feedback(row) if row else None


async def page(db: Database, tenant_id: str, rating: Rating | None, cursor: Cursor) -> list[Feedback]:
    rows = await newest_first(db, _SELECT, cursor, {"f.tenant_id = ?": tenant_id, "f.rating = ?": rating}, by="f.id")
    return [_feedback(row) for row in rows]


def _feedback(row: Row) -> Feedback:
    return Feedback(
        id=row["id"],
        message_id=row["message_id"],
        conversation_id=row["conversation_id"],
        query=row["query"],
        rating=row["rating"],
        reason=row["reason"],
        created_at=row["created_at"],
    )
