"""The rules about money, standing and months, for whatever amounts and moments hypothesis thinks of."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flowchat import billing
from flowchat.billing import NANO, MonthUsed, Plan, Prices, Subscription, SubscriptionStatus
from flowchat.domain import UsageCounts

AMOUNTS = st.integers(0, 10**15)
COUNTS = st.integers(0, 10**6)
MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))
PRICES = st.builds(
    Prices,
    monthly_fee_nano=AMOUNTS,
    per_1000_queries_nano=AMOUNTS,
    per_1000_pages_nano=AMOUNTS,
    per_million_tokens_in_nano=AMOUNTS,
    per_million_tokens_out_nano=AMOUNTS,
)
USED = st.builds(
    UsageCounts,
    queries=st.integers(0, 1),
    tokens_in=COUNTS,
    tokens_out=COUNTS,
    billable_queries=st.integers(0, 1),
    billable_pages=COUNTS,
)


def text(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@given(AMOUNTS)
def test_money_survives_being_written_and_read(nano: int) -> None:
    assert billing.parse_money(billing.exact_money(nano)) == nano
    assert len(billing.exact_money(nano).partition(".")[2]) >= 2


@given(AMOUNTS, st.integers(0, 9))
def test_rounded_money_is_nearest(nano: int, places: int) -> None:
    shown = Decimal(billing.format_money(nano, places))
    assert abs(Fraction(shown) - Fraction(nano, NANO)) <= Fraction(1, 2 * 10**places)
    assert "E" not in billing.format_money(nano, places)


@given(st.decimals(min_value=-(10**40), max_value=10**40, allow_nan=False))
@example(Decimal(10**28 + 1))
def test_only_amounts_are_read_as_money(amount: Decimal) -> None:
    is_amount = not amount.is_signed() and Fraction(amount) * NANO % 1 == 0
    try:
        nano = billing.parse_money(f"{amount:f}")
    except ValueError:
        assert not is_amount
    else:
        assert is_amount and Fraction(nano, NANO) == Fraction(amount)


@pytest.mark.parametrize("text", ["", "x", "-1", "0.0000000001", "1,50", "NaN", "Infinity", "1E+3", "-0", "1.2.3"])
def test_what_is_no_amount(text: str) -> None:
    with pytest.raises(ValueError):
        billing.parse_money(text)


@given(PRICES, USED)
def test_a_cost_is_within_a_billionth_of_each_part(prices: Prices, used: UsageCounts) -> None:
    exact = Fraction(used.billable_queries * prices.per_1000_queries_nano, 1000)
    exact += Fraction(used.billable_pages * prices.per_1000_pages_nano, 1000)
    if used.billable_queries:
        exact += Fraction(used.tokens_in * prices.per_million_tokens_in_nano, 10**6)
        exact += Fraction(used.tokens_out * prices.per_million_tokens_out_nano, 10**6)
    assert abs(prices.cost_nano(used) - exact) <= 2
    assert prices.cost_nano(used) >= 0


@given(PRICES, COUNTS, COUNTS)
def test_what_is_not_billable_costs_nothing(prices: Prices, tokens: int, pages: int) -> None:
    refused = UsageCounts(queries=1, refusals=1, tokens_in=tokens, tokens_out=tokens)
    free = UsageCounts(pages_crawled=pages, free_pages=pages, chunks_embedded=pages)
    assert prices.cost_nano(refused) == prices.cost_nano(free) == 0


@given(COUNTS, st.booleans(), st.none() | COUNTS)
def test_pages_are_billed_or_free(crawled: int, is_free: bool, most: int | None) -> None:
    billable, free = billing.split_pages(crawled, is_free=is_free, most=most)
    assert billable + free == crawled and billable >= 0 and free >= 0
    assert billable == 0 or not is_free
    assert most is None or billable <= most
    if not is_free:
        assert billable == crawled if most is None else billable == min(crawled, most)


@given(MOMENTS, st.integers(0, 730))
def test_a_trial_ends_after_its_days_and_not_a_millisecond_before(begin: datetime, days: int) -> None:
    moment = text(begin)
    ends_at = billing.after_days(moment, days)
    subscription = Subscription(
        tenant_id="ten_1", plan_id="pln_1", status="trialing", started_at=moment, trial_ends_at=ends_at
    )
    end = datetime.fromisoformat(ends_at)
    assert end - datetime.fromisoformat(moment) == timedelta(days=days)
    for shift_ms, is_over in ((-1, False), (0, True), (1, True)):
        standing = billing.standing_of(subscription, text(end + timedelta(milliseconds=shift_ms)), 0)
        assert (standing.is_read_only, standing.reason, standing.read_only_at) == (is_over, "trial_over", ends_at)


@given(MOMENTS, st.integers(0, 100))
def test_a_payment_may_be_due_for_the_days_of_grace(since: datetime, grace_days: int) -> None:
    subscription = Subscription(
        tenant_id="ten_1", plan_id="pln_1", status="past_due", started_at=text(since), past_due_at=text(since)
    )
    end = datetime.fromisoformat(text(since)) + timedelta(days=grace_days)
    before, then = text(end - timedelta(milliseconds=1)), text(end)
    assert not billing.standing_of(subscription, before, grace_days).is_read_only
    assert billing.standing_of(subscription, then, grace_days).is_read_only


@pytest.mark.parametrize(
    ("status", "is_read_only"), [("active", False), ("unpaid", True), ("paused", True), ("canceled", True)]
)
def test_other_states(status: SubscriptionStatus, is_read_only: bool) -> None:
    subscription = Subscription(tenant_id="ten_1", plan_id="pln_1", status=status, started_at="2026-11-01T00:00:00Z")
    standing = billing.standing_of(subscription, "2026-11-20T00:00:00.000Z", 14)
    assert (standing.is_read_only, standing.reason) == (is_read_only, status if is_read_only else "")
    assert billing.standing_of(None, "2026-11-20T00:00:00.000Z", 14) == billing.GOOD_STANDING


@given(MOMENTS)
def test_months_follow_each_other(moment: datetime) -> None:
    month = billing.month_of(text(moment))
    first = date.fromisoformat(billing.next_month(month))
    assert first.day == 1 and first > moment.date()
    assert billing.month_of((first - timedelta(days=1)).isoformat()) == month


def test_months_of_leap_years_and_the_end_of_a_year() -> None:
    assert billing.next_month("2028-01") == "2028-02-01"
    assert billing.next_month("2028-02") == "2028-03-01"
    assert billing.next_month("2026-12") == "2027-01-01"
    assert billing.month_of("2028-02-29T23:59:59.999Z") == "2028-02"


@given(MOMENTS)
def test_waiting_as_long_as_told_is_long_enough(moment: datetime) -> None:
    told = text(moment)
    begins = billing.next_month(billing.month_of(told))
    waited = datetime.fromisoformat(told) + timedelta(seconds=billing.seconds_until(told, begins))
    assert text(waited)[:10] == begins and waited - datetime.fromisoformat(f"{begins}T00:00:00Z") < timedelta(seconds=1)


@given(st.integers(0, 10**9), st.none() | st.integers(0, 10**9))
def test_percent_of_what_is_included(used: int, included: int | None) -> None:
    percent = billing.percent_used(used, included)
    if included is None:
        assert percent is None
    elif included == 0:
        assert percent == 100
    else:
        assert percent is not None and percent * included <= 100 * used < (percent + 1) * included
        assert (percent >= 100) == (used >= included)


@pytest.mark.parametrize("overage", ["metered", "stop"])
def test_limits_of_a_plan(overage: billing.Overage) -> None:
    plan = Plan(id="pln_1", slug="p", name="P", included_queries=5, included_pages=None, overage=overage)
    assert plan.hard_limit("queries") == (5 if overage == "stop" else None)
    assert plan.hard_limit("pages") is None
    quota = billing.quota(plan, "queries", MonthUsed(queries=6), "2026-11")
    assert (quota.used, quota.included, quota.percent, quota.resets_on) == (6, 5, 120, "2026-12-01")
    assert billing.quota(None, "queries", MonthUsed(queries=6), "2026-11").percent is None


@given(st.integers(0, 730), st.sampled_from(["trialing", "active", "past_due", "canceled", "unpaid", "paused"]))
def test_what_an_operator_gives_is_good(trial_days: int, status: SubscriptionStatus) -> None:
    moment = "2026-11-20T12:00:00.000Z"
    plan = Plan(id="pln_2", slug="p", name="P", trial_days=trial_days)
    first = billing.subscribe("ten_1", plan, None, moment)
    assert first.status == ("trialing" if trial_days else "active")
    assert (first.trial_ends_at is not None) == bool(trial_days)
    former = Subscription(
        tenant_id="ten_1", plan_id="pln_1", status=status, started_at="2026-01-01T00:00:00Z", stripe_customer="cus_1"
    )
    second = billing.subscribe("ten_1", plan, former, moment)
    assert (second.status, second.trial_ends_at, second.stripe_customer) == ("active", None, "cus_1")
    assert billing.standing_of(second, moment, 0) == billing.GOOD_STANDING
