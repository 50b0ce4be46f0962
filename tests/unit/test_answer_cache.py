"""Which questions are the same, and what is kept of their answers."""

from dataclasses import replace

import numpy as np
import pytest

from flowchat.answer.cache import AnswerCache, normal_question
from flowchat.answer.pipeline import Answer
from flowchat.domain import Chunk, Event, Hit

EVENTS = [Event("generation.token", {"text": "x" * 1000})]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("How do I return it?", "how do i   RETURN it"),
        ("How do I return it?", "Hi, how do I return it please?"),
        ("How do I return it?", "Could you tell me how do I return it? Thanks!"),
        ("What is the price?", "what's the price"),
        ("What is \u201cWAL\u201d?", 'What is "WAL"'),
        ("Is it free (of charge)?", "Is it free of charge?"),
    ],
)
def test_the_same_question(one: str, other: str) -> None:
    assert normal_question(one) == normal_question(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Is the X200 waterproof?", "Is the X300 waterproof?"),
        ("Can I return it?", "Can't I return it?"),
        ("Does it work with C++?", "Does it work with C?"),
        ("Does it work with C#?", "Does it work with C?"),
        ("What does plan A cost?", "What does plan cost?"),
        ("What does -f do?", "What does f do?"),
        ("Is .NET supported?", "Is net supported?"),
        ("What is 3.5?", "What is 35?"),
        ("What is 5!", "What is 5?"),
        ("What does 'a' mean?", 'What does "a" mean?'),
        ("Does A call B?", "Does B call A?"),
        ("Is it only for Linux?", "Is it for Linux?"),
        ("Can I return it?", "Can you return it?"),
        ("??", "!!"),
    ],
)
def test_other_questions(one: str, other: str) -> None:
    assert normal_question(one) != normal_question(other)


def test_a_greeting_alone_stays_what_it_is() -> None:
    assert normal_question("Hello") == "hello"
    assert normal_question("Please") == "please"


@pytest.mark.parametrize("mark", [*",.!?-", ", ", "! ", "thanks "])
def test_what_repeats_takes_no_longer_than_it_is(mark: str) -> None:
    """A quadratic one took most of a second for 2,000 marks."""
    assert normal_question(mark * (20_000 // len(mark)) + "x").endswith("x")


def test_the_least_recently_asked_answer_goes_first() -> None:
    cache = AnswerCache(max_bytes=10_000)
    for key in ("a", "b", "c"):
        cache.put(key, EVENTS, Answer(text="x"))
    assert cache.get("a")
    cache.put("d", EVENTS, Answer(text="x"))
    assert [bool(cache.get(key)) for key in "abcd"] == [True, False, True, True]


def test_an_answer_larger_than_the_cache_is_not_kept() -> None:
    cache = AnswerCache(max_bytes=1000)
    cache.put("a", EVENTS, Answer())
    assert cache.get("a") is None


def test_keeping_an_answer_again_takes_no_more_room() -> None:
    cache = AnswerCache(max_bytes=10_000)
    for _ in range(10):
        cache.put("a", EVENTS, Answer())
    cache.put("b", EVENTS, Answer())
    assert cache.get("a") and cache.get("b")
    cache.clear()
    assert cache.get("a") is None


def test_a_remembered_answer_is_equal_but_for_the_tokens() -> None:
    chunk = Chunk("chk_1", 0, "ver_1", "https://shop.example/", "Shop", (), "Text.")
    made = Answer(text="Yes.", chunks=[Hit(chunk, 1.0)], query_vector=np.ones(3, np.float32), tokens_in=9, tokens_out=9)
    cache = AnswerCache(max_bytes=10_000)
    cache.put("a", EVENTS, made)
    remembered, filled = cache.get("a"), Answer()
    assert remembered
    remembered.fill(filled)
    assert (filled.tokens_in, filled.tokens_out) == (0, 0)
    assert replace(filled, query_vector=None) == replace(made, query_vector=None, tokens_in=0, tokens_out=0)
    filled.chunks.clear()
    assert made.chunks
