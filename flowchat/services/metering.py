"""Reports usage to Stripe: each billable answer and page once, from an outbox of one event per tenant, metric and hour.

Stripe knows an identifier for a day. So what it may have taken without saying so is sent again, under the same
identifier, only within 23 hours; after that the event is parked, until `reconciliation` has asked Stripe what it has.
"""

import asyncio
import logging
import random
from dataclasses import replace

from flowchat import logs
from flowchat.billing import MeterEvent, after_days
from flowchat.domain import Restore, now
from flowchat.logs import Work
from flowchat.net.stripe_api import meters
from flowchat.net.stripe_api.client import TIMEOUT_S, Refused, Stripe, StripeFailure, Unanswered
from flowchat.services.context import Context
from flowchat.store import meter_events, restores
from flowchat.store.database import Connection

SEAL_AFTER_S = 60  # from an hour's end; what comes later is an event of its own
SEAL_AT_ONCE = 100  # hours of tenants in one transaction: chats wait for it
UNANSWERED_DAYS = 23 / 24
LAST_CHANCE_DAYS = UNANSWERED_DAYS - 60 / 86400
CLOCK_DAYS = 1 / 24  # by which the clock may go back without much harm
OLDEST_DAYS = 34  # Stripe takes 35
PAUSES_S = (10, 60, 5 * 60, 15 * 60, 30 * 60, 3600)  # after so many attempts
JITTER = 0.1
MAX_RETRY_AFTER_S = 3600
LEASE_S = 2 * TIMEOUT_S  # of an attempt: then another process may make the next one
AT_ONCE = 8
LOOK_S = 15.0
RESTORED = (
    "The database was restored from a backup: the one that it has replaced may have reported this, alone or with more."
)

log = logging.getLogger(__name__)


async def seal(app: Context) -> int:
    """Make events of what was used in hours that have ended; returns how many."""
    made = 0
    while new := await app.db.write(lambda conn: seal_until(conn, now(-SEAL_AFTER_S)[:13])):
        made += new
    return made


def seal_all(conn: Connection, tenant_id: str) -> None:
    """What the tenant has used until now is reported, whatever it is subscribed to next; sent once its hour is over."""
    while seal_until(conn, now(), tenant_id):
        pass


def seal_until(conn: Connection, before: str, tenant_id: str | None = None) -> int:
    """Of usage before that time, of one tenant or of all; returns how many. Call it until there is none.

    What was used before the database was restored from a backup is parked: the replaced one may have reported it.
    """
    restore = restores.last(conn)
    if restore is not None and (made := _seal(conn, min(before, restore.restored_at), tenant_id, None)):
        for seq in made:
            meter_events.park_restored(conn, restore.backup_at, restore.restored_at, RESTORED, seq)
        return len(made)
    return len(_seal(conn, before, tenant_id, restore))


def _seal(conn: Connection, before: str, tenant_id: str | None, restore: Restore | None) -> list[int]:
    """The numbers of the events. `restore`: the last one, where it lies before all of the usage."""
    made = []
    for event in meter_events.unsealed(conn, before, SEAL_AT_ONCE, tenant_id):
        after = restore.id if restore is not None and event.hour <= restore.restored_at[:13] else ""
        seq = meter_events.insert(conn, event, max(now(), _ended(event.hour)), after)
        marked = meter_events.mark(conn, event, seq, before)
        if marked != event.value:
            raise RuntimeError(f"{marked} {event.metric} of {event.tenant_id} in {event.hour}, not {event.value}")
        made.append(seq)
    return made


def _ended(hour: str) -> str:
    """Stripe takes nothing that lies in the future."""
    return f"{hour}:59:59.999Z"


