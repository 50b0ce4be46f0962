"""Answers of tenants that Stripe bills, reported to a fake of Stripe that fails."""

import math
import random
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from itertools import count

from flowchat.evaluation.billing_process import API_KEY, TIMEOUT_S
from flowchat.evaluation.faults.machine import Machine
from flowchat.evaluation.faults.work import Tally, Wrong, create, done, sent, until_gone, until_idle
from flowchat.evaluation.simulated_time import run_ahead
from flowchat.evaluation.stripe_bench import Bench, add_meters, add_tenant, compared, stripe_fake, until_reported
from flowchat.net.rest import Rest
from flowchat.net.stripe_api.client import connect
from flowchat.net.stripe_api.fake import FakeControl
from flowchat.services import keys
from flowchat.services.context import Context
from flowchat.services.key_requests import NewAdminKey
from flowchat.store import present

TENANTS = 2
AHEAD_S = (600, 3600)  # by which the calendar goes on from one life to the next
FAULTS = 0.3  # of the calls to Stripe
SEED = 20261124
TEXT = "# The shop\n\nThe shop opens at nine in the morning. The shop closes at six in the evening.\n"
QUESTIONS = ("When does the shop open?", "When does the shop close?", "Which volcano is the tallest?")


class Billing:
    """Lost or twice is what Stripe's meters have less or more of than the ledger, as well as a message."""

    def __init__(self, fake: FakeControl) -> None:
        self.tally = Tally()
        self._fake = fake
        self._chance = random.Random(SEED)  # noqa: S311 (no secret)
        self._numbers = count()
        self._ahead_s = 0.0
        self._widgets: list[str] = []
        self._messages: set[str] = set()

    async def prepare(self, machine: Machine) -> None:
        async with machine.database() as db, connect(machine.settings, TIMEOUT_S) as stripe:
            app = Context(settings=machine.settings, db=db, wake=lambda job_id: None)
            await add_meters(stripe)
            actors = [await add_tenant(app, stripe, f"shop-{number}") for number in range(TENANTS)]
            admins = [(await keys.create(app, actor, NewAdminKey()))[1] for actor in actors]
        for admin in admins:
            async with machine.client(admin) as client:
                await create(client, "/v1/sources", slug="shop")
                file = {"file": ("shop.md", TEXT, "text/markdown")}
                done(await client.post("/v1/sources/shop/documents", files=file))
                await until_idle(client)
                self._widgets.append((await create(client, "/v1/keys", type="widget"))["key"])
        await self._fake.tell(
            "faults", rate=FAULTS, hold_s=2 * TIMEOUT_S, seed=SEED, paths=["/v1/billing/meter_events"]
        )

    async def labour(self, machine: Machine) -> None:
        try:
            async with AsyncExitStack() as stack:
                clients = [await stack.enter_async_context(machine.client(key)) for key in self._widgets]
                await until_gone(*(partial(self._ask, client) for client in clients))
        finally:
            await self._go_on(machine)

    async def _ask(self, client: Rest) -> None:
        number = next(self._numbers)
        body = {"query": f"{QUESTIONS[number % len(QUESTIONS)]} ({number % 20})"}
        headers = {"Accept": "application/json"}
        answer = await sent(self.tally, client.post("/v1/chat", json=body, headers=headers))
        if answer is not None:
            self._messages.add(answer.json()["message_id"])
            self.tally.promise("messages", answer.json()["message_id"])

    async def _go_on(self, machine: Machine) -> None:
        """The next life is later: hours have ended, and are reported."""
        self._ahead_s = math.ceil(self._ahead_s + self._chance.uniform(*AHEAD_S))
        machine.environ["AHEAD_S"] = str(self._ahead_s)
        await self._fake.tell("clock", now=time.time() + self._ahead_s)

    async def compare(self, machine: Machine) -> Wrong:
        async with machine.database() as db:
            return Wrong(lost=await present.missing(db, "messages", self._messages))

    async def finish(self, machine: Machine) -> Wrong:
        wrong = await self.compare(machine)
        await machine.kill()
        async with machine.database() as db, connect(machine.settings, TIMEOUT_S) as stripe:
            bench = Bench(Context(settings=machine.settings, db=db, wake=lambda job_id: None), stripe, self._fake)
            bench.ahead_s = self._ahead_s
            try:
                await until_reported(bench)
                measures = await compared(bench, "in the end")
            finally:
                run_ahead(0)
        wrong.lost += [f"{one.name}: {one.value}, {one.target}" for one in measures if one.ok is False]
        await machine.start()
        return wrong


@asynccontextmanager
async def billing() -> AsyncIterator[tuple[Billing, dict[str, str]]]:
    async with stripe_fake() as fake:
        await fake.tell("settings", meter_lag_s=0)
        yield Billing(fake), {"STRIPE_API_KEY": API_KEY, "STRIPE_API_BASE": fake.url}
