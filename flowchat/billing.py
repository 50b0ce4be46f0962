"""Plans, subscriptions and what is reported of them: the nouns of billing and its pure rules.

Money is in nano, billionths of the one currency, so that sums are exact. Months are the calendar's, in UTC: quotas,
rollups and Stripe's periods (which are anchored to the first of a month) then mean the same.
"""

import re
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from flowchat.domain import Tenant, UsageCounts
from flowchat.errors import FlowChatError

Overage = Literal["metered", "stop"]
Metric = Literal["queries", "pages"]
SubscriptionStatus = Literal["trialing", "active", "past_due", "unpaid", "paused", "canceled"]
StandingReason = Literal["", "trial_over", "past_due", "unpaid", "paused", "canceled", "moved"]
MeterEventStatus = Literal["pending", "delivered", "parked", "dropped"]
StripeEventStatus = Literal["pending", "done", "ignored", "failed"]
SignUpStatus = Literal["waiting", "confirmed", "has_account"]
EmailStatus = Literal["none", "waiting", "sent", "failed"]
InviteStatus = Literal["open", "used", "expired"]

NANO = 1_000_000_000
METRICS: tuple[Metric, ...] = ("queries", "pages")
WARN_AT_PERCENT = (80, 100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """In nano: of a month, of 1,000 billable queries and pages, and of a million tokens of billable answers."""

    monthly_fee_nano: int = 0
    per_1000_queries_nano: int = 0
    per_1000_pages_nano: int = 0
    per_million_tokens_in_nano: int = 0
    per_million_tokens_out_nano: int = 0

    def cost_nano(self, counts: UsageCounts) -> int:
        """Of one deed, without the monthly fee. Each part is rounded to a billionth, half to even."""
        cost = _part(counts.billable_queries, self.per_1000_queries_nano, 1000)
        cost += _part(counts.billable_pages, self.per_1000_pages_nano, 1000)
        if counts.billable_queries:
            cost += _part(counts.tokens_in, self.per_million_tokens_in_nano, 1_000_000)
            cost += _part(counts.tokens_out, self.per_million_tokens_out_nano, 1_000_000)
        return cost


def _part(quantity: int, price_nano: int, per: int) -> int:
    return round(Decimal(quantity * price_nano) / per)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What operators offer. None among what is included: any number."""

    id: str
    slug: str
    name: str
    description: str = ""
    features: tuple[str, ...] = ()
    included_queries: int | None = None
    included_pages: int | None = None
    max_sources: int | None = None
    overage: Overage = "metered"
    trial_days: int = 0
    prices: Prices = Prices()
    is_public: bool = False
    is_trial: bool = False
    archived_at: str | None = None
    created_at: str = ""

    def included(self, metric: Metric) -> int | None:
        """Of a month."""
        return self.included_queries if metric == "queries" else self.included_pages

    def hard_limit(self, metric: Metric) -> int | None:
        """What a tenant can't get more of in a month; None: no such limit."""
        return self.included(metric) if self.overage == "stop" else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """Of a tenant to a plan. `billed_from`: usage from then on is reported to Stripe; None: nothing is."""

    tenant_id: str
    plan_id: str
    status: SubscriptionStatus
    email: str = ""
    started_at: str
    trial_ends_at: str | None = None
    past_due_at: str | None = None
    cancels_at: str | None = None
    renews_at: str | None = None
    billed_from: str | None = None
    stripe_customer: str | None = None
    stripe_subscription: str | None = None

    @property
    def is_managed_by_stripe(self) -> bool:
        """Whether only the tenant itself changes it, at Stripe."""
        return self.stripe_subscription is not None and self.status != "canceled"


def subscribe(tenant_id: str, plan: Plan, former: Subscription | None, moment: str) -> Subscription:
    """What an operator gives a tenant at that moment: a trial where the plan has one and the tenant had none before."""
    if former is None:
        trial_ends_at = after_days(moment, plan.trial_days) if plan.trial_days else None
        return Subscription(
            tenant_id=tenant_id,
            plan_id=plan.id,
            status="trialing" if trial_ends_at else "active",
            started_at=moment,
            trial_ends_at=trial_ends_at,
        )
    return replace(
        former,
        plan_id=plan.id,
        status="active",
        started_at=moment,
        trial_ends_at=None,
        past_due_at=None,
        cancels_at=None,
        renews_at=None,
        billed_from=None,
        stripe_subscription=None,
    )


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether a tenant is served. A read-only one keeps everything, but nothing of it changes and its keys don't
    answer. `reason` says why, or, before it is read-only, what will make it so at `read_only_at`.
    """

    is_read_only: bool = False
    reason: StandingReason = ""
    read_only_at: str | None = None


GOOD_STANDING = Standing()
MOVED = Standing(is_read_only=True, reason="moved")  # it goes on at another machine


def standing_of(subscription: Subscription | None, moment: str, grace_days: int) -> Standing:
    """At that moment (RFC 3339, UTC). `grace_days`: how long a payment may be due."""
    if subscription is None or subscription.status == "active":
        return GOOD_STANDING
    match subscription.status:
        case "trialing":
            ends_at = subscription.trial_ends_at
            return Standing(ends_at is not None and ends_at <= moment, "trial_over" if ends_at else "", ends_at)
        case "past_due":
            until = after_days(subscription.past_due_at or moment, grace_days)
            return Standing(until <= moment, "past_due", until)
        case reason:
            return Standing(is_read_only=True, reason=reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscriber(Tenant):
    """A tenant with its plan, if it has one, and what follows from that."""

    plan: Plan | None = None
    subscription: Subscription | None = None
    standing: Standing = GOOD_STANDING


def with_plan(tenant: Tenant, plan: Plan | None, subscription: Subscription | None, standing: Standing) -> Subscriber:
    facts = {field.name: getattr(tenant, field.name) for field in fields(Tenant)}
    return Subscriber(**facts, plan=plan, subscription=subscription, standing=standing)


def after_days(moment: str, days: float) -> str:
    """The moment (RFC 3339, UTC) that many days later."""
    later = datetime.fromisoformat(moment) + timedelta(days=days)
    return later.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def month_of(moment: str) -> str:
    """YYYY-MM of a date or time in UTC."""
    return moment[:7]


def next_month(month: str) -> str:
    """The date (YYYY-MM-DD) on which the month after YYYY-MM begins, at 00:00 UTC."""
    first = date.fromisoformat(f"{month}-01")
    return (first + timedelta(days=31)).replace(day=1).isoformat()


def seconds_until(moment: str, later: str) -> int:
    """Whole seconds, rounded up, at least 1; both are dates or times in UTC."""
    span = _time(later) - _time(moment)
    return max(1, -int(-span.total_seconds() // 1))


def _time(moment: str) -> datetime:
    time = datetime.fromisoformat(moment)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class MonthUsed:
    """What of a month is billed so far."""

    queries: int = 0
    pages: int = 0

    def of(self, metric: Metric) -> int:
        return self.queries if metric == "queries" else self.pages


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """How much of a plan is used in a month. `included` None: there is no limit. `resets_on` is a date."""

    metric: Metric
    used: int
    included: int | None
    overage: Overage | None
    resets_on: str

    @property
    def percent(self) -> int | None:
        return percent_used(self.used, self.included)


def quota(plan: Plan | None, metric: Metric, used: MonthUsed, month: str) -> Quota:
    included = plan.included(metric) if plan else None
    overage = plan.overage if plan and included is not None else None
    return Quota(metric=metric, used=used.of(metric), included=included, overage=overage, resets_on=next_month(month))


def split_pages(crawled: int, *, is_free: bool, most: int | None) -> tuple[int, int]:
    """(billable, free) of crawled pages: all are free in a tenant's first crawl, and what a hard stop can't bill."""
    billable = 0 if is_free else crawled if most is None else max(0, min(crawled, most))
    return billable, crawled - billable


def quota_exceeded(metric: Metric, limit: int, moment: str) -> FlowChatError:
    """A plan with a hard stop gives no more of it in the month of that moment."""
    goes_on = next_month(month_of(moment))
    if metric == "queries":
        message = (
            f"All {limit:,} answers that the plan includes this month are given. There are more on {goes_on} (UTC)."
        )
    else:
        message = (
            f"All {limit:,} pages that the plan includes this month are crawled, or reserved by crawls that are at "
            f"work. Crawl again from {goes_on} (UTC) on, or choose a larger plan. What is indexed stays as it is."
        )
    return FlowChatError("quota_exceeded", message, status=429, retry_after_s=seconds_until(moment, goes_on))


def percent_used(used: int, included: int | None) -> int | None:
    """Whole percent, rounded down; 100 of nothing. None where nothing is limited."""
    if included is None:
        return None
    return 100 if included == 0 else 100 * used // included


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterEvent:
    """What is reported to Stripe's meter: how many of one metric a tenant has used in one hour (YYYY-MM-DDTHH, UTC)."""

    seq: int
    identifier: str
    tenant_id: str
    stripe_customer: str
    metric: Metric
    hour: str
    value: int
    status: MeterEventStatus = "pending"
    attempts: int = 0
    unanswered_since: str | None = None
    last_attempt_at: str | None = None
    next_attempt_at: str | None = None
    error: str | None = None
    created_at: str = ""
    delivered_at: str | None = None

    @property
    def id(self) -> str:
        return f"mev_{self.seq:016}"

    @property
    def timestamp(self) -> int:
        """Its hour's last second, Unix time: a subscription that began within the hour then includes it."""
        return int(datetime.fromisoformat(f"{self.hour}:00:00+00:00").timestamp()) + 3599


@dataclass(frozen=True, slots=True, kw_only=True)
class StripeEvent:
    """What Stripe has told. `body` is its JSON."""

    id: str
    type: str
    body: str
    status: StripeEventStatus = "pending"
    attempts: int = 0
    error: str | None = None
    created_at: str = ""
    received_at: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Email:
    """On its way while there is a next attempt. What it said is not kept once it was sent."""

    id: str
    tenant_id: str | None
    recipient: str
    subject: str
    body: str
    attempts: int = 0
    next_attempt_at: str | None = None
    error: str | None = None
    created_at: str = ""
    sent_at: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SignUp:
    """Who wants an account. `state`: a link to confirm is good for one state; `tenant_id` once it is confirmed.

    `is_known`: they own a tenant already, and were told so. `email_status`: what became of the e-mail to them.
    """

    id: str
    email: str
    name: str
    state: str
    site: str = ""
    password_hash: str | None = None
    is_known: bool = False
    address: str = ""
    email_id: str | None = None
    tenant_id: str | None = None
    created_at: str = ""
    confirmed_at: str | None = None
    email_status: EmailStatus = "none"
    email_error: str | None = None

    @property
    def status(self) -> SignUpStatus:
        if self.confirmed_at is not None:
            return "confirmed"
        return "has_account" if self.is_known else "waiting"


@dataclass(frozen=True, slots=True, kw_only=True)
class Invite:
    """To sign up, once. `email` '': whoever has the code; `plan_id` None: to the trial plan. `plan` is its slug."""

    id: str
    email: str = ""
    note: str = ""
    plan_id: str | None = None
    plan: str | None = None
    expires_at: str
    tenant_id: str | None = None
    created_at: str = ""
    used_at: str | None = None

    def status_at(self, moment: str) -> InviteStatus:
        if self.used_at is not None:
            return "used"
        return "expired" if self.expires_at <= moment else "open"


def format_money(nano: int, places: int = 4) -> str:
    """In whole units of the currency, rounded half to even: "0.1234"."""
    return f"{(Decimal(nano) / NANO).quantize(Decimal(1).scaleb(-places)):f}"


def exact_money(nano: int) -> str:
    """In whole units of the currency, to the last billionth, with two decimals or more: "0.50", "0.0005"."""
    whole, _, fraction = format_money(nano, 9).partition(".")
    return f"{whole}.{fraction.rstrip('0'):0<2}"


def parse_money(text: str) -> int:
    """The nano of a decimal such as "0.50". Raises ValueError for what is none, negative, or finer than a nano."""
    if not re.fullmatch(r"[0-9]+(\.[0-9]+)?", text):
        raise ValueError(text)
    nano = Fraction(text) * NANO  # a Decimal would be rounded to 28 digits
    if nano.denominator != 1:
        raise ValueError(text)
    return nano.numerator
