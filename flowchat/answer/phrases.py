"""FlowChat's own texts, by locale."""

import tomllib
from functools import cache
from importlib.resources import files


def phrase(name: str, locale: str) -> str:
    """A text in the locale's language, or else in English."""
    texts = _texts()
    return texts[_language(locale) or "en"][name]


def language_name(locale: str) -> str:
    """What English calls the locale's language, as a generator is told it; '' for one that FlowChat has no texts in."""
    return _texts()[found]["name"] if (found := _language(locale)) else ""


def _language(locale: str) -> str | None:
    """The key of the texts that suit a locale best: zh-Hant-TW has zh-hant, de-AT has de."""
    parts = locale.lower().split("-")
    tags = ("-".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((known for tag in tags if (known := _ALIASES.get(tag, tag)) in _texts()), None)


_ALIASES = {"no": "nb", "nn": "nb", "iw": "he", "in": "id", "zh-tw": "zh-hant", "zh-hk": "zh-hant", "zh-mo": "zh-hant"}


@cache
def _texts() -> dict[str, dict[str, str]]:
    return tomllib.loads((files("flowchat") / "assets" / "locales.toml").read_text(encoding="utf-8"))
