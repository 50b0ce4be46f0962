"""Answers that may be given: by a key's caps in a day and a month, and by a plan's hard stop in a month.

Each is reserved before any model runs.
"""

import asyncio

from flowchat.billing import month_of, next_month, quota_exceeded, seconds_until
from flowchat.domain import Key, now
from flowchat.errors import FlowChatError
from flowchat.services.context import Context
from flowchat.store import key_answers, quotas, subscriptions
from flowchat.store.database import Connection, Database


class Reservation:
    """One answer of a key, counted in the day and the month it was asked in, and of a billed key for its tenant, too.

    Give it back if nothing comes of it. What is kept has its line in the usage ledger, by which a restart counts anew.
    """

    def __init__(self, key: Key) -> None:
        today = now()[:10]
        self._key = key
        self._caps = {today: key.caps.daily, month_of(today): key.caps.monthly}
        self._is_held = False
        self._is_begun = False  # for the tenant's quota

    async def take(self, db: Database) -> None:
        """Raises FlowChatError `quota_exceeded` (429)."""
        try:
            await db.write(self._take)
        except asyncio.CancelledError:
            await self.give_back(db)  # the transaction goes on; this one comes after it
            raise

    async def give_back(self, db: Database) -> None:
        await db.write(self.release)

    def release(self, conn: Connection) -> None:
        """As `give_back`, at the end of the caller's transaction."""
        if self._is_held:
            key_answers.release(conn, self._key.id, self._caps)
            self._is_held = False
        self.end(conn)

    def end(self, conn: Connection) -> None:
        """The answer is in the ledger, billed or not. The key's caps count it all the same."""
        if self._is_begun:
            quotas.end_answer(conn, self._key.tenant_id)
            self._is_begun = False

    def _take(self, conn: Connection) -> None:
        full = key_answers.reserve(conn, self._key.id, self._caps)
        if full is not None:
            raise _exceeded(full, self._caps[full] or 0)
        if self._key.is_metered:
            self._begin(conn)
        self._is_held = True

    def _begin(self, conn: Connection) -> None:
        plan = subscriptions.plan_now(conn, self._key.tenant_id)
        limit = plan.hard_limit("queries") if plan else None
        moment = now()
        if not quotas.begin_answer(conn, self._key.tenant_id, month_of(moment), limit):
            raise quota_exceeded("queries", limit or 0, moment)
        self._is_begun = True


async def recount(app: Context) -> None:
    """At start: what a killed process had reserved is free again."""

    def transaction(conn: Connection) -> None:
        key_answers.recount(conn, now()[:10])
        quotas.forget_answers(conn)

    await app.db.write(transaction)


def _exceeded(period: str, cap: int) -> FlowChatError:
    moment = now()
    if len(period) == len("YYYY-MM"):
        span, again, goes_on = "month", "on the first of the next month", next_month(period)
    else:
        span, again, goes_on = "day", "at midnight", now(86_400)[:10]
    return FlowChatError(
        "quota_exceeded",
        f"This key may give no more answers than {cap} a {span}. It goes on {again} (UTC)."
        if cap
        else f"This key may give no answers: its cap is 0 a {span}.",
        status=429,
        retry_after_s=seconds_until(moment, goes_on),
    )
