"""Answers."""

from dataclasses import dataclass
from typing import Any, Self

import msgspec

from flowchat.domain import Citation


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedChunkView:
    """A passage that was found for the question; `score` (0-1) is the reranker's, `quote` its beginning."""

    id: str
    url: str
    score: float
    title: str = ""
    heading: str = ""
    quote: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SuggestionView:
    """A page that may help."""

    url: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TokensView:
    """Tokens that the generator read and wrote."""

    tokens_in: int
    tokens_out: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerView:
    """A finished answer. `reason` says why it is a refusal."""

    conversation_id: str
    conversation_token: str
    message_id: str
    answer: str
    refusal: bool
    reason: str | None
    citations: tuple[Citation, ...]
    chunks: tuple[RankedChunkView, ...]
    suggestions: tuple[SuggestionView, ...]
    usage: TokensView

    @classmethod
    def of(cls, result: dict[str, Any]) -> Self:
        return msgspec.convert(result, cls)
