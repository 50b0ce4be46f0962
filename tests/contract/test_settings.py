"""The README documents every setting."""

from pathlib import Path

import pytest

from flowchat import settings

README = Path(__file__).resolve().parent.parent.parent / "README.md"


@pytest.mark.parametrize("variable", [row.variable for row in settings.describe(settings.Settings())])
def test_setting_is_documented(variable: str) -> None:
    assert f"`{variable}`" in README.read_text(encoding="utf-8")


def test_every_setting_has_a_help_text() -> None:
    assert all(row.help.endswith(".") for row in settings.describe(settings.Settings()))
