"""Quote: sentences of the sources that answer by themselves, with the neighbours they need to be understood."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from flowchat.answer.rerank import Evidence
from flowchat.domain import Chunk
from flowchat.sentences import split_sentences

MAX_QUOTE_CHARS = 500
MAX_QUOTES_CHARS = 900
SAME_WORDS = 0.8  # two sentences that share this much of the shorter one say the same

_WORD = re.compile(r"\w+")
_LEANS_BACK = re.compile(
    r"(this|that|these|those|it|its|they|their|them|he|she|such|however|but|then|otherwise|also|so|thus|hence|"
    r"therefore|instead|in (this|that|such|these|those)|for (this|that|these) reason|the (former|latter|same))\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Quote:
    """Verbatim sentences of a chunk, in order; list items belong to the sentence that announces them."""

    chunk: Chunk
    sentences: tuple[str, ...]

    @property
    def text(self) -> str:
        return " ".join(self.sentences)


def select_quotes(ranked: Sequence[Evidence], limit: int, min_score: float) -> list[Quote]:
    """At most `limit` quotes that don't repeat each other, best first."""
    quotes: list[Quote] = []
    for evidence in ranked:
        if evidence.score < min_score or len(quotes) == limit:
            break
        quote = Quote(evidence.hit.chunk, _with_neighbours(evidence))
        too_long = sum(len(q.text) for q in quotes) + len(quote.text) > MAX_QUOTES_CHARS
        if not any(says_the_same(quote.text, other.text) for other in quotes) and not (quotes and too_long):
            quotes.append(quote)
    return quotes


def says_the_same(one: str, other: str) -> bool:
    """Whether the words of the shorter text are nearly all in the longer one."""
    words, others = set(_WORD.findall(one.lower())), set(_WORD.findall(other.lower()))
    shorter = min(len(words), len(others))
    return shorter > 0 and len(words & others) / shorter >= SAME_WORDS


def _with_neighbours(evidence: Evidence) -> tuple[str, ...]:
    """A sentence that leans on the one before it, or announces what follows, is quoted together with that."""
    sentences = split_sentences(evidence.hit.chunk.text)
    first = last = evidence.position
    if first > 0 and _LEANS_BACK.match(evidence.text) and _length(sentences[first - 1 : last + 1]) <= MAX_QUOTE_CHARS:
        first -= 1
    if evidence.text.endswith(":"):
        while last + 1 < len(sentences) and _length(sentences[first : last + 2]) <= MAX_QUOTE_CHARS:
            if last > evidence.position and not _is_item(sentences[last + 1]):
                break
            last += 1
    return (*sentences[first : evidence.position], _join(sentences[evidence.position : last + 1]))


def _length(sentences: Sequence[str]) -> int:
    return sum(len(sentence) + 1 for sentence in sentences)


def _is_item(sentence: str) -> bool:
    return sentence.startswith(("- ", "| ", "```"))


def _join(sentences: Sequence[str]) -> str:
    """Running text on one line; list items, table rows and listings on lines of their own."""
    text = sentences[0]
    for sentence in sentences[1:]:
        text += ("\n" if _is_item(sentence) else " ") + sentence
    return text
