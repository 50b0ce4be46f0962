"""A tenant moves to another machine: with all that it has, and nothing happens twice."""

from pathlib import Path
from typing import Any

import pytest
from appliance import operator
from crawling import events_of_type
from delivering import delivering
from receiving import receiver, until
from subscribing import plan_of, subscribe
from two_machines import QUESTIONS, Machines, rows_of_tables, shown, two_machines
from two_tenants import headers_of

from flowchat.domain import UsageCounts, now
from flowchat.errors import Conflict
from flowchat.services import metering, moving, queueing, signatures, source_auth, tenants, worker
from flowchat.services.check import check
from flowchat.store import jobs, meter_events, sources, usage
from flowchat.store.database import connect
from flowchat.store.migrate import migrate
from flowchat.store.tenant_tables import INDEXES, LEFT, TABLES


def test_of_every_table_it_is_decided_whether_it_moves(tmp_path: Path) -> None:
    migrate(tmp_path / "flowchat.db")
    connection = connect(tmp_path / "flowchat.db")
    rows = connection.execute(
        "select name from sqlite_schema where type = 'table' and name not like 'sqlite_%'"
    ).fetchall()
    connection.close()
    tables = {row["name"] for row in rows if not row["name"].startswith(INDEXES)}
    moved = {table.name for table in TABLES}
    assert moved <= tables <= moved | set(LEFT) and not moved & set(LEFT)


async def test_a_tenant_moves_with_all_that_it_has(tmp_path: Path) -> None:
    async with two_machines(tmp_path) as them:
        old, new, tenant_id = them.old, them.new, them.tenant.ids["tenant"]
        await subscribe(old.app.db, tenant_id, plan_of("business", overage="metered"))
        before = [await them.ask(old, question) for question in QUESTIONS]
        assert not before[0]["refusal"] and before[0]["citations"]
        reported, rows = await them.call(old, "GET", "/v1/usage"), await rows_of_tables(old, tenant_id)
        await them.export(tmp_path / "red.zip")
        imported = await them.bring_in(tmp_path / "red.zip")
        assert (imported.tenant.slug, imported.tenant.plan and imported.tenant.plan.slug) == ("red", "business")
        arrived = await rows_of_tables(new, tenant_id)
        for changed in ("audit_log", "jobs"):
            del rows[changed], arrived[changed]
        assert arrived == rows
        assert all(rows[table] for table in ("chunks", "messages", "feedback", "curated_answers", "deliveries"))
        assert await them.call(new, "GET", "/v1/usage") == reported
        after = [await them.ask(new, question) for question in QUESTIONS]
        assert list(map(shown, after)) == list(map(shown, before))
        thread = {name: before[0][name] for name in ("conversation_id", "conversation_token")}
        assert (await them.ask(new, "And word2?", **thread))["conversation_id"] == before[0]["conversation_id"]
        found = await them.call(new, "GET", "/v1/conversations?q=word3")
        ids = {before[3]["conversation_id"], after[3]["conversation_id"]}
        assert {each["id"] for each in found["data"]} == ids, "the words of conversations are indexed"
        assert await check(old.app.db) == [] and await check(new.app.db) == []


async def test_keys_are_what_they_were_there_and_answer_here_no_more(tmp_path: Path) -> None:
    async with two_machines(tmp_path) as them:
        await them.export(tmp_path / "red.zip")
        await them.bring_in(tmp_path / "red.zip")
        assert await _statuses(them, "widget", them.new) == 200
        for revoked in ("revoked widget", "expired widget"):
            assert await _statuses(them, revoked, them.new) == 401
        assert them.tenant.keys["revoked widget"] and await _logged_revocations(them) > 0
        refused = await them.old.client.post(
            "/v1/chat", json={"query": "word1?"}, headers={"X-FlowChat-Key": them.tenant.keys["widget"]}
        )
        assert (refused.status_code, refused.json()["code"]) == (402, "read_only")
        assert "moved to another machine" in refused.json()["detail"]
        write = {"json": {"name": "x"}, "headers": headers_of(them.tenant.keys["admin"])}
        assert (await them.old.client.patch("/v1/tenant", **write)).status_code == 402
        assert (await them.new.client.patch("/v1/tenant", **write)).status_code == 200


async def _statuses(them: Machines, holder: str, served: Any) -> int:
    headers = {"X-FlowChat-Key": them.tenant.keys[holder], "Accept": "application/json"}
    response = await served.client.post("/v1/chat", json={"query": "word1?"}, headers=headers)
    return int(response.status_code)


