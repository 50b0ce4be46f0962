"""What a check is given, and what it finds."""

import ctypes
import os
import platform
import resource
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from flowchat.settings import Settings
from flowchat.store.database import SQLITE_VERSION

State = Literal["ok", "warning", "problem"]
_TIME_ERROR = 5  # adjtimex(2): the clock is not synchronised


@dataclass(frozen=True, slots=True)
class Finding:
    """`told` is what is so, `todo` what to do about it."""

    state: State
    told: str
    todo: str = ""


def ok(told: str) -> Finding:
    return Finding("ok", told)


def warning(told: str, todo: str) -> Finding:
    return Finding("warning", told, todo)


def problem(told: str, todo: str) -> Finding:
    return Finding("problem", told, todo)


@dataclass(frozen=True, slots=True)
class Machine:
    """What a machine is, as this process sees it. `is_clock_synchronised` is None where it can't be told."""

    python: str
    sqlite: str
    architecture: str
    cores: int
    cpu_flags: frozenset[str]
    memory_bytes: int
    open_files: int
    is_clock_synchronised: bool | None
    mounts: tuple[tuple[str, str], ...]  # (folder, kind of file system)

    @classmethod
    def here(cls) -> "Machine":
        return cls(
            python=platform.python_version(),
            sqlite=SQLITE_VERSION,
            architecture=platform.machine(),
            cores=len(os.sched_getaffinity(0)),
            cpu_flags=_cpu_flags(),
            memory_bytes=_memory_bytes(),
            open_files=resource.getrlimit(resource.RLIMIT_NOFILE)[1],
            is_clock_synchronised=_is_clock_synchronised(),
            mounts=_mounts(),
        )


@dataclass(frozen=True, slots=True)
class Facts:
    """`holder`: process and address ('' if it does not serve) of whoever holds the data folder, if anybody does."""

    settings: Settings
    holder: tuple[int, str] | None
    environ: Mapping[str, str]
    machine: Machine = field(default_factory=Machine.here)

    @property
    def is_running(self) -> bool:
        return self.holder is not None and self.holder[1] != ""


def megabytes(size: float) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _cpu_flags() -> frozenset[str]:
    line = next((line for line in _read("/proc/cpuinfo").splitlines() if line.startswith("flags")), "")
    return frozenset(line.partition(":")[2].split())


def _memory_bytes() -> int:
    """The machine's, or what a container may have of it."""
    installed = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = _read("/sys/fs/cgroup/memory.max").strip()
    return min(installed, int(limit)) if limit.isdecimal() else installed


def _is_clock_synchronised() -> bool | None:
    """As the kernel knows it; reading that needs no right."""
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(512))
    except (OSError, AttributeError):
        return None
    return None if state < 0 else state != _TIME_ERROR


def _mounts() -> tuple[tuple[str, str], ...]:
    fields = [line.split() for line in _read("/proc/self/mounts").splitlines()]
    return tuple((field[1].replace("\\040", " "), field[2]) for field in fields if len(field) > 2)
