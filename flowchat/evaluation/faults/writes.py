"""Killed at the Nth write, or at the Nth sync, of the database."""

import asyncio
import random
from collections.abc import Sequence

from flowchat.evaluation.faults import tracing
from flowchat.evaluation.faults.machine import Machine, machine
from flowchat.evaluation.faults.outcome import Outcome
from flowchat.evaluation.faults.work import Work
from flowchat.evaluation.faults.works import WORKS
from flowchat.evaluation.report import Measure, Report

SEED = 20261124
FIRST = 4  # of the writes and of the syncs of a process, each; further ones are drawn
LAST = {"pwrite64": 500, "fsync": 30}
AT_START = 2  # the first writes of all are made while it starts; the others are counted from when it is ready
LONGEST_S = 6.0  # that a process works


async def run(works: Sequence[str], points: int) -> Report:
    """So many of each kind of work."""
    tracing.require()
    measures, notes, starts = [], [], []
    for name in works:
        outcome, reached = await _sweep(name, points)
        measures += [*outcome.measures, Measure(f"{name}: killed in the middle of a write", reached)]
        notes += outcome.notes
        starts += outcome.starts
    return Report(f"Killed at the Nth write, {points * len(works)} times", tuple(measures), tuple(notes))


def points_of(name: str, number: int) -> list[tuple[str, int]]:
    """(system call, N)."""
    chance = random.Random(f"{SEED} {name}")  # noqa: S311 (no secret)
    first = [(call, at) for at in range(1, FIRST + 1) for call in LAST]
    drawn = [(call, round(LAST[call] ** chance.random())) for call in LAST for _ in range(number)]
    return chance.sample([*first, *drawn], number)


async def _sweep(name: str, number: int) -> tuple[Outcome, int]:
    """With how many were killed by the tracer."""
    reached = 0
    async with WORKS[name]() as (work, environ), machine(environ) as under:
        await work.prepare(under)
        outcome = Outcome(name, number, work.tally, under.starts)
        for call, at in points_of(name, number):
            await under.kill()
            reached += await _cut(under, work, call, at)
            if not await under.start():
                outcome.problems.append(f"it did not start again after {call} {at}: {under.log.read_text()[-300:]}")
                return outcome, reached
            outcome.problems += await under.problems()
            outcome.wrong.add(await work.compare(under))
        outcome.wrong.add(await work.finish(under))
        outcome.problems += await under.problems()
    return outcome, reached


async def _cut(under: Machine, work: Work, call: str, at: int) -> bool:
    """Whether it came so far before its time was over."""
    tracer = tracing.kill_at(under.folder, call, at)
    if at <= AT_START:
        if not await under.start(*tracer):
            return True
    else:
        await under.start()
        await under.traced(*tracer)
    labour = asyncio.create_task(work.labour(under))
    done, _ = await asyncio.wait({labour}, timeout=LONGEST_S)
    await under.kill()
    await labour
    return bool(done)
