"""GET /v1/usage: days, their sums, groups and pages; and the check that sums and ledger agree."""

from pathlib import Path
from typing import Any

import pytest
from appliance import operator, running
from web_server import Served, serving

from flowchat.domain import UsageCounts
from flowchat.services.check import check
from flowchat.services.context import Appliance
from flowchat.store import tenants, usage
from flowchat.store.database import Connection

ONE_ANSWER = UsageCounts(queries=1, tokens_in=100, tokens_out=20, billable_queries=1)


async def record(
    app: Appliance,
    monkeypatch: pytest.MonkeyPatch,
    day: str,
    counts: UsageCounts = ONE_ANSWER,
    tenant_id: str | None = None,
    **whose: str,
) -> None:
    """As if it were done at noon of that day."""
    owner = tenant_id or (await operator(app)).tenant_id
    with monkeypatch.context() as clock:
        clock.setattr(usage, "now", lambda: f"{day}T12:00:00.000Z")
        await app.db.write(lambda conn: usage.record(conn, owner, counts, **whose))


async def list_usage(served: Served, query: str = "") -> list[dict[str, Any]]:
    response = await served.call("GET", f"/v1/usage{query}")
    assert response.status_code == 200, response.text
    return list(response.json()["data"])


async def test_a_day_has_one_row_with_its_sums(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(tmp_path) as served:
        assert await list_usage(served) == []
        await record(served.app, monkeypatch, "2026-03-01", key_id="key_a", source_id="src_a")
        await record(served.app, monkeypatch, "2026-03-01", UsageCounts(queries=1, refusals=1), key_id="key_b")
        crawled = UsageCounts(pages_crawled=7, chunks_embedded=30, billable_pages=7)
        await record(served.app, monkeypatch, "2026-03-01", crawled, source_id="src_a")
        assert await list_usage(served) == [
            {
                "date": "2026-03-01",
                "queries": 2,
                "refusals": 1,
                "tokens_in": 100,
                "tokens_out": 20,
                "pages_crawled": 7,
                "chunks_embedded": 30,
                "billable": {"queries": 1, "pages": 7},
                "cost": {"amount": "0.0000", "currency": "usd"},
                "final": True,
            }
        ]


async def test_groups_sum_up_to_their_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(tmp_path) as served:
        for whose in ({"key_id": "key_a"}, {"key_id": "key_b", "source_id": "src_a"}, {"source_id": "src_a"}):
            await record(served.app, monkeypatch, "2026-03-01", **whose)
        by_source = await list_usage(served, "?group_by=source")
        by_key = await list_usage(served, "?group_by=key")
    assert [(row["source"], row["queries"]) for row in by_source] == [(None, 1), ("src_a", 2)]
    assert [(row["key"], row["queries"]) for row in by_key] == [(None, 1), ("key_a", 1), ("key_b", 1)]
    assert "key" not in by_source[0] and "source" not in by_key[0]


async def test_pages_of_days(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    days = ["2026-03-09", "2026-03-05", "2026-03-04", "2026-02-28"]  # as listed; nothing was done between them
    async with serving(tmp_path) as served:
        for day in days:
            for key_id in ("key_a", "key_b"):
                await record(served.app, monkeypatch, day, key_id=key_id)

        async def dates(query: str) -> tuple[list[str], bool]:
            page = (await served.call("GET", f"/v1/usage?{query}")).json()
            return [row["date"] for row in page["data"]], page["has_more"]

        assert await dates("limit=2") == (days[:2], True)
        assert await dates(f"limit=2&starting_after={days[1]}") == (days[2:], False)
        assert await dates(f"limit=2&ending_before={days[3]}") == (days[1:3], True)
        assert await dates("limit=1&group_by=key") == ([days[0], days[0]], True)
        assert await dates("starting_after=2026-03-06") == (days[1:], False)
        assert await dates("from=2026-03-04&to=2026-03-05") == (days[1:3], False)
        assert await dates("from=2026-03-05&to=2026-03-04") == ([], False)
        assert await dates(f"starting_after={days[0]}&ending_before={days[3]}") == (days[1:3], False)


async def test_when_a_day_is_final(tmp_path: Path) -> None:
    assert not usage.is_final("2026-03-01", "2026-03-01T12:00:00.000Z")
    assert not usage.is_final("2026-03-01", "2026-03-02T00:00:59.999Z")
    assert usage.is_final("2026-03-01", "2026-03-02T00:01:00.000Z")
    async with serving(tmp_path) as served:
        tenant_id = (await operator(served.app)).tenant_id
        await served.app.db.write(lambda conn: usage.record(conn, tenant_id, ONE_ANSWER))
        assert [row["final"] for row in await list_usage(served)] == [False]


async def test_usage_of_another_tenant_is_not_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(tmp_path) as served:
        other = await served.app.db.write(lambda conn: tenants.insert(conn, "other", "Other"))
        await record(served.app, monkeypatch, "2026-03-01", tenant_id=other.id)
        assert await list_usage(served) == []


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("starting_after=yesterday", "starting_after"),
        ("ending_before=2026-13-01", "ending_before"),
        ("from=2026-3-1", "from"),
        ("to=2026-03-32", "to"),
        ("group_by=page", "group_by"),
    ],
)
async def test_invalid_queries(tmp_path: Path, query: str, param: str) -> None:
    async with serving(tmp_path) as served:
        response = await served.call("GET", f"/v1/usage?{query}")
    assert (response.status_code, response.json()["param"]) == (400, param)


async def test_sums_that_are_not_the_ledgers_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(tmp_path) as app:
        await record(app, monkeypatch, "2026-03-01", key_id="key_a")
        await record(app, monkeypatch, "2026-03-01", source_id="src_a")
        assert await check(app.db) == []

        def lose_a_sum(conn: Connection) -> None:
            conn.execute("update usage_days set queries = queries - 1 where key_id = 'key_a'")

        await app.db.write(lose_a_sum)
        assert len(await check(app.db)) == 1
        await app.db.write(lambda conn: conn.execute("delete from usage_days where source_id = 'src_a'") and None)
        tenant_id = (await operator(app)).tenant_id
        assert await check(app.db) == [f"the usage of {tenant_id} on 2026-03-01 is not the sum of its ledger"]
