"""Rerank: a cross-encoder scores the candidates, and then the single spans of the best of them."""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from flowchat.answer.query import query_words
from flowchat.answer.spans import Span, split_spans
from flowchat.domain import Chunk, Hit
from flowchat.engines.protocols import Reranker

HITS = 8  # reported and cited from
HURRIED_CHUNKS = 4  # that are read in any case
EVIDENCE_HITS = 3  # whose spans are looked at one by one
MAX_SPANS = 12  # of those, read by the reranker
HURRIED_SPANS = 6  # where others wait
HIT_COST = 0.3
MIN_STEMMED_CHARS = 4
MAX_EVIDENCE_CHARS = 600
MIN_EVIDENCE_WORDS = 3
MIN_UNSPACED_CHARS = 6  # in scripts without spaces between words

_WORD = re.compile(r"[^\W\d_]{2,}")
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff]")  # Thai, Lao, Japanese, Chinese
_TOKEN = re.compile(r"\w+")
_ENDING = re.compile(r"(ing|ed|es|s|e|ly)$")


@dataclass(frozen=True, slots=True)
class Evidence:
    """A span of a hit.

    `score` (0-1) is the mean, in logits, of what the reranker gives the span alone and the chunk around it.
    """

    hit: Hit
    span: Span
    score: float


def never() -> bool:
    return False


def rerank(
    reranker: Reranker, query: str, chunks: Sequence[Chunk], is_hurried: Callable[[], bool] = never
) -> list[Hit]:
    """The HITS best chunks, best first, of candidates that come best first. Blocking.

    Where others wait by then, candidates after the first HURRIED_CHUNKS are left out.

    The odds that the reranker gives a chunk are divided by its place among the candidates: words and vectors know
    things that it doesn't, and all together are better than each.
    """
    passages = [f"{chunk.place}\n{chunk.text}" for chunk in chunks]
    scores = reranker.score(query, passages[:HURRIED_CHUNKS])
    if not is_hurried():
        scores += reranker.score(query, passages[HURRIED_CHUNKS:])
    hits = [
        Hit(chunk, probability(logit(score) - math.log(place)), score)
        for place, (chunk, score) in enumerate(zip(chunks, scores, strict=False), start=1)
    ]
    return sorted(hits, key=lambda hit: -hit.score)[:HITS]


def rank_spans(reranker: Reranker, query: str, hits: Sequence[Hit], limit: int = MAX_SPANS) -> list[Evidence]:
    """The `limit` spans of the EVIDENCE_HITS best hits that share most with the query, best first. Blocking."""
    spans = [
        (hit, span)
        for hit in hits[:EVIDENCE_HITS]
        for span in split_spans(hit.chunk.text)
        if len(span.text) <= MAX_EVIDENCE_CHARS and _says_something(span.text)
    ]
    spans = promising(query, spans, limit)
    scores = reranker.score(query, [f"{hit.chunk.place}\n{span.text}" for hit, span in spans])
    ranked = [
        Evidence(hit, span, _mean(score, hit.relevance)) for (hit, span), score in zip(spans, scores, strict=True)
    ]
    return sorted(ranked, key=lambda evidence: -evidence.score)


def _says_something(text: str) -> bool:
    return len(_WORD.findall(text)) >= MIN_EVIDENCE_WORDS or len(_UNSPACED.findall(text)) >= MIN_UNSPACED_CHARS


def promising(query: str, spans: Sequence[tuple[Hit, Span]], limit: int = MAX_SPANS) -> list[tuple[Hit, Span]]:
    """The `limit` spans that share most with the query, in their order.

    A shared word counts the more the fewer of the spans have it. Each hit before a span's own costs it HIT_COST.
    """
    wanted = {_stem(word) for word in query_words(query)}
    shared = [wanted & {_stem(word) for word in _TOKEN.findall(span.text.lower())} for _, span in spans]
    weights = {word: math.log((len(spans) + 1) / (sum(word in words for words in shared) + 0.5)) for word in wanted}
    places = {id_: place for place, id_ in enumerate(dict.fromkeys(hit.chunk.id for hit, _ in spans))}
    gains = [
        sum(weights[word] for word in words) - HIT_COST * places[hit.chunk.id]
        for (hit, _), words in zip(spans, shared, strict=True)
    ]
    best = sorted(range(len(spans)), key=lambda number: -gains[number])[:limit]
    return [spans[number] for number in sorted(best)]


def _stem(word: str) -> str:
    return _ENDING.sub("", word) if len(word) > MIN_STEMMED_CHARS else word


def _mean(one: float, other: float) -> float:
    return probability((logit(one) + logit(other)) / 2)


def probability(log_odds: float) -> float:
    """The inverse of `logit`."""
    return 1 / (1 + math.exp(-log_odds))


def logit(share: float) -> float:
    """The log odds of a probability, which is kept off 0 and 1."""
    clipped = min(max(share, 1e-9), 1 - 1e-9)
    return math.log(clipped / (1 - clipped))
