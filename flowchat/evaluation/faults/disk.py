"""A disk that is full at random moments, and has room again."""

import asyncio
import errno
import os
import random
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from flowchat.errors import FlowChatError
from flowchat.evaluation.faults.machine import Machine, machine
from flowchat.evaluation.faults.outcome import Outcome
from flowchat.evaluation.faults.work import Work
from flowchat.evaluation.faults.works import WORKS
from flowchat.evaluation.report import Measure, Report

SEED = 20261124
DISK_BYTES = 128_000_000
BALLAST = "ballast"
PIECE_BYTES = 4096
IN_USE_BYTES = 2_000_000  # may be written by others meanwhile
MOST_PIECES_LEFT = 12
BEFORE_S, FULL_S = (0.05, 0.8), (0.2, 1.0)
AFTER_S = 0.3


async def run(works: Sequence[str], points: int) -> Report:
    """So many of each kind of work."""
    outcomes = [await _fill(name, points) for name in works]
    measures = []
    for outcome in outcomes:
        refused = outcome.tally.refused["disk_full"]
        measures += [*outcome.measures, Measure(f"{outcome.work}: refused with disk_full", refused)]
    notes = tuple(note for outcome in outcomes for note in outcome.notes)
    return Report(f"The disk full at {points * len(works)} random moments", tuple(measures), notes)


@cache
def can_mount() -> bool:
    """Whether this process may mount a file system."""
    with TemporaryDirectory() as folder, suppress(FlowChatError), _small_disk(Path(folder)):
        return True
    return False


@contextmanager
def _small_disk(folder: Path) -> Iterator[None]:
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        raise FlowChatError("no_mount", "This check needs leave to mount a small disk: run it as root.")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], capture_output=True, check=True)


async def _fill(name: str, points: int) -> Outcome:
    chance = random.Random(f"{SEED} {name}")  # noqa: S311 (no secret)
    with TemporaryDirectory() as folder, _small_disk(Path(folder)):
        async with WORKS[name]() as (work, environ), machine(environ, Path(folder)) as under:
            await work.prepare(under)
            outcome = Outcome(name, points, work.tally, [])
            for _ in range(points):
                await _full_and_free(under, work, Path(folder), chance)
                outcome.problems += await under.problems()
                outcome.wrong.add(await work.compare(under))
                if not under.is_up:
                    outcome.problems.append("it has ended")
                    await under.start()
            outcome.wrong.add(await work.finish(under))
            outcome.problems += await under.problems()
    return outcome


async def _full_and_free(under: Machine, work: Work, disk: Path, chance: random.Random) -> None:
    labour = asyncio.create_task(work.labour(under))
    await asyncio.sleep(chance.uniform(*BEFORE_S))
    _take_all(disk / BALLAST, PIECE_BYTES * chance.randint(0, MOST_PIECES_LEFT))
    await asyncio.sleep(chance.uniform(*FULL_S))
    (disk / BALLAST).unlink()
    await asyncio.sleep(AFTER_S)
    labour.cancel()
    with suppress(asyncio.CancelledError):
        await labour


def _take_all(ballast: Path, left_bytes: int) -> None:
    """Of the disk, but so much."""
    with ballast.open("wb", buffering=0) as file:
        free = os.statvfs(ballast.parent)
        os.posix_fallocate(file.fileno(), 0, max(PIECE_BYTES, free.f_bavail * free.f_frsize - IN_USE_BYTES))
        file.seek(0, os.SEEK_END)
        try:
            while True:
                file.write(bytes(PIECE_BYTES))
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
        file.truncate(file.tell() - left_bytes)
