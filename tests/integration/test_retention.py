"""What has been kept long enough is deleted."""

from pathlib import Path

import pytest
from appliance import operator
from conversing import answered, as_other_tenant
from web_server import serving

from flowchat.domain import now
from flowchat.services import retention

DAY_S = 24 * 3600


async def test_conversations_go_when_their_tenant_no_longer_keeps_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    async with serving(tmp_path) as served:
        db = served.app.db
        tenant_id = (await operator(served.app)).tenant_id
        for days in (1, 29, 31, 40, 50):
            conversation = (await answered(served, f"Of {days} days ago?"))["conversation_id"]
            last_at = now(-days * DAY_S)
            await db.write(
                lambda conn, last_at=last_at, conversation=conversation: conn.execute(
                    "update conversations set last_at = ? where id = ?", (last_at, conversation)
                )
            )

        async def left() -> list[str]:
            rows = await db.rows("select query from messages order by id")
            return [row["query"] for row in rows]

        await retention.delete_old(served.app)
        assert len(await left()) == 5  # 90 days
        for days in (0, 30):
            await db.write(
                lambda conn, days=days: conn.execute(
                    "update tenants set retention_days = ? where id = ?", (days, tenant_id)
                )
            )
            await retention.delete_old(served.app)
            assert len(await left()) == (5 if days == 0 else 2)
        assert await left() == ["Of 1 days ago?", "Of 29 days ago?"]
        audited = await db.rows("select * from audit_log where operation = 'conversations.expire' order by id")
        assert [(row["tenant_id"], row["actor"], row["detail"]) for row in audited] == [
            (tenant_id, "system", '{"conversations": 2, "messages": 2}'),
            (tenant_id, "system", '{"conversations": 1, "messages": 1}'),
        ]
        usage = await db.row("select count(*) from usage_ledger")
        assert usage and usage[0] == 5


async def test_other_tenants_keep_theirs(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        await answered(served, "Old?")
        await as_other_tenant(served)
        await served.app.db.write(
            lambda conn: conn.execute("update conversations set last_at = ?", (now(-10 * DAY_S),))
        )
        await served.app.db.write(
            lambda conn: conn.execute("update tenants set retention_days = 1 where slug = 'other'")
        )
        await retention.delete_old(served.app)
        assert await served.stored_answers() == 1


async def test_idempotency_keys_go_after_a_day(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        tenant_id = (await operator(served.app)).tenant_id
        for key, age_s in (("old", DAY_S + 60), ("new", DAY_S - 60)):
            await served.app.db.write(
                lambda conn, key=key, age_s=age_s: conn.execute(
                    "insert into idempotency_keys (tenant_id, key, request_hash, created_at) values (?, ?, '', ?)",
                    (tenant_id, key, now(-age_s)),
                )
            )
        await retention.delete_old(served.app)
        rows = await served.app.db.rows("select key from idempotency_keys")
    assert [row["key"] for row in rows] == ["new"]
