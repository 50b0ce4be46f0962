"""What becomes known on the way to an answer, for whoever wants to see how it came about."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from flowchat.answer.quote import Quote
from flowchat.answer.rerank import Evidence
from flowchat.answer.verify import Support
from flowchat.domain import Chunk, Hit

Ranking: TypeAlias = Sequence[tuple[int, float]]


@dataclass(frozen=True, slots=True)
class Begun:
    """The search begins: it is this question's turn."""


@dataclass(frozen=True, slots=True)
class Retrieved:
    """What words and what vectors found, (row id, score) of each, and the fused candidates, best first."""

    words: Ranking
    vectors: Ranking
    candidates: Sequence[Chunk]


@dataclass(frozen=True, slots=True)
class Ranked:
    """`query` is the question as it was understood, `hits` what the reranker made of the candidates."""

    query: str
    hits: Sequence[Hit]


@dataclass(frozen=True, slots=True)
class Weighed:
    """The spans that were read, best first, and how likely (0-1) they answer the question."""

    spans: Sequence[Evidence]
    certainty: float


@dataclass(frozen=True, slots=True)
class Quoted:
    """What may be said word for word, and is what the generator reads."""

    quotes: Sequence[Quote]


@dataclass(frozen=True, slots=True)
class Prompted:
    """The generator begins: chat turns {"role", "content"}."""

    messages: Sequence[dict[str, str]]


@dataclass(frozen=True, slots=True)
class Written:
    """The generator has written a sentence, which is judged or dropped next."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A sentence with what supports it best. Withheld ones are `ok` False, too; `ref` is the verdict's number."""

    ref: int
    sentence: str
    ok: bool
    support: Support

    @property
    def outcome(self) -> Literal["quoted", "supported", "not_supported"]:
        is_quote = self.support.evidence == self.sentence and self.support.score == 1.0
        return "quoted" if is_quote else "supported" if self.ok else "not_supported"


@dataclass(frozen=True, slots=True)
class Dropped:
    """A sentence of the generator that was not judged."""

    sentence: str
    reason: Literal["unfinished", "repeats_prompt", "said_already"]


@dataclass(frozen=True, slots=True)
class Broken:
    """A model failed, and the answer does without it."""


Stage: TypeAlias = Begun | Retrieved | Ranked | Weighed | Quoted | Prompted | Written | Judged | Dropped | Broken
Observer: TypeAlias = Callable[[Stage], None]


def unobserved(stage: Stage) -> None:
    """Nobody wants to know."""
