"""Stripe's events in any order, late, twice, and between changes: it ends as the last look at Stripe shows it."""

import asyncio
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from clock import Clock
from stripe_answers import NOW, World, listed, path, stripes, world
from stripe_events import states, take_in

from flowchat.billing import Subscription
from flowchat.net.stripe_api.times import unix_of

KINDS = ("customer.subscription.updated", "invoice.paid", "invoice.payment_failed", "checkout.session.completed")
LATER = unix_of("2026-11-24T08:30:00.000Z")


def one(status: str, **fields: Any) -> dict[str, Any]:
    return stripes("sub_1", status, **fields)


def two(status: str, **fields: Any) -> dict[str, Any]:
    return stripes("sub_2", status, created=LATER, start_date=LATER, **fields)


# What the customer has at Stripe, one change after the other.
HISTORY = (
    (),
    (one("incomplete"),),
    (one("active"),),
    (one("past_due"),),
    (one("active"),),
    (one("past_due"),),
    (one("past_due"), two("incomplete")),
    (one("past_due"), two("active")),
    (one("canceled"), two("active")),
    (one("canceled"), two("active", cancel_at_period_end=True)),
    (one("canceled"), two("unpaid")),
    (one("canceled"), two("canceled")),
)


@dataclass
class Telling:
    """Stripe changes, and tells of it when the dice say so."""

    here: World
    dice: random.Random
    place: int = 0
    untold: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def change(self) -> None:
        self.place += 1
        self.here.server.answers[path()] = listed(*HISTORY[self.place])
        self.untold += [f"evt_{self.place}_{number}" for number in range(self.dice.randint(1, 3))]

    async def tell(self, ident: str) -> None:
        await take_in(self.here.app, ident, kind=self.dice.choice(KINDS))
        self.told.append(ident)

    async def step(self) -> None:
        match self.dice.choice(("change", "tell", "tell again", "handle")):
            case "change":
                self.change()
            case "tell" if self.untold:
                await self.tell(self.untold.pop(self.dice.randrange(len(self.untold))))
            case "tell again" if self.told:
                await self.tell(self.dice.choice(self.told))
            case "handle":
                await self.here.inbox.handle_due()

    async def rest(self) -> None:
        """All that is untold, shuffled, some of it twice and at once, and handled."""
        left = self.untold + self.dice.sample(self.told, len(self.told) // 2)
        self.dice.shuffle(left)
        await asyncio.gather(*(self.tell(ident) for ident in left + left[:3]))
        await self.here.inbox.handle_due()


async def ends_as(folder: Path, last: int) -> Subscription:
    """After one look."""
    async with world(folder) as here:
        here.server.answers[path()] = listed(*HISTORY[last])
        await here.hears("evt_1")
        return await here.subscription(here.tenant.id)


@pytest.mark.parametrize("seed", range(24))
async def test_any_order_ends_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    Clock(monkeypatch, NOW)
    dice = random.Random(seed)
    last = seed % (len(HISTORY) - 1) + 1
    async with world(tmp_path / "told") as here:
        telling = Telling(here, dice)
        while telling.place < last:
            await telling.step()
        await telling.rest()
        found = await here.subscription()
        events = await states(here.app)
        assert {status for _, status, _ in events} == {"done"}
        assert sorted(ident for ident, _, _ in events) == sorted(set(telling.told))
    wanted = await ends_as(tmp_path / "looked", last)
    assert without_tenant(found) == without_tenant(wanted)


def without_tenant(subscription: Subscription) -> dict[str, Any]:
    fields = {name: getattr(subscription, name) for name in Subscription.__dataclass_fields__}
    return {name: value for name, value in fields.items() if name != "tenant_id"}
