"""Sentences, for every stage that needs them: chunking, evidence, and the sentence gate."""

import re
from functools import lru_cache

from sentencex import segment

_BREAKS = re.compile(r"\n\s*\n|\n(?=[-|#>]|```)")


@lru_cache(maxsize=4096)
def split_sentences(text: str, language: str = "en") -> tuple[str, ...]:
    """The sentences of a text, stripped, in order. Paragraphs, list items and table rows end a sentence too."""
    sentences: list[str] = []
    for part in _BREAKS.split(text):
        sentences.extend(s.strip() for s in segment(language, part) if s.strip())
    return tuple(sentences)
