"""Rerank: a cross-encoder scores the candidates, and then the single sentences of the best of them."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from flowchat.domain import Chunk, Hit
from flowchat.engines.protocols import Reranker
from flowchat.sentences import split_sentences

HITS = 8  # reported and cited from
EVIDENCE_HITS = 4  # whose sentences are looked at one by one
MAX_SENTENCE_CHARS = 600
MIN_SENTENCE_WORDS = 3

_WORD = re.compile(r"[^\W\d_]{2,}")


@dataclass(frozen=True, slots=True)
class Evidence:
    """A sentence of a hit. `position` is its place in the chunk.

    `score` (0-1) is the mean, in logits, of what the reranker gives the sentence alone and the chunk around it.
    """

    hit: Hit
    position: int
    text: str
    score: float


def rerank(reranker: Reranker, query: str, chunks: Sequence[Chunk]) -> list[Hit]:
    """The HITS best chunks, best first. Blocking."""
    scores = reranker.score(query, [f"{chunk.place}\n{chunk.text}" for chunk in chunks])
    hits = [Hit(chunk, score) for chunk, score in zip(chunks, scores, strict=True)]
    return sorted(hits, key=lambda hit: -hit.score)[:HITS]


def rank_sentences(reranker: Reranker, query: str, hits: Sequence[Hit]) -> list[Evidence]:
    """The sentences of the EVIDENCE_HITS best hits, best first. Blocking."""
    sentences = [
        (hit, position, text)
        for hit in hits[:EVIDENCE_HITS]
        for position, text in enumerate(split_sentences(hit.chunk.text))
        if len(text) <= MAX_SENTENCE_CHARS and len(_WORD.findall(text)) >= MIN_SENTENCE_WORDS
    ]
    scores = reranker.score(query, [f"{hit.chunk.place}\n{text}" for hit, _, text in sentences])
    ranked = [
        Evidence(hit, position, text, _mean(score, hit.score))
        for (hit, position, text), score in zip(sentences, scores, strict=True)
    ]
    return sorted(ranked, key=lambda evidence: -evidence.score)


def _mean(one: float, other: float) -> float:
    return 1 / (1 + math.exp(-(_logit(one) + _logit(other)) / 2))


def _logit(probability: float) -> float:
    clipped = min(max(probability, 1e-9), 1 - 1e-9)
    return math.log(clipped / (1 - clipped))
