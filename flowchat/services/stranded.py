"""The clock went back: what is due further ahead than anything is ever put off would wait for the time to come again.

A machine that was switched on with a wrong date, and then learnt the right one, is such a case.
"""

import logging

from flowchat.domain import now
from flowchat.services import delivery, mail, metering, queueing, stripe_inbox
from flowchat.services.context import Context
from flowchat.store import deliveries, emails, meter_events, sources, stripe_events
from flowchat.store.database import Connection

SLACK_S = 600.0

log = logging.getLogger(__name__)


async def free(app: Context) -> None:
    """Let it be due. What the clock has put off by less is left as it is."""
    freed = await app.db.write(_free)
    if freed:
        log.warning("the clock went back: %s attempts and crawls that would have waited for days are due sooner", freed)


def _free(conn: Connection) -> int:
    freed = deliveries.free_stranded(conn, _after(delivery.DELAYS_S[-1] * (1 + delivery.JITTER)))
    freed += emails.free_stranded(conn, _after(mail.DELAYS_S[-1]))
    freed += stripe_events.free_stranded(conn, _after(stripe_inbox.MAX_PAUSE_S), now())
    longest_s = max(metering.PAUSES_S[-1] * (1 + metering.JITTER), metering.MAX_RETRY_AFTER_S, metering.LEASE_S)
    freed += meter_events.free_stranded(conn, _after(longest_s), now())
    for schedule in queueing.PERIOD_S:
        longest_s = queueing.PERIOD_S[schedule] + queueing.MAX_JITTER_S
        freed += sources.free_stranded(conn, schedule, _after(longest_s), queueing.next_crawl(schedule))
    return freed


def _after(longest_s: float) -> str:
    return now(longest_s + SLACK_S)
