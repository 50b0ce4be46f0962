"""The tables of `words.toml`."""

import re
import tomllib
from pathlib import Path

_TABLES: dict[str, str] = tomllib.loads(Path(__file__).with_name("words.toml").read_text(encoding="utf-8"))


def entries(table: str) -> list[list[str]]:
    """A table's entries, each with its members."""
    return [entry.split("/") for line in _TABLES[table].strip().splitlines() for entry in line.split("; ")]


class Words:
    """Words that stand alone in a text: neither within a word or a name nor quoted."""

    def __init__(self, words: str) -> None:
        self.words = words
        self._alone = re.compile(rf"(?<![\w./\"'\u201c\u2018-]){re.escape(words)}(?![\w/\"'\u2019\u201d-]|\.\w|\()")

    def are_in(self, text: str) -> bool:
        return self.words in text and bool(self._alone.search(text))

    def replaced(self, text: str, new: str) -> str:
        """The text with the first of these words replaced."""
        return self._alone.sub(lambda _: new, text, count=1)
