"""Delivers events to webhooks: at least once, from the outbox that the deliveries table is.

An attempt is recorded after it was made. A process that is killed in between makes it again at its next start.
"""

import asyncio
import logging
import random
import time

from flowchat import logs
from flowchat.domain import Actor, Delivery, DeliveryAttempt, Webhook, now
from flowchat.errors import FlowChatError
from flowchat.logs import Work
from flowchat.net.webhook import Answer, Sender
from flowchat.services import events, signatures, vault
from flowchat.services.context import Context
from flowchat.services.webhooks import disable
from flowchat.store import deliveries, restores, webhooks
from flowchat.store.database import Connection

# Contract, section 5: the pause before each attempt.
DELAYS_S = (0, 5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 10 * 3600)
JITTER = 0.1  # of a pause, more or less, so that what failed together is not tried again together
MAX_RETRY_AFTER_S = DELAYS_S[-1]
DISABLE_AFTER_S = 5 * 24 * 3600  # contract, section 5
LOOK_S = 1.0
AT_ONCE = 64
AT_ONCE_PER_ENDPOINT = 2  # a dead endpoint holds no more of those
RECORD_AGAIN_S = 5.0
GONE = 410

log = logging.getLogger(__name__)


class Deliverer:
    """Delivers what is due, as it becomes due: `run()` in the one process that holds the data folder."""

    def __init__(self, app: Context, sender: Sender) -> None:
        self._app = app
        self._sender = sender
        self._due = asyncio.Event()
        self._places = asyncio.Semaphore(AT_ONCE)
        self._workers: dict[str, asyncio.Task[None]] = {}  # one for each endpoint for which something is due
        self._loop: asyncio.AbstractEventLoop | None = None

    def wake(self) -> None:
        """Something is due now. From any thread, at any time."""
        if (loop := self._loop) is not None:
            loop.call_soon_threadsafe(self._due.set)

    async def run(self) -> None:
        """Until it is cancelled. Nothing that fails ends it."""
        self._loop = asyncio.get_running_loop()
        try:
            while True:
                self._due.clear()
                await self._look()
                await self._until_woken()
        finally:
            self._loop = None
            for worker in self._workers.values():
                worker.cancel()
            await asyncio.gather(*self._workers.values(), return_exceptions=True)
            await self._sender.aclose()

    async def _until_woken(self) -> None:
        """Or until it is time to look: a wake-up may get lost, and another process has none to send."""
        try:
            async with asyncio.timeout(LOOK_S):
                await self._due.wait()
        except TimeoutError:
            pass

    async def _look(self) -> None:
        try:
            if await restores.held(self._app.db) is not None:
                return
            for webhook_id in await deliveries.endpoints_due(self._app.db):
                if webhook_id not in self._workers:
                    self._workers[webhook_id] = asyncio.create_task(self._work(webhook_id))
        except Exception:
            log.exception("looking for due webhooks failed; it is tried again in %s s", LOOK_S)

    async def _work(self, webhook_id: str) -> None:
        """Deliver what is due to one endpoint."""
        try:
            while due := await deliveries.due(self._app.db, webhook_id, AT_ONCE_PER_ENDPOINT):
                async with asyncio.TaskGroup() as group:
                    for delivery in due:
                        group.create_task(self._deliver(delivery))
        except Exception:
            log.exception("delivering to webhook %s failed; it is tried again in %s s", webhook_id, RECORD_AGAIN_S)
            await asyncio.sleep(RECORD_AGAIN_S)
        finally:
            del self._workers[webhook_id]
            self._due.set()  # something may have become due since the last look

    async def _deliver(self, delivery: Delivery) -> None:
        async with self._places:
            webhook = await webhooks.get(self._app.db, delivery.tenant_id, delivery.webhook_id)
            if webhook is None or webhook.disabled_at is not None:
                return  # it was deleted or switched off meanwhile, which ended its deliveries
            with logs.doing(Work(request_id=delivery.id, tenant_id=delivery.tenant_id)):
                attempt, retry_after_s = await self._attempt(webhook, delivery)
                await self._keep(delivery, attempt, retry_after_s)

    async def _attempt(self, webhook: Webhook, delivery: Delivery) -> tuple[DeliveryAttempt, float | None]:
        """What came of one request, and how long its answer asks to wait."""
        at, begun = now(), time.monotonic()
        answer, error = None, None
        try:
            answer = await self._post(webhook, delivery)
            error = _fault(answer)
        except FlowChatError as failure:
            error = failure.message
        except Exception:
            log.exception("an attempt of delivery %s failed in an unexpected way", delivery.id)
            error = "An unexpected error stopped this attempt; the appliance's log has the details."
        duration_ms = round((time.monotonic() - begun) * 1000)
        self._app.metrics.webhook_attempts.labels("failed" if error else "succeeded").inc()
        if answer is None:
            return DeliveryAttempt(at, None, error, duration_ms, ""), None
        text = answer.body.decode("utf-8", "replace")
        return DeliveryAttempt(at, answer.status, error, duration_ms, text), answer.retry_after_s

    async def _post(self, webhook: Webhook, delivery: Delivery) -> Answer:
        body = events.body(delivery.event)
        data_dir = self._app.settings.data_dir
        former = None
        if webhook.former_secret is not None and (webhook.former_until or "") > now():
            former = vault.unseal(data_dir, webhook.former_secret)
        secret = vault.unseal(data_dir, webhook.secret)
        headers = signatures.headers(delivery.event.id, int(time.time()), body, secret, former)
        return await self._sender.post(webhook.url, headers | logs.headers(), body)

    async def _keep(self, delivery: Delivery, attempt: DeliveryAttempt, retry_after_s: float | None) -> None:
        """Record the attempt, however long that takes: without it the endpoint would get the event without end."""
        while True:
            try:
                return await self._app.db.write(lambda conn: _record(conn, delivery, attempt, retry_after_s))
            except Exception:
                log.exception("an attempt of delivery %s was not recorded; that is tried again", delivery.id)
            await asyncio.sleep(RECORD_AGAIN_S)


