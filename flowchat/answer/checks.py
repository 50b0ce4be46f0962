"""Checks: what can be said against a claim without a model.

Each is a pure function that says whether a claim is surely not what its evidence says. They are there for what the
model reads past: a name, number or "not" more or less is a small part of a sentence.
"""

import re
from collections.abc import Callable

from flowchat.answer.claims import content_stems
from flowchat.answer.conditions import turns_condition
from flowchat.answer.copies import is_altered
from flowchat.answer.quantities import UNITS, misquotes
from flowchat.sentences import split_sentences

SAME_SENTENCE = 0.75  # share of the claim's words from which a sentence of the evidence says the same, or its opposite

_QUOTED = re.compile(r"`([^`\n]+)`|\"([^\"\n]{2,60})\"|\u201c([^\u201d\n]{2,60})\u201d")
_CODE_WORD = re.compile(
    r"(?<![\w-])(?:--?[a-zA-Z][\w-]*"  # --option
    r"|(?=[\w./\\:@-]*[a-zA-Z])[\w@-]*(?:[\w]_[\w]|[a-zA-Z]\.[a-zA-Z]|[\w]/[\w]|:/)[\w./\\:@?=&%#-]*"  # a_b, a.b, a/b
    r"|(?=\w*[a-zA-Z])(?=\w*\d)\w+"  # X200, v2
    r"|[a-z]+[A-Z]\w*|[A-Z][a-z]+[A-Z]\w*"  # camelCase
    r"|[A-Z]{2,}\b)"  # WAL
)
_ORDINAL = re.compile(r"\d+(?:st|nd|rd|th|s|[kKmM]?[bB]|[kK]|[mM]?s|m?g|[xX])")
_EVERYDAY = frozenset(
    "us uk usa eu un tv am pm ok id it url api http https html cpu faq pc and/or his/her he/she".split()
)
_NAME = re.compile(r"(?<=[a-z0-9,;] )[A-Z][a-z]{2,}\b")
_NEGATION = re.compile(
    r"\b(not|never|no(?!,)|(?-i:none)|None of|nor|neither|cannot|without|nothing|nobody|nowhere|unable|hardly)\b"
    r"|n['\u2019]t\b",
    re.IGNORECASE,
)
_HALF_NEGATION = re.compile(
    r"\b(or not|or may not|only|unless|except|but|until|fail\w*|lack\w*|refus\w*|prevent\w*|avoid\w*|disabl\w*"
    r"|ignor\w*|omit\w*|miss\w*"
    r"|few|little|den\w+|prohibit\w*|forbid\w*|absen\w+|stop\w*|false|wrong|exclud\w*|un\w+|in\w+able|instead|rather)\b",
    re.IGNORECASE,
)


def failed_check(claim: str, evidence: str, known: str) -> str:
    """The name of the first check that a claim fails, or ''.

    `known` is the whole of what names may come from: passage, headings, question.
    """
    return next((name for name, fails in CHECKS.items() if fails(claim, known if name == "names" else evidence)), "")


def lacks_names(claim: str, known: str) -> bool:
    """Whether the claim names an option, file, address, code word, model or person that the text doesn't."""
    low = _flat(known)
    quoted = [next(filter(None, groups)) for groups in _QUOTED.findall(claim)]
    codes = [code.rstrip(".,:/") for code in _CODE_WORD.findall(claim) if not _ORDINAL.fullmatch(code)]
    if any(not _stands_in(name, low) for name in (*quoted, *codes)):
        return True
    names = _NAME.findall(claim)
    return len(names) <= len(claim.split()) / 3 and any(not _is_known(name.lower(), low) for name in names)


def _stands_in(name: str, low: str) -> bool:
    name = _flat(name).rstrip(".,;:!?()")
    if name in _EVERYDAY or name in UNITS or not name:
        return True
    singular = name.removesuffix("s") if len(name) > 3 else name
    edges = r"[\w-]" if name.startswith("-") else r"\w"
    if re.search(rf"(?<!{edges}){re.escape(singular)}(?:e?s)?(?!{edges})", low):
        return True
    return name.isalpha() and _initials_stand_in(name, low)


def _initials_stand_in(name: str, low: str) -> bool:
    """WAL, where the text says write-ahead log."""
    return name in "".join(word[0] for word in re.findall(r"[^\W\d_]+", low))


def _is_known(name: str, low: str) -> bool:
    """Whether the text has the name or a word formed like it: France, French."""
    return re.search(rf"\b{re.escape(name[:4])}", low) is not None


def is_opposite(claim: str, evidence: str) -> bool:
    """Whether the one sentence that says nearly the same says it with a "not" where the claim has none, or without."""
    words = content_stems(claim)
    best = max(split_sentences(evidence), key=lambda text: len(content_stems(text) & words), default="")
    if not words or len(content_stems(best) & words) / len(words) < SAME_SENTENCE:
        return False
    denied, denies = _denied(claim), _denied(best)
    if _HALF_NEGATION.search(claim) or _HALF_NEGATION.search(best):
        return False
    if denied and not _NEGATION.search(evidence):
        return denied <= content_stems(best)
    return bool(denies) and not _NEGATION.search(claim) and denies <= words


def _denied(text: str) -> set[str]:
    """For every negation the word that follows it."""
    return {stems for match in _NEGATION.finditer(text) if (stems := _first_stem(text[match.end() :]))}


def _first_stem(text: str) -> str:
    for word in re.findall(r"\w+", text)[:4]:
        if stems := content_stems(word):
            return next(iter(stems))
    return ""


def _flat(text: str) -> str:
    return " ".join(text.lower().replace("\u2019", "'").split())


CHECKS: dict[str, Callable[[str, str], bool]] = {
    "names": lacks_names,
    "numbers": misquotes,
    "negation": is_opposite,
    "edits": is_altered,
    "conditions": turns_condition,
}
