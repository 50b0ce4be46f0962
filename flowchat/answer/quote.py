"""Quote: spans of the sources that answer by themselves."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from flowchat.answer.query import query_words
from flowchat.answer.rerank import Evidence
from flowchat.answer.spans import Span, glue_of, is_head_rule, joined, split_head
from flowchat.domain import Chunk
from flowchat.sentences import split_sentences

MAX_QUOTES_CHARS = 900
MAX_BEST_CHARS = 350  # of the best one with the sentences that follow it
MIN_ODDS_SHARE = 0.08  # of the best evidence's odds: what is so much less likely to answer is beside the question
MAX_DEFAULT_CHARS = 200  # of a sentence that says what a setting is where nobody set it
SAME_WORDS = 0.8  # two texts that share this much of the shorter one say the same

_DEFAULT = re.compile(r"^(the )?defaults?\b|^by default\b|\bdefault(s| value)? (is|are|to|value)\b", re.IGNORECASE)
_ITEM = re.compile(r"(?:- |(?P<number>\d{1,3}[.)] ))(?P<text>.*)", re.DOTALL)
_NUMBERED = re.compile(r"^ *\d{1,3}[.)] ", re.MULTILINE)
# "3. Oktober" and "3. oktober" begin with a date.
_DATE = re.compile(r"[a-z]|(?:Jan|J\u00e4n|Feb|M\u00e4r|Apr|Mai|Jun|Jul|Aug|Sep|Okt|Nov|Dez)[a-z\u00e4]*\b")
_INDENT = re.compile(r"^  ", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Quote:
    """Verbatim sentences of a chunk, in order."""

    chunk: Chunk
    sentences: tuple[str, ...]

    @property
    def text(self) -> str:
        return joined(self.sentences, self.chunk.text)

    @property
    def pieces(self) -> list[tuple[str, str]]:
        """The sentences as they are shown, each after what parts it from the one before."""
        first, *others = self.sentences
        glued = [(glue_of(sentence, self.chunk.text), sentence) for sentence in others]
        return [("\n\n", self._standing_alone(first)), *glued]

    def _standing_alone(self, first: str) -> str:
        """A list's item without the mark or number that it has among the others."""
        item = _ITEM.fullmatch(first)
        if item is None or _ITEM.match(first.partition("\n")[2]):
            return first
        if item["number"] and _DATE.match(item["text"]) and len(_NUMBERED.findall(self.chunk.text)) < 2:
            return first
        return _INDENT.sub("", item["text"])


def select_quotes(ranked: Sequence[Evidence], limit: int) -> list[Quote]:
    """The best evidence, and at most `limit` quotes in all that don't repeat each other, best first.

    The best one goes on to MAX_BEST_CHARS: what it begins to answer is often finished by the sentences after it. What
    describes a setting comes with the sentence of its paragraph that says the default.
    """
    quotes: list[Quote] = []
    for evidence in ranked:
        if len(quotes) == limit or _odds(evidence) < MIN_ODDS_SHARE * _odds(ranked[0]):
            break
        said = {sentence for quote in quotes for sentence in quote.sentences}
        sentences = tuple(text for text in _quoted(evidence.span, 0 if quotes else MAX_BEST_CHARS) if text not in said)
        if not sentences or (quotes and sentences[-1].endswith(":")):  # said already, or announces what is not there
            continue
        quote = Quote(evidence.hit.chunk, sentences)
        too_long = sum(len(q.text) for q in quotes) + len(quote.text) > MAX_QUOTES_CHARS
        is_new = not any(says_the_same(_rows(quote.text), _rows(other.text)) for other in quotes)
        if is_new and not (quotes and too_long):
            quotes.append(quote)
    return quotes


def _quoted(span: Span, max_chars: int) -> tuple[str, ...]:
    """The span's sentences, those after them up to `max_chars` in all, and the default."""
    lengths = accumulate((len(text) + 1 for text in span.following), initial=len(span.text))
    fitting = max(sum(length <= max_chars for length in lengths) - 1, 0)
    if fitting and span.following[fitting - 1].endswith(":"):  # announces what is not there
        fitting -= 1
    said = span.sentences + span.following[:fitting]
    if before := _default(span.preceding):
        return said if _default(said) else before + said
    return said + _default(span.following[fitting:])


def _default(sentences: Sequence[str]) -> tuple[str, ...]:
    """The first sentence that says a default, if any does."""
    return tuple(text for text in sentences if len(text) <= MAX_DEFAULT_CHARS and _DEFAULT.search(text))[:1]


def pieces_of(text: str) -> list[tuple[str, str]]:
    """The sentences of a text, a table's head with its first row, each after what stands before it: all of the text."""
    spans: list[tuple[int, int]] = []
    end = 0
    is_head = False
    for sentence in split_sentences(text):
        start = text.index(sentence, end)
        end = start + len(sentence)
        is_rule = bool(spans) and is_head_rule(sentence)
        if is_rule or is_head:
            start, _ = spans.pop()
        spans.append((start, end))
        is_head = is_rule
    ends = [0, *(end for _, end in spans)]
    return [(text[before:start], text[start:end]) for before, (start, end) in zip(ends, spans, strict=False)]


def _rows(text: str) -> str:
    """What is not the head of a table, which every row has."""
    return split_head(text)[1]


def _odds(evidence: Evidence) -> float:
    return evidence.score / max(1 - evidence.score, 1e-9)


def says_the_same(one: str, other: str) -> bool:
    """Whether the telling words of the shorter text are nearly all in the longer one."""
    words, others = set(query_words(one)), set(query_words(other))
    shorter = min(len(words), len(others))
    return shorter > 0 and len(words & others) / shorter >= SAME_WORDS
