"""Usage in the admin: what its chart and tables show is what the API counts."""

import csv
import io
import re
from datetime import date, timedelta
from pathlib import Path

from signing_in import signed_in
from web_server import Served, refusal, serving

from flowchat.domain import UsageCounts, now
from flowchat.store import sources, tenants, usage
from flowchat.store.database import Connection


async def used(served: Served, days: dict[str, int], refusals: int = 0) -> None:
    """Questions on days in the past, with the tests' own key and source."""
    tenant = await tenants.first(served.app.db)
    assert tenant
    shop = await sources.get(served.app.db, tenant.id, "shop")
    assert shop

    def transaction(conn: Connection) -> None:
        for day, queries in days.items():
            conn.execute(
                "insert into usage_days (tenant_id, day, key_id, source_id, queries, refusals, tokens_in,"
                " tokens_out, pages_crawled, chunks_embedded, billable_queries, billable_pages)"
                " values (?, ?, ?, ?, ?, ?, 1000, 0, 0, 0, ?, 0)",
                (tenant.id, day, served.key_id, shop.id, queries, refusals, queries - refusals),
            )

    await served.app.db.write(transaction)


async def test_chart_totals_and_groups(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served, "viewer") as me:
        await served.ask()
        served.answerer.script = refusal
        await served.ask()
        recent = (date.fromisoformat(now()[:10]) - timedelta(days=3)).isoformat()
        await used(served, {recent: 40}, refusals=10)
        page = (await me.get("/admin/usage")).text
        assert re.search(r"<dt>Questions</dt><dd>42<small>11 refused \(26 %\)", page)
        assert len(re.findall('<rect class="series-', page)) == 4, "answered and refused, of two days"
        assert f"<title>{recent}: Answered 30, Refused 10</title>" in page
        assert f"The most was 40, on {recent}." in page
        assert 'href="/admin/sources/' in page and f'href="/admin/keys/{served.key_id}"' in page
        assert "not final" in page
        tokens = (await me.get("/admin/usage?show=tokens")).text
        assert "1,120 read, 17 written" in tokens and f"{now()[:10]}: Tokens read 120, Tokens written 17" in tokens
        week = (await me.get("/admin/usage?days=7&show=pages")).text
        assert 'aria-current="true">7 days' in week and "<rect " not in week and "0 on each day, from" in week


async def test_the_chart_divided_by_key_and_by_source(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served) as me:
        tenant = await tenants.first(served.app.db)
        assert tenant

        def transaction(conn: Connection) -> None:
            for number in range(6):
                counts = UsageCounts(queries=10 - number, billable_queries=1)
                usage.record(conn, tenant.id, counts, key_id=f"key_{number}", source_id=f"src_{number % 2}")
            usage.record(conn, tenant.id, UsageCounts(pages_crawled=7), source_id="src_0")

        await served.app.db.write(transaction)
        by_key = (await me.get("/admin/usage?by=key")).text
        today = now()[:10]
        assert f"<title>{today}: key_0 10, key_1 9, key_2 8, key_3 7, others 11</title>" in by_key
        assert '<li class="series-4">others</li>' in by_key
        by_source = (await me.get("/admin/usage?by=source&show=pages")).text
        assert f"<title>{today}: src_0 7, src_1 0</title>" in by_source
        assert (await me.get("/admin/usage?by=colour")).status_code == 400


async def test_a_period_of_ones_own(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served) as me:
        await used(served, {"2025-02-03": 5})
        page = (await me.get("/admin/usage?from=2025-02-01&to=2025-02-28")).text
        assert "<dd>5<small>" in page and 'value="2025-02-28"' in page
        assert "Nothing was used in this period" in (await me.get("/admin/usage")).text
        for query, message in {
            "from=2025-02-02&to=2025-02-01": "comes after",
            "from=2025-02-30&to=2025-03-01": "no such day",
            "from=2020-01-01&to=2025-01-01": "at most 366 days",
        }.items():
            wrong = await me.get(f"/admin/usage?{query}")
            assert wrong.status_code == 422 and message in wrong.text, query
            assert f'value="{query[5:15]}"' in wrong.text, "what was entered stays"
        assert (await me.get("/admin/usage?from=yesterday")).status_code == 400
        assert (await me.get("/admin/usage?day=7")).status_code == 400


async def test_csv_has_all_pages(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served) as me:
        days = [(date(2025, 1, 1) + timedelta(days=number)).isoformat() for number in range(130)]
        await used(served, {day: number for number, day in enumerate(days)})
        answer = await me.get("/admin/usage.csv?from=2025-01-01&to=2025-12-31")
        assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
        assert answer.headers["Content-Disposition"] == 'attachment; filename="usage-2025-01-01-2025-12-31.csv"'
        rows = list(csv.DictReader(io.StringIO(answer.text)))
        assert len(rows) == 130 and rows[0]["date"] == "2025-05-10"
        assert sum(int(row["queries"]) for row in rows) == sum(range(130))
        grouped = await me.get("/admin/usage.csv?from=2025-01-01&to=2025-12-31&by=key")
        assert {row["key"] for row in csv.DictReader(io.StringIO(grouped.text))} == {served.key_id}


async def test_tenants_are_apart(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served) as me:
        other = await served.app.db.write(lambda conn: tenants.insert(conn, "other", "Other"))
        await served.app.db.write(lambda conn: usage.record(conn, other.id, UsageCounts(queries=7)))
        assert "Nothing was used" in (await me.get("/admin/usage")).text
        assert len((await me.get("/admin/usage.csv")).text.splitlines()) == 1
