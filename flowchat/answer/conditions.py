"""Conditions: a claim that takes the condition or the reason of a sentence for what follows from it."""

import re
from collections.abc import Iterator, Set
from dataclasses import dataclass

from flowchat.answer.claims import content_stems
from flowchat.sentences import split_sentences

MIN_STEMS = 2  # of a clause, below which two clauses are alike by chance
SAME_CLAUSE = 0.75  # share of a clause's words from which another clause is taken for it

_FIRST = re.compile(r"^\W*(if|when|unless|because|before|after|once)\b([^,;]{4,}), (?:then )?([^;]{4,})$", re.I | re.S)
_LAST = re.compile(r"^([^;]{4,}?),? (if|when|unless|because|before|after|once)\b([^,;]{4,})$", re.I | re.S)


@dataclass(frozen=True, slots=True)
class _Condition:
    """The stems of a sentence's condition and of its main clause; `word` joins them."""

    word: str
    condition: Set[str]
    consequence: Set[str]


def turns_condition(claim: str, evidence: str) -> bool:
    """Whether the claim says "if B, then A" where the evidence says "if A, then B"; likewise because, before, after."""
    said = list(_conditions(claim))
    given = [condition for sentence in split_sentences(evidence) for condition in _conditions(sentence)]
    return any(_is_turned(one, other) for one in said for other in given if one.word == other.word)


def _conditions(sentence: str) -> Iterator[_Condition]:
    if first := _FIRST.match(sentence):
        yield _Condition(first[1].lower(), content_stems(first[2]), content_stems(first[3]))
    if last := _LAST.match(sentence):
        yield _Condition(last[2].lower(), content_stems(last[3]), content_stems(last[1]))


def _is_turned(one: _Condition, other: _Condition) -> bool:
    if min(len(one.condition), len(one.consequence)) < MIN_STEMS:
        return False
    crossed = min(_share(one.condition, other.consequence), _share(one.consequence, other.condition))
    return crossed >= SAME_CLAUSE > _share(one.condition, other.condition)


def _share(stems: Set[str], others: Set[str]) -> float:
    return len(stems & others) / len(stems)
