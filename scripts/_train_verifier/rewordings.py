"""Paraphrases word by word, and the shapes that claims come in: as an answer, or made of a definition."""

import re
from random import Random

from _train_verifier.grammar import (
    THIRD_OF,
    agreed,
    capitalised,
    decapitalised,
    split_subject,
)
from _train_verifier.words import Words, entries

_SYNONYMS = [(Words(first), others) for first, *others in entries("synonyms")]
_SAME_AMOUNTS = [(Words(one), other) for one, other in entries("same_amounts")]
_MOST_SYNONYMS = 4


def reworded(sentence: str, before: str, random: Random) -> str | None:
    """One to four words replaced by their synonyms."""
    fitting = [(words, others) for words, others in _SYNONYMS if words.are_in(sentence)]
    random.shuffle(fitting)
    text, done = sentence, 0
    for words, others in fitting:
        if done < _MOST_SYNONYMS and words.are_in(text):
            text, done = words.replaced(text, random.choice(others)), done + 1
    if not done:
        return None
    return capitalised(agreed(text)) if sentence[0].isupper() else agreed(text)


_LESS = [
    (re.compile(pattern), new)
    for pattern, new in (
        (r"\balways ", ""),
        (r"\b(?:[Ee]xactly|[Pp]recisely) (?=\w)", ""),
        (r"\b(?:immediately|very|automatically|completely|simply|explicitly) ", ""),
        (r"\bcan only be\b", "can be"),
        (r"\bAll (?=\w+s\b)", "The "),
        (r"\bevery\b", "each"),
        (r"\beach\b", "every"),
        (r"\bguaranteed to\b", "sure to"),
    )
]


def weaker(sentence: str, before: str, random: Random) -> str | None:
    """Less than was said: an "always", "only" or "exactly" left out."""
    fitting = [(pattern, new) for pattern, new in _LESS if pattern.search(sentence)]
    if not fitting or re.search(r"\b(?:not|cannot|never|unless|if)\b", sentence):
        return None
    pattern, new = random.choice(fitting)
    return capitalised(pattern.sub(new, sentence, count=1))


_NUMBERS = "zero one two three four five six seven eight nine ten eleven twelve".split()
_DIGITS = re.compile(r"(?<![\w.\-/#(,=])([2-9]|1[0-2])(?= [a-z]{3,})")
_IN_WORDS = re.compile(rf"\b({'|'.join(_NUMBERS[2:])})\b(?= [a-z]+s\b)")


def said_in_words(sentence: str, before: str, random: Random) -> str | None:
    """A number in words or digits, or the same length of time or size in another unit."""
    for words, other in _SAME_AMOUNTS:
        if words.are_in(sentence):
            return words.replaced(sentence, other)
    if found := _DIGITS.search(sentence):
        return sentence[: found.start()] + _NUMBERS[int(found[1])] + sentence[found.end() :]
    found = _IN_WORDS.search(sentence)
    return sentence[: found.start()] + str(_NUMBERS.index(found[1])) + sentence[found.end() :] if found else None


_OPENINGS = (
    "Yes, ", "Yes: ", "No, ", "Right, ", "In short, ", "Note that ", "That means ", "According to the documentation, ",
    "As the documentation says, ",
)  # fmt: skip
_DENIES = re.compile(r"\b(?:not|cannot|never|no)\b")


def answered(sentence: str, random: Random, *, starts_with_name: bool = False) -> str:
    """The sentence in the shape of a support answer."""
    opening = random.choice(_OPENINGS)
    if opening.startswith(("Yes", "No, ")):
        opening = "No, " if _DENIES.search(sentence) else "Yes, "
    return opening + (sentence if starts_with_name else decapitalised(sentence))


_DEFINITION = re.compile(r"^([\w.()<>=`,\[\]/ *-]{1,48}): ([A-Z].+)$", re.DOTALL)
_ORDERED_NOT_TO = re.compile(r"^Do(?: not|n['\u2019]t) (.+)$", re.DOTALL)


def as_statement(sentence: str) -> str:
    """`--all: Show everything.` as `--all shows everything.`; other sentences as they are."""
    found = _DEFINITION.match(sentence)
    if not found:
        return sentence
    name = _name_of(found[1])
    if " " in name.strip() and not name.startswith("-"):
        return sentence
    first, _, rest = found[2].partition(" ")
    verb = first.lower()
    if first in ("The", "A", "An") and not split_subject(found[2])[0]:
        return f"{name} is {decapitalised(found[2])}"
    if ordered := _ORDERED_NOT_TO.match(found[2]):
        return f"{name} does not {ordered[1]}"
    if verb in THIRD_OF:
        return f"{name} {THIRD_OF[verb]} {rest}"
    return f"{name} {verb} {rest}" if verb in THIRD_OF.values() else sentence


def _name_of(term: str) -> str:
    """`pop([i])` as `pop()`, `-a, --all` as `--all`."""
    name = re.sub(r"\((?=[^)])[^)]*\)", "()", term) if term.count("(") == 1 else term
    return name.split(", ")[-1]
