"""Verify: does a chunk entail a sentence?

The model was trained on short premises, so a chunk is read in windows of up to three sentences and the best window
counts (the verifier's card). A whole sentence of the chunk needs no model: it is entailed by identity.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from flowchat.domain import Chunk
from flowchat.engines.protocols import Verifier
from flowchat.sentences import split_sentences

WINDOW_SENTENCES = 3
WINDOW_STRIDE = 2

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Support:
    """The best-supporting chunk with its probability of entailment (0-1) and the text that was read."""

    chunk: Chunk
    score: float
    evidence: str


def verify(verifier: Verifier, sentence: str, chunks: Sequence[Chunk]) -> Support:
    """The support of the chunk that supports the sentence best. Blocking. chunks: at least one."""
    return max((_support(verifier, sentence, chunk) for chunk in chunks), key=lambda support: support.score)


def _support(verifier: Verifier, sentence: str, chunk: Chunk) -> Support:
    if _flat(sentence) in {_flat(whole) for whole in split_sentences(chunk.text)}:
        return Support(chunk, 1.0, sentence)
    if _numbers(sentence) - _numbers(f"{chunk.place} {chunk.text}"):
        return Support(chunk, 0.0, "")
    windows = _windows(chunk)
    scores = verifier.entailment([(window, sentence) for window in windows])
    score, evidence = max(zip(scores, windows, strict=True))
    return Support(chunk, score, evidence)


def _windows(chunk: Chunk) -> list[str]:
    sentences = split_sentences(chunk.text)
    starts = range(0, max(1, len(sentences) - WINDOW_SENTENCES + WINDOW_STRIDE), WINDOW_STRIDE)
    return [" ".join(sentences[start : start + WINDOW_SENTENCES]) for start in starts]


def _numbers(text: str) -> set[str]:
    """The numbers of a text, thousands separators dropped: a claim's must all be in its source."""
    return {number.replace(",", "") for number in _NUMBER.findall(text)}


def _flat(text: str) -> str:
    return _SPACE.sub(" ", text).strip()
