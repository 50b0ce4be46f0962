"""A tenant's plan and what is used of it."""

from dataclasses import dataclass
from typing import Self

from flowchat.billing import Overage, Quota
from flowchat.services.billing import Billing
from flowchat.services.views.plans import OfferView, PricesView, StandingView, SubscriptionView


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaView:
    """What of this month (UTC) is billed. `included`, `percent` and `overage` are null where nothing is limited."""

    used: int
    included: int | None
    percent: int | None
    overage: Overage | None
    resets_on: str

    @classmethod
    def of(cls, quota: Quota) -> Self:
        return cls(
            used=quota.used,
            included=quota.included,
            percent=quota.percent,
            overage=quota.overage,
            resets_on=quota.resets_on,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotasView:
    """Of billable answers and of billable pages."""

    queries: QuotaView
    pages: QuotaView


@dataclass(frozen=True, slots=True, kw_only=True)
class SourcesUsedView:
    """Sources that the tenant has. `allowed` null: any number."""

    used: int
    allowed: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BillingView:
    """Without a plan `plan`, `subscription` and `prices` are null: nothing is limited, and nothing billed.

    `plans` are those to choose from, cheapest first.
    """

    plan: OfferView | None
    subscription: SubscriptionView | None
    standing: StandingView
    currency: str
    quotas: QuotasView
    sources: SourcesUsedView
    prices: PricesView | None
    plans: list[OfferView]

    @classmethod
    def of(cls, billing: Billing) -> Self:
        plan = billing.plan
        quotas = {quota.metric: QuotaView.of(quota) for quota in billing.quotas}
        return cls(
            plan=OfferView.of(plan) if plan else None,
            subscription=SubscriptionView.of(billing.subscription) if billing.subscription else None,
            standing=StandingView.of(billing.standing),
            currency=billing.currency,
            quotas=QuotasView(**quotas),
            sources=SourcesUsedView(used=billing.sources, allowed=plan.max_sources if plan else None),
            prices=PricesView.of(plan.prices) if plan else None,
            plans=[OfferView.of(offer) for offer in billing.offers],
        )
