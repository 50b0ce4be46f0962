"""Retrieve: words (FTS5, BM25) and vectors, fused by reciprocal rank."""

import asyncio
import re
from collections.abc import Sequence

from flowchat.domain import Chunk, Version
from flowchat.engines.protocols import Vectors
from flowchat.store import chunks as chunk_store
from flowchat.store.database import Database

CANDIDATES_EACH = 30
CANDIDATES = 20
RRF_K = 60  # Cormack, Clarke, Büttcher: Reciprocal Rank Fusion, SIGIR 2009

_WORD = re.compile(r"\w+")
_STOP_WORDS = frozenset(
    "a about an and any are as at be been but by can could did do does for from had has have how i if in into is it "
    "its may me might my of on or our should so some than that the their them then there these they this to us was we "
    "were what when where which who why will with would you your".split()
)
_FOLLOWS_UP = re.compile(
    r"\b(it|its|they|them|their|that|this|those|these|there|one|ones)\b|^(and|but|what about|why|how so)\b"
)
_SHORT_WORDS = 4


def standalone_query(query: str, history: Sequence[str]) -> str:
    """A follow-up question with the question before it, so that it can be searched for by itself."""
    if not history:
        return query
    leans = _FOLLOWS_UP.search(query.lower()) or len(query.split()) <= _SHORT_WORDS
    return f"{history[-1]} {query}" if leans else query


async def retrieve(
    db: Database, embedder: str, query: str, vector: Vectors, versions: Sequence[Version]
) -> list[Chunk]:
    """At most CANDIDATES chunks of the versions, best first. Vectors of another embedder are not searched."""
    comparable = [version.seq for version in versions if version.embedder == embedder]
    by_words, by_vectors = await asyncio.gather(
        chunk_store.search_words(db, [version.seq for version in versions], query_words(query), CANDIDATES_EACH),
        chunk_store.search_vectors(db, comparable, vector, CANDIDATES_EACH),
    )
    return await chunk_store.by_rowids(db, fuse([by_words, by_vectors])[:CANDIDATES])


def query_words(query: str) -> list[str]:
    """The words worth searching for: all but the commonest, or all of them if none is left."""
    words = list(dict.fromkeys(_WORD.findall(query.lower())))
    return [word for word in words if word not in _STOP_WORDS] or words


def fuse(rankings: Sequence[Sequence[int]]) -> list[int]:
    """Reciprocal rank fusion: the sum of 1 / (RRF_K + rank) over the rankings, highest first."""
    scores: dict[int, float] = {}
    for ranking in rankings:
        for rank, item in enumerate(ranking, 1):
            scores[item] = scores.get(item, 0.0) + 1 / (RRF_K + rank)
    return sorted(scores, key=lambda item: -scores[item])