async def _logged_revocations(them: Machines) -> int:
    rows = await them.new.app.db.rows(
        "select id from keys where tenant_id = ? and revoked_at is not null", (them.tenant.ids["tenant"],)
    )
    log = (them.new.app.settings.data_dir / "revoked.log").read_text()
    assert all(row["id"] in log and row["id"] in them.new.app.revocations for row in rows)
    return len(rows)


async def test_a_key_that_only_the_log_knows_to_be_revoked_arrives_revoked(tmp_path: Path) -> None:
    async with two_machines(tmp_path) as them:
        key_id = them.tenant.ids["key"]
        await them.old.app.revocations.add("key", key_id)  # as if an old backup had been restored
        await them.export(tmp_path / "red.zip")
        await them.bring_in(tmp_path / "red.zip")
        assert await _statuses(them, "widget", them.new) == 401


async def test_webhooks_are_delivered_once_by_either_machine(tmp_path: Path) -> None:
    async with two_machines(tmp_path) as them, receiver() as hook:
        made = await them.call(them.old, "POST", "/v1/webhooks", json={"url": hook.url, "events": ["version.indexed"]})
        await them.crawl(them.old, slug="before")
        async with delivering(them.old.app):
            await until(lambda: len(hook.requests) == 1)
        await them.crawl(them.old, slug="pending")  # its event is in the outbox when the tenant moves
        await them.export(tmp_path / "red.zip")
        await them.bring_in(tmp_path / "red.zip")
        async with delivering(them.old.app), delivering(them.new.app):
            await until(lambda: len(hook.requests) == 2)
            await them.crawl(them.new, slug="after")
            them.new.app.wake_delivery()
            await until(lambda: len(hook.requests) == 3)
        events = await events_of_type(them.new.app, "version.indexed")
        sent = [request.event_id for request in hook.requests]
        assert len(set(sent)) == 3 and len(events) >= 3
        for request in hook.requests:
            stamp, signature = request.headers["x-flowchat-timestamp"], request.headers["x-flowchat-signature"]
            wanted = signatures.headers(request.event_id, int(stamp), request.body, made["secret"], None)
            assert wanted["X-FlowChat-Signature"] == signature, "the secret is the same"


async def test_usage_is_reported_by_one_machine(tmp_path: Path) -> None:
    async with two_machines(tmp_path) as them:
        old, new, tenant_id = them.old.app, them.new.app, them.tenant.ids["tenant"]
        past = now(-7200)
        await subscribe(
            old.db,
            tenant_id,
            plan_of("business", overage="metered"),
            billed_from=past,
            stripe_customer="cus_1",
            stripe_subscription="sub_1",
        )
        counts = UsageCounts(queries=1, billable_queries=1)
        await old.db.write(lambda conn: usage.record(conn, tenant_id, counts, key_id=them.tenant.ids["key"]))
        await old.db.write(lambda conn: metering.seal_all(conn, tenant_id))
        await old.db.write(lambda conn: usage.record(conn, tenant_id, counts, key_id=them.tenant.ids["key"]))
        pending = await meter_events.due(old.db, now(7200), 10)
        assert len(pending) == 1
        await them.export(tmp_path / "red.zip")
        imported = await them.bring_in(tmp_path / "red.zip")
        assert imported.notes and "FLOWCHAT_STRIPE_API_KEY" in imported.notes[0]
        assert await meter_events.due(old.db, now(7200), 10) == []
        assert await old.db.write(lambda conn: metering.seal_until(conn, now(60))) == 0
        assert len(await meter_events.due(new.db, now(7200), 10)) == 1
        assert await new.db.write(lambda conn: metering.seal_until(conn, now(60))) == 1
        sums = await meter_events.hour_sums(new.db, past, now(60), now())
        assert sum(each.ledger for each in sums) == sum(each.pending for each in sums) >= 2
        assert await meter_events.hour_sums(old.db, past, now(60), now()) == []
        assert await check(new.db) == [] and await check(old.db) == []
        closed = await tenants.close(old, await operator(old), tenant_id)  # nobody asks Stripe to end it
        assert closed.closed_at is not None


