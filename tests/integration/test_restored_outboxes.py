"""After a restore nothing is sent until an operator says so, and nothing is billed twice."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from appliance import operator, running
from backing_up import back_up, restore
from billed import Billed, billed
from hypothesis import given
from hypothesis import strategies as st
from mailing import mail_server, posting, settings_of
from metered import use
from receiving import deliveries_of, emit, endpoint, receiver
from receiving import delivering as delivering_app

from flowchat.billing import MeterEvent
from flowchat.domain import OlderOutbox
from flowchat.errors import Conflict
from flowchat.services import outboxes
from flowchat.services.check import check
from flowchat.services.context import Appliance
from flowchat.services.outboxes import Releasing, Waiting
from flowchat.services.reconciliation import decide
from flowchat.store import emails

LONG_AGO = "2026-11-01T00:00:00.000Z"


async def release(app: Appliance, older: OlderOutbox = "drop") -> None:
    await outboxes.release(app, await operator(app), Releasing(older=older))


@asynccontextmanager
async def restored(world: Billed, made: Path, folder: Path) -> AsyncIterator[Billed]:
    """The appliance goes on from the backup, elsewhere."""
    await restore(folder, made, without_key=True)
    settings = world.app.settings
    async with running(folder, stripe_api_key=settings.stripe_api_key, stripe_api_base=settings.stripe_api_base) as app:
        yield replace(world, app=app)


async def settle(world: Billed) -> None:
    """Everything is reported, and what is parked is settled."""
    await world.go_on(hours=1)
    await world.report()
    await world.go_on(minutes=20)
    await world.reconcile(apply=True)
    assert all(event.status == "delivered" for event in await world.events())
    assert await check(world.app.db) == []


async def test_what_the_replaced_database_has_reported_is_not_billed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with billed(tmp_path / "old", monkeypatch) as old:  # it is 9:10
        await use(old.app, old.shop, queries=4)
        made = back_up(tmp_path / "old")
        await use(old.app, old.shop, queries=3)
        await old.go_on(hours=1)
        await old.report()
        assert await old.at_stripe() == 7
        await old.go_on(hours=25)  # Stripe has forgotten the identifier
        async with restored(old, made, tmp_path / "new") as new:
            await use(new.app, new.shop, queries=2)
            await release(new.app)
            await settle(new)
            assert await new.at_stripe() == 9
            assert [event.value for event in await new.events()] == [4, 2]


async def test_what_nobody_has_reported_is_billed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within the hour of the backup: what was used before, what is lost, and what is used afterwards."""
    async with billed(tmp_path / "old", monkeypatch) as old:
        await use(old.app, old.shop, queries=4)
        made = back_up(tmp_path / "old")
        await use(old.app, old.shop, queries=3)
        await old.go_on(minutes=10)
        async with restored(old, made, tmp_path / "new") as new:
            await use(new.app, new.shop, queries=2)
            await release(new.app)
            await settle(new)
            assert await new.at_stripe() == 6  # three are lost with the database
            names = [event.identifier for event in await new.events()]
            assert len(set(names)) == 2 and all("-again-" in name or "-after-rst_" in name for name in names)


@pytest.mark.parametrize("is_delivered", [True, False])
async def test_what_was_on_its_way_when_the_backup_was_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_delivered: bool
) -> None:
    async with billed(tmp_path / "old", monkeypatch) as old:
        await use(old.app, old.shop, queries=4, pages=3)
        await old.go_on(hours=1)
        await old.fake.fail(1, "500_before")
        await old.report()
        await old.fake.fail(0)
        made = back_up(tmp_path / "old")
        await old.go_on(hours=2)
        if is_delivered:
            await old.report()
        async with restored(old, made, tmp_path / "new") as new:
            assert [(event.status, event.from_backup) for event in await new.events()] == [("parked", True)] * 2
            with pytest.raises(Conflict) as caught:
                await new.reconcile(apply=True)
            assert caught.value.code == "outboxes_held"
            await release(new.app)
            await settle(new)
            assert (await new.at_stripe(), await new.at_stripe("pages")) == (4, 3)


