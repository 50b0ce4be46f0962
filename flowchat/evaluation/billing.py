"""Usage that is billed while everything fails: reported is what is billable, to the unit, and none of it twice.

Chats and crawls are stored and reported by a process that is killed at random moments, to a fake of Stripe that fails
before and after it takes what it gets. Then Stripe is gone for 26 hours, and what is parked is reconciled.
"""

import asyncio
import logging
import math
import random
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from flowchat.domain import now
from flowchat.evaluation.billing_process import TIMEOUT_S, add_usage, settings_for
from flowchat.evaluation.report import Measure, Report
from flowchat.evaluation.simulated_time import run_ahead
from flowchat.evaluation.stripe_bench import (
    STEP_S,
    Bench,
    add_meters,
    add_tenant,
    compared,
    stripe_fake,
    until_reported,
)
from flowchat.net.stripe_api.client import connect
from flowchat.services import keys, metering
from flowchat.services.check import check
from flowchat.services.context import Context
from flowchat.services.key_requests import NewWidgetKey
from flowchat.services.metering import Reporter, seal
from flowchat.services.reconciliation import Reconciliation, Reconciling, reconcile
from flowchat.services.tenants import actor_for_cli
from flowchat.store import meter_events, usage
from flowchat.store.database import open_database
from flowchat.store.migrate import migrate

TENANTS = 3
SEED = 20261124
LIFE_S = (0.05, 0.8)  # of a process, once it is ready
AHEAD_S = (600, 3600)  # by which the calendar goes on from one life to the next
HOLD_S = 2 * TIMEOUT_S
OUTAGE_H = 26
TAKING_H = 2  # of these it takes some of what it gets, and lets one wait; then it breaks connections off at once
OUTAGE_STEP_S = 20 * 60
OUTAGE_CHATS, OUTAGE_PAGES = 10, 5  # of each hour
METER_LAG_S = 300
REPORTING = "/v1/billing/meter_events"


@dataclass(frozen=True, slots=True)
class Amounts:
    """`faults`: the share of calls that fail."""

    chats: int
    pages: int
    faults: float
    kills: int


def run(amounts: Amounts) -> Report:
    log = logging.getLogger(metering.__name__)
    level = log.level
    log.setLevel(logging.ERROR)  # it warns of all that is parked
    try:
        return asyncio.run(_run(amounts))
    finally:
        log.setLevel(level)


async def _run(amounts: Amounts) -> Report:
    with TemporaryDirectory() as folder:
        async with _bench(Path(folder)) as bench:
            await _fail(bench, amounts.faults)
            lives = await _live_and_die(bench, amounts)
            steps = await until_reported(bench)
            storm = await compared(bench, "killed and failing")
            parked, found = await _outage(bench)
            await until_reported(bench)
            after = await compared(bench, "after 26 h without Stripe")
            await bench.go_on(3600)
            last = await reconcile(bench.app, await actor_for_cli(bench.app.db, None), Reconciling())
            problems = await check(bench.app.db)
            state = await bench.fake.state()
    calls, failed = sum(state["requests"].values()), sum(state["faults"].values())
    kinds = ", ".join(f"{number} {kind}" for kind, number in sorted(state["faults"].items()))
    return Report(
        "Billing",
        (
            Measure("processes killed", lives),
            Measure("calls to Stripe", calls),
            Measure("calls that failed on purpose", failed),
            *storm,
            Measure("parked in 26 h without Stripe", parked, "some", parked > 0),
            Measure("settled: Stripe had it", found.settled.delivered),
            Measure("settled: sent anew", found.settled.sent_again),
            Measure("left parked by one command", found.settled.undecided, "0", found.settled.undecided == 0),
            *after,
            Measure("hours that differ in the end", last.differences, "0", last.differences == 0),
            Measure("problems that `flowchat check` finds", len(problems), "0", not problems),
        ),
        (
            f"Failures: {kinds}.",
            f"{bench.ahead_s / 86400:.1f} days have passed, as FlowChat and the fake of Stripe tell the time. After the"
            f" last kill it took {steps} quarters of an hour until all was reported.",
        ),
    )


