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
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from flowchat.billing import METRICS, Subscription
from flowchat.domain import Actor, now
from flowchat.evaluation.billing_process import TIMEOUT_S, add_usage, settings_for
from flowchat.evaluation.report import Measure, Report
from flowchat.evaluation.simulated_time import run_ahead
from flowchat.net.stripe_api import customers, meters
from flowchat.net.stripe_api.client import Stripe, connect
from flowchat.net.stripe_api.fake import FakeControl, fake_control
from flowchat.services import keys, metering
from flowchat.services.access import SCOPES
from flowchat.services.check import check
from flowchat.services.context import Context
from flowchat.services.key_requests import NewWidgetKey
from flowchat.services.metering import Reporter, seal
from flowchat.services.reconciliation import Reconciliation, Reconciling, reconcile
from flowchat.services.tenants import actor_for_cli
from flowchat.store import meter_events, plans, subscriptions, tenants, usage
from flowchat.store.database import open_database
from flowchat.store.migrate import migrate

TENANTS = 3
SEED = 20261124
LIFE_S = (0.05, 0.8)  # of a process, once it is ready
AHEAD_S = (600, 3600)  # by which the calendar goes on from one life to the next
STEP_S = 15 * 60
MOST_STEPS = 400  # until all is reported
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


@dataclass(slots=True)
class Bench:
    """An appliance's data folder, a fake of Stripe, and the calendar that both follow."""

    app: Context
    stripe: Stripe
    fake: FakeControl
    ahead_s: float = 0.0

    async def go_on(self, seconds: float) -> None:
        self.ahead_s += seconds
        run_ahead(self.ahead_s)
        await self.fake.tell("clock", now=time.time() + self.ahead_s)

    async def fail(self, rate: float, **faults: Any) -> None:
        """So large a share of the events that are reported."""
        await self.fake.tell("faults", **{"rate": rate, "hold_s": HOLD_S, "seed": SEED, "paths": [REPORTING], **faults})

    async def report(self) -> None:
        await seal(self.app)
        await Reporter(self.app, self.stripe).report_due()


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
            await bench.fail(amounts.faults)
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
    async with fake_of_stripe() as fake:
        settings = settings_for(folder, fake.url)
        async with open_database(settings.database_path) as db, connect(settings, TIMEOUT_S) as stripe:
            app = Context(settings=settings, db=db, wake=lambda job_id: None)
            await actor_for_cli(db, None)  # makes the first tenant, which is not billed
            await fake.tell("settings", meter_lag_s=METER_LAG_S)
            for metric in METRICS:
                await meters.create_meter(stripe, metric)
            for number in range(TENANTS):
                await add_tenant(app, stripe, f"shop-{number}")
            try:
                yield Bench(app, stripe, fake)
            finally:
                run_ahead(0)


@asynccontextmanager
async def fake_of_stripe() -> AsyncIterator[FakeControl]:
    """`flowchat billing fake` in a process of its own."""
    command = (sys.executable, "-m", "flowchat", "billing", "fake", "--port", "0", "--webhook-url", "")
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    line = (await process.stdout.readline()).decode() if process.stdout else ""
    if not line.startswith("ready "):
        raise RuntimeError(f"the fake of Stripe ended with {await process.wait()}")
    try:
        async with fake_control(line.split()[1]) as control:
            yield control
    finally:
        process.terminate()
        await process.wait()


async def add_tenant(app: Context, stripe: Stripe, slug: str) -> None:
    tenant = await app.db.write(lambda conn: tenants.insert(conn, slug, slug))
    customer = await customers.create(stripe, tenant.id, slug, "")
    plan = await plans.get(app.db, "trial")
    subscription = Subscription(
        tenant_id=tenant.id,
        plan_id=plan.id if plan else "",
        status="active",
        started_at=now(),
        billed_from=now(),
        stripe_customer=customer,
    )
    await app.db.write(lambda conn: subscriptions.put(conn, subscription))
    actor = Actor(tenant.id, "evaluation", frozenset(SCOPES))
    for is_test in (False, True):
        await keys.create(app, actor, NewWidgetKey(test=is_test))


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


async def until_reported(bench: Bench) -> int:
    """Quarters of an hour until nothing is on its way any more; returns how many."""
    await bench.go_on(3600)  # the hour of the last usage is over
    for step in range(MOST_STEPS):
        await bench.go_on(STEP_S)
        await bench.report()
        if not (await meter_events.counts(bench.app.db)).get("pending"):
            return step
    return MOST_STEPS


async def _outage(bench: Bench) -> tuple[int, Reconciliation]:
    """26 hours without an answer. Returns how many events were parked, and what the one command has found that settles
    them.
    """
    await bench.fail(1, kinds=["timeout_before", "timeout_after"])
    steps_per_h = 3600 // OUTAGE_STEP_S
    for step in range(OUTAGE_H * steps_per_h):
        if step == TAKING_H * steps_per_h:
            await bench.fail(1, kinds=["timeout_before"], hold_s=0)
        await add_usage(bench.app.db, math.ceil(OUTAGE_CHATS / steps_per_h), math.ceil(OUTAGE_PAGES / steps_per_h), 1e6)
        await bench.go_on(OUTAGE_STEP_S)
        while await meter_events.due(bench.app.db, now(), 1) or await seal(bench.app):
            await Reporter(bench.app, bench.stripe).report_due()
    parked = (await meter_events.counts(bench.app.db)).get("parked", 0)
    await bench.fail(0)
    await bench.go_on(STEP_S + 60)
    actor = await actor_for_cli(bench.app.db, None)
    return parked, await reconcile(bench.app, actor, Reconciling(apply=True))


async def compared(bench: Bench, when: str) -> list[Measure]:
    """Ledger and meters, to the unit."""
    state = await bench.fake.state()
    ledger = {tenant: sums for tenant, sums in (await usage.billable_sums(bench.app.db)).items() if any(sums)}
    customers_of = await meter_events.customers(bench.app.db, "")
    measures = []
    for place, metric in enumerate(METRICS):
        totals = state["meters"].get(meters.EVENT_NAMES[metric], {})
        told = {tenant: totals.get(customer, 0) for tenant, customer in customers_of}
        billable = {tenant: sums[place] for tenant, sums in ledger.items()}
        is_right = all(told.get(tenant, 0) == number for tenant, number in billable.items())
        total, of_ledger = sum(totals.values()), sum(billable.values())
        target = f"{of_ledger} in the ledger"
        measures.append(Measure(f"{when}: {metric} reported", total, target, is_right and total == of_ledger))
    taken = Counter(event["identifier"] for event in state["meter_events"])
    twice = taken.total() - len(taken)
    return [*measures, Measure(f"{when}: events taken twice", twice, "0", twice == 0)]
