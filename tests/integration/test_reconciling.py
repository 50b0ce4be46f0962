"""Ledger, outbox and Stripe compared, and what is parked settled, also on the command line."""

import asyncio
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from billed import Billed, billed
from metered import use

from flowchat.services.reconciliation import Settled

ROOT = Path(__file__).resolve().parent.parent.parent
AFTER_ALL_IS_SUMMED_UP = {"minutes": 20}


async def parked(world: Billed, kind: str, queries: int = 4) -> None:
    """Used, tried for 23 hours, and parked."""
    await use(world.app, world.shop, queries=queries)
    await world.go_on(hours=1)
    await world.fake.fail(1, kind)
    await world.report()
    await world.go_on(hours=23)
    await world.report()
    assert [event.status for event in await world.events()][-1] == "parked"
    await world.fake.fail(0)


async def test_all_agrees(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with billed(tmp_path, monkeypatch) as world:
        await use(world.app, world.shop, queries=4, pages=3)
        await world.go_on(hours=1)
        await world.report()
        found = await world.reconcile()
        assert (found.differences, found.compared) == (0, 2)
        assert found.lines == ()


async def test_an_hour_that_is_not_over_is_not_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with billed(tmp_path, monkeypatch) as world:
        await use(world.app, world.shop, queries=4)
        assert (await world.reconcile()).compared == 0


@pytest.mark.parametrize(
    ("kind", "settled"), [("500_after", Settled(delivered=1)), ("500_before", Settled(sent_again=1))]
)
async def test_what_is_parked_is_settled_by_what_stripe_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, settled: Settled
) -> None:
    async with billed(tmp_path, monkeypatch) as world:
        await parked(world, kind)
        await world.go_on(**AFTER_ALL_IS_SUMMED_UP)
        looked = await world.reconcile()
        assert [line.state for line in looked.lines] == ["parked"]
        assert (looked.differences, looked.settled, (await world.event()).status) == (1, Settled(), "parked")
        identifier = (await world.event()).identifier
        found = await world.reconcile(apply=True)
        assert (found.settled, found.differences) == (settled, 0)
        event = await world.event()
        assert (event.status, event.identifier, await world.at_stripe()) == ("delivered", identifier, 4)
        assert (await world.reconcile(apply=True)).settled == Settled()
        assert await world.at_stripe() == 4


async def test_stripes_sums_come_with_a_delay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was tried a moment ago may be there although the sum doesn't say so."""
    async with billed(tmp_path, monkeypatch) as world:
        await world.fake.post("/settings", meter_lag_s=600)
        await use(world.app, world.shop, queries=4)
        await world.go_on(hours=1)
        await world.fake.fail(1, "500_before")
        await world.report()
        await world.fake.fail(1, "500_after")
        await world.go_on(hours=22, minutes=58)
        await world.report()  # taken now
        await world.go_on(minutes=3)
        await world.report()
        assert (await world.event()).status == "parked"
        await world.fake.fail(0)
        found = await world.reconcile(apply=True)
        assert (found.settled, (await world.event()).status) == (Settled(undecided=1), "parked")
        await world.go_on(minutes=16)
        assert (await world.reconcile(apply=True)).settled == Settled(delivered=1)
        assert await world.at_stripe() == 4


async def test_what_is_on_its_way_is_sent_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with billed(tmp_path, monkeypatch) as world:
        await world.fake.fail(1, "429")
        await use(world.app, world.shop, queries=4)
        await world.go_on(hours=1)
        await world.report()
        await world.fake.fail(0)
        assert [line.state for line in (await world.reconcile()).lines] == ["waiting"]
        found = await world.reconcile(apply=True)
        assert (found.differences, await world.at_stripe()) == (0, 4)


async def test_usage_that_nobody_has_sealed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with billed(tmp_path, monkeypatch) as world:
        await use(world.app, world.shop, queries=4)
        await world.go_on(hours=1)
        assert [line.state for line in (await world.reconcile()).lines] == ["differs"]
        assert (await world.reconcile(apply=True)).differences == 0
        assert await world.at_stripe() == 4


async def test_somebody_else_reports_to_the_meter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with billed(tmp_path, monkeypatch) as world:
        await parked(world, "500_before")
        payload = {"stripe_customer_id": world.customer, "value": "3"}
        moment = (await world.event()).timestamp
        await world.stripe.api.v1.billing.meter_events.create_async(
            {"event_name": "flowchat_queries", "payload": payload, "timestamp": moment}
        )
        await world.go_on(**AFTER_ALL_IS_SUMMED_UP)
        found = await world.reconcile(apply=True)
        [line] = found.lines
        assert (found.settled, line.state, line.stripe) == (Settled(undecided=1), "parked", 3)


async def test_two_events_of_one_hour_that_look_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with billed(tmp_path, monkeypatch) as world:
        await parked(world, "500_after")
        await world.set("2026-11-20T09:30:00.000Z")  # a clock that is set back
        await parked(world, "500_before")
        await world.go_on(hours=23, minutes=20)
        assert [event.identifier[-2:] for event in await world.events()] == ["09", "-2"]
        found = await world.reconcile(apply=True)
        assert found.settled == Settled(delivered=1, sent_again=1)
        assert await world.at_stripe() == 8
        assert {event.status for event in await world.events()} == {"delivered"}


async def test_on_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with billed(tmp_path, monkeypatch) as world:
        monkeypatch.undo()  # the command has the real time
        environ = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "FLOWCHAT_DATA_DIR": str(tmp_path),
            "FLOWCHAT_STRIPE_API_KEY": world.app.settings.stripe_api_key,
            "FLOWCHAT_STRIPE_API_BASE": world.fake.url,
        }

        async def command(*arguments: str) -> subprocess.CompletedProcess[str]:
            made = [sys.executable, "-m", "flowchat", "billing", "reconcile", *arguments]
            return await asyncio.to_thread(
                subprocess.run, made, env=environ, capture_output=True, text=True, timeout=60, check=False
            )

        await world.fake.set_time(datetime.now(UTC).timestamp())
        moment = (datetime.now(UTC) - timedelta(hours=3)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        await use(world.app, world.shop, queries=4)
        await world.app.db.write(lambda conn: conn.execute("update usage_ledger set created_at = ?", (moment,)))
        await world.app.db.write(lambda conn: conn.execute("update subscriptions set billed_from = ?", (moment,)))
        found = await command()
        assert found.returncode == 1
        assert f"shop    {moment[:13]}:00  queries  4" in found.stdout and "differs" in found.stdout
        found = await command("--apply", "--json")
        assert (found.returncode, found.stderr) == (0, "")
        assert json.loads(found.stdout)["differences"] == 0
        found = await command()
        assert found.returncode == 0 and "agree in all" in found.stdout
        assert await world.at_stripe() == 4
        bad = await command("--apply", "nonsense")
        assert bad.returncode == 2
