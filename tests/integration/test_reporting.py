"""Usage is reported to Stripe once, whatever Stripe does; by the real library, to its fake, over HTTP."""

import asyncio
import logging
from pathlib import Path

import pytest
from billed import Billed, billed
from metered import use

from flowchat.services.metering import next_pause_s
from flowchat.store import tenants


class Killed(BaseException):
    """What no handler of errors sees."""


async def used(world: Billed, queries: int = 4) -> None:
    """In an hour that is over."""
    await use(world.app, world.shop, queries=queries)
    await world.go_on(hours=1)


async def test_what_was_used_arrives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with billed(tmp_path, monkeypatch) as world:
        await use(world.app, world.shop, queries=4, pages=7)
        await world.report()
        assert await world.events() == []
        await world.go_on(hours=1)
        await world.report()
        assert (await world.at_stripe("queries"), await world.at_stripe("pages")) == (4, 7)
        assert [(event.status, event.attempts) for event in await world.events()] == [("delivered", 1)] * 2
        await world.report()
        assert (await world.fake.state())["requests"]["POST /v1/billing/meter_events"] == 2


@pytest.mark.parametrize("kind", ["500_after", "timeout_after"])
async def test_taken_but_not_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    async with billed(tmp_path, monkeypatch) as world:
        await world.fake.fail(1, kind)
        await used(world)
        await world.report()
        event = await world.event()
        assert (event.status, event.attempts, event.unanswered_since) == ("pending", 1, event.last_attempt_at)
        assert event.error and event.next_attempt_at
        await world.fake.fail(0)
        await world.go_on(minutes=2)
        await world.report()
        event = await world.event()
        assert (event.status, event.attempts, event.unanswered_since) == ("delivered", 2, None)
        assert await world.at_stripe() == 4
        assert (await world.fake.state())["duplicates_refused"] == [event.identifier]


@pytest.mark.parametrize("kind", ["500_before", "timeout_before"])
async def test_neither_taken_nor_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    async with billed(tmp_path, monkeypatch) as world:
        await world.fake.fail(1, kind)
        await used(world)
        await world.report()
        assert (await world.event()).unanswered_since
        await world.fake.fail(0)
        await world.go_on(minutes=2)
        await world.report()
        assert ((await world.event()).status, await world.at_stripe()) == ("delivered", 4)


async def test_too_many_calls_leave_no_doubt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with billed(tmp_path, monkeypatch) as world:
        await world.fake.fail(1, "429")
        await used(world)
        await world.report()
        event = await world.event()
        assert (event.status, event.attempts, event.unanswered_since) == ("pending", 1, None)
        for _ in range(15):
            await world.go_on(hours=2)
            await world.report()
        event = await world.event()
        assert (event.status, event.attempts, event.unanswered_since) == ("pending", 16, None)
        await world.fake.fail(0)
        await world.go_on(hours=2)
        await world.report()
        assert await world.at_stripe() == 4


async def test_a_doubt_stays_when_stripe_asks_to_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with billed(tmp_path, monkeypatch) as world:
        await world.fake.fail(1, "500_after")
        await used(world)
        await world.report()
        first = (await world.event()).unanswered_since
        await world.fake.fail(1, "429")
        await world.go_on(minutes=2)
        await world.report()
        assert (await world.event()).unanswered_since == first


async def test_after_23_hours_without_an_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with billed(tmp_path, monkeypatch) as world:
        await world.fake.fail(1, "timeout_after")
        await used(world)
        for _ in range(23 * 4 + 1):
            await world.report()
            await world.go_on(minutes=15)
        await world.report()
        event = await world.event()
        assert (event.status, event.next_attempt_at) == ("parked", None)
        assert event.error and "23 hours" in event.error
        assert "flowchat billing reconcile" in caplog.text and caplog.records[-1].levelno == logging.WARNING
        tried = event.attempts
        await world.fake.fail(0)
        await world.go_on(hours=5)
        await world.report()
        assert ((await world.event()).attempts, await world.at_stripe()) == (tried, 4)


