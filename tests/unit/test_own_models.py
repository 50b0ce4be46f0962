"""An operator's own table of models, beside FlowChat's."""

import hashlib
import re
from pathlib import Path

import pytest

from flowchat.engines.pulling import pull
from flowchat.engines.registry import find_model, installed, load_registry, require
from flowchat.errors import ModelError

CONTENT = b"weights"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
GENERATOR = f"""
[my-model]
role = "generator"
licence = "MIT"
files = [{{ name = "model.gguf", bytes = {len(CONTENT)}, sha256 = "{SHA256}" }}]
"""


def write_table(models: Path, table: str) -> Path:
    (models / "models.toml").write_text(table)
    return models


def refused(models: Path, table: str) -> str:
    with pytest.raises(ModelError) as caught:
        load_registry(write_table(models, table))
    assert caught.value.code == "bad_model_table"
    assert str(models / "models.toml") in caught.value.message
    return caught.value.message


def test_own_models_stand_beside_those_of_flowchat(tmp_path: Path) -> None:
    table = GENERATOR + 'huggingface = { repo = "org/m", revision = "abc", paths = { "model.gguf" = "m.gguf" } }'
    spec = find_model("my-model", "generator", write_table(tmp_path, table))
    assert spec.huggingface is not None and spec.huggingface.revision == "abc"
    assert load_registry(tmp_path).keys() == load_registry().keys() | {"my-model"}


def test_a_models_folder_needs_no_table(tmp_path: Path) -> None:
    assert load_registry(tmp_path / "missing") == load_registry()


def test_files_may_be_put_there_by_hand(tmp_path: Path) -> None:
    spec = find_model("my-model", "generator", write_table(tmp_path, GENERATOR))
    with pytest.raises(ModelError, match="no source: put its files there yourself") as caught:
        pull(spec, tmp_path, "http://127.0.0.1:1", lambda *_: None)
    assert caught.value.code == "model_missing"
    (tmp_path / "my-model").mkdir()
    (tmp_path / "my-model" / "model.gguf").write_bytes(CONTENT)
    assert pull(spec, tmp_path, "http://127.0.0.1:1", lambda *_: None) == installed(spec, tmp_path)
    (tmp_path / "my-model" / "model.gguf").write_bytes(CONTENT[::-1])
    with pytest.raises(ModelError, match="damaged or forged"):
        require(spec, tmp_path)


def test_a_table_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "models.toml").mkdir()
    with pytest.raises(ModelError, match=r"models\.toml cannot be read: Is a directory") as caught:
        load_registry(tmp_path)
    assert caught.value.code == "bad_model_table"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("[my-model]", "[my-model"), "line 2"),
        (("[my-model]", ""), "begin each with a line such as"),
        (("[my-model]", "[flowchat-verifier-2]"), "choose another"),
        (("[my-model]", '["../my-model"]'), "must be named with"),
        (("licence", "license"), "no option 'license'; there are bundled, dims"),
        (("generator", "painter"), r"\[my-model\] Invalid enum value 'painter'"),
        (('licence = "MIT"', ""), r"\[my-model\] Object missing required field `licence`"),
        (("generator", "reranker"), "no reranker without the files model.onnx, tokenizer.json, tokenizer_config.json"),
        ((f'"{SHA256}"', f'"{SHA256[:-1]}"'), "sha256 of each file"),
        (('licence = "MIT"', 'licence = "MIT"\nbundled = true'), "cannot be bundled"),
        (("bytes = 7", "bytes = 0"), "size of each file"),
        (
            ('licence = "MIT"', 'licence = "MIT"\nhuggingface = { repo = "org/m", paths = { "other" = "m" } }'),
            "path for each file",
        ),
        (("files = [", 'files = [{ name = "../x", bytes = 1, sha256 = "00" }, '), "file whose name is a path"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, change: tuple[str, str], says: str) -> None:
    assert re.search(says, refused(tmp_path, GENERATOR.replace(*change)))


def test_an_embedder_needs_dims(tmp_path: Path) -> None:
    names = ("model.onnx", "tokenizer.json", "tokenizer_config.json")
    files = ", ".join(f'{{ name = "{name}", bytes = 7, sha256 = "{SHA256}" }}' for name in names)
    assert "needs 'dims'" in refused(tmp_path, f'[e]\nrole = "embedder"\nlicence = "MIT"\nfiles = [{files}]')
