"""A fake of Stripe in a process of its own, tenants that it bills, and whether it was told what they have used."""

import asyncio
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from flowchat.billing import METRICS, Plan, Subscription
from flowchat.domain import Actor, new_id, now
from flowchat.evaluation.report import Measure
from flowchat.evaluation.simulated_time import run_ahead
from flowchat.net.stripe_api import customers, meters
from flowchat.net.stripe_api.client import Stripe
from flowchat.net.stripe_api.fake import FakeControl, fake_control
from flowchat.services.access import SCOPES
from flowchat.services.context import Context
from flowchat.services.metering import Reporter, seal
from flowchat.store import meter_events, plans, subscriptions, tenants, usage
from flowchat.store.database import Connection

PLAN = "unlimited"
STEP_S = 15 * 60
MOST_STEPS = 400  # until all is reported


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

    async def report(self) -> None:
        await seal(self.app)
        await Reporter(self.app, self.stripe).report_due()


@asynccontextmanager
async def stripe_fake() -> AsyncIterator[FakeControl]:
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


async def add_meters(stripe: Stripe) -> None:
    for metric in METRICS:
        await meters.create_meter(stripe, metric)


async def add_tenant(app: Context, stripe: Stripe, slug: str) -> Actor:
    """One whose usage is reported from now on, however much it is; returns who may do everything of it."""
    tenant = await app.db.write(lambda conn: tenants.insert(conn, slug, slug))
    customer = await customers.create(stripe, tenant.id, slug, "")
    plan = await plans.get(app.db, PLAN)
    plan = plan or Plan(id=new_id("pln"), slug=PLAN, name="Unlimited", created_at=now())
    subscription = Subscription(
        tenant_id=tenant.id,
        plan_id=plan.id,
        status="active",
        started_at=now(),
        billed_from=now(),
        stripe_customer=customer,
    )

    def transaction(conn: Connection) -> None:
        if plans.find(conn, plan.id) is None:
            plans.insert(conn, plan)
        subscriptions.put(conn, subscription)

    await app.db.write(transaction)
    return Actor(tenant.id, "evaluation", frozenset(SCOPES))


async def until_reported(bench: Bench) -> int:
    """Quarters of an hour until nothing is on its way any more; returns how many."""
    await bench.go_on(3600)  # the hour of the last usage is over
    for step in range(MOST_STEPS):
        await bench.go_on(STEP_S)
        await bench.report()
        if not (await meter_events.counts(bench.app.db)).get("pending"):
            return step
    return MOST_STEPS


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
