"""Quote: spans of the sources that answer by themselves."""

from collections.abc import Sequence
from dataclasses import dataclass

from flowchat.answer.query import query_words
from flowchat.answer.rerank import Evidence
from flowchat.domain import Chunk

MAX_QUOTES_CHARS = 900
MIN_ODDS_SHARE = 0.08  # of the best evidence's odds: what is so much less likely to answer is beside the question
SAME_WORDS = 0.8  # two texts that share this much of the shorter one say the same


@dataclass(frozen=True, slots=True)
class Quote:
    """Verbatim sentences of a chunk, in order."""

    chunk: Chunk
    sentences: tuple[str, ...]

    @property
    def text(self) -> str:
        return " ".join(self.sentences)


def select_quotes(ranked: Sequence[Evidence], limit: int, min_score: float) -> list[Quote]:
    """The best evidence, and at most `limit` quotes in all that don't repeat each other, best first."""
    quotes: list[Quote] = []
    for evidence in ranked:
        is_far = _odds(evidence) < MIN_ODDS_SHARE * _odds(ranked[0])
        if len(quotes) == limit or (quotes and (is_far or evidence.score < min_score)):
            break
        quote = Quote(evidence.hit.chunk, evidence.span.sentences)
        too_long = sum(len(q.text) for q in quotes) + len(quote.text) > MAX_QUOTES_CHARS
        if not any(says_the_same(quote.text, other.text) for other in quotes) and not (quotes and too_long):
            quotes.append(quote)
    return quotes


def _odds(evidence: Evidence) -> float:
    return evidence.score / max(1 - evidence.score, 1e-9)


def says_the_same(one: str, other: str) -> bool:
    """Whether the telling words of the shorter text are nearly all in the longer one."""
    words, others = set(query_words(one)), set(query_words(other))
    shorter = min(len(words), len(others))
    return shorter > 0 and len(words & others) / shorter >= SAME_WORDS
