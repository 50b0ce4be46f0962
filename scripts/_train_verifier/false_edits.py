"""Edits that take a sentence's truth away: what comes out does not follow from the passage any more.

Each takes a sentence, the passage's other sentences and a random generator, and gives a claim or None where it does
not fit. The names of the functions name the kind in the pairs' `source`.
"""

import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from random import Random

from _train_verifier.grammar import (
    BASE_OF_THIRD,
    PARTICIPLE_OF_THIRD,
    TERM,
    capitalised,
    decapitalised,
    is_plural,
    split_object,
    split_subject,
)
from _train_verifier.words import Words, entries

Edit = Callable[[str, Sequence[str], Random], str | None]
Table = list[tuple[Words, str]]


def _both_ways(table: str) -> Table:
    return [(Words(words), new) for one, other in entries(table) for words, new in ((one, other), (other, one))]


_ANTONYMS = _both_ways("antonyms")
_UNITS = _both_ways("units")
_STRONGER: Table = [(Words(one), other) for one, other in entries("stronger")]
_INVENTED = [adjunct for (adjunct,) in entries("invented")]
_NUMBER = re.compile(r"(?<![\w.\-/#(])\d+(?:\.\d+)*(?![\w\-/)]|\.\d)")
_SYMMETRIC = re.compile(
    r"\b(?:same|equivalent|synonym|alias|differ\w*|similar\w*|compatib\w+|conflict\w*|both|either|neither|between|"
    r"together|equal\w*|versus|identical|combin\w+|respectively|mutually|also|like|alternat\w+|except|e\.g)\b",
    re.IGNORECASE,
)
_LISTED = re.compile(r"^(?:[\s,\"'`]|and|or|and/or|/)*$")
_DENIES = re.compile(r"\b(?:not|n't|no|never|neither|nor|cannot|whether|only|unless|nothing|none|if)\b")
_MODAL = re.compile(r"\b(is|are|can|will|should|must|may|has been|was|were)\b(?! not)")


def negated(sentence: str, others: Sequence[str], random: Random) -> str | None:
    """`not` put in where none was."""
    if _DENIES.search(sentence):
        return None
    at = _MODAL.search(sentence)
    if not at:
        return _negated_verb(sentence)
    new = {"can": random.choice(["cannot", "can't"]), "will": random.choice(["will not", "won't"])}.get(
        at[1], "has not been" if at[1] == "has been" else f"{at[1]} not"
    )
    return sentence[: at.start()] + new + sentence[at.end() :]


def _negated_verb(sentence: str) -> str | None:
    for word in sentence.split(" ")[1:5]:
        if word in BASE_OF_THIRD and word not in ("sets", "tests", "lists", "calls", "uses"):
            return re.sub(rf"\b{word}\b", f"does not {BASE_OF_THIRD[word]}", sentence, count=1)
    return None


_HALF_DENIES = re.compile(r"\bnot (?:only|necessarily|yet|just|even)|whether or not|if not\b")
_AFFIRMED = [
    (re.compile(pattern), new)
    for pattern, new in (
        (r"\b(is|are|can|will|should|must|may|was|were|has|have|need|do) not\b ?", r"\1 "),
        (r"\bcannot\b", "can"),
        (r"\bcan't\b", "can"),
        (r"\bdoes not ", "does "),
        (r"\b(is|are|does|do|should|was|were)n['\u2019]t\b", r"\1"),
        (r"\bno longer\b", "still"),
        (r"\bnever\b", "always"),
        (r"\bno (?=\w+s\b)", "some "),
        (r"\bno (?!matter|later|more|fewer|less|longer)(?=\w+\b)", "a "),
    )
]


def affirmed(sentence: str, others: Sequence[str], random: Random) -> str | None:
    """A negation taken out."""
    fitting = [(pattern, new) for pattern, new in _AFFIRMED if pattern.search(sentence)]
    if not fitting or _HALF_DENIES.search(sentence):
        return None
    pattern, new = random.choice(fitting)
    return pattern.sub(new, sentence, count=1)


