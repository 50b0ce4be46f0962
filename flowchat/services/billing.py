"""What a tenant has subscribed to, what it has used of that this month, and what else it may choose."""

from dataclasses import dataclass

from flowchat.billing import (
    GOOD_STANDING,
    METRICS,
    MonthUsed,
    Plan,
    Quota,
    Standing,
    Subscription,
    month_of,
    quota,
    standing_of,
)
from flowchat.domain import Actor, now
from flowchat.services.context import Context
from flowchat.services.operations import operation
from flowchat.store import plans, quotas, sources


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A tenant's plan, if it has one, and how much of it is used in the present month."""

    plan: Plan | None = None
    subscription: Subscription | None = None
    standing: Standing = GOOD_STANDING
    quotas: tuple[Quota, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Billing(Account):
    """With the sources it has, what it may choose instead, cheapest first, and what prices are in."""

    sources: int
    offers: list[Plan]
    currency: str


@operation("billing.get", "read", "billing")
async def get(app: Context, actor: Actor) -> Billing:
    """Show the plan, what is used of it this month (UTC), and the plans to choose from."""
    account = await account_of(app, actor.tenant_id)
    return Billing(
        plan=account.plan,
        subscription=account.subscription,
        standing=account.standing,
        quotas=account.quotas,
        sources=await sources.count_own(app.db, actor.tenant_id),
        offers=await plans.public(app.db),
        currency=app.settings.currency,
    )


async def account_of(app: Context, tenant_id: str) -> Account:
    """Cheap enough for every page."""
    moment = now()
    found = await quotas.account(app.db, tenant_id, month_of(moment))
    if found is None:
        return Account(quotas=_quotas(None, await quotas.used_so_far(app.db, tenant_id, month_of(moment)), moment))
    subscription, plan, used = found
    standing = standing_of(subscription, moment, app.settings.past_due_days)
    return Account(plan=plan, subscription=subscription, standing=standing, quotas=_quotas(plan, used, moment))


def _quotas(plan: Plan | None, used: MonthUsed, moment: str) -> tuple[Quota, ...]:
    return tuple(quota(plan, metric, used, month_of(moment)) for metric in METRICS)
