"""An appliance that a fake of Stripe tells of what happens: both over HTTP, with one clock that the test moves."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import pytest
from clock import Clock
from metered import add_plans
from stripe_faking import KEY, StripeFake, stripe_fake
from web_server import Served, serving

from flowchat.domain import now
from flowchat.net.stripe_api.client import Stripe, connect
from flowchat.services import stripe_setup
from flowchat.services.context import Appliance
from flowchat.services.stripe_inbox import Inbox

START = "2026-11-20T09:10:00.000Z"


@dataclass
class Hearing:
    """Stripe sells the plans of `metered`, and its webhook endpoints are those that FlowChat's set-up makes."""

    served: Served
    stripe: Stripe
    fake: StripeFake
    clock: Clock

    @property
    def app(self) -> Appliance:
        return self.served.app

    async def go_on(self, *, days: float = 0, hours: float = 0, seconds: float = 0) -> None:
        """Through all that happens at Stripe meanwhile."""
        await self.fake.advance(days=days, hours=hours, seconds=seconds)
        self.clock.go_on(days=days, hours=hours, seconds=seconds)

    async def hear(self) -> None:
        """All that has happened is told, and handled."""
        await self.fake.until_delivered()
        await Inbox(self.app, self.stripe).handle_due()


@asynccontextmanager
async def hearing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Hearing]:
    clock = Clock(monkeypatch, START)
    async with (
        stripe_fake() as fake,
        serving(folder, stripe_api_key=KEY, stripe_api_base=fake.url) as served,
        connect(served.app.settings) as stripe,
    ):
        app = served.app
        await fake.set_time(datetime.fromisoformat(now()).timestamp())
        await add_plans(app)
        found = await stripe_setup.plan_set_up(app, stripe)
        for step in found.steps:
            await step.work()
        app.settings = replace(app.settings, public_url=served.url)
        secrets = await stripe_setup.create_endpoints(app, stripe)
        app.settings = replace(app.settings, stripe_webhook_secret=",".join(secrets))
        yield Hearing(served, stripe, fake, clock)
