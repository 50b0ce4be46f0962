"""The fake of Stripe on a free port of loopback."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
from stripe import StripeClient

from flowchat.net.stripe_api.client import connect
from flowchat.settings import Settings
from flowchat.stripe_fake import create_fake
from flowchat.stripe_fake.serving import serve

KEY = "sk_test_fake"
WEBHOOK_SECRET = "whsec_fake"
TIMEOUT_S = 60  # of a busy machine
START = int(datetime(2026, 11, 16, tzinfo=UTC).timestamp())  # in the middle of a month of 30 days
BACK = "http://127.0.0.1:1/back"


class StripeFake:
    """What a test does to it. Its API is for FlowChat, or for the library's client at `url` with KEY."""

    def __init__(self, url: str, client: httpx.AsyncClient) -> None:
        self.url = url
        self.client = client

    async def post(self, path: str, **given: Any) -> Any:
        answer = await self.client.post(f"/_fake{path}", json=given)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def state(self) -> Any:
        return (await self.client.get("/_fake/state")).json()

    async def advance(self, *, days: float = 0, hours: float = 0, seconds: float = 0) -> None:
        """Move its clock on, through all that happens meanwhile."""
        await self.post("/clock", advance_s=days * 86400 + hours * 3600 + seconds)

    async def set_time(self, moment: float) -> None:
        """At once; what is due by then happens with the next call."""
        await self.post("/clock", now=moment)

    async def fail(self, rate: float, *kinds: str, **more: Any) -> None:
        """That part of the calls gets a fault, of all kinds unless some are named. Of 0: none any more."""
        await self.post("/faults", rate=rate, **({"kinds": kinds} if kinds else {}), **more)

    async def outage(self, on: bool, **more: Any) -> None:
        await self.post("/outage", on=on, **more)

    async def decline(self, customer: str, fail: bool = True) -> None:
        """The customer's payments."""
        await self.post(f"/customers/{customer}/payments", fail=fail)

    async def objects(self, kind: str) -> list[Any]:
        found: list[Any] = (await self.state())["objects"].get(kind, [])
        return found

    async def press(self, url: str, button: str, **fields: str) -> httpx.Response:
        """A button of a hosted page, by its name; the answer is a redirect that nobody follows."""
        return await self.client.post(url, data={"do": button, **fields})

    async def until_delivered(self) -> None:
        """All webhooks that are due have been answered, with whatever status."""
        while True:
            state = await self.state()
            if not state["undelivered"]:
                return
            await asyncio.sleep(0.02)


@asynccontextmanager
async def stripe_fake(*, webhook_url: str = "", webhook_secret: str = WEBHOOK_SECRET) -> AsyncIterator[StripeFake]:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    stop = asyncio.Event()
    application = create_fake(webhook_url=webhook_url, webhook_secret=webhook_secret)
    server = asyncio.create_task(serve(application, listener, stop))
    try:
        async with httpx.AsyncClient(base_url=url, timeout=TIMEOUT_S) as client:
            yield StripeFake(url, client)
    finally:
        stop.set()
        await server


@dataclass
class Shop:
    """A fake with a meter, a plan of 29.00 EUR a month and 0.005 EUR for each answer beyond 100, and a customer."""

    fake: StripeFake
    api: StripeClient
    meter: str
    base: str
    metered: str
    customer: str

    async def subscribe(self, *, button: str = "pay", anchor_day: int | None = 1, **data: Any) -> str:
        """Through Checkout; returns the subscription's id."""
        if anchor_day:
            data["billing_cycle_anchor_config"] = {"day_of_month": anchor_day, "hour": 0, "minute": 0, "second": 0}
        params: Any = {
            "mode": "subscription",
            "customer": self.customer,
            "line_items": [{"price": self.base, "quantity": 1}, {"price": self.metered}],
            "subscription_data": data,
            "success_url": BACK,
        }
        session = await self.api.v1.checkout.sessions.create_async(params)
        assert (await self.fake.press(session.url or "", button)).headers["Location"] == BACK
        paid = await self.api.v1.checkout.sessions.retrieve_async(session.id)
        return str(paid.subscription)

    async def use(self, value: int, identifier: str, **more: Any) -> None:
        """Report so many answers of the customer."""
        payload = {"stripe_customer_id": self.customer, "value": str(value)}
        params: Any = {"event_name": "answers", "identifier": identifier, "payload": payload, **more}
        await self.api.v1.billing.meter_events.create_async(params)

    async def invoices(self) -> list[tuple[str | None, int]]:
        """Status and total of each, oldest first."""
        found = await self.api.v1.invoices.list_async({"limit": 100})
        return [(each.status, each.total) for each in reversed(found.data)]

    async def status(self, subscription: str) -> str:
        return (await self.api.v1.subscriptions.retrieve_async(subscription)).status

    async def portal(self) -> str:
        """The address of the customer's portal."""
        params: Any = {"customer": self.customer, "return_url": BACK}
        return (await self.api.v1.billing_portal.sessions.create_async(params)).url

    async def event_types(self) -> list[str]:
        return [event["type"] for event in (await self.fake.state())["events"]]


@asynccontextmanager
async def shop(**options: Any) -> AsyncIterator[Shop]:
    """At START."""
    async with stripe_fake(**options) as fake:
        await fake.set_time(START)
        async with connect(Settings(stripe_api_key=KEY, stripe_api_base=fake.url)) as stripe:
            v1 = stripe.api.v1
            meter = await v1.billing.meters.create_async(
                {"display_name": "Answers", "event_name": "answers", "default_aggregation": {"formula": "sum"}}
            )
            product = await v1.products.create_async({"name": "Starter"})
            base = await v1.prices.create_async(
                {
                    "product": product.id,
                    "currency": "eur",
                    "nickname": "Starter: a month",
                    "unit_amount": 2900,
                    "recurring": {"interval": "month"},
                }
            )
            metered = await metered_price(stripe.api, product.id, meter.id, 100, "0.5")
            customer = await v1.customers.create_async({"name": "Acme", "email": "owner@acme.example"})
            yield Shop(fake, stripe.api, meter.id, base.id, metered, customer.id)


async def metered_price(api: StripeClient, product: str, meter: str, included: int, each: str) -> str:
    params: Any = {
        "product": product,
        "currency": "eur",
        "nickname": "Starter: answers",
        "billing_scheme": "tiered",
        "tiers_mode": "graduated",
        "tiers": [
            {"up_to": included, "unit_amount_decimal": "0"},
            {"up_to": "inf", "unit_amount_decimal": each},
        ],
        "recurring": {"interval": "month", "usage_type": "metered", "meter": meter},
    }
    return (await api.v1.prices.create_async(params)).id
