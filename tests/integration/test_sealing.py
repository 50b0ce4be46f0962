"""Usage becomes meter events: each billable line once, in hours that are over."""

import asyncio
import random
from pathlib import Path

import pytest
from appliance import running
from clock import Clock
from metered import subscribed, use

from flowchat.domain import UsageCounts, now
from flowchat.services.check import check
from flowchat.services.context import Context
from flowchat.services.metering import seal, seal_until
from flowchat.services.subscribing import give
from flowchat.store import meter_events, subscriptions, usage


async def outbox(app: Context) -> list[tuple[str, str, int, str]]:
    """(hour, metric, value, what follows the hour in the identifier), oldest first."""
    rows = await app.db.rows("select * from meter_events order by seq")
    parts = [(row["hour"], row["metric"], row["value"], row["identifier"].partition(row["hour"])[2]) for row in rows]
    assert all(row["identifier"].startswith(f"{row['tenant_id']}-{row['metric']}-{row['hour']}") for row in rows)
    return parts


async def test_only_hours_that_are_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch, "2026-11-20T09:59:59.999Z")
    async with running(tmp_path) as app:
        tenant = await subscribed(app, "shop", "cus_1")
        await use(app, tenant, queries=3, pages=7)
        clock.go_on(milliseconds=1)
        await use(app, tenant, queries=2)
        clock.set("2026-11-20T10:00:59.999Z")
        assert await seal(app) == 0
        clock.go_on(milliseconds=1)
        assert await seal(app) == 2
        assert await seal(app) == 0
        assert await outbox(app) == [("2026-11-20T09", "queries", 3, ""), ("2026-11-20T09", "pages", 7, "")]
        clock.set("2026-11-20T11:01:00.000Z")
        assert await seal(app) == 1
        assert (await outbox(app))[-1] == ("2026-11-20T10", "queries", 2, "")
        assert await check(app.db) == []


async def test_what_comes_late_is_an_event_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch, "2026-11-20T09:30:00.000Z")
    async with running(tmp_path) as app:
        tenant = await subscribed(app, "shop", "cus_1")
        for expected in ("", "-2", "-3"):
            clock.set("2026-11-20T09:30:00.000Z")  # a clock that was set back
            await use(app, tenant, queries=1)
            clock.set("2026-11-20T12:00:00.000Z")
            await seal(app)
            assert (await outbox(app))[-1] == ("2026-11-20T09", "queries", 1, expected)
        assert await check(app.db) == []


async def test_only_from_when_stripe_bills(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch, "2026-11-20T09:10:00.000Z")
    async with running(tmp_path) as app:
        tenant = await subscribed(app, "shop", "cus_1", billed_from="2026-11-20T09:20:00.000Z")
        await use(app, tenant, queries=5)
        clock.set("2026-11-20T09:20:00.000Z")
        await use(app, tenant, queries=1)
        clock.set("2026-11-20T12:00:00.000Z")
        await seal(app)
        assert await outbox(app) == [("2026-11-20T09", "queries", 1, "")]
        event = await app.db.write(lambda conn: meter_events.find(conn, 1))
        assert event is not None
        assert event.timestamp == 1795168799  # 09:59:59: after the subscription began


async def test_what_is_not_billable_is_not_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch, "2026-11-20T09:10:00.000Z")
    async with running(tmp_path) as app:
        tenant = await subscribed(app, "shop", "cus_1")
        for counts in (UsageCounts(queries=1, refusals=1), UsageCounts(pages_crawled=9, free_pages=9)):
            await app.db.write(lambda conn, counts=counts: usage.record(conn, tenant.id, counts))  # type: ignore[misc]
        clock.set("2026-11-20T12:00:00.000Z")
        assert await seal(app) == 0


async def test_a_new_subscription_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was used under the former one is sealed before its end is over, and sent when its hour is."""
    clock = Clock(monkeypatch, "2026-11-20T09:10:00.000Z")
    async with running(tmp_path) as app:
        tenant = await subscribed(app, "shop", "cus_1")
        await use(app, tenant, queries=4)
        clock.set("2026-11-20T09:30:00.000Z")
        assert await app.db.write(lambda conn: seal_until(conn, now(), tenant.id)) == 1
        await use(app, tenant, queries=2)
        assert await meter_events.due(app.db, "2026-11-20T09:59:59.998Z", 9) == []
        assert await meter_events.due(app.db, "2026-11-20T10:00:00.000Z", 9) == [1]
        clock.set("2026-11-20T12:00:00.000Z")
        await seal(app)
        assert await outbox(app) == [("2026-11-20T09", "queries", 4, ""), ("2026-11-20T09", "queries", 2, "-2")]


@pytest.mark.parametrize("plan", ["trial", None])
async def test_a_plan_that_an_operator_gives_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plan: str | None
) -> None:
    """Of a subscription that Stripe has ended: the usage of its last hour."""
    clock = Clock(monkeypatch, "2026-11-20T09:10:00.000Z")
    async with running(tmp_path) as app:
        tenant = await subscribed(app, "shop", "cus_1")
        await use(app, tenant, queries=4)
        clock.go_on(minutes=1)
        await app.db.write(
            lambda conn: conn.execute("update subscriptions set status = 'canceled' where tenant_id = ?", (tenant.id,))
        )
        await app.db.write(lambda conn: give(conn, tenant.id, plan))
        await use(app, tenant, queries=2)
        clock.set("2026-11-20T12:00:00.000Z")
        await seal(app)
        assert await outbox(app) == [("2026-11-20T09", "queries", 4, "")]


async def test_tenants_without_stripe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch, "2026-11-20T09:10:00.000Z")
    async with running(tmp_path) as app:
        tenant = await subscribed(app, "shop", "cus_1")
        await app.db.write(lambda conn: subscriptions.delete(conn, tenant.id))
        await use(app, tenant, queries=4)
        clock.set("2026-11-20T12:00:00.000Z")
        assert await seal(app) == 0


@pytest.mark.parametrize("seed", range(4))
async def test_the_outbox_is_the_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """Whatever is used whenever, and however often it is sealed meanwhile, in parallel, with clocks that are set."""
    chance = random.Random(seed)
    clock = Clock(monkeypatch, "2026-11-20T09:10:00.000Z")
    async with running(tmp_path) as app:
        shops = [await subscribed(app, f"shop-{number}", f"cus_{number}") for number in range(3)]
        for _ in range(60):
            clock.go_on(minutes=chance.choice([0, 1, 7, 40, 200, -5, -70]))
            tenant = chance.choice(shops)
            await use(app, tenant, queries=chance.randrange(4), pages=chance.randrange(9))
            if chance.random() < 0.4:
                await asyncio.gather(*(seal(app) for _ in range(3)))
        clock.go_on(days=30)
        await seal(app)
        ledger = await app.db.rows(
            "select tenant_id, sum(billable_queries) as queries, sum(billable_pages) as pages from usage_ledger"
            " group by 1"
        )
        for row in ledger:
            sums = await app.db.rows(
                "select metric, sum(value) as value from meter_events where tenant_id = ? group by 1",
                (row["tenant_id"],),
            )
            assert {found["metric"]: found["value"] for found in sums} == {
                "queries": row["queries"],
                "pages": row["pages"],
            }
        assert await check(app.db) == []
        unmarked = await app.db.rows(
            "select * from usage_ledger where reported_in is null and billable_queries + billable_pages > 0"
        )
        assert unmarked == []
