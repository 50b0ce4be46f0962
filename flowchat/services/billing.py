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
    """A tenant's plan, and how much of it is used in the present month."""

    plan: Plan
    subscription: Subscription
    standing: Standing
    quotas: tuple[Quota, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Billing:
    """A tenant's plan, if it has one, what is used, what it may choose instead, and what prices are in."""

    plan: Plan | None
    subscription: Subscription | None
    standing: Standing
    quotas: tuple[Quota, ...]
    sources: int
    offers: list[Plan]
    currency: str


@operation("billing.get", "read", "billing")
async def get(app: Context, actor: Actor) -> Billing:
    """Show the plan, what is used of it this month (UTC), and the plans to choose from, cheapest first."""
    account = await account_of(app, actor.tenant_id)
    month = month_of(now())
    return Billing(
        plan=account.plan if account else None,
        subscription=account.subscription if account else None,
        standing=account.standing if account else GOOD_STANDING,
        quotas=account.quotas if account else _quotas(None, await quotas.used(app.db, actor.tenant_id, month), month),
        sources=await sources.count(app.db, actor.tenant_id),
        offers=await plans.public(app.db),
        currency=app.settings.currency,
    )


async def account_of(app: Context, tenant_id: str) -> Account | None:
    """None without a plan. Cheap enough for every page."""
    moment = now()
    found = await quotas.account(app.db, tenant_id, month_of(moment))
    if found is None:
        return None
    subscription, plan, used = found
    return Account(
        plan=plan,
        subscription=subscription,
        standing=standing_of(subscription, moment, app.settings.past_due_days),
        quotas=_quotas(plan, used, month_of(moment)),
    )


def _quotas(plan: Plan | None, used: MonthUsed, month: str) -> tuple[Quota, ...]:
    return tuple(quota(plan, metric, used, month) for metric in METRICS)
