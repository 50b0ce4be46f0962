"""An appliance that a fake of Stripe tells of what happens: both over HTTP, with one clock that the test moves."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import pytest
from appliance import operator
from clock import Clock
from metered import add_plans
from stripe_faking import KEY, StripeFake, stripe_fake
from web_server import Served, serving

from flowchat.billing import Plan, Subscription, subscribe
from flowchat.domain import now
from flowchat.net.stripe_api import catalog, customers
from flowchat.net.stripe_api.client import Stripe, connect
from flowchat.services import stripe_setup
from flowchat.services.context import Appliance
from flowchat.services.stripe_inbox import Inbox
from flowchat.services.stripe_prices import lookup_keys
from flowchat.services.stripe_sync import chosen
from flowchat.store import plans, subscriptions
from flowchat.store.database import Connection

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

    async def until(self, moment: str) -> None:
        """As `go_on`, and hear of it."""
        span = datetime.fromisoformat(moment) - datetime.fromisoformat(now())
        await self.go_on(seconds=span.total_seconds())
        await self.hear()

    async def hear(self) -> None:
        """All that has happened is told, and handled."""
        await self.fake.until_delivered()
        await self.handle()

    async def handle(self) -> None:
        """What was told so far."""
        await Inbox(self.app, self.stripe).handle_due()

    async def begin_trial(self) -> None:
        """Of the tenant that is served, without a customer at Stripe."""
        tenant_id = (await operator(self.app)).tenant_id

        def transaction(conn: Connection) -> None:
            trial = plans.trial_now(conn)
            assert trial
            subscriptions.put(conn, replace(subscribe(tenant_id, trial, None, now()), email="ann@shop.example"))

        await self.app.db.write(transaction)

    async def check_out(self, plan: str = "starter") -> None:
        """Subscribe at Stripe, by its page."""
        answer = await self.served.call("POST", "/v1/billing/checkout", json={"plan": plan})
        assert answer.status_code == 201, answer.text
        assert (await self.fake.press(answer.json()["url"], "pay")).status_code == 303

    async def check_out_elsewhere(self, plan: Plan) -> None:
        """As `check_out`, by a link that FlowChat has not made."""
        found = await catalog.prices(self.stripe, lookup_keys(plan.id))
        prices = {key.rpartition("_")[2]: price.id for key, price in found.items()}
        tenant_id = (await operator(self.app)).tenant_id
        url = await customers.checkout_url(
            self.stripe,
            await self.customer(),
            prices,
            success_url=self.served.url,
            cancel_url=self.served.url,
            metadata={"flowchat_tenant": tenant_id},
        )
        assert (await self.fake.press(url, "pay")).status_code == 303

    async def subscription(self) -> Subscription:
        found = await subscriptions.get(self.app.db, (await operator(self.app)).tenant_id)
        assert found
        return found

    async def customer(self) -> str:
        return (await self.subscription()).stripe_customer or ""

    async def pay(self) -> None:
        """All that is owed, by hand, after the card was changed."""
        await self.fake.decline(await self.customer(), False)
        listed = await self.stripe.api.v1.invoices.list_async({"customer": await self.customer(), "status": "open"})
        for invoice in listed.data:
            await self.stripe.api.v1.invoices.pay_async(invoice.id)

    async def cancel(self, *, now: bool) -> None:
        """The subscription, or only its next period."""
        present = chosen(await customers.subscriptions(self.stripe, await self.customer()))
        assert present
        if now:
            await self.stripe.api.v1.subscriptions.cancel_async(present.id)
        else:
            await self.stripe.api.v1.subscriptions.update_async(present.id, {"cancel_at_period_end": True})


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