def parked(seq: int, value: int) -> MeterEvent:
    return MeterEvent(
        seq=seq,
        identifier=str(seq),
        tenant_id="ten_1",
        stripe_customer="cus_1",
        metric="queries",
        hour="2026-11-01T00",
        value=value,
        status="parked",
        unanswered_since=LONG_AGO,
        last_attempt_at=LONG_AGO,
        from_backup=True,
    )


@given(st.lists(st.tuples(st.integers(1, 50), st.booleans()), min_size=1, max_size=6), st.integers(0, 60))
def test_never_more_is_sent_than_was_not_taken(usage: list[tuple[int, bool]], lost: int) -> None:
    """`lost`: what Stripe has of the hour that the restored database knows nothing of."""
    events = [parked(seq, value) for seq, (value, _) in enumerate(usage)]
    taken = sum(value for value, is_taken in usage if is_taken)
    missing = sum(value for value, is_taken in usage if not is_taken)
    verdicts = decide(events, taken + lost, "2026-11-02")
    sent = sum(event.value for event, verdict in verdicts.items() if verdict != "taken")
    assert sent <= missing
    if not lost:
        assert sent == missing


@pytest.mark.parametrize("older", ["send", "drop"])
async def test_webhooks_wait(tmp_path: Path, older: OlderOutbox) -> None:
    async with receiver() as hook:
        async with running(tmp_path / "old") as app:
            webhook, _ = await endpoint(app, hook.url)
            before = await emit(app, "version.indexed")
            made = back_up(tmp_path / "old")
        (tmp_path / "new").mkdir()
        (tmp_path / "new" / "secret.key").write_bytes((tmp_path / "old" / "secret.key").read_bytes())
        await restore(tmp_path / "new", made)
        async with delivering_app(tmp_path / "new") as app:
            since = await emit(app, "version.indexed")
            found = await outboxes.get(app, await operator(app))
            assert found.restore and found.webhooks == Waiting(1, 1)
            await asyncio.sleep(1.5)  # longer than the loop waits for the next look
            assert hook.requests == []
            await release(app, older)
            expected = {before, since} if older == "send" else {since}
            while {request.event_id for request in hook.requests} < expected:  # noqa: ASYNC110 (a test may poll)
                await asyncio.sleep(0.01)
            while any(d.status == "pending" for d in await deliveries_of(app, webhook)):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            assert {request.event_id for request in hook.requests} == expected
            statuses = {each.event.id: each.status for each in await deliveries_of(app, webhook)}
            assert statuses == {before: "succeeded" if older == "send" else "failed", since: "succeeded"}
            with pytest.raises(Conflict) as caught:
                await release(app)
            assert caught.value.code == "outboxes_not_held"
            log = await app.db.row("select detail from audit_log where operation = 'outboxes.release'")
            assert log and json.loads(log["detail"])["older"] == older


@pytest.mark.parametrize("older", ["send", "drop"])
async def test_e_mails_wait(tmp_path: Path, older: OlderOutbox) -> None:
    async with running(tmp_path / "old") as app:
        await operator(app)
        await app.db.write(lambda conn: emails.insert(conn, "old@shop.example", "Old", "Hello"))
        made = back_up(tmp_path / "old")
    await restore(tmp_path / "new", made)
    async with mail_server() as mailbox, running(tmp_path / "new", **settings_of(mailbox)) as app, posting(app):
        await app.db.write(lambda conn: emails.insert(conn, "new@shop.example", "New", "Hello"))
        app.wake_mail()
        await asyncio.sleep(0.3)
        assert mailbox.letters == []
        assert (await outboxes.get(app, await operator(app))).emails == Waiting(1, 1)
        await release(app, older)
        await mailbox.until(2 if older == "send" else 1)
        assert len(mailbox.to("old@shop.example")) == (older == "send") and len(mailbox.to("new@shop.example")) == 1


async def test_nothing_is_held_without_a_restore(tmp_path: Path) -> None:
    async with running(tmp_path) as app:
        assert (await outboxes.get(app, await operator(app))).restore is None
