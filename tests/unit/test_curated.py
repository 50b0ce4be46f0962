"""When a visitor's question is one that has a curated answer."""

from collections.abc import Sequence

import numpy as np
import pytest

from flowchat.answer.curated import Matcher, implies_each_other
from flowchat.store.curated_answers import Candidates


class FixedVerifier:
    """The same probability for every pair, unless one way is told."""

    def __init__(self, probability: float = 1.0, one_way: float | None = None) -> None:
        self.probabilities = [probability, probability if one_way is None else one_way]

    def entailment(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        return self.probabilities[: len(pairs)]


def matcher(*questions: str, probability: float = 1.0) -> Matcher:
    """The questions' vectors are the axes; the newest question comes first."""
    ids = [f"cur_{number}" for number in range(len(questions))]
    vectors = np.eye(max(2, len(questions)), dtype=np.float32)[: len(questions)]
    return Matcher(FixedVerifier(probability), Candidates(ids, list(questions), vectors))


NOWHERE = np.zeros(2, np.float32)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("how do i return items", "cur_0"),
        ("Please, how do I return an item?!", "cur_0"),
        ("How do I return your item?", "cur_0"),
        ("How do I return it?", None),
        ("How return I do items?", None),
        ("???", None),
        ("", None),
    ],
)
def test_the_same_words_are_the_same_question(asked: str, found: str | None) -> None:
    assert matcher("How do I return an item?").find((asked,), NOWHERE) == found


def test_any_form_of_the_question_will_do_and_the_newest_answer_counts() -> None:
    known = matcher("Is it free?", "Is it free")
    assert known.find(("Is it free?", "How do I return it? Is it free?"), NOWHERE) == "cur_0"
    assert matcher("Do you?", "???").find(("???",), NOWHERE) == "cur_1"


def test_other_words_need_near_vectors_and_entailment_both_ways() -> None:
    asked = ("Where can I leave my car?",)
    near, far = np.array([0.9, 0.1], np.float32), np.array([0.8, 0.1], np.float32)
    known = matcher("Is there parking nearby?", "What does dinner cost?")
    assert known.find(asked, near) == "cur_0"
    assert known.find(asked, far) is None
    assert known.find(asked, near[::-1]) == "cur_1"
    assert matcher("Is there parking nearby?", probability=0.3).find(asked, near) is None
    assert not implies_each_other(FixedVerifier(0.9, one_way=0.1), asked[0], "Is there parking nearby?")
    assert matcher().find(asked, NOWHERE) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Is the X200 waterproof?", "Is the case of the X200 waterproof?"),
        ("Do you ship to Norway?", "Do you ship from Norway?"),
        ("Can I cancel at any time?", "Why is it that my plan cannot be ended?"),
        ("What did plans cost in 2023?", "How expensive are subscriptions this year?"),
    ],
)
def test_near_misses_are_other_questions_whatever_the_models_say(one: str, other: str) -> None:
    assert not implies_each_other(FixedVerifier(), one, other)
    assert not implies_each_other(FixedVerifier(), other, one)
