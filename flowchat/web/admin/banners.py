"""What every page says while something asks for attention: a trial, a payment, a quota, and for operators the disk."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from typing import Literal

from flowchat.billing import Quota, Standing
from flowchat.domain import now
from flowchat.services import billing, disk
from flowchat.services.billing import Account
from flowchat.services.billing_emails import BILLING_PATH
from flowchat.services.standing import REASONS
from flowchat.web.admin import guard
from flowchat.web.current import appliance

PLAN_PAGE = BILLING_PATH
NEAR_PERCENT = 80
_NOUNS = {"queries": "answers", "pages": "pages"}


@dataclass(frozen=True, slots=True)
class Banner:
    tone: Literal["bad", "warn", "info"]
    title: str
    text: str
    until: str = ""  # a moment that the text ends with
    is_of_plan: bool = True


async def shown() -> list[Banner]:
    """For whoever uses the page, the worst first."""
    actor = guard.signed_in().actor
    account = await billing.account_of(appliance(), actor.tenant_id)
    plan = of_account(account, now()) if account is not None else []
    found = sorted(plan, key=lambda banner: ("bad", "warn", "info").index(banner.tone))
    if "operator" in actor.scopes and disk.is_low(appliance().settings):
        message = disk.low(appliance().settings).message.partition(": ")[2]
        found.append(Banner("bad", "The disk is nearly full.", message[:1].upper() + message[1:], is_of_plan=False))
    return found


def of_account(account: Account, moment: str) -> Iterator[Banner]:
    """What is to be said at that moment (RFC 3339, UTC)."""
    standing = account.standing
    if standing.is_read_only:
        text = f"{REASONS[standing.reason]} Your keys give no answers, and nothing can be changed."
        yield Banner("bad", "This account is read-only.", text)
        return
    if standing.read_only_at is not None:
        yield _due(standing, standing.read_only_at, moment)
    for quota in account.quotas:
        if quota.included and (quota.percent or 0) >= NEAR_PERCENT:
            yield _of_quota(quota)


def _due(standing: Standing, read_only_at: str, moment: str) -> Banner:
    if standing.reason == "past_due":
        text = "Pay it, or this account becomes read-only, and its keys give no answers, from"
        return Banner("bad", "A payment is due.", text, read_only_at)
    span = datetime.fromisoformat(read_only_at) - datetime.fromisoformat(moment)
    days = ceil(span.total_seconds() / 86_400)
    left = "Less than a day of your trial is left." if days <= 1 else f"{days} days of your trial are left."
    return Banner("info", left, "Choose a plan before it ends:", read_only_at)


def _of_quota(quota: Quota) -> Banner:
    noun = _NOUNS[quota.metric]
    title = f"{quota.percent:,} % of this month's {noun} are used: {quota.used:,} of {quota.included:,}."
    if quota.overage == "metered":
        return Banner("info" if quota.used < (quota.included or 0) else "warn", title, "What comes beyond is billed.")
    if quota.used < (quota.included or 0):
        stops = "your keys give no more answers" if quota.metric == "queries" else "nothing more is crawled"
        return Banner("warn", title, f"When all are used, {stops} until {quota.resets_on} (UTC).")
    stops = "Your keys give no answers" if quota.metric == "queries" else "Nothing is crawled"
    return Banner("bad", title, f"{stops} until {quota.resets_on} (UTC).")
