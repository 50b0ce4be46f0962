"""Conversations: reading them as they were, and erasing them."""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType, field

from flowchat.domain import Actor, Rating
from flowchat.errors import NotFound
from flowchat.services.context import Appliance, Context
from flowchat.services.fields import Date
from flowchat.services.lists import Listed, ListRequest, read_page
from flowchat.services.operations import operation
from flowchat.services.runs import Topic
from flowchat.store import audit_log, conversations, sources
from flowchat.store.conversations import Conversation, Erased, Filter, Message
from flowchat.store.database import Connection
from flowchat.store.paging import Cursor

SHOWN_MESSAGES = 100
ERASE_BATCH = 200  # conversations of one transaction: chats wait for it
HASH_CHARS = 16


class ConversationList(ListRequest, frozen=True, kw_only=True):
    """Which conversations are wanted; all filters given must fit."""

    q: Annotated[str, Meta(max_length=200, description="Words that one question or its answer has, all of them.")] = ""
    visitor_id: Annotated[str, Meta(max_length=128, description="Only this visitor's.")] = ""
    key: Annotated[str, Meta(max_length=64, description="Only those begun with the key of this id.")] = ""
    source: Annotated[
        str, Meta(max_length=64, description="Only those with an answer from the source of this id or slug.")
    ] = ""
    first: Annotated[Date, Meta(description="Begun on this date (UTC) or later: YYYY-MM-DD.")] = field(
        default="", name="from"
    )
    last: Annotated[Date, Meta(description="Begun on this date (UTC) or earlier: YYYY-MM-DD.")] = field(
        default="", name="to"
    )
    refusal: Annotated[bool, Meta(description="With (true) or without (false) a refused question.")] | UnsetType = UNSET
    rating: Annotated[Rating, Meta(description="With an answer rated so.")] | UnsetType = UNSET


class VisitorErasure(Struct, frozen=True, kw_only=True):
    """Whose conversations go."""

    visitor_id: Annotated[str, Meta(min_length=1, max_length=128, description="As the chat was told it.")]


@dataclass(frozen=True, slots=True)
class WholeConversation:
    """With its newest messages, oldest first."""

    conversation: Conversation
    messages: list[Message]


@operation("conversations.list", "read")
async def list_page(app: Context, actor: Actor, request: ConversationList) -> Listed[Conversation]:
    """List or search conversations, newest first.

    Raises NotFound for an unknown source.
    """
    words = conversations.search_words(request.q)
    if request.q and not words:
        return Listed([], False)
    wanted = Filter(
        words=words,
        visitor_id=request.visitor_id or None,
        key_id=request.key or None,
        source_id=await _source_id(app, actor, request.source) if request.source else None,
        first=request.first or None,
        last=request.last or None,
        refusal=None if request.refusal is UNSET else request.refusal,
        rating=None if request.rating is UNSET else request.rating,
    )
    return await read_page(request, lambda cursor: conversations.page(app.db, actor.tenant_id, wanted, cursor))


async def _source_id(app: Context, actor: Actor, id_or_slug: str) -> str:
    source = await sources.get(app.db, actor.tenant_id, id_or_slug, is_counted=False)
    if source is None:
        raise NotFound("source", id_or_slug, param="source")
    return source.id


@operation("conversations.get", "read")
async def get(app: Context, actor: Actor, conversation_id: str) -> WholeConversation:
    """Show a conversation with its last 100 messages, each with exactly the passages that its answer saw.

    Raises NotFound.
    """
    conversation = await _find(app, actor, conversation_id)
    newest = await conversations.messages(app.db, conversation.id, Cursor(SHOWN_MESSAGES))
    return WholeConversation(conversation, newest[::-1])


@operation("messages.list", "read")
async def list_messages(app: Context, actor: Actor, conversation_id: str, request: ListRequest) -> Listed[Message]:
    """List the messages of a conversation, newest first.

    Raises NotFound.
    """
    conversation = await _find(app, actor, conversation_id)
    return await read_page(request, lambda cursor: conversations.messages(app.db, conversation.id, cursor))


@operation("conversations.delete", "write", while_read_only=True)
async def delete(app: Appliance, actor: Actor, conversation_id: str) -> None:
    """Erase a conversation with its messages and feedback. Usage stays counted.

    An answer of it that is still being made is stopped. Raises NotFound.
    """
    await _end_answers(app, actor, conversation_ids=[conversation_id])

    def transaction(conn: Connection) -> None:
        erased = conversations.delete(conn, actor.tenant_id, [conversation_id])
        if not erased.conversations:
            raise NotFound("conversation", conversation_id)
        audit_log.insert(conn, actor, "conversations.delete", conversation_id, messages=erased.messages)

    await app.db.write(transaction)


@operation("conversations.erase", "write", while_read_only=True)
async def erase(app: Appliance, actor: Actor, request: VisitorErasure) -> Erased:
    """Erase everything that a visitor asked, and say how much it was. Usage stays counted.

    Answers to the visitor that are still being made are stopped. The audit log keeps that it was done, with the start
    of the visitor id's SHA-256 in place of the id.
    """
    visitor_id = request.visitor_id
    await _end_answers(app, actor, visitor_id=visitor_id)
    total = Erased()
    while True:
        found = await conversations.of_visitor(app.db, actor.tenant_id, visitor_id, ERASE_BATCH)
        await _end_answers(app, actor, conversation_ids=found)
        erased = await app.db.write(partial(_erase, actor=actor, visitor_id=visitor_id, conversation_ids=found))
        total = Erased(total.conversations + erased.conversations, total.messages + erased.messages)
        if len(found) < ERASE_BATCH:
            return total


async def _end_answers(
    app: Appliance, actor: Actor, *, conversation_ids: Collection[str] = (), visitor_id: str | None = None
) -> None:
    """Nothing that is being made or kept for a repeated request brings back what is erased."""

    def is_erased(topic: Topic) -> bool:
        is_visitors = visitor_id is not None and topic.visitor_id == visitor_id
        return topic.tenant_id == actor.tenant_id and (is_visitors or topic.conversation_id in conversation_ids)

    await app.runs.erase(is_erased)


def _erase(conn: Connection, actor: Actor, visitor_id: str, conversation_ids: list[str]) -> Erased:
    erased = conversations.delete(conn, actor.tenant_id, conversation_ids)
    visitor = hashlib.sha256(visitor_id.encode()).hexdigest()[:HASH_CHARS]
    audit_log.insert(
        conn,
        actor,
        "conversations.erase",
        f"sha256:{visitor}",
        conversations=erased.conversations,
        messages=erased.messages,
    )
    return erased


async def _find(app: Context, actor: Actor, conversation_id: str) -> Conversation:
    conversation = await conversations.get(app.db, actor.tenant_id, conversation_id)
    if conversation is None:
        raise NotFound("conversation", conversation_id)
    return conversation
