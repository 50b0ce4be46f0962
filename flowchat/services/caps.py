"""Caps: answers that a key may give in a day and in a month, reserved before any model runs."""

import asyncio
from datetime import UTC, datetime, timedelta

from flowchat.domain import Key, now
from flowchat.errors import FlowChatError
from flowchat.services.context import Context
from flowchat.store import key_answers
from flowchat.store.database import Connection, Database


class Reservation:
    """One answer of a key, counted in the day and the month it was asked in. Give it back if nothing comes of it.

    What is kept has its line in the usage ledger, by which a restart counts anew.
    """

    def __init__(self, key: Key) -> None:
        today = now()[:10]
        self._key_id = key.id
        self._caps = {today: key.caps.daily, today[:7]: key.caps.monthly}
        self._is_held = False

    async def take(self, db: Database) -> None:
        """Raises FlowChatError `quota_exceeded` (429)."""
        try:
            full = await db.write(self._take)
        except asyncio.CancelledError:
            await self.give_back(db)  # the transaction goes on; this one comes after it
            raise
        if full is not None:
            raise _exceeded(full, self._caps[full] or 0)

    async def give_back(self, db: Database) -> None:
        await db.write(self.release)

    def release(self, conn: Connection) -> None:
        """As `give_back`, at the end of the caller's transaction."""
        if self._is_held:
            key_answers.release(conn, self._key_id, self._caps)
            self._is_held = False

    def _take(self, conn: Connection) -> str | None:
        full = key_answers.reserve(conn, self._key_id, self._caps)
        self._is_held = full is None
        return full


async def recount(app: Context) -> None:
    """At start: what a killed process had reserved is free again."""
    await app.db.write(lambda conn: key_answers.recount(conn, now()[:10]))


def _exceeded(period: str, cap: int) -> FlowChatError:
    moment = datetime.now(UTC)
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    if len(period) == len("YYYY-MM"):
        span, again, goes_on = "month", "on the first of the next month", _next_month(midnight)
    else:
        span, again, goes_on = "day", "at midnight", midnight + timedelta(days=1)
    return FlowChatError(
        "quota_exceeded",
        f"This key may give no more answers than {cap} a {span}. It goes on {again} (UTC)."
        if cap
        else f"This key may give no answers: its cap is 0 a {span}.",
        status=429,
        retry_after_s=max(1, int((goes_on - moment).total_seconds()) + 1),
    )


def _next_month(midnight: datetime) -> datetime:
    return (midnight.replace(day=1) + timedelta(days=32)).replace(day=1)
