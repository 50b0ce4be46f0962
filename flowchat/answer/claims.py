"""Claims: a sentence taken apart, and the sentences of a passage that speak of a claim."""

import math
import re
from collections.abc import Sequence

EVIDENCE_SENTENCES = 3
MIN_CLAIM_WORDS = 4

_WORD = re.compile(r"\w+")
_STOP_WORDS = frozenset(
    "a about an and any are as at be been but by can could did do does doing for from had has have how i if in into is "
    "it its may me might my not no of on or our should so some than that the their them then there these they this to "
    "us was we were what when where which who why will with would you your".split()
)
_LEANS_BACK = re.compile(
    r"(this|that|these|those|it|its|they|their|them|he|she|such|however|but|then|otherwise|also|so|thus|hence|"
    r"therefore|instead)\b",
    re.IGNORECASE,
)
_SEAM = re.compile(r"; |, (?:and|but|while|whereas) ")
# Parts of such a sentence depend on each other: cut, a condition or the reach of a negation would be lost.
_DEPENDENT = re.compile(
    r"\b(if|unless|only|when|whenever|until|except|either|neither|nor|or|whether|without|not|no|never|because|so that"
    r"|both|respectively|otherwise|then|before|after|provided)\b|n['\u2019]t\b|[`:\"\u201c(]",
    re.IGNORECASE,
)
_STARTS_ALONE = re.compile(
    r"(?:the|a|an|this|these|those|each|every|all|it|they|he|she|you|we|[A-Z][\w-]*)\b", re.IGNORECASE
)
_PRONOUN = re.compile(r"(?:it|they|he|she|this|these|those)\b", re.IGNORECASE)
_VERB = re.compile(
    r"\b(?:is|are|was|were|has|have|had|can|could|will|would|may|must|should|does|do|did|supports?|uses?|returns?|"
    r"allows?|requires?|contains?|includes?|provides?|costs?|takes?|means?|needs?|makes?|\w{3,}ed)\b"
    r"|\w{3,}s (?:a|an|the|its|their|to|all|every|each|one|up|only|from|in|on|as)\b"
)


def split_claims(sentence: str) -> tuple[str, ...]:
    """The sentence itself, and the statements it joins if each can stand alone; else only itself.

    "A; B" and "A, and B" are two claims if both have a subject and a verb. What depends on a condition, a negation or
    a choice is never cut.
    """
    if _DEPENDENT.search(sentence):
        return (sentence,)
    parts = [part.strip() for part in _SEAM.split(sentence.strip().rstrip("."))]
    if len(parts) < 2 or not all(map(_is_statement, parts)) or any(map(_PRONOUN.match, parts[1:])):
        return (sentence,)
    return (sentence, *(f"{part[:1].upper()}{part[1:]}." for part in parts))


def _is_statement(part: str) -> bool:
    long_enough = len(_WORD.findall(part)) >= MIN_CLAIM_WORDS
    return long_enough and _STARTS_ALONE.match(part) is not None and _VERB.search(part) is not None


def select_evidence(claim: str, sentences: Sequence[str]) -> tuple[str, ...]:
    """What to hold a claim against: the sentence that shares most with it, and that with others that cover the rest.

    Shared words count by how few of the sentences have them. Sentences stay in their order; one that leans on the one
    before brings it along.
    """
    stems = [content_stems(sentence) for sentence in sentences]
    wanted = content_stems(claim)
    weights = {
        word: math.log(1 + len(stems) / sum(word in others for others in stems))
        for word in wanted
        if any(word in others for others in stems)
    }
    chosen: list[int] = []
    missing = set(weights)
    while len(chosen) < min(EVIDENCE_SENTENCES, len(sentences)):
        rest = [number for number in range(len(sentences)) if number not in chosen]
        if chosen and not missing:
            break
        best = max(rest, key=lambda number: _weight(weights, stems[number] & missing, stems[number]))
        chosen.append(best)
        missing -= stems[best]
        leans = best > 0 and best - 1 not in chosen and _LEANS_BACK.match(sentences[best])
        if leans and len(chosen) < EVIDENCE_SENTENCES:
            chosen.append(best - 1)
            missing -= stems[best - 1]
    whole = " ".join(sentences[number] for number in sorted(chosen))
    return (whole,) if len(chosen) == 1 else (sentences[chosen[0]], whole)


def _weight(weights: dict[str, float], gained: set[str], stems: set[str]) -> float:
    """Words that no chosen sentence has count in full, the others a tenth."""
    shared = sum(weights[word] for word in stems if word in weights)
    return sum(weights[word] for word in gained) + 0.1 * shared


def content_stems(text: str) -> set[str]:
    """The words of a text without the commonest ones and without their endings -e, -s, -ed, -ing."""
    return {_stem(word) for word in _WORD.findall(text.lower()) if word not in _STOP_WORDS}


def _stem(word: str) -> str:
    for ending in ("ing", "ed", "es", "s"):
        if len(word) > len(ending) + 3 and word.endswith(ending) and not word.endswith("ss"):
            return word.removesuffix(ending)
    return word.removesuffix("e") if len(word) > 3 else word