async def test_there_is_a_last_chance_before_it_is_parked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with billed(tmp_path, monkeypatch) as world:
        await world.fake.fail(1, "500_before")
        await used(world)
        await world.report()
        await world.go_on(hours=22, minutes=30)
        await world.report()
        await world.fake.fail(0)
        await world.go_on(minutes=29, seconds=30)
        await world.report()
        assert ((await world.event()).status, await world.at_stripe()) == ("delivered", 4)


async def test_what_is_older_than_stripe_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with billed(tmp_path, monkeypatch) as world:
        await used(world)
        await world.go_on(days=34)
        await world.report()
        event = await world.event()
        assert (event.status, event.attempts) == ("parked", 0)
        assert event.error and "34 days" in event.error
        assert (await world.reconcile(apply=True)).settled.dropped == 1
        assert (await world.event()).status == "dropped"


async def test_just_young_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with billed(tmp_path, monkeypatch) as world:
        await used(world)
        await world.go_on(days=33, hours=23)
        await world.report()
        assert (await world.event()).status == "delivered"


async def test_what_stripe_refuses_waits_for_the_operator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with billed(tmp_path, monkeypatch) as world:
        [meter] = [meter for meter in await world.fake.objects("meter") if meter["event_name"] == "flowchat_queries"]
        await world.stripe.api.v1.billing.meters.deactivate_async(meter["id"])
        await used(world)
        await world.report()
        event = await world.event()
        assert (event.status, event.unanswered_since) == ("parked", None)
        assert event.error and "No active meter" in event.error
        await world.stripe.api.v1.billing.meters.reactivate_async(meter["id"])
        assert (await world.reconcile(apply=True)).settled.sent_again == 1
        assert ((await world.event()).status, await world.at_stripe()) == ("delivered", 4)
        assert (await world.event()).identifier == event.identifier


async def test_a_key_that_stripe_does_not_take(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with billed(tmp_path, monkeypatch) as world:
        good = world.stripe.api._requestor._options.api_key
        world.stripe.api._requestor._options.api_key = "sk_wrong"
        await used(world)
        await world.report()
        event = await world.event()
        assert (event.status, event.unanswered_since) == ("pending", None)
        assert event.error and "FLOWCHAT_STRIPE_API_KEY" in event.error
        world.stripe.api._requestor._options.api_key = good
        await world.go_on(hours=1)
        await world.report()
        assert await world.at_stripe() == 4


async def test_a_crash_between_writing_down_and_hearing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An attempt that was begun counts as one that was not answered, until its lease is over."""
    async with billed(tmp_path, monkeypatch) as world:
        await used(world)

        async def crash(*_: object) -> None:
            raise Killed

        with monkeypatch.context() as patched:
            patched.setattr("flowchat.net.stripe_api.meters.report", crash)
            with pytest.raises(Killed):
                await world.report()
        event = await world.event()
        assert (event.status, event.attempts, event.unanswered_since) == ("pending", 1, event.last_attempt_at)
        await world.report()
        assert (await world.event()).attempts == 1
        await world.go_on(minutes=1)
        await world.report()
        assert ((await world.event()).status, await world.at_stripe()) == ("delivered", 4)


async def test_two_reporters_send_it_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with billed(tmp_path, monkeypatch) as world:
        await used(world)
        await asyncio.gather(world.report(), world.report(), world.report())
        assert ((await world.event()).attempts, await world.at_stripe()) == (1, 4)


async def test_tenants_that_are_closed_are_billed_to_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with billed(tmp_path, monkeypatch) as world:
        await use(world.app, world.shop, queries=2)
        await world.app.db.write(lambda conn: tenants.close(conn, world.shop.id))
        await world.go_on(hours=1)
        await world.report()
        assert await world.at_stripe() == 2


def test_pauses() -> None:
    assert 9 <= next_pause_s(1, None) <= 11
    assert 3240 <= next_pause_s(50, None) <= 3960
    assert next_pause_s(1, 120) == 120
    assert next_pause_s(1, 1e9) == 3600
