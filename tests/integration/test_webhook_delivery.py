"""Delivery of webhooks to receivers that behave, fail, hang, redirect, reset and go away."""

import json
import logging
import ssl
from datetime import datetime
from pathlib import Path

import pytest
from appliance import operator
from loopback import answer, redirect, serving
from receiving import (
    FAILURE,
    OK,
    Behaviour,
    Receiver,
    assert_signed,
    attempted,
    audited,
    deliveries_of,
    delivering,
    drip,
    emit,
    endpoint,
    hang,
    make_due,
    receiver,
    reread,
    reset,
)

from flowchat.domain import Delivery, Webhook
from flowchat.services import delivery as delivery_service
from flowchat.services import webhooks
from flowchat.services.context import Appliance
from flowchat.services.delivery import DELAYS_S, JITTER, MAX_RETRY_AFTER_S
from flowchat.services.webhooks import WebhookChange

CERTIFICATE = Path(__file__).parents[1] / "data/localhost.pem"  # nobody trusts it


def pause_s(delivery: Delivery) -> float:
    """From the last attempt (its end) to the next."""
    assert delivery.next_attempt_at
    last = delivery.attempts[-1]
    begun = datetime.fromisoformat(last.at)
    return (datetime.fromisoformat(delivery.next_attempt_at) - begun).total_seconds() - last.duration_ms / 1000


async def test_an_event_arrives_once_with_what_the_contract_says(tmp_path: Path) -> None:
    async with receiver() as hook, delivering(tmp_path) as app:
        webhook, secret = await endpoint(app, hook.url)
        event_id = await emit(app, "version.indexed", version="ver_1", title="Grüße")
        delivery = await attempted(app, webhook)
        assert (delivery.status, delivery.next_attempt_at, delivery.tries) == ("succeeded", None, 1)
        [attempt] = delivery.attempts
        assert (attempt.http_status, attempt.error, attempt.response) == (200, None, "thanks")
        [request] = hook.requests
        assert request.line == "POST /hook HTTP/1.1"
        assert (request.headers["content-type"], request.headers["webhook-id"]) == ("application/json", event_id)
        body = json.loads(request.body)
        assert list(body) == ["id", "type", "created_at", "tenant_id", "data"]
        assert (body["id"], body["type"], body["data"]["title"]) == (event_id, "version.indexed", "Grüße")
        assert body["tenant_id"] == (await operator(app)).tenant_id
        assert_signed(request, secret)


async def test_only_events_that_are_wanted_arrive(tmp_path: Path) -> None:
    async with receiver() as hook, delivering(tmp_path) as app:
        some, _ = await endpoint(app, hook.url + "?some", "source.revoked", "version.failed")
        every, _ = await endpoint(app, hook.url + "?all")
        for event_type in ("source.crawl.completed", "source.revoked", "version.indexed"):
            await emit(app, event_type)
        wanted = [found.event.type for found in await deliveries_of(app, some)]
        assert wanted == ["source.revoked"]
        assert len(await deliveries_of(app, every)) == 3


async def test_the_schedule_of_attempts(tmp_path: Path) -> None:
    async with receiver(FAILURE) as hook, delivering(tmp_path) as app:
        webhook, secret = await endpoint(app, hook.url)
        event_id = await emit(app)
        for tries, wanted_s in enumerate((5, 300, 1800, 7200, 18000, 36000, 36000), start=1):
            delivery = await attempted(app, webhook, tries)
            assert delivery.status == "pending"
            assert wanted_s * (1 - JITTER) - 0.1 <= pause_s(delivery) <= wanted_s * (1 + JITTER) + 0.5
            await make_due(app)
        delivery = await attempted(app, webhook, len(DELAYS_S))
        assert (delivery.status, delivery.next_attempt_at) == ("failed", None)
        assert {attempt.http_status for attempt in delivery.attempts} == {500}
        assert delivery.attempts[0].error == "The endpoint answered 500, not 2xx."
        assert len(hook.requests) == len(DELAYS_S)
        for request in hook.requests:
            assert_signed(request, secret)
            assert request.headers["webhook-id"] == event_id
        assert (await reread(app, webhook)).failing_since == delivery.attempts[0].at


async def test_a_failure_then_success(tmp_path: Path) -> None:
    async with receiver(FAILURE) as hook, delivering(tmp_path) as app:
        webhook, _ = await endpoint(app, hook.url)
        await emit(app)
        await attempted(app, webhook)
        hook.behaviour = answer(status="204 No Content")
        await make_due(app)
        delivery = await attempted(app, webhook, 2)
        assert (delivery.status, [attempt.http_status for attempt in delivery.attempts]) == ("succeeded", [500, 204])
        assert (await reread(app, webhook)).failing_since is None


@pytest.mark.parametrize(
    ("behaviour", "http_status", "error"),
    [
        (hang, None, "No complete answer within 0.3 s."),
        (drip, None, "No complete answer within 0.3 s."),
        (reset, None, "The request failed: "),
        (b"what?\r\n\r\n", None, "The request failed: "),
        (answer(status="404 Not Found"), 404, "The endpoint answered 404, not 2xx."),
        (redirect("/elsewhere"), 302, "redirects are not followed"),
        (redirect("/elsewhere", "308 Permanent Redirect"), 308, "redirects are not followed"),
    ],
)
async def test_failures(tmp_path: Path, behaviour: Behaviour, http_status: int | None, error: str) -> None:
    async with receiver(behaviour) as hook, delivering(tmp_path, timeout_s=0.3) as app:
        webhook, _ = await endpoint(app, hook.url)
        await emit(app)
        delivery = await attempted(app, webhook)
        assert delivery.status == "pending" and 4 < pause_s(delivery) < 6
        assert delivery.attempts[0].http_status == http_status
        assert error in (delivery.attempts[0].error or "")
        assert len(hook.requests) == 1
        assert (await reread(app, webhook)).disabled_at is None


