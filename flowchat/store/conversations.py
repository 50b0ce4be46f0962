"""Conversations and their messages, with the chunks each answer saw."""

import json
import re
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from flowchat.domain import Citation, Feedback, Rating, Verdict, now
from flowchat.errors import NotFound
from flowchat.store.database import Database, Row
from flowchat.store.paging import Cursor, newest_first

_WORD = re.compile(r"\w+")
_CONVERSATIONS = """
    select c.*,
        (select query from messages m where m.conversation_id = c.id order by m.id limit 1) as first_query,
        (select count(*) from messages m where m.conversation_id = c.id) as message_count,
        (select count(*) from messages m where m.conversation_id = c.id and m.refusal) as refusal_count
    from conversations c
"""
_MESSAGES = """
    select m.*, f.id as feedback_id, f.rating, f.reason as rating_reason, f.created_at as rated_at
    from messages m left join feedback f on f.message_id = m.id
"""


@dataclass(frozen=True, slots=True)
class Message:
    """A question with its answer.

    `chunks` are the reranked chunks as they were sent, with their text; `usage` is token counts, and milliseconds as
    `first_text_ms`. `created_at` and `feedback` are filled in when a message is read.
    """

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
    verdicts: tuple[Verdict, ...]
    usage: dict[str, int]
    created_at: str = ""
    feedback: Feedback | None = None


@dataclass(frozen=True, slots=True)
class Conversation:
    """`first_query` is what it began with."""

    id: str
    tenant_id: str
    key_id: str
    visitor_id: str | None
    first_query: str
    message_count: int
    refusal_count: int
    created_at: str
    last_at: str


@dataclass(frozen=True, slots=True)
class Filter:
    """Which conversations are wanted: None leaves a condition out. `words`: all of them in one question or answer.

    `first` and `last` are dates (UTC) on which a conversation began.
    """

    words: tuple[str, ...] = ()
    visitor_id: str | None = None
    key_id: str | None = None
    source_id: str | None = None
    first: str | None = None
    last: str | None = None
    refusal: bool | None = None
    rating: Rating | None = None


@dataclass(frozen=True, slots=True)
class Erased:
    """How much was deleted."""

    conversations: int = 0
    messages: int = 0


def insert(
    conn: sqlite3.Connection, conversation_id: str, tenant_id: str, key_id: str, token_hash: str, visitor_id: str | None
) -> None:
    moment = now()
    conn.execute(
        "insert into conversations (id, tenant_id, key_id, token_hash, visitor_id, created_at, last_at)"
        " values (?, ?, ?, ?, ?, ?, ?)",
        (conversation_id, tenant_id, key_id, token_hash, visitor_id, moment, moment),
    )


def insert_message(conn: sqlite3.Connection, message: Message) -> None:
    """The message and its words. Raises NotFound if its conversation was erased meanwhile."""
    moment = now()
    touched = conn.execute("update conversations set last_at = ? where id = ?", (moment, message.conversation_id))
    if not touched.rowcount:
        raise NotFound("conversation", message.conversation_id, param="conversation_id")
    rowid = conn.execute(
        "insert into messages (id, conversation_id, key_id, query, answer, refusal, reason, versions, chunks,"
        " citations, verdicts, usage, created_at) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
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
            json.dumps([asdict(verdict) for verdict in message.verdicts]),
            json.dumps(message.usage),
            moment,
        ),
    ).lastrowid
    conn.execute(
        "insert into messages_fts (rowid, query, answer) values (?, ?, ?)", (rowid, message.query, message.answer)
    )


async def token_hash(db: Database, tenant_id: str, conversation_id: str) -> str | None:
    """The hash of the token that continues a conversation, with any key of its tenant: keys are rotated."""
    row = await db.row(
        "select token_hash from conversations where id = ? and tenant_id = ?", (conversation_id, tenant_id)
    )
    return row["token_hash"] if row else None


async def token_hash_of_message(db: Database, tenant_id: str, message_id: str) -> str | None:
    """The hash of the token of the conversation that a message belongs to."""
    row = await db.row(
        "select c.token_hash from messages m join conversations c on c.id = m.conversation_id"
        " where m.id = ? and c.tenant_id = ?",
        (message_id, tenant_id),
    )
    return row["token_hash"] if row else None


async def last_queries(db: Database, conversation_id: str, limit: int) -> list[str]:
    """The newest questions of a conversation, oldest first."""
    rows = await db.rows(
        "select query from messages where conversation_id = ? order by id desc limit ?", (conversation_id, limit)
    )
    return [row["query"] for row in reversed(rows)]


def search_words(text: str) -> tuple[str, ...]:
    """The words of what somebody searches for. Whatever else stands in it (`c++`, quotes, `*`) is left out."""
    return tuple(_WORD.findall(text))


