"""Blocks -> chunks: never across a heading, cut between sentences, bounded in tokens.

The bound is small (the generator reads 80-150 tokens a second on two cores, and the reranker's time grows with
length), and measured in the embedder's own tokens.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby

from flowchat.domain import Block, NewChunk
from flowchat.sentences import split_sentences

MAX_TOKENS = 160
MIN_TOKENS = 24  # a shorter tail joins the chunk before it

CountTokens = Callable[[Sequence[str]], list[int]]


def chunk_blocks(blocks: Iterable[Block], count_tokens: CountTokens) -> list[NewChunk]:
    """Chunks of at most MAX_TOKENS tokens (a single longer sentence or code line stands alone)."""
    chunks: list[NewChunk] = []
    for (headings, anchor), section in groupby(blocks, key=lambda block: (block.headings, block.anchor)):
        pieces = [piece for block in section for piece in _pieces(block)]
        for text in _pack(pieces, count_tokens([text for _, text in pieces])):
            chunks.append(NewChunk(text, headings, anchor))
    return chunks


def _pieces(block: Block) -> list[tuple[str, str]]:
    """The smallest parts that may not be cut, each with the glue that joins it to the part before."""
    if block.kind == "text":
        parts = list(split_sentences(block.text))
        return [("\n\n" if i == 0 else " ", part) for i, part in enumerate(parts)]
    if block.kind == "code":
        return [("\n\n" if i == 0 else "\n", part) for i, part in enumerate(_fenced(block.text))]
    lines = block.text.split("\n")
    return [("\n\n" if i == 0 else "\n", line) for i, line in enumerate(lines)]


def _fenced(code: str, max_lines: int = 30) -> list[str]:
    """Code in fences; a long listing as several."""
    lines = code.split("\n")
    return ["```\n" + "\n".join(lines[i : i + max_lines]) + "\n```" for i in range(0, len(lines), max_lines)]


def _pack(pieces: list[tuple[str, str]], tokens: list[int]) -> list[str]:
    packed: list[str] = []
    sizes: list[int] = []
    for (glue, text), size in zip(pieces, tokens, strict=True):
        if packed and sizes[-1] + size <= MAX_TOKENS:
            packed[-1] += glue + text
            sizes[-1] += size
        else:
            packed.append(text)
            sizes.append(size)
    if len(packed) > 1 and sizes[-1] < MIN_TOKENS:
        tail = packed.pop()
        packed[-1] += "\n" + tail
    return packed
