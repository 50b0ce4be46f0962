"""Every schema that there was, with rows of everything it had, brought to the present one."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from appliance import running, settings_for
from backing_up import back_up, restore

from flowchat.errors import FlowChatError
from flowchat.services.check import check
from flowchat.store.database import connect
from flowchat.store.migrate import migrate, migrations

SCHEMAS = [number for number, _ in migrations()][:-1]
THEN = "2026-11-20T09:30:00.000Z"
# What is written once a schema is the present one.
ROWS: dict[int, str] = {
    1: """
insert into tenants (id, slug, name, created_at) values ('ten_1', 'first', 'First', :then);
insert into keys (id, tenant_id, type, name, hash, prefix, last_four, created_at)
values ('key_1', 'ten_1', 'widget', 'shop', 'h', 'kbk_live_', '1234', :then);
insert into sources (id, tenant_id, slug, name, url, status, created_at)
values ('src_1', 'ten_1', 's', 'S', 'https://s.example/', 'ready', :then);
insert into jobs (id, tenant_id, type, source_id, status, created_at)
values ('job_1', 'ten_1', 'crawl', 'src_1', 'queued', :then);
insert into conversations values ('cnv_1', 'ten_1', 'key_1', 'hash', 'visitor', :then);
insert into messages values ('msg_1', 'cnv_1', 'key_1', 'How?', 'So.', 0, null, '[]', '[]', '[]', '{}', :then);
insert into audit_log (tenant_id, actor, operation, target, created_at) values ('ten_1', 'me', 'x', 'y', :then);
""",
    2: """
insert into users (id, tenant_id, email, name, role, created_at)
values ('usr_1', 'ten_1', 'a@b.c', 'A', 'owner', :then);
insert into events (id, tenant_id, type, data, created_at) values ('evt_1', 'ten_1', 'ping', '{}', :then);
insert into webhooks (id, tenant_id, url, events, description, secret, created_at)
values ('whe_1', 'ten_1', 'https://h.example/', '["*"]', '', 's', :then);
insert into deliveries (id, tenant_id, webhook_id, event_id, status, next_attempt_at, created_at)
values ('del_1', 'ten_1', 'whe_1', 'evt_1', 'pending', :then, :then);
insert into usage_ledger (tenant_id, day, key_id, created_at, queries, billable_queries,
refusals, tokens_in, tokens_out, pages_crawled, chunks_embedded, billable_pages)
values ('ten_1', '2026-11-20', 'key_1', :then, 1, 1, 0, 0, 0, 0, 0, 0);
insert into usage_days (tenant_id, day, key_id, source_id, queries, billable_queries,
refusals, tokens_in, tokens_out, pages_crawled, chunks_embedded, billable_pages)
values ('ten_1', '2026-11-20', 'key_1', '', 1, 1, 0, 0, 0, 0, 0, 0);
""",
    4: """
insert into sessions (id, user_id, hash, created_at, last_seen_at, address, user_agent)
values ('ses_1', 'usr_1', 'h', :then, :then, '127.0.0.1', 'x');
""",
    6: """
