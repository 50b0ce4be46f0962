"""FlowChat's own texts, by locale."""

import tomllib
from functools import cache
from importlib.resources import files


def phrase(name: str, locale: str) -> str:
    """A text in the locale's language, or else in English."""
    texts = _texts()
    return texts.get(locale.lower().partition("-")[0], texts["en"]).get(name, texts["en"][name])


@cache
def _texts() -> dict[str, dict[str, str]]:
    return tomllib.loads((files("flowchat") / "assets" / "locales.toml").read_text(encoding="utf-8"))