class Reporter:
    """Reports what is due: `run()` in the process that holds the data folder, `report_due()` in any."""

    def __init__(self, app: Context, stripe: Stripe) -> None:
        self._app = app
        self._stripe = stripe

    async def run(self, look_s: float = LOOK_S) -> None:
        """Until it is cancelled. Nothing that fails ends it."""
        while True:
            try:
                if await restores.held(self._app.db) is None:
                    await seal(self._app)
                    await self.report_due()
            except Exception:
                log.exception("reporting usage to Stripe failed; it is tried again in %s s", look_s)
            await asyncio.sleep(look_s)

    async def report_due(self) -> None:
        """All that is due, or so much until Stripe turns out not to be there."""
        while due := await meter_events.due(self._app.db, now(), AT_ONCE):
            answered = await asyncio.gather(*(self._report(seq) for seq in due))
            if not any(answered):
                return

    async def _report(self, seq: int) -> bool:
        """Whether the event is no longer due, for whatever reason."""
        event = await self._app.db.write(lambda conn: _begin(conn, seq))
        if event is None:
            return True
        with logs.doing(Work(request_id=event.identifier, tenant_id=event.tenant_id)):
            return await self._send(event)

    async def _send(self, event: MeterEvent) -> bool:
        """Whether Stripe has answered."""
        attempts = self._app.metrics.meter_attempts
        try:
            await meters.report(self._stripe, event)
        except StripeFailure as failure:
            attempts.labels("failed").inc()
            await self._keep(event, failure)
            return isinstance(failure, Refused)
        attempts.labels("succeeded").inc()
        await self._app.db.write(lambda conn: meter_events.deliver(conn, event.seq, now()))
        return True

    async def _keep(self, event: MeterEvent, failure: StripeFailure) -> None:
        is_answered = not isinstance(failure, Unanswered)
        # It was claimed as if there would be no answer.
        since = None if is_answered and event.unanswered_since == event.last_attempt_at else event.unanswered_since
        due = next_attempt_at(event, since, failure.retry_after_s)

        def transaction(conn: Connection) -> None:
            if isinstance(failure, Refused):
                park(conn, replace(event, unanswered_since=since), failure.message)
            else:
                meter_events.postpone(conn, event.seq, due, failure.message, since)

        await self._app.db.write(transaction)


def _begin(conn: Connection, seq: int) -> MeterEvent | None:
    """The event, claimed for an attempt; None if it is parked, or somebody else's."""
    event = meter_events.find(conn, seq)
    if event is None or event.status != "pending":
        return None
    if reason := why_park(event, now()):
        park(conn, event, reason)
        return None
    return meter_events.claim(conn, seq, now(), now(LEASE_S))


def why_park(event: MeterEvent, moment: str) -> str | None:
    """Why a pending event must not be sent any more."""
    if event.unanswered_since is not None and event.unanswered_since <= after_days(moment, -UNANSWERED_DAYS):
        return "Stripe has not answered for 23 hours: nobody knows whether it has taken this."
    if event.unanswered_since is not None and event.unanswered_since > after_days(moment, CLOCK_DAYS):
        return "The clock went back: nobody knows for how long Stripe has not answered, and whether it has taken this."
    if is_too_old(event, moment):
        return "It is more than 34 days old, and Stripe takes nothing older than 35."
    return None


def is_too_old(event: MeterEvent, moment: str) -> bool:
    return _ended(event.hour) <= after_days(moment, -OLDEST_DAYS)


def park(conn: Connection, event: MeterEvent, reason: str) -> None:
    meter_events.park(conn, event.seq, reason, event.unanswered_since)
    log.warning(
        "usage of tenant %s waits for `flowchat billing reconcile`: the meter event %s (%s %s) is parked. %s",
        event.tenant_id,
        event.identifier,
        event.value,
        event.metric,
        reason,
    )


def next_attempt_at(event: MeterEvent, unanswered_since: str | None, retry_after_s: float | None) -> str:
    """After a pause, but while it may still be sent without counting twice."""
    due = now(next_pause_s(event.attempts, retry_after_s))
    if unanswered_since is not None and (last := after_days(unanswered_since, LAST_CHANCE_DAYS)) > now():
        due = min(due, last)
    return due


def next_pause_s(attempts: int, retry_after_s: float | None) -> float:
    """How long to wait after so many attempts. Never shorter than Stripe asks for."""
    pause_s = PAUSES_S[min(attempts, len(PAUSES_S)) - 1] * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311
    return max(pause_s, min(retry_after_s or 0, MAX_RETRY_AFTER_S))
