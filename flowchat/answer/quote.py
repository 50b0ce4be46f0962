"""Quote: spans of the sources that answer by themselves."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, islice

from flowchat.answer.query import query_words
from flowchat.answer.rerank import Evidence
from flowchat.answer.spans import Span
from flowchat.domain import Chunk

MAX_QUOTES_CHARS = 900
MAX_BEST_CHARS = 350  # of the best one with the sentences that follow it
MIN_ODDS_SHARE = 0.08  # of the best evidence's odds: what is so much less likely to answer is beside the question
MAX_DEFAULT_CHARS = 200  # of a sentence that says what a setting is where nobody set it
SAME_WORDS = 0.8  # two texts that share this much of the shorter one say the same


_DEFAULT = re.compile(r"^(the )?defaults?\b|^by default\b|\bdefault(s| value)? (is|are|to|value)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Quote:
    """Verbatim sentences of a chunk, in order."""

    chunk: Chunk
    sentences: tuple[str, ...]

    @property
    def text(self) -> str:
        return " ".join(self.sentences)


def select_quotes(ranked: Sequence[Evidence], limit: int) -> list[Quote]:
    """The best evidence, and at most `limit` quotes in all that don't repeat each other, best first.

    The best one goes on to MAX_BEST_CHARS: what it begins to answer is often finished by the sentences after it. What
    describes a setting comes with the sentence of its paragraph that says the default.
    """
    quotes: list[Quote] = []
    for evidence in ranked:
        if len(quotes) == limit or _odds(evidence) < MIN_ODDS_SHARE * _odds(ranked[0]):
            break
        quote = Quote(evidence.hit.chunk, _quoted(evidence.span, 0 if quotes else MAX_BEST_CHARS))
        too_long = sum(len(q.text) for q in quotes) + len(quote.text) > MAX_QUOTES_CHARS
        if not any(says_the_same(quote.text, other.text) for other in quotes) and not (quotes and too_long):
            quotes.append(quote)
    return quotes


def _quoted(span: Span, max_chars: int) -> tuple[str, ...]:
    """The span's sentences, those after them up to `max_chars` in all, and the default."""
    lengths = accumulate((len(text) + 1 for text in span.following), initial=len(span.text))
    fitting = max(sum(length <= max_chars for length in lengths) - 1, 0)
    if fitting and span.following[fitting - 1].endswith(":"):  # announces what is not there
        fitting -= 1
    default = (text for text in span.following[fitting:] if len(text) <= MAX_DEFAULT_CHARS and _DEFAULT.search(text))
    return span.sentences + span.following[:fitting] + tuple(islice(default, 1))


def _odds(evidence: Evidence) -> float:
    return evidence.score / max(1 - evidence.score, 1e-9)


def says_the_same(one: str, other: str) -> bool:
    """Whether the telling words of the shorter text are nearly all in the longer one."""
    words, others = set(query_words(one)), set(query_words(other))
    shorter = min(len(words), len(others))
    return shorter > 0 and len(words & others) / shorter >= SAME_WORDS