def _fault(answer: Answer) -> str | None:
    if 200 <= answer.status < 300:
        return None
    if 300 <= answer.status < 400:
        return f"The endpoint answered {answer.status}: redirects are not followed. Change its URL to the final one."
    return f"The endpoint answered {answer.status}, not 2xx."


def _record(conn: Connection, delivery: Delivery, attempt: DeliveryAttempt, retry_after_s: float | None) -> None:
    # Both may have changed since the attempt began, or be gone.
    webhook = webhooks.get_now(conn, delivery.tenant_id, delivery.webhook_id)
    present = deliveries.get_now(conn, delivery.tenant_id, delivery.webhook_id, delivery.id)
    if webhook is None or present is None:
        return
    if attempt.error is None:
        deliveries.add_attempt(conn, present, attempt, "succeeded", None)
        webhooks.set_failing(conn, webhook.id, None)
        return
    pause_s = None if webhook.disabled_at else next_pause_s(present.tries + 1, retry_after_s)
    if pause_s is None:
        deliveries.add_attempt(conn, present, attempt, "failed", None)
    else:
        deliveries.add_attempt(conn, present, attempt, "pending", now(pause_s))
    webhooks.set_failing(conn, webhook.id, webhook.failing_since or attempt.at)
    reason = _why_disable(webhook, attempt)
    if reason and webhook.disabled_at is None:
        disable(conn, Actor(webhook.tenant_id, "system", frozenset()), webhook, reason)
        log.warning("webhook %s of tenant %s is disabled: %s", webhook.id, webhook.tenant_id, reason)


def next_pause_s(tries: int, retry_after_s: float | None) -> float | None:
    """How long to wait after so many attempts that failed; None: no more. Never sooner than the endpoint asks for."""
    if tries >= len(DELAYS_S):
        return None
    pause_s = DELAYS_S[tries] * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 (no secret)
    return max(pause_s, min(retry_after_s or 0, MAX_RETRY_AFTER_S))


def _why_disable(webhook: Webhook, attempt: DeliveryAttempt) -> str | None:
    if attempt.http_status == GONE:
        return "The endpoint answered 410 Gone."
    if webhook.failing_since is not None and webhook.failing_since <= now(-DISABLE_AFTER_S):
        return f"Nothing but failures since {webhook.failing_since[:10]}."
    return None
