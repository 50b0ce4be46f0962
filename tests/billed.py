"""An appliance that reports to a fake of Stripe, both with a clock that the test moves."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest
from appliance import operator, running
from clock import Clock
from metered import add_plans, subscribed, use
from stripe_faking import KEY, StripeFake, stripe_fake

from flowchat.billing import METRICS, MeterEvent, Metric
from flowchat.domain import Tenant, now
from flowchat.net.stripe_api import customers, meters
from flowchat.net.stripe_api.client import Stripe, connect
from flowchat.services.context import Appliance, Context
from flowchat.services.metering import Reporter, seal
from flowchat.services.reconciliation import Reconciliation, Reconciling, reconcile
from flowchat.store import meter_events
from flowchat.store.paging import Cursor

START = "2026-11-20T09:10:00.000Z"


@dataclass
class Billed:
    """`shop` is a tenant that Stripe bills as `customer`."""

    app: Appliance
    stripe: Stripe
    fake: StripeFake
    clock: Clock
    shop: Tenant
    customer: str

    async def go_on(self, **span: float) -> None:
        self.clock.go_on(**span)
        await self._set_fake()

    async def set(self, moment: str) -> None:
        self.clock.set(moment)
        await self._set_fake()

    async def _set_fake(self) -> None:
        await self.fake.set_time(datetime.fromisoformat(now()).timestamp())

    async def report(self) -> None:
        await seal(self.app)
        await Reporter(self.app, self.stripe).report_due()

    async def events(self) -> list[MeterEvent]:
        """Oldest first."""
        return (await meter_events.page(self.app.db, Cursor(1000), None))[::-1]

    async def event(self) -> MeterEvent:
        """The only one."""
        [found] = await self.events()
        return found

    async def at_stripe(self, metric: Metric = "queries") -> int:
        totals = (await self.fake.state())["meters"].get(meters.EVENT_NAMES[metric], {})
        return int(totals.get(self.customer, 0))

    async def reconcile(self, *, apply: bool = False) -> Reconciliation:
        return await reconcile(self.app, await operator(self.app), Reconciling(apply=apply))


@asynccontextmanager
async def billed(folder: Path, monkeypatch: pytest.MonkeyPatch, timeout_s: float = 5) -> AsyncIterator[Billed]:
    """At START, with meters and one tenant."""
    clock = Clock(monkeypatch, START)
    async with (
        stripe_fake() as fake,
        running(folder, stripe_api_key=KEY, stripe_api_base=fake.url) as app,
        connect(app.settings, timeout_s) as stripe,
    ):
        await operator(app)
        await add_plans(app)
        for metric in METRICS:
            await meters.create_meter(stripe, metric)
        customer = await customers.create(stripe, "ten_shop", "Shop", "")
        shop = await subscribed(app, "shop", customer)
        world = Billed(app, stripe, fake, clock, shop, customer)
        await world.go_on()
        yield world


async def parked_event(app: Context, fake: StripeFake) -> None:
    """Usage of three hours ago of a new tenant, which Stripe has taken without saying so."""
    ago = now(-3 * 3600)
    async with connect(app.settings) as stripe:
        for metric in METRICS:
            await meters.create_meter(stripe, metric)
        shop = await subscribed(app, "acme", await customers.create(stripe, "ten_1", "Acme", ""), ago)
        await use(app, shop, queries=4)
        await app.db.write(lambda conn: conn.execute("update usage_ledger set created_at = ?", (ago,)))
        await fake.fail(1, "500_after")
        await seal(app)
        await Reporter(app, stripe).report_due()
        await fake.fail(0)
    await app.db.write(
        lambda conn: conn.execute(
            "update meter_events set status = 'parked', last_attempt_at = ?, next_attempt_at = null", (ago,)
        )
    )
