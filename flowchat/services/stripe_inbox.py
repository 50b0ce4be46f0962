"""Takes what Stripe tells. An event only says where to look: what it is about is asked of Stripe as it is now."""

import asyncio
import json
import logging

from flowchat import logs
from flowchat.billing import StripeEvent, StripeEventStatus
from flowchat.domain import Actor, now
from flowchat.errors import FlowChatError
from flowchat.logs import Work
from flowchat.net.stripe_api import endpoints, meters
from flowchat.net.stripe_api.client import Refused, Stripe, StripeFailure
from flowchat.services import metering, stripe_sync
from flowchat.services.context import Context
from flowchat.store import audit_log, meter_events, stripe_events
from flowchat.store.database import Connection

SUBSCRIPTION_TYPES = ("checkout.session.", "customer.subscription.", "invoice.")
LOOK_S = 1.0
AWAY_S = 15.0  # until the next look, while Stripe is not there
AT_ONCE = 20
PAUSES_S = (5, 30, 60, 5 * 60, 10 * 60)  # of one event, after so many attempts
MAX_PAUSE_S = 3600
GIVE_UP_S = 24 * 3600
KEEP_S = 60 * 24 * 3600
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
            pause_s = LOOK_S
            try:
                if not await self.handle_due():
                    pause_s = AWAY_S
            except Exception:
                log.exception("handling Stripe's events failed; it is tried again in %s s", LOOK_S)
            await asyncio.sleep(pause_s)

    async def handle_due(self) -> bool:
        """All that is due; or, and then it is False, so much until Stripe turns out not to be there."""
        while due := await stripe_events.due(self._app.db, now(), AT_ONCE):
            for event in due:
                with logs.doing(Work(request_id=event.id)):
                    if not await self._handle(event):
                        return False
        return True

    async def _handle(self, event: StripeEvent) -> bool:
        """Whether Stripe was there, as far as it was asked."""
        try:
            ignored = await self._do(event)
        except StripeFailure as failure:
            await self._later(event, failure.message, failure.retry_after_s)
            return isinstance(failure, Refused)
        except Exception:
            log.exception("handling Stripe's event %s failed", event.id)
            await self._later(event, "An unexpected error; the appliance's log has the details.", None)
        else:
            status: StripeEventStatus = "done" if ignored is None else "ignored"
            await self._app.db.write(lambda conn: stripe_events.finish(conn, event.id, status, ignored))
        return True

    async def _do(self, event: StripeEvent) -> str | None:
        """Why it was ignored; None: it was not."""
        if event.type in endpoints.METER_EVENTS:
            return await self._park_refused(event)
        if not event.type.startswith(SUBSCRIPTION_TYPES):
            return "Nothing follows from events of this type."
        customer = _customer(event)
        if customer is None:
            return "It names no customer."
        # Others may sell at the same account.
        return None if await stripe_sync.sync(self._app, self._stripe, customer) else f"No tenant is {customer}."

    async def _park_refused(self, event: StripeEvent) -> str | None:
        """Usage that a meter has refused after Stripe took it."""
        report = await endpoints.meter_errors(self._stripe, event.id)
        parked = await self._app.db.write(lambda conn: _park(conn, report.refused))
        log.warning("Stripe's meters refuse usage (%s), %s of it is parked: %s", event.id, parked, report.summary)
        return None if parked else "It names no usage that is at Stripe, or on its way."

    async def _later(self, event: StripeEvent, error: str, retry_after_s: float | None) -> None:
        if event.received_at <= now(-GIVE_UP_S):
            log.error("Stripe's event %s (%s) is given up: %s", event.id, event.type, error)
            await self._app.db.write(lambda conn: stripe_events.finish(conn, event.id, "failed", error))
            return
        due = now(max(PAUSES_S[min(event.attempts, len(PAUSES_S) - 1)], min(retry_after_s or 0, MAX_PAUSE_S)))
        await self._app.db.write(lambda conn: stripe_events.postpone(conn, event.id, due, error))


def _customer(event: StripeEvent) -> str | None:
    """Whom it is about. Nothing else of an event is believed: it may be old."""
    told = json.loads(event.body).get("data") or {}
    customer = (told.get("object") or {}).get("customer")
    return customer if isinstance(customer, str) else None


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
    """Events of more than 60 days ago that are over."""
    before = now(-KEEP_S)
    while await app.db.write(lambda conn: stripe_events.delete_old(conn, before, DELETE_BATCH)):
        pass
