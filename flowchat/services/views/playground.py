"""Answers of the playground."""

from dataclasses import dataclass
from typing import Any, Literal, Self

import msgspec

from flowchat.domain import Citation, Mode
from flowchat.services.views.chat import SuggestionView, TokensView

Outcome = Literal["quoted", "supported", "not_supported", "unfinished", "repeats_prompt", "said_already"]
Step = Literal["retrieved", "reranked", "weighed", "prompted", "first_text", "done"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceView:
    """Where a passage stands; `id` is the chunk's."""

    id: str
    url: str
    title: str
    headings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PassageView(PlaceView):
    """A passage of the prompt."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateView(PassageView):
    """A chunk that was found, best first.

    `words` is its BM25, `vectors` its cosine, null where that search did not find it. `fused` (0-2) is the sum of both,
    each scaled to 0-1, `fused_rank` its place by that. `relevance` (0-1) is the reranker's own word, `score` what ranks
    it: relevance and place together. Both are null for what is not among the best.
    """

    words: float | None
    vectors: float | None
    fused: float
    fused_rank: int
    relevance: float | None
    score: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanView:
    """Sentences of a chunk that were read on their own; `score` (0-1) is how well they answer."""

    chunk_id: str
    text: str
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptTurnView:
    """What the generator reads."""

    role: str
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SentenceView:
    """A sentence of the answer, or one that was kept from it.

    `quoted` ones stand in the chunk word for word. `not_supported` ones are withheld unless the mode is annotate. Those
    that are unfinished, repeat the prompt or were said already are not judged. `score` (0-1) is the probability that
    `evidence` entails it; 0 is also the veto of a rule.
    """

    ref: int | None
    text: str
    outcome: Outcome
    ok: bool | None
    score: float | None
    chunk_id: str | None
    evidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaygroundSettingsView:
    """What it was answered by."""

    mode: Mode
    lead_quotes: int
    refuse_below: float
    verify_threshold: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TimingView:
    """When a step had ended, in milliseconds since the question. Waiting for a turn is part of it."""

    step: Step
    ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceView:
    """How an answer came about.

    `query` is the question as it was understood. `curated` is the curated answer that was told. `certainty` (0-1) is
    how likely the pages answer the question: below `refuse_below` it is refused. `is_reduced`: the machine was busy.
    """

    query: str
    settings: PlaygroundSettingsView
    curated: PlaceView | None
    candidates: tuple[CandidateView, ...]
    spans: tuple[SpanView, ...]
    certainty: float | None
    passages: tuple[PassageView, ...]
    prompt: tuple[PromptTurnView, ...]
    sentences: tuple[SentenceView, ...]
    is_reduced: bool
    timings: tuple[TimingView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaygroundAnswerView:
    """An answer with its trace. `reason` says why it is a refusal."""

    answer: str
    refusal: bool
    reason: str | None
    citations: tuple[Citation, ...]
    suggestions: tuple[SuggestionView, ...]
    usage: TokensView
    trace: TraceView

    @classmethod
    def of(cls, result: dict[str, Any]) -> Self:
        return msgspec.convert(result, cls)