@asynccontextmanager
async def _bench(folder: Path) -> AsyncIterator[Bench]:
    """With some tenants that Stripe bills."""
    migrate(folder / "flowchat.db")
    async with stripe_fake() as fake:
        settings = settings_for(folder, fake.url)
        async with open_database(settings.database_path) as db, connect(settings, TIMEOUT_S) as stripe:
            app = Context(settings=settings, db=db, wake=lambda job_id: None)
            await actor_for_cli(db, None)  # makes the first tenant, which is not billed
            await fake.tell("settings", meter_lag_s=METER_LAG_S)
            await add_meters(stripe)
            for number in range(TENANTS):
                actor = await add_tenant(app, stripe, f"shop-{number}")
                for is_test in (False, True):
                    await keys.create(app, actor, NewWidgetKey(test=is_test))
            try:
                yield Bench(app, stripe, fake)
            finally:
                run_ahead(0)


async def _fail(bench: Bench, rate: float, **faults: Any) -> None:
    """So large a share of the events that are reported."""
    await bench.fake.tell("faults", **{"rate": rate, "hold_s": HOLD_S, "seed": SEED, "paths": [REPORTING], **faults})


async def _live_and_die(bench: Bench, amounts: Amounts) -> int:
    """Let processes work and kill them, until there were so many, and all usage is stored; returns how many."""
    chance = random.Random(SEED)  # noqa: S311 (no secret)
    deeds_per_life = math.ceil(amounts.chats / max(amounts.kills, 1))
    lives = 0
    while lives < amounts.kills or not await _is_stored(bench, amounts):
        await bench.go_on(chance.uniform(*AHEAD_S))
        process = await _start(bench, amounts, per_s=1.6 * deeds_per_life / (sum(LIFE_S) / 2))
        await asyncio.sleep(chance.uniform(*LIFE_S))
        process.send_signal(signal.SIGKILL)
        await process.wait()
        lives += 1
    return lives


async def _is_stored(bench: Bench, amounts: Amounts) -> bool:
    sums = (await usage.billable_sums(bench.app.db)).values()
    return sum(queries for queries, _ in sums) >= amounts.chats and sum(pages for _, pages in sums) >= amounts.pages


async def _start(bench: Bench, amounts: Amounts, per_s: float) -> asyncio.subprocess.Process:
    """Once it is ready."""
    arguments = (bench.app.settings.data_dir, bench.fake.url, bench.ahead_s, amounts.chats, amounts.pages, per_s)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "flowchat.evaluation.billing_process",
        *map(str, arguments),
        stdout=asyncio.subprocess.PIPE,
    )
    if process.stdout is None or await process.stdout.readline() != b"ready\n":
        raise RuntimeError(f"the process that stores and reports usage ended with {await process.wait()}")
    return process


async def _outage(bench: Bench) -> tuple[int, Reconciliation]:
    """26 hours without an answer. Returns how many events were parked, and what the one command has found that settles
    them.
    """
    await _fail(bench, 1, kinds=["timeout_before", "timeout_after"])
    steps_per_h = 3600 // OUTAGE_STEP_S
    for step in range(OUTAGE_H * steps_per_h):
        if step == TAKING_H * steps_per_h:
            await _fail(bench, 1, kinds=["timeout_before"], hold_s=0)
        await add_usage(bench.app.db, math.ceil(OUTAGE_CHATS / steps_per_h), math.ceil(OUTAGE_PAGES / steps_per_h), 1e6)
        await bench.go_on(OUTAGE_STEP_S)
        while await meter_events.due(bench.app.db, now(), 1) or await seal(bench.app):
            await Reporter(bench.app, bench.stripe).report_due()
    parked = (await meter_events.counts(bench.app.db)).get("parked", 0)
    await _fail(bench, 0)
    await bench.go_on(STEP_S + 60)
    actor = await actor_for_cli(bench.app.db, None)
    return parked, await reconcile(bench.app, actor, Reconciling(apply=True))