async def test_jobs_go_on_there(tmp_path: Path) -> None:
    async with two_machines(tmp_path) as them:
        made = await them.call(them.old, "POST", "/v1/sources", json={"url": them.server.url + "/", "slug": "later"})
        schedule = {"schedule": "daily"}
        scheduled = await them.call(them.old, "PATCH", "/v1/sources/site", json=schedule)
        await them.export(tmp_path / "red.zip")
        await them.bring_in(tmp_path / "red.zip")
        job_id = made["job"]["id"]
        assert job_id not in await jobs.waiting(them.old.app.db) and job_id in await jobs.waiting(them.new.app.db)
        await worker.run(them.old.app, job_id)
        await worker.run(them.new.app, job_id)
        assert (await them.call(them.new, "GET", f"/v1/jobs/{job_id}"))["status"] == "succeeded"
        assert (await them.call(them.old, "GET", f"/v1/jobs/{job_id}"))["status"] == "queued"
        for served in (them.old, them.new):
            await served.app.db.write(lambda conn: sources.set_next_crawl(conn, scheduled["id"], now(-60)))
            await queueing.queue_due(served.app)
        assert await jobs.active_of(them.old.app.db, scheduled["id"]) is None
        assert await jobs.active_of(them.new.app.db, scheduled["id"]) is not None
        assert await check(them.new.app.db) == []


async def test_a_tenant_that_was_exported_can_go_on_here(tmp_path: Path) -> None:
    async with two_machines(tmp_path) as them:
        app, tenant_id = them.old.app, them.tenant.ids["tenant"]
        before = await rows_of_tables(them.old, tenant_id)
        await them.export(tmp_path / "red.zip")
        await them.export(tmp_path / "again.zip")
        resumed = await moving.resume(app, await operator(app), "red")
        assert resumed.moved_at is None and not resumed.standing.is_read_only
        assert await _statuses(them, "widget", them.old) == 200
        after = await rows_of_tables(them.old, tenant_id)
        for table in ("jobs", "deliveries", "tenants"):
            assert after[table] == before[table]
        logged = [row["operation"] for row in after["audit_log"] if row["operation"].startswith("tenants.")]
        assert sorted(logged) == ["tenants.create", "tenants.export", "tenants.export", "tenants.resume"]


async def test_a_copy_has_no_outbox_and_the_original_goes_on(tmp_path: Path) -> None:
    async with two_machines(tmp_path) as them:
        tenant_id = them.tenant.ids["tenant"]
        billed = {"billed_from": now(-7200), "stripe_customer": "cus_1", "stripe_subscription": "sub_1"}
        await subscribe(them.old.app.db, tenant_id, plan_of("business", overage="metered"), **billed)
        before = await them.ask(them.old, QUESTIONS[1])
        await them.old.app.db.write(lambda conn: metering.seal_all(conn, tenant_id))
        await them.export(tmp_path / "red.zip", copy=True)
        await them.bring_in(tmp_path / "red.zip", slug="red-test")
        assert await _statuses(them, "widget", them.old) == 200
        rows = await rows_of_tables(them.new, tenant_id)
        assert not [row for row in rows["deliveries"] if row["next_attempt_at"]]
        assert rows["meter_events"] == [] and rows["tenants"][0]["slug"] == "red-test"
        assert (rows["subscriptions"][0]["billed_from"], rows["subscriptions"][0]["stripe_customer"]) == (None, None)
        assert shown(await them.ask(them.new, QUESTIONS[1])) == shown(before)
        assert await them.new.app.db.write(lambda conn: metering.seal_until(conn, now(60))) == 0
        assert await check(them.new.app.db) == []


async def test_another_embedding_model_indexes_it_anew(tmp_path: Path) -> None:
    async with two_machines(tmp_path, embedder="another-embedder") as them:
        await them.export(tmp_path / "red.zip")
        imported = await them.bring_in(tmp_path / "red.zip")
        queued = [job for job in (await them.call(them.new, "GET", "/v1/jobs"))["data"] if job["type"] == "reindex"]
        assert imported.reindexed >= len(queued) == 2 and "indexed anew" in imported.notes[0]


async def test_the_password_of_a_site_is_readable_there(tmp_path: Path) -> None:
    async with two_machines(tmp_path) as them:
        await them.export(tmp_path / "red.zip")
        await them.bring_in(tmp_path / "red.zip")
        headers = []
        for served in (them.old, them.new):
            source = await sources.get(served.app.db, them.tenant.ids["tenant"], "site")
            assert source and source.auth
            headers.append((source.auth, source_auth.headers(served.app.settings.data_dir, source)))
        assert headers[0][0] != headers[1][0] and headers[0][1] == headers[1][1]


async def test_the_first_tenant_stays(tmp_path: Path) -> None:
    async with two_machines(tmp_path) as them:
        app = them.old.app
        request = moving.Export(passphrase="long enough, this")
        with pytest.raises(Conflict) as refused:
            await moving.export_to(app, await operator(app), "default", request, tmp_path / "x.zip", settle_s=0)
        assert refused.value.code == "first_tenant" and not (tmp_path / "x.zip").exists()
