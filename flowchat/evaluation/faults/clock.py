"""A clock that jumps by two days, there and back, while the appliance works and between its lives.

Debian's libfaketime tells it the time; what measures durations is left alone, as the kernel leaves it.
"""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from flowchat.errors import FlowChatError
from flowchat.evaluation.faults.machine import Machine, machine
from flowchat.evaluation.faults.outcome import Outcome
from flowchat.evaluation.faults.work import Work
from flowchat.evaluation.faults.works import WORKS
from flowchat.evaluation.report import Measure, Report

# Without `billing`, whose fake of Stripe and whose process would have to jump together.
JUMPING = ("crawl", "index", "chat", "webhook")
DAYS = (2, 0, -2, 0)
WORKED_S = 1.5
STUCK_S = 180.0


async def run(works: Sequence[str], rounds: int) -> Report:
    """So many times there and back, both ways, for each kind of work."""
    require()
    measures: list[Measure] = []
    notes: list[str] = []
    for name in works:
        if name in JUMPING:
            outcome, ended_s = await _jump(name, rounds)
            ended = Measure(f"{name}: s until all was done", ended_s, f"< {STUCK_S:g}", ended_s < STUCK_S)
            measures += [*outcome.measures, ended]
            notes += outcome.notes
    return Report(f"The clock jumps by two days, {len(DAYS) * rounds} times for each", tuple(measures), tuple(notes))


def library() -> Path | None:
    """Debian's libfaketime, where it is installed."""
    return next(iter(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")), None)


def require() -> None:
    if library() is None:
        raise FlowChatError("no_faketime", "This check needs libfaketime: apt-get install faketime.")


async def _jump(name: str, rounds: int) -> tuple[Outcome, float]:
    with TemporaryDirectory() as folder:
        async with WORKS[name]() as (work, environ), machine(environ) as under:
            await work.prepare(under)
            await under.kill()
            told = Path(folder) / "clock"
            _tell(told, 0)
            under.environ |= {
                "LD_PRELOAD": str(library()),
                "FAKETIME_TIMESTAMP_FILE": str(told),
                "FAKETIME_CACHE_DURATION": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            }
            await under.start()
            outcome = Outcome(name, rounds * len(DAYS), work.tally, [])
            for number in range(rounds):
                for days in DAYS:
                    await _work_on(under, work, told, days, is_restarted=bool(number % 2))
                    outcome.problems += await under.problems()
                    outcome.wrong.add(await work.compare(under))
            began = time.monotonic()
            try:
                async with asyncio.timeout(STUCK_S):
                    outcome.wrong.add(await work.finish(under))
            except TimeoutError:
                outcome.problems.append("what was begun does not end")
            return outcome, time.monotonic() - began


async def _work_on(under: Machine, work: Work, told: Path, days: int, *, is_restarted: bool) -> None:
    """Through one jump: while it runs, or while it is down."""
    labour = asyncio.create_task(work.labour(under))
    await asyncio.sleep(WORKED_S)
    if is_restarted:
        await under.kill()
        await labour
        _tell(told, days)
        await under.start()
        labour = asyncio.create_task(work.labour(under))
    else:
        _tell(told, days)
    await asyncio.sleep(WORKED_S)
    labour.cancel()
    await asyncio.gather(labour, return_exceptions=True)


def _tell(told: Path, days: int) -> None:
    told.write_text(f"{days:+}d" if days else "+0")
