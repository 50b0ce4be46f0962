"""How answers turned out, by day."""

import json
from dataclasses import asdict
from pathlib import Path

from web_server import refusal, serving

from flowchat.domain import Verdict, now
from flowchat.store import statistics, tenants


async def test_days_of_answers(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        for _ in range(3):
            assert (await served.ask()).status_code == 200
        served.answerer.script = refusal
        await served.ask()
        found = (await served.call("GET", "/v1/statistics")).json()
        assert found["last"] == now()[:10] and len(found["days"]) == 1
        day = found["days"][0]
        assert (day["date"], day["answers"], day["refusals"]) == (now()[:10], 4, 1)
        assert day["sentences"] == day["verified"] == 0  # the script checks nothing that is stored
        assert 0 <= day["first_text_ms"] <= day["slow_text_ms"]


async def test_checked_sentences_and_former_days(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        await served.ask()
        verdicts = '[{"ref": 1, "ok": true}, {"ref": 2, "ok": false}, {"ref": 3, "ok": true}]'
        moment = "2026-01-31T12:00:00.000Z"

        def make_old(conn):  # type: ignore[no-untyped-def]
            conn.execute("update messages set verdicts = ?, created_at = ?", (verdicts, moment))

        await served.app.db.write(make_old)
        path = "/v1/statistics?from=2026-01-01&to=2026-01-31"
        (day,) = (await served.call("GET", path)).json()["days"]
        assert (day["date"], day["sentences"], day["verified"]) == ("2026-01-31", 3, 2)
        assert (await served.call("GET", "/v1/statistics?from=2026-02-01&to=2026-02-02")).json()["days"] == []
        other = await served.app.db.write(lambda conn: tenants.insert(conn, "other", "Other"))
        await served.app.db.write(lambda conn: conn.execute("update conversations set tenant_id = ?", (other.id,)))
        assert (await served.call("GET", path)).json()["days"] == []


async def test_what_was_decided_is_counted_without_reading_the_answers(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        await served.ask()
        verdicts = [Verdict(1, True, 0.99, "chk_1"), Verdict(2, False, 0.1, 'chk_"ok": true')]  # as they are stored
        text = json.dumps([asdict(verdict) for verdict in verdicts])
        await served.app.db.write(lambda conn: conn.execute("update messages set verdicts = ?", (text,)))
        (day,) = (await served.call("GET", "/v1/statistics")).json()["days"]
        assert (day["sentences"], day["verified"]) == (2, 1)
        rows = await served.app.db.rows(f"explain query plan {statistics.DAYS}", ("ten_1", "2026-01-01", "2026-01-31"))
        plan = [row["detail"] for row in rows if row["detail"].startswith(("SEARCH m ", "SCAN m "))]
        assert len(plan) == 1 and "COVERING INDEX messages_by_outcome" in plan[0]


async def test_days_that_there_are_not(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        for query, param in (
            ("from=2026-02-31", "from"),
            ("to=2026-13-01", "to"),
            ("from=2026-01-01&to=2026-12-31", "from"),
            ("from=2026-02-01&to=2026-01-01", "from"),
            ("from=9999-12-01&to=0001-01-05", "from"),
            ("to=0001-01-05", "to"),
        ):
            wrong = await served.call("GET", f"/v1/statistics?{query}")
            assert (wrong.status_code, wrong.json()["param"]) == (400, param)
