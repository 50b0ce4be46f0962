"""Chunks -> vectors, a few at a time: questions go first."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from flowchat.domain import PageOutcome, place
from flowchat.engines.priority import BulkGate
from flowchat.engines.protocols import Embedder, Vectors

EMBED_CHUNKS = 4  # 0.15 s on two cores: so long may a question have to share them
MAX_YIELD_S = 0.5  # embedding waits at most this long for a chat to end, per EMBED_CHUNKS chunks


@dataclass(frozen=True, slots=True)
class Embedded:
    """(chunks, dims) for each page, in their order; `fresh` of all those chunks went through the model."""

    vectors: list[Vectors]
    fresh: int


def passage(title: str, headings: tuple[str, ...], text: str) -> str:
    """A chunk as the models read it: where it stands, then what it says."""
    return f"{place(title, headings)}\n{text}"


def embed(
    embedder: Embedder,
    gate: BulkGate,
    pages: Sequence[PageOutcome],
    known: Mapping[str, Vectors],
    check: Callable[[], None],
) -> Embedded:
    """The vectors of all chunks of some pages. `known` maps passages to theirs; `check` raises when it should stop."""
    texts = [passage(page.title, chunk.headings, chunk.text) for page in pages for chunk in page.chunks]
    vectors = np.zeros((len(texts), embedder.dims), np.float32)
    for i, text in enumerate(texts):
        if text in known:
            vectors[i] = known[text]
    fresh = sorted((i for i, text in enumerate(texts) if text not in known), key=lambda i: len(texts[i]))
    for start in range(0, len(fresh), EMBED_CHUNKS):
        check()
        gate.wait_turn(MAX_YIELD_S)
        part = fresh[start : start + EMBED_CHUNKS]
        vectors[part] = embedder.embed_passages([texts[i] for i in part])
    ends = np.cumsum([len(page.chunks) for page in pages])
    return Embedded(np.split(vectors, ends[:-1]), len(fresh))
