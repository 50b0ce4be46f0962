"""Feedback: what visitors think of answers."""

import hmac
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from flowchat.domain import Actor, Feedback, Key, Rating
from flowchat.errors import NotFound
from flowchat.services.answers import hash_token
from flowchat.services.context import Context
from flowchat.services.lists import Listed, ListRequest, read_page
from flowchat.services.operations import operation, visitor_operation
from flowchat.store import conversations, feedback


class NewFeedback(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a visitor thinks of an answer. Both ids came with it."""

    message_id: Annotated[str, Meta(max_length=64)]
    conversation_token: Annotated[str, Meta(max_length=128)]
    rating: Rating
    reason: Annotated[str, Meta(max_length=1000, description="In the visitor's words.")] = ""


class FeedbackList(ListRequest, frozen=True, kw_only=True):
    """Which feedback is wanted."""

    rating: Annotated[Rating, Meta(description="Only this.")] | UnsetType = UNSET


@visitor_operation("feedback.give")
async def give(app: Context, key: Key, new: NewFeedback) -> Feedback:
    """Rate an answer, in place of an earlier rating. It takes the token of the answer's conversation.

    Raises NotFound for an unknown message and for a wrong token alike: ids can't be probed.
    """
    unknown = NotFound("message", new.message_id, param="message_id")
    token_hash = await conversations.token_hash_of_message(app.db, key.tenant_id, new.message_id)
    if token_hash is None or not hmac.compare_digest(token_hash, hash_token(new.conversation_token)):
        raise unknown
    reason = new.reason.strip()
    given_feedback = await app.db.write(
        lambda conn: feedback.give(conn, key.tenant_id, new.message_id, new.rating, reason)
    )
    if given_feedback is None:
        raise unknown
    return given_feedback


@operation("feedback.list", "read")
async def list_page(app: Context, actor: Actor, request: FeedbackList) -> Listed[Feedback]:
    """List what visitors think of answers, newest first."""
    rating = None if request.rating is UNSET else request.rating
    return await read_page(request, lambda cursor: feedback.page(app.db, actor.tenant_id, rating, cursor))
