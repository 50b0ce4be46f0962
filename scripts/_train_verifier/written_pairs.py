"""Claims about passages of documentation, written by hand: `written.txt`.

`P` is a passage, `L` the project whose documentation it is from; `T` follows from it and `F` does not.
"""

from collections.abc import Iterator
from pathlib import Path

_FILE = Path(__file__).with_name("written.txt")
_LABELS = {"T": "entailment", "F": "not_entailment"}


def written_claims() -> Iterator[tuple[str, str, str, str, str]]:
    """Premise, claim, label, source, licence, those of a passage side by side."""
    premise = licence = ""
    for line in _FILE.read_text(encoding="utf-8").splitlines():
        kind, _, text = line.partition(" ")
        if kind == "P":
            premise = text
        elif kind == "L":
            licence = text
        elif kind in _LABELS:
            yield premise, text, _LABELS[kind], f"written_{_LABELS[kind]}", licence
