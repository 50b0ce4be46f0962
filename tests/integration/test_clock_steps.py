"""The clock goes back by two days, as on a machine that was switched on with a wrong date: nothing waits for them."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from appliance import operator, running
from clock import Clock
from receiving import deliveries_of, emit, endpoint

from flowchat.billing import MeterEvent, StripeEvent
from flowchat.domain import DeliveryAttempt, now
from flowchat.services import metering, sources, stranded
from flowchat.services.context import Appliance
from flowchat.services.source_requests import NewSource
from flowchat.store import accounts, deliveries, emails, jobs, meter_events, stripe_events
from flowchat.store.database import Connection

WRONG = "2026-11-26T10:00:00Z"
RIGHT = "2026-11-24T10:00:00Z"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch, WRONG)


async def write(app: Appliance, transaction: Callable[[Connection], Any]) -> Any:
    return await app.db.write(transaction)


async def test_webhooks_go_out(tmp_path: Path, clock: Clock) -> None:
    async with running(tmp_path) as app:
        webhook, _ = await endpoint(app, "https://example.com/hook")
        await emit(app)
        await emit(app)
        tried, _ = await deliveries_of(app, webhook)
        attempt = DeliveryAttempt(now(), 500, "no", 1, "")
        await write(app, lambda conn: deliveries.add_attempt(conn, tried, attempt, "pending", now(5)))
        clock.set(RIGHT)
        assert await deliveries.due(app.db, webhook.id, 10) == []
        await stranded.free(app)
        assert len(await deliveries.due(app.db, webhook.id, 10)) == 2


async def test_a_pause_between_attempts_is_kept(tmp_path: Path, clock: Clock) -> None:
    async with running(tmp_path) as app:
        webhook, _ = await endpoint(app, "https://example.com/hook")
        await emit(app)
        (tried,) = await deliveries_of(app, webhook)
        attempt = DeliveryAttempt(now(), 500, "no", 1, "")
        due = now(deliveries_pause_s())
        await write(app, lambda conn: deliveries.add_attempt(conn, tried, attempt, "pending", due))
        await stranded.free(app)
        (kept,) = await deliveries_of(app, webhook)
        assert kept.next_attempt_at == due


def deliveries_pause_s() -> float:
    """The longest there is."""
    return 1.1 * 10 * 3600


async def test_emails_go_out(tmp_path: Path, clock: Clock) -> None:
    async with running(tmp_path) as app:
        await write(app, lambda conn: emails.insert(conn, "ann@shop.example", "Hi", "Hello"))
        clock.set(RIGHT)
        assert await emails.due(app.db, 10) == []
        await stranded.free(app)
        assert len(await emails.due(app.db, 10)) == 1


async def test_what_stripe_told_is_handled(tmp_path: Path, clock: Clock) -> None:
    async with running(tmp_path) as app:
        event = StripeEvent(
            id="evt_1", type="customer.subscription.updated", body="{}", created_at=now(), received_at=now()
        )
        await write(app, lambda conn: stripe_events.insert(conn, event))
        clock.set(RIGHT)
        await stranded.free(app)
        assert len(await stripe_events.due(app.db, now(), 10)) == 1


async def test_usage_is_reported(tmp_path: Path, clock: Clock) -> None:
    async with running(tmp_path) as app:
        actor = await operator(app)
        over, to_come = (_used(actor.tenant_id, hour) for hour in ("2026-11-24T08", "2026-11-26T09"))
        seq = await write(app, lambda conn: meter_events.insert(conn, over, now()))
        await write(app, lambda conn: meter_events.insert(conn, to_come, now()))
        clock.set(RIGHT)
        await stranded.free(app)
        assert await meter_events.due(app.db, now(), 10) == [seq]  # Stripe takes nothing that lies in the future


def test_usage_that_stripe_may_have_is_not_sent_again() -> None:
    """Stripe forgets an identifier after a day, and the clock does not tell any more when that day was."""
    event = replace(_used("ten_1", "2026-11-24T08"), unanswered_since="2026-11-26T10:00:00.000Z")
    assert "The clock went back" in (metering.why_park(event, "2026-11-24T10:00:00.000Z") or "")
    assert metering.why_park(event, "2026-11-26T10:05:00.000Z") is None


def _used(tenant_id: str, hour: str) -> MeterEvent:
    return MeterEvent(
        seq=0, identifier="", tenant_id=tenant_id, stripe_customer="cus_1", metric="queries", hour=hour, value=3
    )


async def test_scheduled_crawls_come(tmp_path: Path, clock: Clock) -> None:
    async with running(tmp_path) as app:
        actor = await operator(app)
        source, _ = await sources.create(app, actor, NewSource("https://example.com/", schedule="hourly"))
        clock.set(RIGHT)
        await stranded.free(app)
        due = (await sources.find(app, actor, source.id)).next_crawl
        assert due is not None and now() < due <= now(timedelta(hours=2).total_seconds())


async def test_a_lease_ends(tmp_path: Path, clock: Clock) -> None:
    async with running(tmp_path) as app:
        actor = await operator(app)
        _, job = await sources.create(app, actor, NewSource("https://example.com/"))
        assert job is not None
        assert await write(app, lambda conn: jobs.claim(conn, job.id, "one"))
        assert await jobs.waiting(app.db) == []
        clock.set(RIGHT)
        assert await jobs.waiting(app.db) == [job.id]
        assert await write(app, lambda conn: jobs.claim(conn, job.id, "other"))
        assert await jobs.waiting(app.db) == []
        assert not await write(app, lambda conn: jobs.renew(conn, job.id, "one"))


async def test_an_authenticator_app_still_lets_in(tmp_path: Path) -> None:
    async with running(tmp_path) as app:
        await operator(app)
        await write(app, _add_user)
        future, present = 1_000_000, 1_000_000 - 2 * 2880
        steps = ((future, True), (future, False), (present, True), (present, False), (present - 1, False))
        for step, is_good in steps:
            assert await write(app, lambda conn, step=step: accounts.use_step(conn, "usr_1", step)) is is_good


def _add_user(conn: Connection) -> None:
    conn.execute(
        "insert into users (id, tenant_id, email, name, role, created_at)"
        " select 'usr_1', id, 'ann@shop.example', 'Ann', 'owner', created_at from tenants"
    )
