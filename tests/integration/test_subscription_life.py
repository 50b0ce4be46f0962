"""A tenant subscribes, is renewed, owes, can only be read, pays, leaves and comes back: told by a fake of Stripe."""

import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hearing import START, Hearing, hearing
from metered import LARGE, STARTER, use
from stripe_events import letters, states

from flowchat.billing import Subscription
from flowchat.net.stripe_api import customers
from flowchat.services import stripe_sync
from flowchat.store import tenants


async def asks(world: Hearing) -> int:
    """What becomes of a visitor's question."""
    answer = await world.served.ask(Accept="application/json")
    return answer.status_code


async def test_from_trial_to_the_end_and_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with hearing(tmp_path, monkeypatch) as world:
        await world.begin_trial()
        assert (await world.subscription()).status == "trialing"

        await world.check_out()
        await world.hear()
        begun = await world.subscription()
        assert (begun.plan_id, begun.status, begun.trial_ends_at) == (STARTER.id, "active", None)
        assert (begun.renews_at, (begun.billed_from or "")[:16]) == ("2026-12-01T00:00:00.000Z", START[:16])

        await world.until("2026-12-01T02:00:00.000Z")
        assert await world.subscription() == replace(begun, renews_at="2027-01-01T00:00:00.000Z")

        await world.fake.decline(await world.customer())
        await world.until("2027-01-01T02:00:00.000Z")
        due = await world.subscription()
        assert (due.status, due.past_due_at) == ("past_due", "2027-01-01T02:00:00.000Z")
        await world.until("2027-01-15T01:59:00.000Z")
        assert (await asks(world), (await world.subscription()).past_due_at) == (200, due.past_due_at)
        await world.until("2027-01-15T02:00:00.000Z")
        assert await asks(world) == 402
        assert (await world.served.call("POST", "/v1/keys", json={"type": "widget"})).status_code == 402
        assert (await world.served.call("GET", "/v1/keys")).status_code == 200

        await world.until("2027-01-17T00:00:00.000Z")
        unpaid = await world.subscription()
        assert (unpaid.status, unpaid.past_due_at) == ("unpaid", due.past_due_at)
        assert await asks(world) == 402
        await world.pay()
        await world.hear()
        paid = await world.subscription()
        assert (paid.status, paid.past_due_at, await asks(world)) == ("active", None, 200)

        await world.cancel(now=False)
        await world.hear()
        leaving = await world.subscription()
        assert (leaving.status, leaving.cancels_at, leaving.renews_at) == ("active", "2027-02-01T00:00:00.000Z", None)
        assert await asks(world) == 200
        await world.until("2027-02-01T02:00:00.000Z")
        over = await world.subscription()
        assert (over.status, over.cancels_at, await asks(world)) == ("canceled", leaving.cancels_at, 402)
        assert over.billed_from == begun.billed_from

        await world.go_on(days=3)
        await world.check_out("large")
        await world.hear()
        back = await world.subscription()
        assert (back.status, back.plan_id, back.stripe_customer) == ("active", "pln_large", begun.stripe_customer)
        assert (back.renews_at, (back.billed_from or "")[:10]) == ("2027-03-01T00:00:00.000Z", "2027-02-04")
        assert (back.cancels_at, await asks(world)) == (None, 200)

        name = await company(world)
        assert [subject for _, subject in await letters(world.app)] == [
            f"{name} has the plan Starter now",
            f"A payment for {name} has failed",
            f"{name} can only be read now",
            f"The payment for {name} has arrived",
            f"The subscription of {name} has ended",
            f"{name} has the plan Large now",
        ]
        assert {status for _, status, _ in await states(world.app)} == {"done"}


async def company(world: Hearing) -> str:
    found = await tenants.first(world.app.db)
    assert found
    return found.name


async def test_payments_that_fail_for_good_end_it_where_stripe_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hearing(tmp_path, monkeypatch) as world:
        await world.fake.post("/settings", after_retries="cancel")
        await world.begin_trial()
        await world.check_out()
        await world.hear()
        await world.fake.decline(await world.customer())
        await world.until("2026-12-20T00:00:00.000Z")
        assert ((await world.subscription()).status, await asks(world)) == ("canceled", 402)


async def test_paid_again_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with hearing(tmp_path, monkeypatch) as world:
        await world.begin_trial()
        await world.check_out()
        await world.hear()
        await world.fake.decline(await world.customer())
        await world.until("2026-12-02T00:00:00.000Z")
        assert (await world.subscription()).status == "past_due"
        await world.fake.decline(await world.customer(), False)
        await world.until("2026-12-09T00:00:00.000Z")
        found = await world.subscription()
        assert (found.status, found.past_due_at) == ("active", None)
        assert len(await letters(world.app)) == 3