async def page(db: Database, tenant_id: str, wanted: Filter, cursor: Cursor) -> list[Conversation]:
    conditions = {
        "c.tenant_id = ?": tenant_id,
        "c.visitor_id = ?": wanted.visitor_id,
        "c.key_id = ?": wanted.key_id,
        "c.created_at >= ?": wanted.first,
        "substr(c.created_at, 1, 10) <= ?": wanted.last,
        "exists (select 1 from messages m join usage_ledger u on u.message_id = m.id"
        " where m.conversation_id = c.id and u.source_id = ?)": wanted.source_id,
        "exists (select 1 from messages m where m.conversation_id = c.id and m.refusal) = ?": wanted.refusal,
        "exists (select 1 from messages m join feedback f on f.message_id = m.id"
        " where m.conversation_id = c.id and f.rating = ?)": wanted.rating,
        "c.id in (select m.conversation_id from messages_fts f join messages m on m.rowid = f.rowid"
        " where messages_fts match ?)": " ".join(f'"{word}"' for word in wanted.words) or None,
    }
    rows = await newest_first(db, _CONVERSATIONS, cursor, conditions, by="c.id")
    return [_conversation(row) for row in rows]


async def get(db: Database, tenant_id: str, conversation_id: str) -> Conversation | None:
    row = await db.row(_CONVERSATIONS + " where c.tenant_id = ? and c.id = ?", (tenant_id, conversation_id))
    return _conversation(row) if row else None


async def messages(db: Database, conversation_id: str, cursor: Cursor) -> list[Message]:
    """Messages of a conversation, newest first."""
    rows = await newest_first(db, _MESSAGES, cursor, {"m.conversation_id = ?": conversation_id}, by="m.id")
    return [_message(row) for row in rows]


async def of_visitor(db: Database, tenant_id: str, visitor_id: str, limit: int) -> list[str]:
    """Ids of some of a visitor's conversations."""
    rows = await db.rows(
        "select id from conversations where tenant_id = ? and visitor_id = ? limit ?", (tenant_id, visitor_id, limit)
    )
    return [row["id"] for row in rows]


def expired(conn: sqlite3.Connection, limit: int) -> tuple[str, list[str]] | None:
    """A tenant and some of its conversations that are older than it keeps them; a closed one keeps none."""
    rows = conn.execute(
        # A cross join keeps this order: tenant by tenant, only those that are old enough are looked at.
        "select c.tenant_id, c.id from tenants t cross join conversations c on c.tenant_id = t.id and c.last_at <"
        " iif(t.closed_at is null, strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-' || t.retention_days || ' days'), 'Z')"
        " where t.retention_days > 0 order by c.tenant_id limit ?",
        (limit,),
    ).fetchall()
    if not rows:
        return None
    tenant_id = rows[0]["tenant_id"]
    return tenant_id, [row["id"] for row in rows if row["tenant_id"] == tenant_id]


def delete(conn: sqlite3.Connection, tenant_id: str, conversation_ids: Sequence[str]) -> Erased:
    """Delete these conversations with all that came of them. The usage ledger stays; it holds no text."""
    conversations = messages = 0
    for conversation_id in conversation_ids:
        own = conn.execute("select 1 from conversations where id = ? and tenant_id = ?", (conversation_id, tenant_id))
        if own.fetchone() is None:
            continue
        of_it = "select id from messages where conversation_id = ?"
        conn.execute(f"delete from feedback where message_id in ({of_it})", (conversation_id,))  # noqa: S608
        conn.execute(f"delete from unanswered where message_id in ({of_it})", (conversation_id,))  # noqa: S608
        conn.execute(
            "insert into messages_fts (messages_fts, rowid, query, answer)"
            " select 'delete', rowid, query, answer from messages where conversation_id = ?",
            (conversation_id,),
        )
        messages += conn.execute("delete from messages where conversation_id = ?", (conversation_id,)).rowcount
        conversations += conn.execute("delete from conversations where id = ?", (conversation_id,)).rowcount
    return Erased(conversations, messages)


def _conversation(row: Row) -> Conversation:
    return Conversation(
        id=row["id"],
        tenant_id=row["tenant_id"],
        key_id=row["key_id"],
        visitor_id=row["visitor_id"],
        first_query=row["first_query"] or "",
        message_count=row["message_count"],
        refusal_count=row["refusal_count"],
        created_at=row["created_at"],
        last_at=row["last_at"],
    )


def _message(row: Row) -> Message:
    return Message(
        id=row["id"],
        conversation_id=row["conversation_id"],
        key_id=row["key_id"],
        query=row["query"],
        answer=row["answer"],
        refusal=bool(row["refusal"]),
        reason=row["reason"],
        versions=tuple(json.loads(row["versions"])),
        chunks=tuple(json.loads(row["chunks"])),
        citations=tuple(Citation(**citation) for citation in json.loads(row["citations"])),
        verdicts=tuple(Verdict(**verdict) for verdict in json.loads(row["verdicts"])),
        usage=json.loads(row["usage"]),
        created_at=row["created_at"],
        feedback=_feedback(row) if row["feedback_id"] else None,
    )


def _feedback(row: Row) -> Feedback:
    return Feedback(
        id=row["feedback_id"],
        message_id=row["id"],
        conversation_id=row["conversation_id"],
        query=row["query"],
        rating=row["rating"],
        reason=row["rating_reason"],
        created_at=row["rated_at"],
    )
