"""Fixtures that any test may use, and what is skipped where something outside the project is missing."""

import os
import shutil
from pathlib import Path

import hypothesis
import pytest

from flowchat import settings

ROOT = Path(__file__).resolve().parent.parent

# Nothing is timed, and nothing is left behind; what was found stands in the test's output.
hypothesis.settings.register_profile("flowchat", deadline=None, database=None)
hypothesis.settings.load_profile("flowchat")


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("models") and (reason := _why_no_models()):
        pytest.skip(reason)
    if item.get_closest_marker("browser") and not shutil.which("chromium"):
        pytest.skip("no chromium on PATH: apt-get install chromium")


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of corpora that are not part of the project."""
    folder = (ROOT / os.environ.get("FLOWCHAT_TEST_DATA", "../shared/corpora")).resolve()
    if not folder.is_dir():
        pytest.skip(f"no test data at {folder}: FLOWCHAT_TEST_DATA names its folder")
    return folder


@pytest.fixture(scope="session")
def models_dir() -> Path:
    """The folder of the default models; for tests marked `models`."""
    if reason := _why_no_models():
        pytest.skip(reason)
    return _models_path()


def _why_no_models() -> str:
    """'' where the default models are."""
    if told := os.environ.get("FLOWCHAT_TEST_NO_MODELS"):
        return f"no default models: {told}"
    folder = _models_path()
    return "" if folder.is_dir() and any(folder.iterdir()) else f"no default models at {folder}: flowchat models pull"


def _models_path() -> Path:
    return (ROOT / settings.load().models_path).resolve()
