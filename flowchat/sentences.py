"""Sentences, for every stage that needs them: chunking, evidence, and the sentence gate."""

import re
from functools import lru_cache

from sentencex import segment

_FENCED = re.compile(r"(```.*?(?:```|\Z))", re.DOTALL)
_BREAKS = re.compile(r"\n\s*\n|\n(?=[-|#>]|\d{1,3}[.)] )")


@lru_cache(maxsize=4096)
def split_sentences(text: str, language: str = "en") -> tuple[str, ...]:
    """The sentences of a text, stripped, in order. A list item, a table row and a fenced listing are one each."""
    sentences: list[str] = []
    for block in split_blocks(text):
        if block.startswith("```"):
            sentences.append(block)
        else:
            sentences.extend(s.strip() for s in segment(language, block) if s.strip())
    return tuple(sentences)


def split_blocks(text: str) -> list[str]:
    """Its paragraphs, list items, table rows and fenced listings, stripped, in order."""
    blocks: list[str] = []
    for part in _FENCED.split(text):
        blocks.extend([part] if part.startswith("```") else _BREAKS.split(part))
    return [block.strip() for block in blocks if block.strip()]
