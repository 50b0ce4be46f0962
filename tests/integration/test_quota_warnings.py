"""Whoever pays is told at 80 and 100 % of a plan, once each a month, and what the letter says."""

from pathlib import Path

import pytest
from appliance import operator, running
from clock import Clock
from subscribing import plan_of, subscribe

from flowchat.billing import NANO, Metric, Prices
from flowchat.domain import UsageCounts, User, new_id, now
from flowchat.services import quota_warnings, tenants
from flowchat.services.context import Appliance
from flowchat.services.tenants import NewTenant
from flowchat.store import usage, users
from flowchat.store.database import Connection

NOVEMBER = "2026-11-20T12:00:00.000Z"


async def use(app: Appliance, tenant_id: str, count: int, metric: Metric = "queries") -> None:
    """So many billable ones, then the next look at what is used."""
    counts = UsageCounts(billable_queries=count) if metric == "queries" else UsageCounts(billable_pages=count)
    await app.db.write(lambda conn: usage.record(conn, tenant_id, counts))
    await quota_warnings.warn(app)


async def letters(app: Appliance) -> list[tuple[str, str]]:
    """(recipient, subject), oldest first."""
    rows = await app.db.rows("select recipient, subject from emails order by rowid")
    return [(row["recipient"], row["subject"]) for row in rows]


async def test_letters_at_80_and_100_percent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch, NOVEMBER)
    async with running(tmp_path, public_url="https://chat.example.com") as app:
        tenant_id = (await operator(app)).tenant_id
        plan = plan_of("small", included_queries=10, included_pages=20)
        await subscribe(app.db, tenant_id, plan, email="ann@shop.example")
        at_80 = ("ann@shop.example", "Default has used 80 % of this month's answers")
        at_100 = ("ann@shop.example", "Default has used 100 % of this month's answers")
        told = []
        for count, expected in ((7, []), (1, [at_80]), (1, []), (1, [at_100]), (5, [])):
            await use(app, tenant_id, count)
            told += expected
            assert await letters(app) == told
        await use(app, tenant_id, 20, "pages")
        told.append(("ann@shop.example", "Default has used 100 % of this month's crawled pages"))
        assert await letters(app) == told, "only the higher of two at once"
        [body] = [row["body"] for row in await app.db.rows("select body from emails where subject = ?", (at_80[1],))]
        assert "8 of the 10 answers that the plan Small includes" in body and "2026-12-01" in body
        assert "its keys give no more answers" in body and "https://chat.example.com/admin/billing" in body
        clock.set("2026-12-01T00:00:00.000Z")
        await quota_warnings.warn(app)
        assert await letters(app) == told
        await use(app, tenant_id, 8)
        assert await letters(app) == [*told, at_80]


async def test_what_metered_overage_costs_is_told(tmp_path: Path) -> None:
    async with running(tmp_path, currency="eur") as app:
        tenant_id = (await operator(app)).tenant_id
        prices = Prices(per_1000_queries_nano=NANO // 2)
        plan = plan_of("metered", included_queries=2, overage="metered", prices=prices)
        await subscribe(app.db, tenant_id, plan, email="ann@shop.example")
        await use(app, tenant_id, 2)
        [body] = [row["body"] for row in await app.db.rows("select body from emails")]
    assert "What comes beyond costs 0.50 EUR for 1,000." in body


async def test_another_plan_warns_anew(tmp_path: Path) -> None:
    async with running(tmp_path) as app:
        tenant_id = (await operator(app)).tenant_id
        await subscribe(app.db, tenant_id, plan_of("small", included_queries=10), email="ann@shop.example")
        await use(app, tenant_id, 10)
        await subscribe(app.db, tenant_id, plan_of("large", included_queries=100), email="ann@shop.example")
        await use(app, tenant_id, 69)
        assert len(await letters(app)) == 1
        await use(app, tenant_id, 1)
        assert [subject for _, subject in await letters(app)][1:] == ["Default has used 80 % of this month's answers"]


async def test_who_is_told(tmp_path: Path) -> None:
    """Without an address of the subscription its owners are; nobody of a closed tenant, and nobody without a plan."""
    async with running(tmp_path) as app:
        machine = await operator(app)
        plan = plan_of("small", included_queries=1)
        for slug in ("owned", "closed", "free", "nobody"):
            tenant, _ = await tenants.create(app, machine, NewTenant(slug=slug, name=slug.title()))
            if slug != "free":
                await subscribe(app.db, tenant.id, plan)
            if slug != "nobody":
                await app.db.write(lambda conn, tenant_id=tenant.id, slug=slug: add_people(conn, tenant_id, slug))  # type: ignore[misc]
            if slug == "closed":
                await tenants.close(app, machine, slug)
            await use(app, tenant.id, 1)
        assert [recipient for recipient, _ in await letters(app)] == ["ann@owned.example", "bob@owned.example"]
        rows = await app.db.rows("select distinct tenant_id from quota_warnings")
        assert len(rows) == 2, "nobody's page tells it"


def add_people(conn: Connection, tenant_id: str, slug: str) -> None:
    for name, role in (("ann", "owner"), ("bob", "owner"), ("eve", "editor")):
        users.insert(conn, User(new_id("usr"), tenant_id, f"{name}@{slug}.example", name, role, now()))  # type: ignore[arg-type]


async def test_a_plan_that_includes_nothing_warns_of_nothing(tmp_path: Path) -> None:
    async with running(tmp_path) as app:
        tenant_id = (await operator(app)).tenant_id
        await subscribe(app.db, tenant_id, plan_of("pay", included_queries=0, overage="metered"), email="a@b.example")
        await use(app, tenant_id, 5)
        assert await letters(app) == []
