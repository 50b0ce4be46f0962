"""Fusion, reranking and what is left out, on chunks made up for it."""

import math
from collections.abc import Sequence

import pytest

from flowchat.answer.rerank import HITS, HURRIED_CHUNKS, MAX_SPANS, rank_spans, rerank
from flowchat.answer.retrieve import distinct, fuse
from flowchat.domain import Chunk, Hit


class Scores:
    """A reranker that gives the passages, in their order, these scores. `asked` are all that it has read."""

    def __init__(self, scores: Sequence[float]) -> None:
        self._scores = scores
        self.asked: list[str] = []

    def score(self, query: str, passages: Sequence[str]) -> list[float]:
        first = len(self.asked)
        self.asked += passages
        return [self._scores[number % len(self._scores)] for number in range(first, len(self.asked))]


def chunk(number: int, text: str, title: str = "Plans") -> Chunk:
    return Chunk(f"chk_{number}", number, "ver_1", f"http://site/{number}", title, (), text)


def test_scores_are_fused_and_not_only_ranks() -> None:
    words = [(1, 20.0), (2, 19.0), (3, 1.0)]
    vectors = [(4, 0.9), (2, 0.88), (3, 0.5)]
    assert fuse([words, vectors]) == [2, 1, 4, 3]


@pytest.mark.parametrize(
    ("rankings", "fused"), [([[], []], []), ([[(7, 3.0)], []], [7]), ([[(1, 2.0), (2, 2.0)], []], [1, 2])]
)
def test_what_finds_nothing_changes_nothing(
    rankings: Sequence[Sequence[tuple[int, float]]], fused: Sequence[int]
) -> None:
    assert fuse(rankings) == fused


def test_of_chunks_that_say_the_same_the_first_is_kept() -> None:
    text = "the small plan has every feature of the large plan but no single sign-on and no audit log at all"
    same = chunk(2, text.replace("audit", "access"))
    assert distinct([chunk(1, text), same, chunk(3, "something else")]) == [chunk(1, text), chunk(3, "something else")]


def test_chunks_that_differ_in_a_number_are_both_kept() -> None:
    text = "the small plan has every feature of the large plan but it allows at most {} projects for each of its users"
    chunks = [chunk(1, text.format("3")), chunk(2, text.format("30"))]
    assert distinct(chunks) == chunks


def test_the_place_among_the_candidates_counts() -> None:
    chunks = [chunk(number, f"text {number}") for number in range(12)]
    hits = rerank(Scores([0.9]), "query", chunks)
    assert [hit.chunk for hit in hits] == chunks[:HITS]
    assert hits[0].score == pytest.approx(0.9)
    assert hits[3].score == pytest.approx(1 / (1 + math.exp(-(math.log(9) - math.log(4)))))
    best_last = rerank(Scores([0.5] * 11 + [0.999]), "query", chunks)
    assert best_last[0].chunk == chunks[11] and [hit.score for hit in best_last] == sorted(
        (hit.score for hit in best_last), reverse=True
    )


def test_a_hurried_reranking_reads_the_first_candidates_only() -> None:
    chunks = [chunk(number, f"text {number}") for number in range(10)]
    reranker = Scores([0.5] * 9 + [0.999])
    hits = rerank(reranker, "query", chunks, lambda: True)
    assert len(hits) == len(reranker.asked) == HURRIED_CHUNKS


def test_only_promising_spans_are_read() -> None:
    filler = " ".join(f"Sentence number {number} tells of other things." for number in range(40))
    hits = [Hit(chunk(1, filler), 0.9), Hit(chunk(2, f"{filler} Backups are kept for thirty days."), 0.8)]
    reranker = Scores([0.5])
    ranked = rank_spans(reranker, "How long is a backup kept?", hits)
    assert len(ranked) == len(reranker.asked) == MAX_SPANS
    assert any("thirty days" in passage for passage in reranker.asked)


def test_without_hits_there_are_no_spans() -> None:
    assert rank_spans(Scores([0.5]), "query", []) == []
