"""Questions that were refused because the sources don't cover them, with the vectors they were searched by."""

import sqlite3
from dataclasses import dataclass

import numpy as np
from numpy import float32
from numpy.typing import NDArray

from flowchat.domain import now
from flowchat.store.database import Database, Row


@dataclass(frozen=True, slots=True)
class Question:
    """`source_ids`: what was asked, but for sources whose version of then is gone."""

    message_id: str
    conversation_id: str
    query: str
    source_ids: tuple[str, ...]
    created_at: str


@dataclass(frozen=True, slots=True)
class Unanswered:
    """Questions of a tenant, newest first. vectors: (len(questions), dims), of unit length"""

    questions: list[Question]
    vectors: NDArray[float32]


def insert(conn: sqlite3.Connection, message_id: str, tenant_id: str, embedder: str, vector: NDArray[float32]) -> None:
    """A refused question, after its message. vector: (dims,)"""
    conn.execute(
        "insert into unanswered (message_id, tenant_id, embedder, vector, created_at) values (?, ?, ?, ?, ?)",
        (message_id, tenant_id, embedder, vector.tobytes(), now()),
    )


async def newest(db: Database, tenant_id: str, embedder: str, dims: int, limit: int) -> Unanswered:
    """Vectors of another embedder can't be compared: their questions are left out."""
    rows = await db.rows(
        "select u.message_id, m.conversation_id, m.query, u.created_at, u.vector, (select group_concat(v.source_id)"
        " from versions v where v.id in (select value from json_each(m.versions))) as source_ids"
        " from unanswered u join messages m on m.id = u.message_id"
        " where u.tenant_id = ? and u.embedder = ? order by u.created_at desc, u.message_id desc limit ?",
        (tenant_id, embedder, limit),
    )
    questions = [_question(row) for row in rows]
    vectors = np.frombuffer(b"".join(row["vector"] for row in rows), float32).reshape(len(rows), dims)
    return Unanswered(questions, vectors)


def _question(row: Row) -> Question:
    source_ids = tuple(sorted(row["source_ids"].split(","))) if row["source_ids"] else ()
    return Question(row["message_id"], row["conversation_id"], row["query"], source_ids, row["created_at"])
