"""Spans: the smallest parts of a passage that can answer a question by themselves, verbatim.

Mostly that is a sentence. One that leans on the sentence before it comes with that; one that announces a list or a
listing ("…:") comes with what it announces, a long list by the first sentences of its items; a table row comes with
the table's head; a list item comes whole, if it is short.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, takewhile

from flowchat.sentences import split_blocks, split_sentences

MAX_SPAN_CHARS = 500
MAX_WHOLE_ITEM_CHARS = 250
MAX_ITEM_CHARS = 60  # a paragraph so short and without a full stop is an item of a list that lost its marks

_ITEM = re.compile(r"- |\d{1,3}[.)] ")
_HEAD_RULE = re.compile(r"\|[\s:|-]+\|?$")
_LINE = re.compile(r"- |\d{1,3}[.)] |\| |```")  # begins one of its own
_HEAD = re.compile(r"\|.*\n\|[ :|-]+\n")
_ENDS = re.compile(r"[.!?\u3002\uff01\uff1f][\"'\u201d\u2019\u00bb)*`]*$")
_LEANS_BACK = re.compile(
    r"(this|that|these|those|it|its|they|their|them|he|she|such|however|but|then|otherwise|also|so|thus|hence|"
    r"therefore|instead|on the (other hand|contrary)|(by|in) contrast|in (this|that|such|these|those)|"
    r"for (this|that|these) reason|the (former|latter|same))\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Span:
    """Sentences that are shown together, verbatim; the last one with the items that it announces.

    `preceding` and `following` are the other sentences of their paragraph.
    """

    sentences: tuple[str, ...]
    following: tuple[str, ...] = ()
    preceding: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        return joined(self.sentences)


@dataclass(frozen=True, slots=True)
class _Block:
    """A paragraph, list item, table row or listing with its sentences."""

    sentences: tuple[str, ...]

    @property
    def text(self) -> str:
        return joined(self.sentences)

    @property
    def is_item(self) -> bool:
        return _ITEM.match(self.sentences[0]) is not None

    @property
    def is_code(self) -> bool:
        return self.sentences[0].startswith("```")

    @property
    def is_row(self) -> bool:
        return self.sentences[0].startswith("| ")

    @property
    def is_listed(self) -> bool:
        """Whether a sentence that ends with a colon announces it."""
        text = self.sentences[0]
        is_short = len(self.sentences) == 1 and len(text) <= MAX_ITEM_CHARS and not _ENDS.search(text)
        return self.is_item or self.is_row or self.is_code or is_short


def glue_of(sentence: str, passage: str) -> str:
    """What parts a sentence from the one before it, by how it stands in its passage: as an item, or a paragraph."""
    if _LINE.match(sentence):
        return "\n"
    return "\n\n" if passage[: max(passage.find(sentence), 0)].rstrip(" ").endswith("\n") else " "


def joined(sentences: Sequence[str], passage: str = "") -> str:
    """Sentences as one text, the items of lists on lines of their own."""
    first, *others = sentences
    return first + "".join(glue_of(sentence, passage) + sentence for sentence in others)


def split_head(text: str) -> tuple[str, str]:
    """A table's head, two lines with their ends, and the rows below; ("", text) where there is no head."""
    head = _HEAD.match(text)
    return (head.group(), text[head.end() :]) if head else ("", text)


def is_head_rule(line: str) -> bool:
    """Whether it is the line between a table's head and its rows."""
    return _HEAD_RULE.match(line) is not None


@lru_cache(maxsize=1024)
def split_spans(text: str) -> tuple[Span, ...]:
    """The spans of a passage, in order; they may overlap."""
    blocks = [_block(block) for block in split_blocks(text)]
    head: tuple[str, ...] = ()
    spans: list[Span] = []
    for number, block in enumerate(blocks):
        head = _table_head(blocks, number, head) if block.is_row else ()
        if block.is_row:
            spans += [] if block.text in head else [Span(("\n".join((*head, block.text)),))]
        elif block.is_item and len(block.text) <= MAX_WHOLE_ITEM_CHARS:
            spans.append(Span((block.text,)))
        elif not (block.is_code and number and blocks[number - 1].text.endswith(":")):
            spans += _prose(block, _listed(blocks[number + 1 :], block))
    return tuple(spans)


def _block(text: str) -> _Block:
    item = _ITEM.match(text)
    if item is None:
        return _Block(split_sentences(text))
    title, *lines = text[item.end() :].split("\n")
    if lines and not _ENDS.search(title) and not _ITEM.match(lines[0].strip()):
        title = "\n".join((title, lines.pop(0)))
    first, *others = [sentence for line in (title, *lines) for sentence in split_sentences(line)] or [""]
    return _Block((item.group() + first, *others))


def _prose(block: _Block, listed: Sequence[str]) -> list[Span]:
    """The sentences of a block; `listed` is what the last one announces."""
    *sentences, last = block.sentences
    sentences.append("\n".join((last, *listed)))
    spans = []
    for place, sentence in enumerate(sentences):
        before = sentences[place - 1] if place and _LEANS_BACK.match(sentence) else ""
        fits = 0 < len(before) < MAX_SPAN_CHARS - len(sentence)
        preceding = tuple(sentences[: place - 1 if fits else place])
        spans.append(Span((before, sentence) if fits else (sentence,), tuple(sentences[place + 1 :]), preceding))
    return spans


def _table_head(blocks: Sequence[_Block], number: int, head: tuple[str, ...]) -> tuple[str, ...]:
    """The head of the table that a row belongs to: the row itself and the rule below, where it begins one."""
    if number + 1 < len(blocks) and is_head_rule(blocks[number + 1].text):
        return (blocks[number].text, blocks[number + 1].text)
    return head


def _listed(blocks: Sequence[_Block], announcing: _Block) -> list[str]:
    """What a block that ends with a colon is followed by: whole items, or only their first sentences, or the first."""
    announced = announcing.sentences[-1]
    followers = list(takewhile(lambda block: block.is_listed, blocks)) if announced.endswith(":") else []
    room = MAX_SPAN_CHARS - len(announced)
    for texts in ([block.text for block in followers], [block.sentences[0] for block in followers]):
        if sum(len(text) + 1 for text in texts) <= room:
            return texts
    firsts = [block.sentences[0] for block in followers]
    lengths = accumulate(len(text) + 1 for text in firsts)
    return [text for text, length in zip(firsts, lengths, strict=True) if length <= room]
