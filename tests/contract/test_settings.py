"""The README documents every setting; values out of their limits are refused."""

from pathlib import Path

import pytest

from flowchat import settings
from flowchat.errors import FlowChatError

README = Path(__file__).resolve().parent.parent.parent / "README.md"


@pytest.mark.parametrize("variable", [row.variable for row in settings.describe(settings.Settings())])
def test_setting_is_documented(variable: str) -> None:
    assert f"`{variable}`" in README.read_text(encoding="utf-8")


def test_every_setting_has_a_help_text() -> None:
    assert all(row.help.endswith(".") for row in settings.describe(settings.Settings()))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "65536"),
        ("PORT", "-1"),
        ("PARALLEL_ANSWERS", "0"),
        ("CRAWL_WORKERS", "-1"),
        ("LEAD_QUOTES", "4"),
        ("REFUSE_BELOW", "1.1"),
        ("VERIFY_THRESHOLD", "nan"),
        ("ANSWER_TIMEOUT_S", "0"),
        ("CRAWL_TIMEOUT_S", "inf"),
    ],
)
def test_values_out_of_their_limits(name: str, value: str) -> None:
    with pytest.raises(FlowChatError, match=f"FLOWCHAT_{name} must be") as caught:
        settings.load({f"FLOWCHAT_{name}": value})
    assert caught.value.code == "bad_setting"


def test_empty_variables_are_absent_ones() -> None:
    names = [row.variable for row in settings.describe(settings.Settings())]
    assert settings.load(dict.fromkeys(names, " ")) == settings.Settings()
    assert settings.load({"FLOWCHAT_HF_ENDPOINT": "", "HF_ENDPOINT": "https://hub"}).hf_endpoint == "https://hub"


def test_the_folder_of_the_models_is_shown() -> None:
    rows = {row.variable: row for row in settings.describe(settings.load({"FLOWCHAT_DATA_DIR": "/srv/chat"}))}
    row = rows["FLOWCHAT_MODELS_DIR"]
    assert (row.value, row.default) == ("/srv/chat/models", "data/models")
