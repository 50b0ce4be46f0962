"""How answers turned out."""

from dataclasses import dataclass, fields
from typing import Annotated, Self

from msgspec import Meta

from flowchat.domain import AnswerDay
from flowchat.services.statistics import Statistics


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerDayView:
    """One UTC day."""

    date: str
    answers: Annotated[int, Meta(description="Questions that were answered or refused.")]
    refusals: int
    sentences: Annotated[int, Meta(description="Sentences that were checked, withheld ones included.")]
    verified: Annotated[int, Meta(description="Of those, sentences that their sources say.")]
    first_text_ms: Annotated[int | None, Meta(description="Milliseconds until the first text: of half of the answers.")]
    slow_text_ms: Annotated[int | None, Meta(description="The same, of 95 % of the answers.")]

    @classmethod
    def of(cls, day: AnswerDay) -> Self:
        return cls(**{field.name: getattr(day, field.name) for field in fields(AnswerDayView)})


@dataclass(frozen=True, slots=True, kw_only=True)
class StatisticsView:
    """The days that had any answers, newest first."""

    first: str
    last: str
    days: tuple[AnswerDayView, ...]

    @classmethod
    def of(cls, found: Statistics) -> Self:
        return cls(first=found.first, last=found.last, days=tuple(AnswerDayView.of(day) for day in found.days))