def antonym(sentence: str, others: Sequence[str], random: Random) -> str | None:
    """One word turned into its opposite."""
    return _one_of(_ANTONYMS, sentence, random)


def stronger(sentence: str, others: Sequence[str], random: Random) -> str | None:
    """A quantity or a duty changed: some to all, may to must."""
    return _one_of(_STRONGER, sentence, random)


def unit(sentence: str, others: Sequence[str], random: Random) -> str | None:
    """Another unit, where an amount is told."""
    is_amount = re.search(r"\d|\b(?:one|two|three|per|an?|each)\b", sentence)
    return _one_of(_UNITS, sentence, random) if is_amount else None


def _one_of(table: Table, sentence: str, random: Random) -> str | None:
    fitting = [(words, new) for words, new in table if words.are_in(sentence)]
    if not fitting:
        return None
    words, new = random.choice(fitting)
    return words.replaced(sentence, new)


def number(sentence: str, others: Sequence[str], random: Random) -> str | None:
    """A number replaced: by another of the passage, else by a near or a far one."""
    found = list(_NUMBER.finditer(sentence))
    if not found:
        return None
    at = random.choice(found)
    there = {m.group() for text in others for m in _NUMBER.finditer(text)} - {m.group() for m in found}
    new = random.choice(sorted(there)) if there and random.random() < 0.5 else _other_number(at.group(), random)
    return sentence[: at.start()] + new + sentence[at.end() :]


def _other_number(digits: str, random: Random) -> str:
    *head, last = digits.split(".")
    value = int(last)
    new = random.choice([value + 1, value + random.randint(2, 9), value * 2 + 1, value * 10 + 10, abs(value - 1) + 2])
    return ".".join([*head, str(new if new != value else value + 3)])


def exchanged_numbers(sentence: str, others: Sequence[str], random: Random) -> str | None:
    """Two numbers of the sentence in each other's place."""
    return _exchanged(sentence, list(_NUMBER.finditer(sentence)), random)


def exchanged_terms(sentence: str, others: Sequence[str], random: Random) -> str | None:
    """Two names of the sentence in each other's place: the roles turn round."""
    return _exchanged(sentence, list(TERM.finditer(sentence)), random)


def _exchanged(sentence: str, found: list[re.Match[str]], random: Random) -> str | None:
    couples = [
        (a, b)
        for a, b in pairwise(found)
        if a.group() != b.group() and not _LISTED.match(sentence[a.end() : b.start()])
    ]
    if not couples or _SYMMETRIC.search(sentence):
        return None
    a, b = random.choice(couples)
    between = sentence[a.end() : b.start()]
    return sentence[: a.start()] + b.group() + between + a.group() + sentence[b.end() :]


def other_term(sentence: str, others: Sequence[str], random: Random) -> str | None:
    """A name replaced by another of the same make that the passage also has."""
    here = list(TERM.finditer(sentence))
    used = {m.group() for m in here}
    there = {m.group() for text in others for m in TERM.finditer(text)} - used
    couples = [(m, t) for m in here for t in sorted(there) if _make(t) == _make(m.group())]
    if not couples or _SYMMETRIC.search(sentence):
        return None
    at, new = random.choice(couples)
    return sentence.replace(at.group(), new)


def _make(term: str) -> str:
    shape = re.sub(r"[a-z]+", "a", re.sub(r"[A-Z]+", "A", term.split(" ")[0]))
    return shape[:2] + ("()" if "()" in term else "")


def other_subject(sentence: str, others: Sequence[str], random: Random) -> str | None:
    """What the passage says of one thing, said of another that it also speaks of."""
    subject, predicate = split_subject(sentence)
    there = sorted({s for s, _ in map(split_subject, others) if s and s.lower() != subject.lower()})
    if not subject or not there or _SYMMETRIC.search(sentence):
        return None
    new = random.choice(there)
    return f"{new} {predicate}" if is_plural(new) == is_plural(subject) else None


