"""The widget's texts: each language has all of them, with the same values to fill in."""

import json
import re
from pathlib import Path

import pytest

WIDGET = Path(__file__).resolve().parents[2] / "widget"
LOCALES = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in (WIDGET / "locales").glob("*.json")}
PLACEHOLDER = re.compile(r"\{\w+\}")


def test_the_script_knows_every_language() -> None:
    named = re.search(r"LANGUAGES = \[(.*)\]", (WIDGET / "texts.js").read_text(encoding="utf-8"))
    assert named and re.findall(r'"(\w+)"', named[1]) == sorted(LOCALES)


@pytest.mark.parametrize("language", sorted(LOCALES))
def test_a_language_has_every_text(language: str) -> None:
    english, texts = LOCALES["en"], LOCALES[language]
    assert list(texts) == list(english)
    for name, text in texts.items():
        assert sorted(PLACEHOLDER.findall(text)) == sorted(PLACEHOLDER.findall(english[name])), name
        assert text.strip() == text != "", name
