"""Conversations, their messages, and what visitors think of them."""

from dataclasses import dataclass, fields
from typing import Any, Self

from flowchat.domain import Citation, Feedback, Rating, Verdict
from flowchat.services.conversations import WholeConversation
from flowchat.services.questions import EXAMPLES, QuestionGroup
from flowchat.store.conversations import Conversation, Erased, Message
from flowchat.store.unanswered import Question


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationView:
    """A visitor's questions and their answers. `first_query` is what it began with, `key` the id of the key."""

    id: str
    key: str
    visitor_id: str | None
    first_query: str
    message_count: int
    refusal_count: int
    created_at: str
    last_at: str

    @classmethod
    def of(cls, conversation: Conversation) -> Self:
        return cls(**_of_conversation(conversation))


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenChunkView:
    """A passage as it was when the answer was made. `version_id` is '' for a curated answer."""

    id: str
    url: str
    title: str
    score: float
    version_id: str
    text: str

    @classmethod
    def of(cls, chunk: dict[str, Any]) -> Self:
        return cls(**{field.name: chunk[field.name] for field in fields(SeenChunkView)})


@dataclass(frozen=True, slots=True, kw_only=True)
class RatingView:
    """What the visitor thinks of an answer."""

    rating: Rating
    reason: str
    created_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageView:
    """A question with its answer, and all that the answer was made from.

    `versions` are those that were searched; they may have been deleted since. `verdicts` are also of sentences that
    were withheld, whose `ref` no citation has.
    """

    id: str
    query: str
    answer: str
    refusal: bool
    reason: str | None
    versions: tuple[str, ...]
    chunks: tuple[SeenChunkView, ...]
    citations: tuple[Citation, ...]
    verdicts: tuple[Verdict, ...]
    usage: dict[str, int]
    feedback: RatingView | None
    created_at: str

    @classmethod
    def of(cls, message: Message) -> Self:
        given = message.feedback
        return cls(
            id=message.id,
            query=message.query,
            answer=message.answer,
            refusal=message.refusal,
            reason=message.reason,
            versions=message.versions,
            chunks=tuple(SeenChunkView.of(chunk) for chunk in message.chunks),
            citations=message.citations,
            verdicts=message.verdicts,
            usage=message.usage,
            feedback=RatingView(rating=given.rating, reason=given.reason, created_at=given.created_at)
            if given
            else None,
            created_at=message.created_at,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeConversationView(ConversationView):
    """A conversation with its last messages, oldest first."""

    messages: tuple[MessageView, ...]

    @classmethod
    def of(cls, whole: WholeConversation) -> Self:  # type: ignore[override]
        messages = tuple(MessageView.of(message) for message in whole.messages)
        return cls(**_of_conversation(whole.conversation), messages=messages)


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasedView:
    """How much was erased."""

    conversations: int
    messages: int

    @classmethod
    def of(cls, erased: Erased) -> Self:
        return cls(conversations=erased.conversations, messages=erased.messages)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackView:
    """What a visitor thinks of the answer to `query`. `message` and `conversation` are ids."""

    id: str
    message: str
    conversation: str
    query: str
    rating: Rating
    reason: str
    created_at: str

    @classmethod
    def of(cls, feedback: Feedback) -> Self:
        return cls(
            id=feedback.id,
            message=feedback.message_id,
            conversation=feedback.conversation_id,
            query=feedback.query,
            rating=feedback.rating,
            reason=feedback.reason,
            created_at=feedback.created_at,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedQuestionView:
    """A question as it was asked. `message` and `conversation` are the ids to open it by."""

    query: str
    message: str
    conversation: str
    asked_at: str

    @classmethod
    def of(cls, question: Question) -> Self:
        return cls(
            query=question.query,
            message=question.message_id,
            conversation=question.conversation_id,
            asked_at=question.created_at,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionGroupView:
    """Similar questions without an answer. `query` stands for all of them; `examples` are the newest.

    `sources` are the ids of those that it was asked of.
    """

    id: str
    query: str
    sources: tuple[str, ...]
    count: int
    first_asked_at: str
    last_asked_at: str
    examples: tuple[AskedQuestionView, ...]

    @classmethod
    def of(cls, group: QuestionGroup) -> Self:
        return cls(
            id=group.representative.message_id,
            query=group.representative.query,
            sources=group.representative.source_ids,
            count=len(group.questions),
            first_asked_at=group.questions[-1].created_at,
            last_asked_at=group.questions[0].created_at,
            examples=tuple(AskedQuestionView.of(question) for question in group.questions[:EXAMPLES]),
        )


def _of_conversation(conversation: Conversation) -> dict[str, Any]:
    values = {field.name: getattr(conversation, field.name, None) for field in fields(ConversationView)}
    return values | {"key": conversation.key_id}