async def test_a_long_answer_is_cut(tmp_path: Path) -> None:
    async with receiver(answer(b"x" * 50_000)) as hook, delivering(tmp_path) as app:
        webhook, _ = await endpoint(app, hook.url)
        await emit(app)
        delivery = await attempted(app, webhook)
        assert (delivery.status, delivery.attempts[0].response) == ("succeeded", "x" * 1024)


async def test_nobody_listens(tmp_path: Path) -> None:
    async with delivering(tmp_path) as app:
        async with serving() as gone:
            pass
        webhook, _ = await endpoint(app, gone.url)
        await emit(app)
        delivery = await attempted(app, webhook)
        assert delivery.status == "pending" and delivery.attempts[0].http_status is None


@pytest.mark.parametrize(
    ("told", "at_least_s", "at_most_s"),
    [("1", 4, 6), ("60", 60, 61), ("9999999", MAX_RETRY_AFTER_S, MAX_RETRY_AFTER_S + 1), ("soon", 4, 6)],
)
async def test_retry_after(tmp_path: Path, told: str, at_least_s: float, at_most_s: float) -> None:
    busy = answer(status="503 Service Unavailable", Retry_After=told)
    async with receiver(busy) as hook, delivering(tmp_path) as app:
        webhook, _ = await endpoint(app, hook.url)
        await emit(app)
        assert at_least_s - 0.1 <= pause_s(await attempted(app, webhook)) <= at_most_s


async def test_gone_disables_at_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with receiver(FAILURE) as hook, delivering(tmp_path) as app:
        webhook, _ = await endpoint(app, hook.url)
        await emit(app)
        await attempted(app, webhook)
        hook.behaviour = answer(status="410 Gone")
        with caplog.at_level(logging.WARNING):
            await emit(app)
            assert (await attempted(app, webhook)).status == "failed"
        disabled = await reread(app, webhook)
        assert disabled.disabled_at and disabled.disabled_reason == "The endpoint answered 410 Gone."
        assert {found.status for found in await deliveries_of(app, webhook)} == {"failed"}
        assert ("system", "webhooks.disable") in await audited(app)
        assert "410" in caplog.text and webhook.id in caplog.text
        await emit(app)
        assert len(await deliveries_of(app, webhook)) == 2


async def failing_for(app: Appliance, webhook: Webhook, *, days: float, succeeds: bool, hook: Receiver) -> Webhook:
    """The endpoint after one more attempt, when its failures began so long ago."""
    since = delivery_service.now(-days * 24 * 3600)
    await app.db.write(lambda conn: conn.execute("update webhooks set failing_since = ?", (since,)))
    hook.behaviour = OK if succeeds else FAILURE
    await emit(app)
    await attempted(app, webhook)
    return await reread(app, webhook)


async def test_five_days_of_failures_disable(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with receiver() as hook, delivering(tmp_path) as app:
        webhook, _ = await endpoint(app, hook.url)
        assert (await failing_for(app, webhook, days=4.9, succeeds=False, hook=hook)).disabled_at is None
        mended = await failing_for(app, webhook, days=5.1, succeeds=True, hook=hook)
        assert (mended.disabled_at, mended.failing_since) == (None, None)
        with caplog.at_level(logging.WARNING):
            disabled = await failing_for(app, webhook, days=5.1, succeeds=False, hook=hook)
        assert disabled.disabled_at and (disabled.disabled_reason or "").startswith("Nothing but failures since 20")
        assert (await deliveries_of(app, webhook))[0].status == "failed"
        assert ("system", "webhooks.disable") in await audited(app)
        assert "is disabled" in caplog.text
        enabled = await webhooks.update(app, await operator(app), webhook.id, WebhookChange(enabled=True))
        assert (enabled.disabled_at, enabled.disabled_reason, enabled.failing_since) == (None, None, None)
        hook.behaviour = OK
        await emit(app)
        assert (await attempted(app, webhook)).status == "succeeded"


async def test_private_addresses_are_refused_at_delivery(tmp_path: Path) -> None:
    async with receiver() as hook, delivering(tmp_path, allow_private_hosts=()) as app:
        webhook, _ = await endpoint(app, hook.url.replace("http://", "https://"))
        await emit(app)
        delivery = await attempted(app, webhook)
        assert "not at a public address" in (delivery.attempts[0].error or "")
        assert hook.requests == []


async def test_certificates_are_checked(tmp_path: Path) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(CERTIFICATE)
    async with serving(tls=tls) as server, delivering(tmp_path, allow_private_hosts=("localhost",)) as app:
        webhook, _ = await endpoint(app, f"https://localhost:{server.port}/")
        await emit(app)
        delivery = await attempted(app, webhook)
        assert "certificate verify failed" in (delivery.attempts[0].error or "")
        assert server.requests == []


async def test_plain_http_ends_when_the_operator_no_longer_allows_the_host(tmp_path: Path) -> None:
    async with receiver() as hook:
        async with delivering(tmp_path) as app:
            webhook, _ = await endpoint(app, hook.url)
        async with delivering(tmp_path, allow_private_hosts=()) as app:
            await emit(app)
            delivery = await attempted(app, webhook)
            assert "is not an https address" in (delivery.attempts[0].error or "")
            assert hook.requests == []
