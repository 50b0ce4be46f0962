"""Blocks -> chunks: never across a heading, cut between sentences, bounded in tokens.

The bound is small (the generator reads 80-150 tokens a second on two cores, and the reranker's time grows with
length), and measured in the embedder's own tokens.
"""

import re
import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Literal

from flowchat.domain import Block, NewChunk
from flowchat.sentences import split_sentences

MAX_TOKENS = 160
MIN_TOKENS = 24  # a shorter tail takes pieces from the chunk before it
CHARS_PER_TOKEN = 16  # at most: the embedder counts one token for a word of any length above 100 characters
FENCE_TOKENS = 6  # two fences: each of their marks is a token
MAX_HEAD_TOKENS = 64  # of a table's head that stands in every chunk of it
_MAX_PIECE_TOKENS = MAX_TOKENS - FENCE_TOKENS
_TABLE_HEAD = re.compile(r"\|.*\n\|[ |:-]+$", re.MULTILINE)

CountTokens = Callable[[Sequence[str]], list[int]]


@dataclass(frozen=True, slots=True)
class _Piece:
    """A sentence, list item, table row or line of code; or a part of one that is too long for a chunk.

    `head` is the head of the table that a row is of: no row is understood without it.
    """

    text: str
    tokens: int
    block: int  # its number in the document
    kind: Literal["text", "list", "code", "table"]
    head: "_Piece | None" = None


def chunk_blocks(blocks: Iterable[Block], count_tokens: CountTokens) -> list[NewChunk]:
    """Chunks of at most MAX_TOKENS tokens, as long as the tokens of a text are those of its words."""
    chunks: list[NewChunk] = []
    whole = _pieces_of(list(blocks), count_tokens)
    for (headings, anchor), section in groupby(whole, key=lambda item: (item[0].headings, item[0].anchor)):
        pieces = [piece for _, block_pieces in section for piece in block_pieces]
        chunks.extend(
            NewChunk(_joined(packed), headings, anchor) for packed in _pack(pieces) if _says_something(packed)
        )
    return chunks


def _pieces_of(blocks: list[Block], count_tokens: CountTokens) -> Iterable[tuple[Block, list[_Piece]]]:
    """Each block with its pieces. Their tokens are counted in one go: a call costs more than a sentence."""
    texts = [_split(block) for block in blocks]
    counts = iter(count_tokens([text for block_texts in texts for text in block_texts]))
    for number, (block, block_texts) in enumerate(zip(blocks, texts, strict=True)):
        bounded = [item for text in block_texts for item in _bounded(text, next(counts), count_tokens)]
        pieces = [_Piece(text, tokens, number, block.kind) for text, tokens in bounded]
        yield block, _with_head(pieces) if block.kind == "table" else pieces


def _split(block: Block) -> list[str]:
    if block.kind == "text":
        return list(split_sentences(block.text))
    if block.kind == "table" and (head := _TABLE_HEAD.match(block.text)):
        return [head.group(), *block.text[head.end() + 1 :].split("\n")]
    return block.text.split("\n")


def _with_head(pieces: list[_Piece]) -> list[_Piece]:
    """A table's pieces, its rows with the head, where that fits together into a chunk."""
    head, *rows = pieces
    if "\n" not in head.text or head.tokens > MAX_HEAD_TOKENS:
        return pieces
    fits = [head.tokens + row.tokens <= MAX_TOKENS for row in rows]
    return [head, *(replace(row, head=head) if fit else row for row, fit in zip(rows, fits, strict=True))]


def _bounded(text: str, counted: int, count_tokens: CountTokens) -> Iterable[tuple[str, int]]:
    """A text with its tokens; one that is too long as several, cut between words if it has any."""
    tokens = max(1, counted, len(text) // CHARS_PER_TOKEN)  # at least 1, so that a chunk's pieces are bounded too
    if tokens <= _MAX_PIECE_TOKENS or len(text) == 1:
        yield text, tokens
        return
    width = max(1, min(len(text) // 2, len(text) * _MAX_PIECE_TOKENS // tokens))
    parts = textwrap.wrap(text, width, expand_tabs=False, replace_whitespace=False, break_on_hyphens=False)
    for part, part_tokens in zip(parts, count_tokens(parts), strict=True):
        yield from _bounded(part, part_tokens, count_tokens)


def _pack(pieces: list[_Piece]) -> list[list[_Piece]]:
    """An item of several lines that does not fit whole begins a chunk: its first line says what the others are of."""
    packed: list[list[_Piece]] = []
    for item in _items(pieces):
        is_cut = len(item) > 1 and packed and _tokens([*packed[-1], *item]) > MAX_TOKENS
        for place, piece in enumerate(item):
            begins = place == 0 and is_cut and _tokens(packed[-1]) >= MIN_TOKENS
            if packed and not begins and _tokens([*packed[-1], piece]) <= MAX_TOKENS:
                packed[-1].append(piece)
            else:
                packed.append([piece])
    if len(packed) > 1:
        _fill_up(packed[-1], packed[-2])
    return packed


def _items(pieces: list[_Piece]) -> list[list[_Piece]]:
    """Lines of a list that are indented belong to the item before them, a table's head to its first row.

    Every other piece is for itself.
    """
    items: list[list[_Piece]] = []
    for piece in pieces:
        is_inner = piece.kind == "list" and piece.text.startswith(" ")
        if items and ((is_inner and items[-1][-1].block == piece.block) or items[-1] == [piece.head]):
            items[-1].append(piece)
        else:
            items.append([piece])
    return items


def _says_something(pieces: list[_Piece]) -> bool:
    return any(piece.text.strip() for piece in pieces)


def _fill_up(tail: list[_Piece], before: list[_Piece]) -> None:
    """A short end says too little alone."""
    while _tokens(tail) < MIN_TOKENS and len(before) > 1 and _tokens([before[-1], *tail]) <= MAX_TOKENS:
        tail.insert(0, before.pop())


def _tokens(pieces: list[_Piece]) -> int:
    fenced = {piece.block for piece in pieces if piece.kind == "code"}
    heads = [first.head.tokens for first in _firsts(pieces) if first.head]
    return sum(piece.tokens for piece in pieces) + FENCE_TOKENS * len(fenced) + sum(heads)


def _firsts(pieces: list[_Piece]) -> Iterable[_Piece]:
    """The first piece of every block."""
    return {piece.block: piece for piece in reversed(pieces)}.values()


def _joined(pieces: list[_Piece]) -> str:
    """Blocks with an empty line between them; code between fences of its own, and rows below their head."""
    blocks: list[str] = []
    for (_, kind), group in groupby(pieces, key=lambda piece: (piece.block, piece.kind)):
        first, *others = group
        whole = [first, *others] if first.head is None else [first.head, first, *others]
        text = (" " if kind == "text" else "\n").join(piece.text for piece in whole)
        blocks.append(f"```\n{text}\n```" if kind == "code" else text)
    return "\n\n".join(blocks)
