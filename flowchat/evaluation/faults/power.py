"""The power fails at random moments: of what was not synced by then, the disk has whatever chance decides."""

import asyncio
import random
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from flowchat.evaluation.faults import tracing, writing
from flowchat.evaluation.faults.machine import Machine, unstarted
from flowchat.evaluation.faults.outcome import Outcome
from flowchat.evaluation.faults.platter import Platter
from flowchat.evaluation.faults.work import Tally, Work, Wrong
from flowchat.evaluation.faults.works import WORKS
from flowchat.evaluation.report import Measure, Report
from flowchat.services.check import check
from flowchat.services.revocations import LOG_FILE
from flowchat.services.vault import SECRET_FILE
from flowchat.store import present
from flowchat.store.database import Database, open_database
from flowchat.store.migrate import migrate

SEED = 20261124
WORKED_S = 3.0
PREPARED_FIRST = ("billing",)  # is prepared beside the process, by writes that nobody records


async def run(works: Sequence[str], cuts: int) -> Report:
    """So many for each kind of work."""
    tracing.require()
    measures: list[Measure] = []
    notes: list[str] = []
    for name in works:
        outcome, deeds, promised = await _lose_power(name, cuts)
        measures += [
            *outcome.measures,
            Measure(f"{name}: calls recorded", deeds),
            Measure(f"{name}: promises looked up", promised, "some", promised > 0),
        ]
        notes += outcome.notes
    return Report(f"The power fails at {cuts * len(works)} random moments", tuple(measures), tuple(notes))


async def _lose_power(name: str, cuts: int) -> tuple[Outcome, int, int]:
    """With how many calls were recorded, and how many promises were looked up, over all cuts."""
    chance = random.Random(f"{SEED} {name}")  # noqa: S311 (no secret)
    with TemporaryDirectory() as scratch:
        log, before, after = Path(scratch) / "calls", Path(scratch) / "before", Path(scratch) / "after"
        async with WORKS[name]() as (work, environ), unstarted(environ) as under:
            outcome = Outcome(name, cuts, work.tally, [])
            if name in PREPARED_FIRST:
                await under.start()
                await work.prepare(under)
                await under.kill()
                shutil.copytree(under.folder, before)
            await _record(under, work, log, is_prepared=name in PREPARED_FIRST)
            secret = (under.folder / SECRET_FILE).read_bytes()
            deeds = await asyncio.to_thread(lambda: list(writing.read(log, under.folder)))
            platter, promised, position = Platter.of(before), 0, 0
            for cut in sorted(chance.sample(range(len(deeds)), cuts)):
                for deed in deeds[position:cut]:
                    platter.apply(deed)
                position = cut
                platter.leave(after, chance)
                promised += await _compare(under, after, work.tally, deeds[cut].at, secret, outcome)
                shutil.rmtree(after)
    return outcome, len(deeds), promised


async def _record(under: Machine, work: Work, log: Path, *, is_prepared: bool) -> None:
    await under.start(*writing.command(log))
    if not is_prepared:
        await work.prepare(under)
    labour = asyncio.create_task(work.labour(under))
    await asyncio.sleep(WORKED_S)
    await under.kill()
    await labour


async def _compare(under: Machine, found: Path, tally: Tally, at: float, secret: bytes, outcome: Outcome) -> int:
    """What was promised before that moment with what was found after it; returns how much that was."""
    settings = replace(under.settings, data_dir=found)
    kept = (found / SECRET_FILE).read_bytes() if (found / SECRET_FILE).exists() else b""
    await asyncio.to_thread(migrate, settings.database_path)
    async with open_database(settings.database_path) as db:
        outcome.problems += await check(db)
        promised = tally.promised(at)
        wrong = await broken(db, promised, found)
    if promised and kept != secret:
        wrong.lost.append(f"{SECRET_FILE} is {len(kept)} bytes long, or another one")
    outcome.wrong.add(wrong)
    return promised.total()


async def broken(db: Database, promised: Counter[tuple[present.Table, str]], folder: Path) -> Wrong:
    """Those of the promises that are not kept."""
    wrong = Wrong()
    logged = (folder / LOG_FILE).read_text(errors="replace") if (folder / LOG_FILE).exists() else ""
    for table in present.TABLES:
        idents = {ident for of, ident in promised if of == table}
        wrong.lost += [f"{table}: {ident}" for ident in await present.missing(db, table, idents)]
        if table == "revoked_keys":
            wrong.lost += [f"{ident} is not in {LOG_FILE}" for ident in idents if ident not in logged]
    return wrong
