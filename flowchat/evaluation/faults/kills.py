"""SIGKILL at random moments."""

import asyncio
import random
from collections.abc import Sequence

from flowchat.evaluation.faults.machine import machine
from flowchat.evaluation.faults.outcome import Outcome, start_measures
from flowchat.evaluation.faults.works import WORKS
from flowchat.evaluation.report import Report

SEED = 20261124
LIFE_S = (0.02, 1.2)  # of a process, once it is ready


async def run(works: Sequence[str], kills: int) -> Report:
    """So many of each kind of work."""
    outcomes = [await _kill(name, kills) for name in works]
    measures = [measure for outcome in outcomes for measure in outcome.measures]
    starts = [start for outcome in outcomes for start in outcome.starts]
    return Report(
        f"Killed at {kills * len(works)} random moments",
        (*measures, *start_measures(starts)),
        tuple(note for outcome in outcomes for note in outcome.notes),
    )


async def _kill(name: str, kills: int) -> Outcome:
    chance = random.Random(f"{SEED} {name}")  # noqa: S311 (no secret)
    async with WORKS[name]() as (work, environ), machine(environ) as under:
        await work.prepare(under)
        outcome = Outcome(name, kills, work.tally, under.starts)
        under.starts.clear()
        for _ in range(kills):
            labour = asyncio.create_task(work.labour(under))
            await asyncio.sleep(chance.uniform(*LIFE_S))
            await under.kill()
            await labour
            if not await under.start():
                outcome.problems.append("it did not start again")
                return outcome
            outcome.problems += await under.problems()
            outcome.wrong.add(await work.compare(under))
        outcome.wrong.add(await work.finish(under))
        outcome.problems += await under.problems()
    return outcome
