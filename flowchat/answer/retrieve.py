"""Retrieve: words (FTS5, BM25) and vectors, fused by their scores; of passages that say the same only the best."""

import asyncio
import re
from collections.abc import Sequence

from flowchat.answer.query import query_words
from flowchat.answer.stages import Observer, Retrieved, unobserved
from flowchat.domain import Chunk, Version
from flowchat.engines.protocols import Vectors
from flowchat.store import chunks as chunk_store
from flowchat.store.database import Database

SEARCHED = 100  # chunks of each search that are fused
READ = 36  # of those, best first, from which the candidates are taken
CANDIDATES = 10  # the reranker reads each: its time is most of the search's
SAME_WORDS = 0.8  # Jaccard index from which two chunks say the same

_WORD = re.compile(r"\w+")


async def retrieve(
    db: Database,
    embedder: str,
    query: str,
    vector: Vectors | None,
    versions: Sequence[Version],
    observe: Observer = unobserved,
) -> list[Chunk]:
    """At most CANDIDATES chunks of the versions, best first. Vectors of another embedder are not searched.

    Without a `vector` only words are.
    """
    rankings = await search(db, embedder, query, vector, versions)
    candidates = distinct(await chunk_store.by_rowids(db, fuse(rankings)[:READ]))[:CANDIDATES]
    observe(Retrieved(*rankings, candidates))
    return candidates


async def search(
    db: Database, embedder: str, query: str, vector: Vectors | None, versions: Sequence[Version]
) -> tuple[list[tuple[int, float]], list[tuple[int, float]]]:
    """What words find and what vectors find: (row id, score) of at most SEARCHED chunks each, best first."""
    words = chunk_store.search_words(db, [version.seq for version in versions], query_words(query), SEARCHED)
    if vector is None:
        return await words, []
    comparable = [version.seq for version in versions if version.embedder == embedder]
    return await asyncio.gather(
        words,
        chunk_store.search_vectors(db, comparable, vector, SEARCHED),
    )


def fuse(rankings: Sequence[Sequence[tuple[int, float]]]) -> list[int]:
    """The items of several rankings of (item, score), best first."""
    sums = fused_scores(rankings)
    return sorted(sums, key=lambda item: -sums[item])


def fused_scores(rankings: Sequence[Sequence[tuple[int, float]]]) -> dict[int, float]:
    """The sum of each item's scores in several rankings of (item, score), each ranking's scaled to 0-1.

    What a ranking lacks has 0 there. Bruch, Gai, Ingber: An Analysis of Fusion Functions for Hybrid Retrieval, 2023.
    """
    sums: dict[int, float] = {}
    for ranking in rankings:
        scores = [score for _, score in ranking]
        lowest, span = min(scores, default=0.0), max(scores, default=0.0) - min(scores, default=0.0)
        for item, score in ranking:
            sums[item] = sums.get(item, 0.0) + ((score - lowest) / span if span else 1.0)
    return sums


def distinct(chunks: Sequence[Chunk]) -> list[Chunk]:
    """Less those that say the same as one before them: nearly all words are the same, and all with digits."""
    kept: list[tuple[Chunk, set[str]]] = []
    for chunk in chunks:
        words = set(_WORD.findall(f"{chunk.place} {chunk.text}".lower()))
        if not any(_says_the_same(words, others) for _, others in kept):
            kept.append((chunk, words))
    return [chunk for chunk, _ in kept]


def _says_the_same(words: set[str], others: set[str]) -> bool:
    differing = words ^ others
    is_near = len(words & others) >= SAME_WORDS * len(words | others)
    return is_near and not any(character.isdigit() for word in differing for character in word)
