"""FlowChat's own texts, by locale."""

import pytest

from flowchat.answer.phrases import language_name, phrase


@pytest.mark.parametrize(
    ("locale", "name", "begins"),
    [
        ("en", "English", "I could"),
        ("de-AT", "German", "Dazu"),
        ("pt-BR", "Portuguese", "Não"),
        ("DE", "German", "Dazu"),
        ("no-NO", "Norwegian", "Jeg fant"),
        ("nn", "Norwegian", "Jeg fant"),
        ("zh-CN", "Chinese", "我没有"),
        ("zh-Hans-CN", "Chinese", "我没有"),
        ("zh-TW", "Traditional Chinese", "我沒有"),
        ("zh-Hant-HK", "Traditional Chinese", "我沒有"),
    ],
)
def test_texts_suit_the_locale(locale: str, name: str, begins: str) -> None:
    assert language_name(locale) == name
    assert phrase("refusal", locale).startswith(begins)


@pytest.mark.parametrize("locale", ["", "tlh", "x-y", "deu"])
def test_english_stands_in(locale: str) -> None:
    assert phrase("refusal", locale) == phrase("refusal", "en")
    assert language_name(locale) == ""
