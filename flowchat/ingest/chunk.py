"""Blocks -> chunks: never across a heading, cut between sentences, bounded in tokens.

The bound is small (the generator reads 80-150 tokens a second on two cores, and the reranker's time grows with
length), and measured in the embedder's own tokens.
"""

import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from flowchat.domain import Block, NewChunk
from flowchat.sentences import split_sentences

MAX_TOKENS = 160
MIN_TOKENS = 24  # a shorter tail takes pieces from the chunk before it
CHARS_PER_TOKEN = 16  # at most: the embedder counts one token for a word of any length above 100 characters
FENCE_TOKENS = 6  # two fences: each of their marks is a token
_MAX_PIECE_TOKENS = MAX_TOKENS - FENCE_TOKENS

CountTokens = Callable[[Sequence[str]], list[int]]


@dataclass(frozen=True, slots=True)
class _Piece:
    """A sentence, list item, table row or line of code; or a part of one that is too long for a chunk."""

    text: str
    tokens: int
    block: int  # its number in the document
    kind: Literal["text", "list", "code", "table"]


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
    texts = [list(split_sentences(block.text)) if block.kind == "text" else block.text.split("\n") for block in blocks]
    counts = iter(count_tokens([text for block_texts in texts for text in block_texts]))
    for number, (block, block_texts) in enumerate(zip(blocks, texts, strict=True)):
        bounded = [item for text in block_texts for item in _bounded(text, next(counts), count_tokens)]
        yield block, [_Piece(text, tokens, number, block.kind) for text, tokens in bounded]


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
    """Lines of a list that are indented belong to the item before them; every other piece is for itself."""
    items: list[list[_Piece]] = []
    for piece in pieces:
        if items and piece.kind == "list" and piece.text.startswith(" ") and items[-1][-1].block == piece.block:
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
    return sum(piece.tokens for piece in pieces) + FENCE_TOKENS * len(fenced)


def _joined(pieces: list[_Piece]) -> str:
    """Blocks with an empty line between them; code between fences of its own in every chunk."""
    blocks: list[str] = []
    for (_, kind), group in groupby(pieces, key=lambda piece: (piece.block, piece.kind)):
        text = (" " if kind == "text" else "\n").join(piece.text for piece in group)
        blocks.append(f"```\n{text}\n```" if kind == "code" else text)
    return "\n\n".join(blocks)
