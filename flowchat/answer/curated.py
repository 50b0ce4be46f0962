"""Curated answers: does a visitor ask what an operator has answered?

Paraphrases and near misses ("Is the X200 waterproof?", "Is the X300 waterproof?") are equally near by vectors, and to
the reranker they are all the same. Two things part them. A near miss mostly repeats the question but for a word or two,
as few paraphrases do. And the verifier tells from two questions, read both ways, whether they imply each other. Where
in doubt the pages answer. The limits were measured on tests/data/curated_pairs.json with the default models.
"""

import re
from collections.abc import Sequence

import numpy as np

from flowchat.engines.protocols import Vectors, Verifier
from flowchat.store.curated_answers import Candidates

NEAREST = 3  # questions that the verifier reads
MIN_COSINE = 0.85
MIN_ENTAILMENT = 0.4  # both ways
NEAR_COPY = 0.5  # share of two questions' words from which any word that differs makes another question

_WORD = re.compile(r"\w+")
_POSSESSIVE = re.compile(r"['\u2019]s\b")
_NEGATION = re.compile(r"\b(not?|never|none|without|except|non|cannot)\b|n['\u2019]?t\b")
_FILLERS = frozenset("a an the please do does did is are am be my our your".split())


class Matcher:
    """Finds the curated answer to a question. Where several ask the same, the newest one counts.

    Making it reads every candidate: do that beside the event loop, too.
    """

    def __init__(self, verifier: Verifier, candidates: Candidates) -> None:
        self._verifier = verifier
        self._candidates = candidates
        newest_last = reversed(list(zip(candidates.questions, candidates.ids, strict=True)))
        self._by_words = {_telling(question): curated_id for question, curated_id in newest_last}

    def find(self, asked: Sequence[str], vector: Vectors) -> str | None:
        """The id of the candidate that asks the same. Blocking.

        `asked` are forms of one question, and `vector` (dims,) is the last one's. The same words, but for fillers and
        plurals, are the same question.
        """
        for form in asked:
            if curated_id := self._by_words.get(_telling(form)):
                return curated_id
        cosines = self._candidates.vectors @ vector
        for index in map(int, np.argsort(-cosines)[:NEAREST]):
            near = cosines[index] >= MIN_COSINE
            if near and implies_each_other(self._verifier, asked[-1], self._candidates.questions[index]):
                return self._candidates.ids[index]
        return None


def implies_each_other(verifier: Verifier, one: str, other: str) -> bool:
    """Whether two questions of different words ask the same. Blocking."""
    if _is_near_copy(one, other) or _hard_words(one) != _hard_words(other):
        return False
    return all(probability >= MIN_ENTAILMENT for probability in verifier.entailment([(one, other), (other, one)]))


def _words(text: str) -> list[str]:
    words = _WORD.findall(_POSSESSIVE.sub("", text.lower()))
    return [word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word for word in words]


def _telling(text: str) -> tuple[str, ...]:
    """A question's words in their order, less fillers; without any it is its own word."""
    words = _words(text)
    return tuple(word for word in words if word not in _FILLERS) or tuple(words) or (text,)


def _is_near_copy(one: str, other: str) -> bool:
    words, others = set(_words(one)), set(_words(other))
    return bool(words & others) and len(words & others) / len(words | others) >= NEAR_COPY


def _hard_words(text: str) -> tuple[bool, set[str]]:
    """What can't be said in other words: whether it is negated, and its numbers and the names that hold some."""
    text = text.lower()
    return _NEGATION.search(text) is not None, {word for word in _WORD.findall(text) if any(map(str.isdigit, word))}
