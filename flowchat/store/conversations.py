"""Conversations and their messages, with the chunks each answer saw."""

import json
import sqlite3
from dataclasses import asdict, dataclass
from typing import Any

from flowchat.domain import Citation, now
from flowchat.store.database import Database


@dataclass(frozen=True, slots=True)
class Message:
    """A question with its answer. `chunks` are the reranked chunks as they were sent; `usage` is token counts."""

    id: str
    conversation_id: str
    key_id: str
    query: str
    answer: str
    refusal: bool
    reason: str | None
    versions: tuple[str, ...]
    chunks: tuple[dict[str, Any], ...]
    citations: tuple[Citation, ...]
    usage: dict[str, int]


def insert(
    conn: sqlite3.Connection, conversation_id: str, tenant_id: str, key_id: str, token_hash: str, visitor_id: str | None
) -> None:
    conn.execute(
        "insert into conversations (id, tenant_id, key_id, token_hash, visitor_id, created_at)"
        " values (?, ?, ?, ?, ?, ?)",
        (conversation_id, tenant_id, key_id, token_hash, visitor_id, now()),
    )


def insert_message(conn: sqlite3.Connection, message: Message) -> None:
    conn.execute(
        "insert into messages (id, conversation_id, key_id, query, answer, refusal, reason, versions, chunks,"
        " citations, usage, created_at) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            message.id,
            message.conversation_id,
            message.key_id,
            message.query,
            message.answer,
            int(message.refusal),
            message.reason,
            json.dumps(message.versions),
            json.dumps(message.chunks),
            json.dumps([asdict(citation) for citation in message.citations]),
            json.dumps(message.usage),
            now(),
        ),
    )


async def token_hash(db: Database, tenant_id: str, key_id: str, conversation_id: str) -> str | None:
    """The hash of the token that continues a conversation of this key."""
    row = await db.row(
        "select token_hash from conversations where id = ? and tenant_id = ? and key_id = ?",
        (conversation_id, tenant_id, key_id),
    )
    return row["token_hash"] if row else None


async def last_queries(db: Database, conversation_id: str, limit: int) -> list[str]:
    """The newest questions of a conversation, oldest first."""
    rows = await db.rows(
        "select query from messages where conversation_id = ? order by id desc limit ?", (conversation_id, limit)
    )
    return [row["query"] for row in reversed(rows)]


def begin_answer(conn: sqlite3.Connection, key_id: str, day: str, daily_cap: int) -> bool:
    """Count one more answer of a key on a day (YYYY-MM-DD, UTC). False, and not counted, beyond its cap."""
    if daily_cap < 1:
        return False
    counted = conn.execute(
        "insert into daily_answers values (?, ?, 1) on conflict do update set begun = begun + 1 where begun < ?",
        (key_id, day, daily_cap),
    )
    return counted.rowcount == 1
