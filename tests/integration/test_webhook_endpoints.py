"""What becomes of deliveries when endpoints change or go, secrets rotate, and the appliance itself has faults."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from appliance import operator, running
from receiving import (
    FAILURE,
    OK,
    assert_signed,
    attempted,
    deliveries_of,
    delivering,
    emit,
    endpoint,
    hang,
    make_due,
    receiver,
    reread,
    until,
)

from flowchat.services import delivery as delivery_service
from flowchat.services import events, signatures, webhooks
from flowchat.services.webhooks import WebhookChange
from flowchat.store.database import Connection


async def test_a_dead_endpoint_does_not_hold_up_others(tmp_path: Path) -> None:
    async with receiver(hang) as dead, receiver() as alive, delivering(tmp_path) as app:
        await endpoint(app, dead.url)
        await endpoint(app, alive.url)
        for _ in range(30):
            await emit(app)
        await until(lambda: len(alive.requests) == 30)
        assert 1 <= len(dead.requests) <= delivery_service.AT_ONCE_PER_ENDPOINT  # the first ones have not ended


async def test_rotation(tmp_path: Path) -> None:
    async with receiver() as hook, delivering(tmp_path) as app:
        webhook, former = await endpoint(app, hook.url)
        _, secret = await webhooks.rotate(app, await operator(app), webhook.id)
        await emit(app)
        await attempted(app, webhook)
        request = hook.requests[-1]
        timestamp = int(request.headers["x-flowchat-timestamp"])
        both = signatures.headers(request.event_id, timestamp, request.body, secret, former)
        assert {name.lower(): value for name, value in both.items()}.items() <= request.headers.items()
        await app.db.write(
            lambda conn: conn.execute("update webhooks set former_until = ?", (delivery_service.now(-1),))
        )
        await emit(app)
        await attempted(app, webhook)
        assert_signed(hook.requests[-1], secret)
        assert "x-flowchat-signature-new" not in hook.requests[-1].headers


async def test_secrets_are_encrypted(tmp_path: Path) -> None:
    async with delivering(tmp_path) as app:
        webhook, former = await endpoint(app, "https://hooks.example/")
        _, secret = await webhooks.rotate(app, await operator(app), webhook.id)
        stored = "".join(str(tuple(row)) for row in await app.db.rows("select * from webhooks"))
        assert former.removeprefix("whsec_") not in stored and secret.removeprefix("whsec_") not in stored


async def test_a_lost_secret_file_is_a_failure_that_tells(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with receiver() as hook, delivering(tmp_path) as app:
        webhook, _ = await endpoint(app, hook.url)
        (tmp_path / "secret.key").write_bytes(b"another")
        await emit(app)
        delivery = await attempted(app, webhook)
        told = delivery.attempts[0].error or ""
        assert "the appliance's secret file" in told and delivery.status == "pending"
        assert str(tmp_path) not in told and str(tmp_path / "secret.key") in caplog.text


async def test_a_deleted_endpoint_gets_nothing_more(tmp_path: Path) -> None:
    async with receiver(FAILURE) as hook, delivering(tmp_path) as app:
        webhook, _ = await endpoint(app, hook.url)
        await emit(app)
        await attempted(app, webhook)
        await webhooks.delete(app, await operator(app), webhook.id)
        await make_due(app)
        await emit(app)
        assert await app.db.rows("select * from deliveries") == []
        assert len(hook.requests) == 1


async def test_many_deliveries_are_deleted_in_small_transactions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "DELETE_BATCH", 2)
    async with running(tmp_path) as app:
        webhook, _ = await endpoint(app, "https://hooks.example/1")
        kept, _ = await endpoint(app, "https://hooks.example/2")
        for _ in range(5):
            await emit(app)
        left: list[int] = []

        def counted(conn: Connection, action: Any) -> Any:
            done = action(conn)
            left.append(conn.execute("select count(*) from deliveries").fetchone()[0])
            return done

        write = app.db.write
        monkeypatch.setattr(app.db, "write", lambda action: write(lambda conn: counted(conn, action)))
        await webhooks.delete(app, await operator(app), webhook.id)
        assert left == [10, 8, 6, 5, 5, 5]
        assert len(await deliveries_of(app, kept)) == 5


async def test_a_new_address_starts_with_a_clean_record(tmp_path: Path) -> None:
    async with receiver(FAILURE) as former, delivering(tmp_path) as app:
        webhook, _ = await endpoint(app, former.url)
        await emit(app)
        await attempted(app, webhook)
        assert (await reread(app, webhook)).failing_since
        actor = await operator(app)
        await webhooks.update(app, actor, webhook.id, WebhookChange(description="still failing"))
        assert (await reread(app, webhook)).failing_since
        changed = await webhooks.update(app, actor, webhook.id, WebhookChange(url="https://hooks.example/"))
        assert changed.failing_since is None


async def test_an_endpoint_deleted_while_it_is_being_asked(tmp_path: Path) -> None:
    go_on = asyncio.Event()

    async def wait(writer: asyncio.StreamWriter) -> None:
        await go_on.wait()
        writer.write(OK)

    async with receiver(wait) as slow, receiver() as other, delivering(tmp_path) as app:
        webhook, _ = await endpoint(app, slow.url)
        await emit(app)
        await until(lambda: bool(slow.requests))
        await webhooks.delete(app, await operator(app), webhook.id)
        go_on.set()
        following, _ = await endpoint(app, other.url)
        await emit(app)
        assert (await attempted(app, following)).status == "succeeded"


async def test_a_switched_off_endpoint_gets_nothing(tmp_path: Path) -> None:
    async with receiver(FAILURE) as hook, delivering(tmp_path) as app:
        actor = await operator(app)
        webhook, _ = await endpoint(app, hook.url)
        await emit(app)
        await attempted(app, webhook)
        off = await webhooks.update(app, actor, webhook.id, WebhookChange(enabled=False))
        assert off.disabled_reason == f"Switched off by {actor.name}."
        [ended] = await deliveries_of(app, webhook)
        assert (ended.status, ended.next_attempt_at) == ("failed", None)
        await emit(app)
        assert len(await deliveries_of(app, webhook)) == 1


async def test_redelivery_begins_anew(tmp_path: Path) -> None:
    async with receiver() as hook, delivering(tmp_path) as app:
        webhook, _ = await endpoint(app, hook.url)
        event_id = await emit(app)
        done = await attempted(app, webhook)
        again = await webhooks.redeliver(app, await operator(app), webhook.id, done.id)
        assert (again.id, again.status, len(again.attempts)) == (done.id, "pending", 1)
        delivery = await attempted(app, webhook, 2)
        assert (delivery.status, delivery.tries) == ("succeeded", 1)
        assert [request.event_id for request in hook.requests] == [event_id, event_id]


async def test_a_ping_goes_to_any_endpoint(tmp_path: Path) -> None:
    async with receiver() as hook, delivering(tmp_path) as app:
        webhook, _ = await endpoint(app, hook.url, "source.revoked")
        pinged = await webhooks.ping(app, await operator(app), webhook.id)
        assert (pinged.status, pinged.event.type) == ("pending", "ping")
        assert (await attempted(app, webhook)).status == "succeeded"
        assert json.loads(hook.requests[0].body)["type"] == "ping"


async def test_what_another_process_records_is_delivered_too(tmp_path: Path) -> None:
    async with receiver() as hook, delivering(tmp_path) as app:
        webhook, _ = await endpoint(app, hook.url)
        app.wake_delivery = lambda: None
        await emit(app)
        assert (await attempted(app, webhook)).status == "succeeded"


async def test_faults_of_the_database_lose_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(delivery_service, "RECORD_AGAIN_S", 0.05)
    async with receiver() as hook, delivering(tmp_path) as app:
        webhook, _ = await endpoint(app, hook.url)
        forbid = "create trigger full before update on deliveries begin select raise(fail, 'disk full'); end"
        await app.db.write(lambda conn: conn.execute(forbid))
        await emit(app)
        await until(lambda: caplog.text.count("was not recorded") >= 3)
        await app.db.write(lambda conn: conn.execute("drop trigger full"))
        assert (await attempted(app, webhook)).status == "succeeded"
        assert len(hook.requests) == 1
        await app.db.write(lambda conn: conn.execute("alter table deliveries rename to hidden"))
        await until(lambda: "looking for due webhooks failed" in caplog.text)
        await app.db.write(lambda conn: conn.execute("alter table hidden rename to deliveries"))
        await emit(app)
        assert (await attempted(app, webhook)).status == "succeeded"


async def test_an_interrupted_attempt_is_made_again(tmp_path: Path) -> None:
    async with receiver(hang) as hook:
        async with delivering(tmp_path) as app:
            webhook, _ = await endpoint(app, hook.url)
            event_id = await emit(app)
            await until(lambda: bool(hook.requests))
        hook.behaviour = OK
        async with delivering(tmp_path) as app:
            assert (await attempted(app, webhook)).status == "succeeded"
        assert [request.event_id for request in hook.requests] == [event_id, event_id]


async def test_old_events_are_deleted(tmp_path: Path) -> None:
    async with receiver() as hook, delivering(tmp_path) as app:
        webhook, _ = await endpoint(app, hook.url)
        await emit(app)
        await attempted(app, webhook)
        hook.behaviour = FAILURE
        await emit(app)
        await attempted(app, webhook)
        for table in ("events", "deliveries"):
            await app.db.write(
                lambda conn, table=table: conn.execute(
                    f"update {table} set created_at = ?", (delivery_service.now(-31 * 24 * 3600),)
                )
            )
        young = await emit(app)
        await attempted(app, webhook)
        await events.delete_old(app)
        left = [found.event.id for found in await deliveries_of(app, webhook)]
        assert len(left) == 2 and left[0] == young  # the new one, and the old one that is still to be delivered
        assert len(await app.db.rows("select 1 from events")) == 2
