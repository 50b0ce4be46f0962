"""Leaks: does a text repeat another one that must not be told?"""

import re

SHINGLE_WORDS = 6  # in a row that betray a text

_WORD = re.compile(r"\w+")


def repeats(text: str, secret: str) -> bool:
    """Whether the text has SHINGLE_WORDS words in a row of the secret, whatever their case and punctuation."""
    return not _shingles(text).isdisjoint(_shingles(secret))


def _shingles(text: str) -> set[tuple[str, ...]]:
    words = _WORD.findall(text.lower())
    return {tuple(words[start : start + SHINGLE_WORDS]) for start in range(len(words) - SHINGLE_WORDS + 1)}
