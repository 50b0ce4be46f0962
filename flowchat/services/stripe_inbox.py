"""Takes what Stripe tells. An event only says where to look: what it is about is asked of Stripe as it is now."""

import asyncio
import json
import logging

from flowchat.billing import StripeEvent, StripeEventStatus
from flowchat.domain import Actor, now
from flowchat.errors import FlowChatError
from flowchat.net.stripe_api import endpoints, meters
from flowchat.net.stripe_api.client import Stripe, StripeFailure
from flowchat.services import metering, stripe_sync
from flowchat.services.context import Context
from flowchat.store import audit_log, meter_events, stripe_events, subscriptions
from flowchat.store.database import Connection

LOOK_S = 1.0
AT_ONCE = 20
PAUSES_S = (5, 30, 5 * 60, 30 * 60, 3600)  # after so many attempts
MOST_ATTEMPTS = 100  # about four days
KEEP_S = 30 * 24 * 3600
DELETE_BATCH = 500

log = logging.getLogger(__name__)


async def receive(app: Context, body: bytes, signature: str) -> None:
    """Take an event in; one that is known already changes nothing.

    Raises FlowChatError `bad_signature` and `bad_event`, and `not_billed` (503: Stripe tries again for three days).
    """
    secrets = [secret.strip() for secret in app.settings.stripe_webhook_secret.split(",") if secret.strip()]
    if not app.settings.stripe_api_key or not secrets:
        message = "Set FLOWCHAT_STRIPE_API_KEY and FLOWCHAT_STRIPE_WEBHOOK_SECRET to take events from Stripe."
        raise FlowChatError("not_billed", message, status=503)
    event = endpoints.verify(body, signature, secrets)
    await app.db.write(lambda conn: stripe_events.insert(conn, event))


class Inbox:
    """Handles what has come in, one after the other: `run()` in the process that holds the data folder."""

    def __init__(self, app: Context, stripe: Stripe) -> None:
        self._app = app
        self._stripe = stripe

    async def run(self) -> None:
        """Until it is cancelled. Nothing that fails ends it."""
        while True:
            try:
                await self.handle_due()
            except Exception:
                log.exception("handling Stripe's events failed; it is tried again in %s s", LOOK_S)
            await asyncio.sleep(LOOK_S)

    async def handle_due(self) -> None:
        while due := await stripe_events.due(self._app.db, now(), AT_ONCE):
            for event in due:
                await self._handle(event)

    async def _handle(self, event: StripeEvent) -> None:
        try:
            status = await self._do(event)
        except StripeFailure as failure:
            await self._later(event, failure.message, failure.retry_after_s)
        except Exception:
            log.exception("handling Stripe's event %s failed", event.id)
            await self._later(event, "An unexpected error; the appliance's log has the details.", None)
        else:
            await self._app.db.write(lambda conn: stripe_events.finish(conn, event.id, status))

    async def _do(self, event: StripeEvent) -> StripeEventStatus:
        if event.type in endpoints.METER_EVENTS:
            return await self._meter_errors(event)
        if event.type not in endpoints.SUBSCRIPTION_EVENTS:
            return "ignored"
        customer = json.loads(event.body)["data"]["object"].get("customer")
        tenant_id = await subscriptions.tenant_of_customer(self._app.db, customer) if customer else None
        if tenant_id is None:
            return "ignored"  # others may sell at the same account
        await stripe_sync.sync(self._app, self._stripe, tenant_id, customer)
        return "done"

    async def _meter_errors(self, event: StripeEvent) -> StripeEventStatus:
        """Usage that a meter has refused after Stripe took it."""
        reports = await endpoints.meter_errors(self._stripe, event.id)
        parked = await self._app.db.write(lambda conn: _park(conn, reports))
        log.warning("Stripe's meters refuse usage (%s): %s of it is FlowChat's and parked", event.id, parked)
        return "done" if parked else "ignored"

    async def _later(self, event: StripeEvent, error: str, retry_after_s: float | None) -> None:
        if event.attempts + 1 >= MOST_ATTEMPTS:
            log.error("Stripe's event %s (%s) is given up: %s", event.id, event.type, error)
            await self._app.db.write(lambda conn: stripe_events.finish(conn, event.id, "failed", error))
            return
        due = now(max(PAUSES_S[min(event.attempts, len(PAUSES_S) - 1)], retry_after_s or 0))
        await self._app.db.write(lambda conn: stripe_events.postpone(conn, event.id, due, error))


def _park(conn: Connection, reports: list[tuple[str, str]]) -> int:
    """What is named by identifiers, each with the reason; returns how many of them are FlowChat's."""
    parked = 0
    for told, reason in reports:
        event = meter_events.find_by_identifier(conn, *meters.identifiers_meant(told))
        if event is None or event.status not in ("pending", "delivered"):
            continue
        metering.park(conn, event, f"Stripe's meter has refused it: {reason}")
        actor = Actor(event.tenant_id, "stripe", frozenset())
        audit_log.insert(conn, actor, "meter_events.park", event.id, identifier=event.identifier, reason=reason)
        parked += 1
    return parked


async def delete_old(app: Context) -> None:
    """Events of more than 30 days ago that are over."""
    before = now(-KEEP_S)
    while await app.db.write(lambda conn: stripe_events.delete_old(conn, before, DELETE_BATCH)):
        pass
