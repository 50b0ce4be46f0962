"""Plans, and what tenants have subscribed to."""

from dataclasses import dataclass, fields
from typing import Any, Self

from flowchat.billing import (
    Overage,
    Plan,
    Prices,
    Quota,
    Standing,
    StandingReason,
    Subscription,
    SubscriptionStatus,
    exact_money,
)
from flowchat.services.billing import Billing
from flowchat.services.plans import PlanState


@dataclass(frozen=True, slots=True, kw_only=True)
class PricesView:
    """Amounts in whole units of the currency: of a month, and of what is used beyond what the plan includes."""

    monthly_fee: str
    per_1000_queries: str
    per_1000_pages: str
    per_million_tokens_in: str
    per_million_tokens_out: str

    @classmethod
    def of(cls, prices: Prices) -> Self:
        return cls(**{field.name: exact_money(getattr(prices, f"{field.name}_nano")) for field in fields(PricesView)})


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferView:
    """A plan as tenants see it. null among what is included: any number. `overage`: what happens beyond it."""

    slug: str
    name: str
    description: str
    features: tuple[str, ...]
    included_queries: int | None
    included_pages: int | None
    max_sources: int | None
    overage: Overage
    trial_days: int
    prices: PricesView

    @classmethod
    def of(cls, plan: Plan) -> Self:
        return cls(**offered(plan))


def offered(plan: Plan) -> dict[str, Any]:
    """The fields of an offer."""
    told = {field.name: getattr(plan, field.name) for field in fields(OfferView) if field.name != "prices"}
    return told | {"prices": PricesView.of(plan.prices)}


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanView(OfferView):
    """What tenants can subscribe to. `tenants`: how many have it."""

    id: str
    currency: str
    is_public: bool
    is_trial: bool
    tenants: int
    archived_at: str | None
    created_at: str

    @classmethod
    def of(cls, state: PlanState) -> Self:  # type: ignore[override]
        plan = state.plan
        return cls(
            **offered(plan),
            id=plan.id,
            currency=state.currency,
            is_public=plan.is_public,
            is_trial=plan.is_trial,
            tenants=state.tenants,
            archived_at=plan.archived_at,
            created_at=plan.created_at,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionView:
    """A tenant's subscription to its plan. `email` is written to; `managed_by_stripe`: Stripe bills it."""

    status: SubscriptionStatus
    email: str
    started_at: str
    trial_ends_at: str | None
    past_due_at: str | None
    cancels_at: str | None
    renews_at: str | None
    managed_by_stripe: bool

    @classmethod
    def of(cls, subscription: Subscription) -> Self:
        return cls(
            status=subscription.status,
            email=subscription.email,
            started_at=subscription.started_at,
            trial_ends_at=subscription.trial_ends_at,
            past_due_at=subscription.past_due_at,
            cancels_at=subscription.cancels_at,
            renews_at=subscription.renews_at,
            managed_by_stripe=subscription.is_managed_by_stripe,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingView:
    """Whether the tenant is read-only, and why; or what will make it so, and when. `reason` '': nothing."""

    read_only: bool
    reason: StandingReason
    read_only_at: str | None

    @classmethod
    def of(cls, standing: Standing) -> Self:
        return cls(read_only=standing.is_read_only, reason=standing.reason, read_only_at=standing.read_only_at)


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
