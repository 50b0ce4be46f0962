"""Sentences, for every stage that needs them: chunking, evidence, and the sentence gate."""

import re
from functools import lru_cache

from sentencex import segment

_FENCED = re.compile(r"(```.*?(?:```|\Z))", re.DOTALL)
_BREAKS = re.compile(r"\n\s*\n|\n(?=[-|#>])")


@lru_cache(maxsize=4096)
def split_sentences(text: str, language: str = "en") -> tuple[str, ...]:
    """The sentences of a text, stripped, in order. A list item, a table row and a fenced listing are one each."""
    sentences: list[str] = []
    for part in _FENCED.split(text):
        if part.startswith("```"):
            sentences.append(part.strip())
            continue
        for paragraph in _BREAKS.split(part):
            sentences.extend(s.strip() for s in segment(language, paragraph) if s.strip())
    return tuple(sentences)
