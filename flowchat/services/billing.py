"""What a tenant has: its plan, what of it this month has used, and whether it is served."""

from dataclasses import dataclass

from flowchat.billing import (
    METRICS,
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
    """What a tenant has at a moment. Without a plan nothing is limited or billed. `quotas` are of the present month."""

    plan: Plan | None
    subscription: Subscription | None
    standing: Standing
    quotas: tuple[Quota, ...]
    currency: str
    is_charged: bool  # by Stripe

    @property
    def is_subscribed(self) -> bool:
        """To something that Stripe charges."""
        return self.subscription is not None and self.subscription.is_managed_by_stripe


@dataclass(frozen=True, slots=True, kw_only=True)
class Billing(Account):
    """With how many sources there are, and the plans that can be chosen, cheapest first."""

    sources: int
    offers: tuple[Plan, ...]


async def account_of(app: Context, tenant_id: str) -> Account:
    """Now. One indexed row is read."""
    moment = now()
    found = await quotas.account(app.db, tenant_id, month_of(moment))
    subscription, plan, used = found or (None, None, None)
    return Account(
        plan=plan,
        subscription=subscription,
        standing=standing_of(subscription, moment, app.settings.past_due_days),
        quotas=tuple(quota(plan, metric, used, month_of(moment)) for metric in METRICS) if used else (),
        currency=app.settings.currency,
        is_charged=bool(app.settings.stripe_api_key),
    )


@operation("billing.get", "read", "billing")
async def get(app: Context, actor: Actor) -> Billing:
    """Show the tenant's plan, what of it this month has used, and the plans that can be chosen."""
    account = await account_of(app, actor.tenant_id)
    return Billing(
        plan=account.plan,
        subscription=account.subscription,
        standing=account.standing,
        quotas=account.quotas,
        currency=account.currency,
        is_charged=account.is_charged,
        sources=await sources.count(app.db, actor.tenant_id),
        offers=tuple(await plans.public(app.db)),
    )
