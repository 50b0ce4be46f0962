"""An operator is told when the models are not made for what was crawled."""

from dataclasses import replace
from pathlib import Path

import pytest

from flowchat.domain import CrawlConfig, Source
from flowchat.services.source_warnings import warned
from flowchat.settings import Settings

SOURCE = Source("src_1", "ten_1", "docs", "Docs", None, "ready", "de", CrawlConfig(), "ver_1", 1, 1, None, "")
MULTILINGUAL = Settings(embedder="multilingual-e5-small-int8", reranker="mmarco-mMiniLMv2-L12-H384-v1-int8")


def told(settings: Settings, language: str) -> str:
    return " ".join(warning.message for warning in warned(settings, replace(SOURCE, language=language)).warnings)


def test_default_models_are_made_for_english() -> None:
    message = told(Settings(), "de")
    assert "not in English" in message and "'de'" in message
    assert all(name in message for name in (Settings().embedder, Settings().reranker, Settings().verifier))


@pytest.mark.parametrize("language", ["en", ""])
def test_nothing_is_said_of_english_or_unknown_pages(language: str) -> None:
    assert told(Settings(), language) == ""


def test_multilingual_models_switch_it_off() -> None:
    message = told(MULTILINGUAL, "de")
    assert "flowchat-verifier-2" in message and "multilingual" not in message.partition(" are made for")[0]
    # Quotes need no verifier.
    assert told(replace(MULTILINGUAL, generator="extractive"), "de") == ""


def test_models_of_another_language(tmp_path: Path) -> None:
    names = ("model.onnx", "tokenizer.json", "config.json")
    files = ", ".join(f'{{ name = "{name}", bytes = 1, sha256 = "{"0" * 64}" }}' for name in names)
    own = f'[mein-modell]\nrole = "verifier"\nlicence = "MIT"\nlanguage = "de"\nfiles = [{files}]'
    (tmp_path / "models.toml").write_text(own)
    settings = replace(MULTILINGUAL, verifier="mein-modell", models_dir=tmp_path)
    assert told(settings, "de") == ""
    assert "not in 'de'" in told(settings, "fr")
