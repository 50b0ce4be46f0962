"""Tells tenants by e-mail that 80 and 100 % of what their plan includes are used, once each a month.

What is used stands in the database: looking at it now and then misses nothing, and costs no answer any time.
"""

from itertools import groupby

from flowchat.billing import WARN_AT_PERCENT, exact_money, month_of, next_month
from flowchat.domain import now
from flowchat.services.billing_emails import BILLING_PATH, signed
from flowchat.services.context import Context
from flowchat.services.letters import Letter
from flowchat.settings import Settings
from flowchat.store import emails, quotas, users
from flowchat.store.database import Connection
from flowchat.store.quotas import Reached

_NOUNS = {"queries": "answers", "pages": "crawled pages"}
_STOPS = {
    "queries": "its keys give no more answers",
    "pages": "nothing more is crawled, and what is indexed stays as it is",
}


async def warn(app: Context) -> None:
    """Write to whoever has not been told yet: of what is new of one metric only the highest percentage."""
    month = month_of(now())
    found = await quotas.reached(app.db, month, WARN_AT_PERCENT)
    if not found:
        return

    def transaction(conn: Connection) -> None:
        for _, reached in groupby(found, key=lambda each: (each.tenant_id, each.metric)):
            new = [each for each in reached if quotas.tell(conn, each.tenant_id, month, each.metric, each.percent)]
            if new:
                _write(conn, new[-1], month, app.settings)

    await app.db.write(transaction)
    app.wake_mail()


def _write(conn: Connection, reached: Reached, month: str, settings: Settings) -> None:
    letter = letter_about(reached, month, settings)
    for address in [reached.email] if reached.email else users.owners(conn, reached.tenant_id):
        emails.insert(conn, address, letter.subject, letter.body, reached.tenant_id)


def letter_about(reached: Reached, month: str, settings: Settings) -> Letter:
    tenant, noun, plan = reached.tenant_name, _NOUNS[reached.metric], reached.plan
    included, resets_on = plan.included(reached.metric) or 0, next_month(month)
    rest = _metered(reached, settings) if plan.overage == "metered" else _stopped(reached, resets_on)
    letter = Letter(
        f"{tenant} has used {reached.percent} % of this month's {noun}",
        f"{tenant} has used {reached.used:,} of the {included:,} {noun} that the plan {plan.name} includes this month."
        f" {rest}\n\nThe count begins anew on {resets_on} (UTC). See what is used, and choose another plan, here:\n"
        f"{settings.origin}{BILLING_PATH}\n",
    )
    return signed(letter, settings)


def _metered(reached: Reached, settings: Settings) -> str:
    prices = reached.plan.prices
    price = prices.per_1000_queries_nano if reached.metric == "queries" else prices.per_1000_pages_nano
    return f"What comes beyond costs {exact_money(price)} {settings.currency.upper()} for 1,000."


def _stopped(reached: Reached, resets_on: str) -> str:
    begins = "From now on" if reached.percent >= 100 else "When all are used"
    return f"{begins}, until {resets_on} (UTC), {_STOPS[reached.metric]}."
