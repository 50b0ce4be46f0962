"""What `flowchat serve` and `flowchat ask` do about models that cannot be fetched."""

from pathlib import Path

import pytest

from flowchat.cli.models import pull_missing
from flowchat.engines.registry import ModelSpec, find_model
from flowchat.errors import ModelError
from flowchat.services.models import needed
from flowchat.settings import Settings


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Nothing can be fetched."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    return Settings(models_dir=tmp_path, hf_endpoint="http://127.0.0.1:1", generator="smollm2-135m-instruct-q4_1")


def pretend_installed(spec: ModelSpec, models: Path) -> None:
    """Files of the right size, which is all that is looked at before a model is loaded."""
    (models / spec.name).mkdir()
    for file in spec.files:
        with (models / spec.name / file.name).open("wb") as opened:
            opened.truncate(file.bytes)


def test_a_generator_is_done_without(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    for spec in needed(settings):
        if spec.role != "generator" and not spec.bundled:
            pretend_installed(spec, settings.models_dir)
    pull_missing(settings)
    told = capsys.readouterr().err
    assert "flowchat models pull smollm2-135m-instruct-q4_1" in told
    assert "Until then, answers only quote." in told


@pytest.mark.parametrize("role", ["embedder", "reranker"])
def test_the_other_models_are_not(settings: Settings, role: str) -> None:
    for spec in needed(settings):
        if spec.role != role and not spec.bundled:
            pretend_installed(spec, settings.models_dir)
    with pytest.raises(ModelError, match=f"flowchat models pull {getattr(settings, role)}"):
        pull_missing(settings)


def test_needed_models_may_be_the_operators_own(settings: Settings) -> None:
    files = f'files = [{{ name = "model.gguf", bytes = 1, sha256 = "{0:064}" }}]'
    own = f'[mine]\nrole = "generator"\nlicence = "MIT"\n{files}'
    (settings.models_dir / "models.toml").write_text(own)
    mine = Settings(models_dir=settings.models_dir, generator="mine")
    assert needed(mine)[-1] == find_model("mine", models_path=settings.models_dir)