async def test_stripe_is_away_while_its_events_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with hearing(tmp_path, monkeypatch) as world:
        await world.begin_trial()
        await world.check_out()
        await world.fake.outage(True)
        await world.fake.until_delivered()
        for _ in range(2):
            await world.handle()
            world.clock.go_on(minutes=15)
        assert {status for _, status, _ in await states(world.app)} == {"pending"}
        assert (await world.subscription()).status == "trialing"
        await world.fake.outage(False)
        await world.handle()
        assert {status for _, status, _ in await states(world.app)} == {"done"}
        assert (await world.subscription()).status == "active"


async def test_flowchat_is_away_while_events_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stripe tries again; what it has given up is looked up."""
    async with hearing(tmp_path, monkeypatch) as world:
        await world.begin_trial()
        await world.fake.post("/webhooks", hold=True)
        await world.check_out()
        assert await states(world.app) == []
        await stripe_sync.sync_all(world.app, world.stripe)
        found = await world.subscription()
        assert found.status == "active"
        await world.fake.post("/webhooks/release", order="reversed", duplicate=True)
        await world.handle()
        assert await world.subscription() == found
        event = (await states(world.app))[0][0]
        await world.fake.post("/webhooks", hold=False)
        await world.fake.post(f"/events/{event}/resend")
        await world.hear()
        assert len({ident for ident, _, _ in await states(world.app)}) == len(await states(world.app))
        assert len(await letters(world.app)) == 1


async def test_another_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with hearing(tmp_path, monkeypatch) as world:
        await world.begin_trial()
        await world.check_out()
        await world.hear()
        before = await world.subscription()
        answer = await world.served.call("POST", "/v1/billing/plan", json={"plan": "large"})
        assert answer.status_code == 200, answer.text
        await world.hear()
        assert await world.subscription() == replace(before, plan_id="pln_large")


async def decline(world: Hearing) -> None:
    await world.fake.decline(await world.customer())


async def a_month(world: Hearing) -> None:
    await world.go_on(days=31)


async def some_days(world: Hearing) -> None:
    await world.go_on(days=5)


async def leave(world: Hearing) -> None:
    await world.cancel(now=True)


async def plan_to_leave(world: Hearing) -> None:
    await world.cancel(now=False)


async def come_back(world: Hearing) -> None:
    await world.check_out_elsewhere(LARGE)


async def pay(world: Hearing) -> None:
    await world.pay()


async def be_used(world: Hearing) -> None:
    found = await tenants.first(world.app.db)
    assert found
    await use(world.app, found, queries=3)


Deed = Callable[[Hearing], Awaitable[None]]
STORIES: tuple[tuple[Deed, ...], ...] = (
    (a_month, decline, a_month),
    (a_month, decline, a_month, pay, some_days),
    (decline, a_month, a_month),
    (leave, come_back, decline, a_month),
    (plan_to_leave, a_month),
    (decline, a_month, come_back, some_days),
    (some_days, come_back, leave, a_month),
    (be_used, leave, some_days, come_back, a_month, plan_to_leave),
)


@pytest.mark.parametrize("seed", range(16))
async def test_any_order_of_events_ends_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """They are held back, shuffled, sent twice, and handled now or later: at the end it is as Stripe has it."""
    dice = random.Random(seed)
    async with hearing(tmp_path, monkeypatch) as world:
        await world.begin_trial()
        trial = await world.subscription()
        await world.fake.post("/webhooks", hold=True)
        await world.check_out()
        await tell_some(world, dice, 1)  # the deeds ask what there is to leave or to pay
        for deed in STORIES[seed % len(STORIES)]:
            await deed(world)
            await tell_some(world, dice, 0.4)
        await tell_some(world, dice, 1)
        await world.handle()
        assert {status for _, status, _ in await states(world.app)} == {"done"}
        found = await world.subscription()
        best = stripe_sync.chosen(await customers.subscriptions(world.stripe, await world.customer()))
        assert best
        looked = stripe_sync.merged(replace(trial, email=found.email), best, best.plan_id, found.email, START)
        assert without_moment(found) == without_moment(looked)
        assert (found.past_due_at is None) == (looked.past_due_at is None)


def without_moment(subscription: Subscription) -> Subscription:
    """But for since when a payment is due, which is when FlowChat heard of it."""
    return replace(subscription, past_due_at=None)


async def tell_some(world: Hearing, dice: random.Random, chance: float) -> None:
    """Release what is held, if the dice say so, and handle it, if they say so."""
    if dice.random() < chance:
        order = dice.choice(["created", "reversed", "shuffled"])
        await world.fake.post("/webhooks/release", order=order, duplicate=dice.random() < 0.5, seed=dice.randrange(99))
    if dice.random() < max(chance, 0.5):
        await world.handle()
