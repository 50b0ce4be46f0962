"""The charts of the overview: how answers turned out in the last 30 days, and what they cost."""

from datetime import UTC, datetime
from decimal import Decimal

from flowchat.domain import AnswerDay
from flowchat.services.views.usage import UsageView
from flowchat.web.admin.charts import Chart, Series, draw, last_days

DAYS = 30


def days() -> list[str]:
    """The dates that are shown, oldest first."""
    return last_days(datetime.now(UTC).date(), DAYS)


def charts(used: list[UsageView], answered: list[AnswerDay]) -> list[Chart]:
    """`used` are all questions, `answered` those whose conversations are kept."""
    shown = days()
    asked = [day for day in used if day.queries]
    checked = [day for day in answered if day.sentences]
    return [
        _questions(shown, asked),
        _refusals(shown, asked),
        _verified(shown, checked),
        _latency(shown, answered),
        _cost(shown, used),
    ]


def _questions(shown: list[str], asked: list[UsageView]) -> Chart:
    queries, refusals = sum(day.queries for day in asked), sum(day.refusals for day in asked)
    answered = Series("Answered", {day.date: day.queries - day.refusals for day in asked})
    refused = Series("Refused", {day.date: day.refusals for day in asked})
    about = f"{queries - refusals:,} answered, {refusals:,} refused"
    return draw("answers", "Questions", f"{queries:,}", about, shown, [answered, refused], lambda n: f"{n:,.0f}")


def _refusals(shown: list[str], asked: list[UsageView]) -> Chart:
    rate = _share(sum(day.refusals for day in asked), sum(day.queries for day in asked))
    series = Series("Refused", {day.date: day.refusals / day.queries for day in asked})
    about = "of the questions had no answer in your sources"
    return draw("refusals", "Refusal rate", rate, about, shown, [series], _percent, peak=1)


def _verified(shown: list[str], checked: list[AnswerDay]) -> Chart:
    rate = _share(sum(day.verified for day in checked), sum(day.sentences for day in checked))
    series = Series("Verified", {day.date: day.verified / day.sentences for day in checked})
    about = "of the sentences that were written are what your sources say"
    return draw("verified", "Verified share", rate, about, shown, [series], _percent, peak=1)


def _latency(shown: list[str], answered: list[AnswerDay]) -> Chart:
    medians = {day.date: day.first_text_ms for day in answered if day.first_text_ms is not None}
    slow = {day.date: day.slow_text_ms for day in answered if day.slow_text_ms is not None}
    usual = sorted(medians.values())
    series = [
        Series("Half of the answers", medians),
        Series("More, for 95 %", {day: ms - medians[day] for day, ms in slow.items()}),
    ]
    figure = _seconds(usual[len(usual) // 2]) if usual else "none"
    about = "for half of the answers on a usual day; the light part: for 95 %"
    return draw("latency", "Time to the first text", figure, about, shown, series, _seconds)


def _cost(shown: list[str], used: list[UsageView]) -> Chart:
    costs = {day.date: Decimal(day.cost.amount) for day in used}
    currency = used[0].cost.currency.upper() if used else ""
    figure = f"{sum(costs.values(), Decimal()):,.2f} {currency}".strip()
    series = Series("Cost", {day: float(cost) for day, cost in costs.items()})
    return draw("cost", "Cost", figure, "by the prices of your plan", shown, [series], lambda cost: f"{cost:,.2f}")


def _share(part: int, whole: int) -> str:
    return _percent(part / whole) if whole else "none"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _seconds(ms: float) -> str:
    return f"{ms / 1000:.1f} s"