insert into plans (id, slug, name, overage, created_at) values ('pln_1', 'pro', 'Pro', 'metered', :then);
insert into subscriptions (tenant_id, plan_id, status, started_at, billed_from, stripe_customer, updated_at)
values ('ten_1', 'pln_1', 'active', :then, :then, 'cus_1', :then);
insert into meter_events (seq, identifier, tenant_id, stripe_customer, metric, hour, value, status, created_at)
values (1, 'x', 'ten_1', 'cus_1', 'queries', '2026-11-20T09', 1, 'pending', :then);
update usage_ledger set reported_in = 1;
insert into emails (id, recipient, subject, body, next_attempt_at, created_at)
values ('eml_1', 'a@b.c', 'Hi', 'Hello', :then, :then);
""",
}


def statements(script: str) -> Iterator[str]:
    yield from filter(None, (part.strip() for part in script.split(";")))


def of_schema(path: Path, schema: int) -> dict[str, int]:
    """A database that was upgraded to that schema, and used all the while; how many rows its tables have."""
    path.parent.mkdir(exist_ok=True)
    with closing(connect(path)) as connection:
        for number, sql in migrations()[:schema]:
            connection.executescript(f"begin immediate;\n{sql}\npragma user_version = {number};\ncommit;")
            for statement in statements(ROWS.get(number, "")):
                connection.execute(statement, {"then": THEN})
        assert connection.execute("pragma foreign_key_check").fetchall() == []
        return counts(connection)


def counts(connection: sqlite3.Connection) -> dict[str, int]:
    tables = (
        "tenants",
        "keys",
        "sources",
        "jobs",
        "audit_log",
        "users",
        "events",
        "deliveries",
        "webhooks",
        "sessions",
    )
    tables += (
        "usage_ledger",
        "usage_days",
        "plans",
        "subscriptions",
        "meter_events",
        "emails",
        "conversations",
        "messages",
    )
    present = {row[0] for row in connection.execute("select name from sqlite_schema")}
    return {
        table: connection.execute(f"select count(*) from {table}").fetchone()[0] for table in tables if table in present
    }


@pytest.mark.parametrize("schema", SCHEMAS)
async def test_from_every_schema(tmp_path: Path, schema: int) -> None:
    path = tmp_path / "flowchat.db"
    before = of_schema(path, schema)
    assert migrate(path) == len(migrations()) - schema
    with closing(connect(path)) as connection:
        after = counts(connection)
    assert {table: after[table] for table in before if table != "plans"} == {
        table: count for table, count in before.items() if table != "plans"
    }
    async with running(tmp_path) as app:
        problems = await check(app.db)
        if schema == 2:  # usage of before there were months: counted for them by the migration
            assert await app.db.rows("select * from usage_months")
        assert problems == []
        assert {row["id"] for row in await app.db.rows("select id from jobs where status = 'queued'")} == {"job_1"}
    with closing(connect(tmp_path / f"flowchat-before-{len(migrations()):04}.db")) as kept:
        assert kept.execute("pragma user_version").fetchone()[0] == schema and counts(kept) == before


@pytest.mark.parametrize("schema", SCHEMAS)
async def test_a_backup_of_every_schema_can_be_restored(tmp_path: Path, schema: int) -> None:
    of_schema(tmp_path / "old" / "flowchat.db", schema)
    made = back_up(tmp_path / "old")
    restored = await restore(tmp_path / "new", made)
    assert (restored.manifest.schema, restored.migrated) == (schema, len(migrations()) - schema)
    async with running(tmp_path / "new") as app:
        assert await check(app.db) == []


def test_only_the_newest_copy_stays(tmp_path: Path) -> None:
    path = tmp_path / "flowchat.db"
    of_schema(path, 3)
    for leftover in ("flowchat-before-0002.db", "flowchat-before-0003.db"):
        (tmp_path / leftover).write_bytes(b"x")
    (tmp_path / "flowchat-replaced-20261124-040000.db").write_bytes(b"x")
    migrate(path)
    assert [copy.name for copy in tmp_path.glob("*-before-*")] == [f"flowchat-before-{len(migrations()):04}.db"]
    assert (tmp_path / "flowchat-replaced-20261124-040000.db").exists()  # an operator deletes that


def test_a_full_disk_is_said_clearly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "flowchat.db"
    before = of_schema(path, 3)

    def full(*given: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr("flowchat.store.migrate._back_up", full)
        with pytest.raises(FlowChatError, match="Nothing was lost") as caught:
            migrate(path)
    assert caught.value.code == "disk_full"
    with closing(connect(path)) as connection:
        assert counts(connection) == before and connection.execute("pragma user_version").fetchone()[0] == 3
    assert settings_for(tmp_path).database_path == path and migrate(path) == len(migrations()) - 3
