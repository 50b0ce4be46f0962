"""Subscribing at Stripe, and what Stripe is told of usage."""

from dataclasses import dataclass
from typing import Self

from flowchat.billing import MeterEvent, MeterEventStatus, Metric, Plan, Subscription, SubscriptionStatus
from flowchat.services.reconciliation import Line, LineState, Reconciliation


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationView:
    """A page of Stripe's that is good for a while: send the person who pays there."""

    url: str

    @classmethod
    def of(cls, url: str) -> Self:
        return cls(url=url)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanChangeView:
    """The plan that the tenant has now, by its slug."""

    plan: str
    status: SubscriptionStatus
    renews_at: str | None

    @classmethod
    def of(cls, changed: tuple[Plan, Subscription]) -> Self:
        plan, subscription = changed
        return cls(plan=plan.slug, status=subscription.status, renews_at=subscription.renews_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterEventView:
    """What a tenant has used of a metric in an hour (YYYY-MM-DDTHH, UTC), on its way to Stripe.

    `parked`: nobody knows whether Stripe has it, or Stripe has refused it; `error` says why. `dropped`: it was too old
    for Stripe when that was settled. `unanswered_since`: when an attempt was first made that has got no answer.
    """

    id: str
    identifier: str
    tenant: str
    customer: str
    metric: Metric
    hour: str
    value: int
    status: MeterEventStatus
    attempts: int
    unanswered_since: str | None
    last_attempt_at: str | None
    next_attempt_at: str | None
    error: str | None
    created_at: str
    delivered_at: str | None

    @classmethod
    def of(cls, event: MeterEvent) -> Self:
        return cls(
            id=event.id,
            identifier=event.identifier,
            tenant=event.tenant_id,
            customer=event.stripe_customer,
            metric=event.metric,
            hour=event.hour,
            value=event.value,
            status=event.status,
            attempts=event.attempts,
            unanswered_since=event.unanswered_since,
            last_attempt_at=event.last_attempt_at,
            next_attempt_at=event.next_attempt_at,
            error=event.error,
            created_at=event.created_at,
            delivered_at=event.delivered_at,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconciledHourView:
    """An hour (YYYY-MM-DDTHH, UTC) of a tenant in which the usage ledger, the outbox and Stripe don't simply agree."""

    tenant: str
    slug: str
    metric: Metric
    hour: str
    ledger: int
    delivered: int
    pending: int
    parked: int
    dropped: int
    stripe: int
    state: LineState

    @classmethod
    def of(cls, line: Line) -> Self:
        sums = line.sums
        return cls(
            tenant=sums.tenant_id,
            slug=line.slug,
            metric=sums.metric,
            hour=sums.hour,
            ledger=sums.ledger,
            delivered=sums.delivered,
            pending=sums.pending,
            parked=sums.parked,
            dropped=sums.dropped,
            stripe=line.stripe,
            state=line.state,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SettledView:
    """What became of parked events: Stripe had them, they are sent anew, they are too old, or nobody can tell yet."""

    delivered: int
    sent_again: int
    dropped: int
    undecided: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconciliationView:
    """How many hours since `first` were compared, and how many of them are parked or differ."""

    first: str
    compared: int
    differences: int
    hours: tuple[ReconciledHourView, ...]
    settled: SettledView

    @classmethod
    def of(cls, found: Reconciliation) -> Self:
        settled = found.settled
        return cls(
            first=found.first,
            compared=found.compared,
            differences=found.differences,
            hours=tuple(ReconciledHourView.of(line) for line in found.lines),
            settled=SettledView(
                delivered=settled.delivered,
                sent_again=settled.sent_again,
                dropped=settled.dropped,
                undecided=settled.undecided,
            ),
        )
