"""GET /v1/usage over 400 days: its pages are stable while more is used, and closed days never change."""

import asyncio
import random
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from appliance import operator
from web_server import Served, serving

from flowchat.billing import NANO, Plan, Prices, Subscription
from flowchat.domain import UsageCounts, new_id, now
from flowchat.store import plans, subscriptions, usage
from flowchat.store.database import Connection

DAYS = 400
PRICES = Prices(per_1000_queries_nano=2 * NANO, per_1000_pages_nano=NANO // 2, per_million_tokens_out_nano=NANO)


async def pages(served: Served, query: str = "") -> list[dict[str, Any]]:
    """The rows of all pages, as a client reads them."""
    rows: list[dict[str, Any]] = []
    has_more, cursor = True, ""
    while has_more:
        response = await served.call("GET", f"/v1/usage?limit=7{query}{cursor}")
        assert response.status_code == 200, response.text
        page = response.json()
        rows += page["data"]
        has_more, cursor = page["has_more"], f"&starting_after={rows[-1]['date']}"
    return rows


async def subscribe(served: Served, tenant_id: str, prices: Prices) -> Plan:
    plan = Plan(id=new_id("pln"), slug="paid", name="Paid", prices=prices, created_at=now())
    subscription = Subscription(tenant_id=tenant_id, plan_id=plan.id, status="active", started_at=now())

    def transaction(conn: Connection) -> None:
        plans.insert(conn, plan)
        subscriptions.put(conn, subscription)

    await served.app.db.write(transaction)
    return plan


async def use(served: Served, monkeypatch: pytest.MonkeyPatch, tenant_id: str, today: date) -> None:
    """Something on most of the last 400 days, by three keys and two sources; on the present day as well."""
    choices = random.Random(8)

    def transaction(conn: Connection) -> None:
        for ago in range(DAYS):
            day = today - timedelta(days=ago)
            clock.setattr(usage, "now", lambda day=day: f"{day}T12:00:00.000Z")
            for _ in range(choices.choice([0, 1, 5]) if ago else 1):
                counts = UsageCounts(queries=1, tokens_out=choices.randrange(100), billable_queries=1)
                key_id, source_id = f"key_{choices.randrange(3)}", f"src_{choices.randrange(2)}"
                usage.record(conn, tenant_id, counts, key_id=key_id, source_id=source_id)

    with monkeypatch.context() as clock:
        await served.app.db.write(transaction)


async def test_400_days_in_pages_while_more_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(tmp_path, calls_per_minute=0) as served:
        tenant_id = (await operator(served.app)).tenant_id
        plan = await subscribe(served, tenant_id, PRICES)
        today = date.fromisoformat(now()[:10])
        await use(served, monkeypatch, tenant_id, today)
        before = await pages(served)
        stop = asyncio.Event()

        def record_one(conn: Connection) -> None:
            usage.record(conn, tenant_id, UsageCounts(queries=1, billable_queries=1), key_id="key_0")

        async def go_on_using() -> None:
            while not stop.is_set():
                await served.app.db.write(record_one)

        using = asyncio.create_task(go_on_using())
        dearer = replace(plan, prices=replace(PRICES, per_1000_queries_nano=9 * NANO))
        await served.app.db.write(lambda conn: plans.update(conn, dearer))
        meanwhile = [await pages(served) for _ in range(3)]
        by_key, by_source = await pages(served, "&group_by=key"), await pages(served, "&group_by=source")
        stop.set()
        await using
        after = await pages(served)

    closed = [row for row in before if row["final"]]
    assert len(closed) > DAYS / 2 and len(before) - len(closed) <= 2
    for rows in (*meanwhile, after):
        assert [row["date"] for row in rows] == sorted({row["date"] for row in rows}, reverse=True)
        assert [row for row in rows if row["final"] and row["date"] in {day["date"] for day in closed}] == closed
    for groups in (by_key, by_source):
        assert _sums(groups, closed) == {row["date"]: row["billable"]["queries"] for row in closed}
    assert after[0]["queries"] > before[0]["queries"], "the present day went on"


def _sums(groups: list[dict[str, Any]], closed: list[dict[str, Any]]) -> dict[str, int]:
    """{date: billable queries} of the closed days, summed over their groups."""
    sums = {row["date"]: 0 for row in closed}
    for row in groups:
        if row["date"] in sums:
            sums[row["date"]] += row["billable"]["queries"]
    return sums


async def test_the_cost_of_a_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(tmp_path) as served:
        tenant_id = (await operator(served.app)).tenant_id
        await subscribe(served, tenant_id, PRICES)
        answered = UsageCounts(queries=1, tokens_out=200, billable_queries=1)
        refused = UsageCounts(queries=1, refusals=1, tokens_out=50)
        crawled = UsageCounts(pages_crawled=100, billable_pages=100)
        free = UsageCounts(pages_crawled=40, free_pages=40)
        with monkeypatch.context() as clock:
            clock.setattr(usage, "now", lambda: "2026-03-01T12:00:00.000Z")
            for counts in (answered, refused, crawled, free):
                await served.app.db.write(lambda conn, counts=counts: usage.record(conn, tenant_id, counts))  # type: ignore[misc]
        [row] = await pages(served)
    # 1 x 2/1000 + 200 x 1/1,000,000 + 100 x 0.5/1000
    assert row["cost"] == {"amount": "0.0522", "currency": "usd"}
