"""Subscribing twice, after all was lost at Stripe, and at prices that have changed: nobody pays for two."""

from dataclasses import replace
from pathlib import Path

import pytest
from hearing import Hearing, hearing
from metered import STARTER

from flowchat.services import stripe_setup
from flowchat.store import plans, subscriptions
from flowchat.store.database import Connection


async def checkout(world: Hearing, plan: str) -> str:
    answer = await world.served.call("POST", "/v1/billing/checkout", json={"plan": plan})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["url"])


async def code_of(world: Hearing, path: str, plan: str) -> str:
    answer = await world.served.call("POST", f"/v1/billing/{path}", json={"plan": plan})
    return str(answer.json().get("code", answer.status_code))


async def live(world: Hearing) -> int:
    return sum(one["status"] == "active" for one in await world.fake.objects("subscription"))


async def test_of_two_open_pages_only_the_newer_can_be_paid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with hearing(tmp_path, monkeypatch) as world:
        await world.begin_trial()
        older, newer = await checkout(world, "starter"), await checkout(world, "large")
        await world.fake.press(older, "pay")
        assert await live(world) == 0
        assert (await world.fake.press(newer, "pay")).status_code == 303
        assert await live(world) == 1


async def test_what_was_paid_a_moment_ago_is_seen_before_stripe_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hearing(tmp_path, monkeypatch) as world:
        await world.begin_trial()
        await world.fake.press(await checkout(world, "starter"), "pay")
        assert (await world.subscription()).stripe_subscription is None, "its event is not handled yet"
        assert await code_of(world, "checkout", "large") == "already_subscribed"
        assert (await world.subscription()).plan_id == STARTER.id
        assert await live(world) == 1


@pytest.mark.parametrize("is_deleted", [False, True])
async def test_a_customer_that_stripe_does_not_know_is_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_deleted: bool
) -> None:
    """It was deleted there, or is of another account: of a test, say."""
    async with hearing(tmp_path, monkeypatch) as world:
        await world.begin_trial()
        await world.check_out()
        await world.hear()
        known = await world.subscription()
        if is_deleted:
            await world.stripe.api.v1.customers.delete_async(known.stripe_customer or "")
            await world.hear()
        else:
            lost = replace(known, stripe_customer="cus_elsewhere", stripe_subscription="sub_elsewhere")
            await world.app.db.write(lambda conn: subscriptions.put(conn, lost))
        await world.fake.press(await checkout(world, "large"), "pay")
        await world.hear()
        present = await world.subscription()
        assert (present.status, present.plan_id) == ("active", "pln_large")
        assert present.stripe_customer not in (known.stripe_customer, "cus_elsewhere")


async def test_prices_that_have_changed_are_taken_over_by_the_same_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hearing(tmp_path, monkeypatch) as world:
        await world.begin_trial()
        await world.check_out()
        await world.hear()
        assert await code_of(world, "plan", "starter") == "same_plan"
        dearer = replace(STARTER, prices=replace(STARTER.prices, monthly_fee_nano=39_000_000_000))

        def transaction(conn: Connection) -> None:
            plans.update(conn, dearer)

        await world.app.db.write(transaction)
        for step in (await stripe_setup.plan_set_up(world.app, world.stripe)).steps:
            await step.work()
        assert await code_of(world, "plan", "starter") == "200"
        assert await code_of(world, "plan", "starter") == "same_plan"
        [remote] = await world.fake.objects("subscription")
        fees = [item["price"]["unit_amount_decimal"] for item in remote["items"]["data"]]
        assert "3900" in fees and "2900" not in fees