def turned_roles(sentence: str, others: Sequence[str], random: Random) -> str | None:
    """Who does it and whom it is done to, in each other's place, actively or passively."""
    subject, verb, object_, rest = split_object(sentence)
    if not verb or _SYMMETRIC.search(sentence):
        return None
    if random.random() < 0.5:
        verb = BASE_OF_THIRD[verb] if is_plural(object_) else verb
        return f"{capitalised(object_)} {verb} {decapitalised(subject)}{rest}"
    be = "are" if is_plural(subject) else "is"
    return f"{subject} {be} {PARTICIPLE_OF_THIRD[verb]} by {object_}{rest}"


_NEEDED_FIRST = re.compile(
    r"^((?:If|Unless|On (?:Linux|Unix|Windows|macOS|POSIX|some)\b)[^,]{3,110}), (?:then )?"
    r"(?!(?:and|or|but|you|it)\b)(.{24,})$",
    re.DOTALL,
)
_NEEDED_LAST = re.compile(
    r"^(.{20,}?),? ((?:only )?(?:if|unless|only when|except (?:for|on|in|when|if|that)|provided that|as long as"
    r"|only for|only on) .+)[.]$",
    re.DOTALL,
)
_ASKS = re.compile(
    r"\b(?:check|test|see|determin\w+|whether|even|as|ask\w*|know|tell|indicat\w+|decid\w+|only)s? (?:if|to)\b",
    re.IGNORECASE,
)


def without_condition(sentence: str, others: Sequence[str], random: Random) -> str | None:
    """What holds only under a condition, said without it."""
    if _ASKS.search(sentence):
        return None
    if first := _NEEDED_FIRST.match(sentence):
        return capitalised(first[2])
    last = _NEEDED_LAST.match(sentence)
    is_whole = last and last[1].count("(") == last[1].count(")") and last[1][-1].isalnum()
    return f"{last[1]}." if last and is_whole else None


_CONDITION_FIRST = re.compile(
    r"^((?:If|Unless|When|Before|After) [^,]{6,110}), (?:then )?(?!and |or |but )(.+)$", re.DOTALL
)
_CONDITION_LAST = re.compile(r"^(.+) (if|unless|because) ([^,]+)[.]$", re.DOTALL)
_OTHER_CONDITION = {"If": "Unless", "Unless": "If", "When": "Unless", "Before": "After", "After": "Before"}


def turned_condition(sentence: str, others: Sequence[str], random: Random) -> str | None:
    """Its condition turned over, or taken for its consequence."""
    if _ASKS.search(sentence):
        return None
    if first := _CONDITION_FIRST.match(sentence):
        word, _, condition = first[1].partition(" ")
        is_statement = not re.match(r"(?:it|they|this|use|see|do)\b", first[2], re.IGNORECASE)
        if random.random() < 0.5 and word in ("If", "When") and is_statement:
            return f"{word} {decapitalised(first[2]).rstrip('.')}, {condition}."
        return f"{_OTHER_CONDITION[word]} {condition}, {first[2]}"
    last = _CONDITION_LAST.match(sentence)
    if not last:
        return None
    if last[2] == "because":
        return f"{capitalised(last[3])} because {decapitalised(last[1])}."
    return f"{last[1]} {'unless' if last[2] == 'if' else 'if'} {last[3]}."


def invented(sentence: str, others: Sequence[str], random: Random) -> str | None:
    """Something added that the passage does not say."""
    adjunct = random.choice(_INVENTED)
    if not sentence.endswith(".") or len(sentence) > 220:
        return None
    return f"{sentence[:-1]}{adjunct if adjunct.startswith(',') else ' ' + adjunct}."


FALSE_EDITS: list[Edit] = [
    negated, affirmed, antonym, stronger, unit, number, exchanged_numbers, exchanged_terms, other_term, other_subject,
    turned_roles, without_condition, turned_condition, invented,
]  # fmt: skip
