"""The models FlowChat knows, and whether they are on this machine: complete and verified, or not at all.

A model is a folder of that name below the models folder. Beside FlowChat's own table of models, an operator may keep
one of the same form, `models.toml` in the models folder.
"""

import hashlib
import json
import re
import tomllib
from contextlib import suppress
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any, Literal

import msgspec

from flowchat.engines.downloads import CarrierWheel, HubSource
from flowchat.errors import ModelError

Role = Literal["embedder", "reranker", "generator", "verifier"]
Pooling = Literal["cls", "mean"]

TABLE = Path(__file__).with_name("models.toml")
OWN_TABLE = "models.toml"  # in the models folder
ASSETS = Path(__file__).parents[1] / "assets"
VERIFIED_MARK = ".verified.json"


@dataclass(frozen=True, slots=True)
class ModelFile:
    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One model. A bundled one ships with FlowChat in `assets/ROLE`; one without a source is put there by hand.

    `dims`, `pooling` and the prefixes are an embedder's: the length of its vectors, how it makes one of those of its
    tokens, and what it wants before a question and a passage. `language` is the only one it is made for; '' for any.
    """

    name: str
    role: Role
    licence: str
    files: tuple[ModelFile, ...]
    huggingface: HubSource | None = None
    pypi: tuple[CarrierWheel, ...] = ()
    bundled: bool = False
    dims: int = 0
    pooling: Pooling = "cls"
    query_prefix: str = ""
    passage_prefix: str = ""
    language: str = ""

    @property
    def bytes(self) -> int:
        return sum(file.bytes for file in self.files)


_FILES: dict[Role, set[str]] = {
    "embedder": {"model.onnx", "tokenizer.json", "tokenizer_config.json"},
    "reranker": {"model.onnx", "tokenizer.json", "tokenizer_config.json"},
    "verifier": {"model.onnx", "tokenizer.json", "config.json"},
    "generator": {"model.gguf"},
}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@cache
def load_registry(models_path: Path | None = None) -> dict[str, ModelSpec]:
    """Every known model by its name; with a models folder, those of the operator's own table too.

    Raises ModelError `bad_model_table` that says what is wrong with that.
    """
    known = _read_table(TABLE)
    own_path = models_path / OWN_TABLE if models_path else None
    if own_path is None:
        return known
    try:
        own = _read_table(own_path) if own_path.exists() else {}
        for spec in own.values():
            _check_own(spec, known)
    except OSError as error:
        raise ModelError("bad_model_table", f"{own_path} cannot be read: {error.strerror}.") from None
    except (ValueError, msgspec.ValidationError) as error:
        raise ModelError("bad_model_table", f"{own_path}: {error}") from None
    return known | own


def _read_table(path: Path) -> dict[str, ModelSpec]:
    """Raises ValueError (of which TOML's errors are) and msgspec.ValidationError."""
    table: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    options = {f.name for f in fields(ModelSpec)} - {"name"}
    for name, entry in table.items():
        if not isinstance(entry, dict):
            raise ValueError(f"'{name}' stands outside of a model: begin each with a line such as [name-of-model]")
        if unknown := entry.keys() - options:
            raise ValueError(f"[{name}] has no option '{min(unknown)}'; there are {', '.join(sorted(options))}")
    specs = {}
    for name, entry in table.items():
        try:
            specs[name] = msgspec.convert({"name": name, **entry}, ModelSpec)
        except msgspec.ValidationError as error:
            raise ValueError(f"[{name}] {error}") from None
    return specs


def _check_own(spec: ModelSpec, known: dict[str, ModelSpec]) -> None:
    """Raises ValueError for what the types let pass."""
    names = {file.name for file in spec.files}
    sources = [spec.huggingface.paths] if spec.huggingface else []
    carried = {name for carrier in spec.pypi for name in carrier.members}
    wrong = {
        "is the name of a model that FlowChat brings: choose another": spec.name in known,
        "must be named with letters, digits, '.', '_' and '-'": _NAME.fullmatch(spec.name) is None,
        "cannot be bundled: remove that line": spec.bundled,
        f"is no {spec.role} without the files {', '.join(sorted(_FILES[spec.role]))}": not _FILES[spec.role] <= names,
        "has a file whose name is a path": any(Path(name).name != name for name in names),
        "needs the sha256 of each file as 64 digits (0-9, a-f)": not all(map(_SHA256.fullmatch, _hashes(spec))),
        "needs the size of each file in bytes": any(file.bytes <= 0 for file in spec.files),
        "needs 'dims', the length of its vectors": spec.role == "embedder" and spec.dims <= 0,
        "needs a path for each file in its source": any(set(paths) != names for paths in sources)
        or (bool(spec.pypi) and carried != names),
    }
    for problem, is_so in wrong.items():
        if is_so:
            raise ValueError(f"[{spec.name}] {problem}")


def _hashes(spec: ModelSpec) -> list[str]:
    return [file.sha256 for file in spec.files]


def find_model(name: str, role: Role | None = None, models_path: Path | None = None) -> ModelSpec:
    """The model of that name (and role), in the operator's own table too if the models folder is given.

    Raises ModelError `unknown_model`, naming those there are, or `bad_model_table`.
    """
    known = {spec.name: spec for spec in load_registry(models_path).values() if role in (None, spec.role)}
    if name not in known:
        kind = role or "model"
        raise ModelError("unknown_model", f"No {kind} is called '{name}'. There are: {', '.join(sorted(known))}.")
    return known[name]


def installed(spec: ModelSpec, models_path: Path) -> Path | None:
    """The model's folder if all its files are there with the right size, else None. Reads no content."""
    folder = _folder(spec, models_path)
    for file in spec.files:
        path = folder / file.name
        if not path.is_file() or path.stat().st_size != file.bytes:
            return None
    return folder


def _folder(spec: ModelSpec, models_path: Path) -> Path:
    return ASSETS / spec.role if spec.bundled else models_path / spec.name


def verify(spec: ModelSpec, models_path: Path) -> Path:
    """Check every byte of an installed model. Raises ModelError `model_missing` or `model_hash_mismatch`."""
    folder = installed(spec, models_path)
    if folder is None:
        where = _folder(spec, models_path)
        message = f"The {spec.role} '{spec.name}' is missing or incomplete in {where}. {pull_hint(spec)}"
        raise ModelError("model_missing", message)
    if wrong := difference(spec, folder):
        raise ModelError("model_hash_mismatch", f"{wrong} {pull_hint(spec)}")
    return folder


def pull_hint(spec: ModelSpec) -> str:
    """What to do about a model that is missing or damaged."""
    if spec.bundled:
        return "It ships with FlowChat: install FlowChat again."
    if not spec.huggingface and not spec.pypi:
        return "It has no source: put its files there yourself."
    return f"Run `flowchat models pull {spec.name}`."


def difference(spec: ModelSpec, folder: Path) -> str | None:
    """What is wrong with the files in `folder`, or None."""
    for file in spec.files:
        with (folder / file.name).open("rb") as opened:
            found = hashlib.file_digest(opened, "sha256").hexdigest()
        if found != file.sha256:
            return f"{file.name} of '{spec.name}' is damaged or forged: its SHA-256 is {found}, not {file.sha256}."
    return None


def require(spec: ModelSpec, models_path: Path) -> Path:
    """The folder of a model that may be loaded; hashed again only if a file changed since it was last verified.

    Raises ModelError `model_missing` or `model_hash_mismatch`.
    """
    folder = installed(spec, models_path)
    if folder is not None and not spec.bundled and _read_mark(folder) == _mark(spec, folder):
        return folder
    folder = verify(spec, models_path)
    if not spec.bundled:
        with suppress(OSError):  # in a folder that can't be written to, it is hashed each time
            (folder / VERIFIED_MARK).write_text(json.dumps(_mark(spec, folder)))
    return folder


def _mark(spec: ModelSpec, folder: Path) -> dict[str, list[int]]:
    stats = {file.name: (folder / file.name).stat() for file in spec.files}
    return {name: [stat.st_size, stat.st_mtime_ns] for name, stat in stats.items()}


def _read_mark(folder: Path) -> object:
    try:
        return json.loads((folder / VERIFIED_MARK).read_text())
    except (OSError, ValueError):
        return None
