"""Curated answers."""

from dataclasses import dataclass
from typing import Self

from flowchat.domain import CuratedAnswer


@dataclass(frozen=True, slots=True, kw_only=True)
class CuratedAnswerView:
    """An operator's own answer to a question. `source` is an id; null: for all of the tenant's sources.

    `chunk_id` is what answers cite; it changes with the text.
    """

    id: str
    question: str
    answer: str
    url: str | None
    source: str | None
    chunk_id: str
    created_at: str
    updated_at: str

    @classmethod
    def of(cls, curated: CuratedAnswer) -> Self:
        return cls(
            id=curated.id,
            question=curated.question,
            answer=curated.answer,
            url=curated.url,
            source=curated.source_id,
            chunk_id=curated.chunk_id,
            created_at=curated.created_at,
            updated_at=curated.updated_at,
        )
