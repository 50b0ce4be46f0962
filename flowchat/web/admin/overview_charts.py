"""The charts of the overview: how answers turned out in the last 30 days, and what they cost."""

from dataclasses import dataclass
from decimal import Decimal

from flowchat.domain import AnswerDay
from flowchat.services.views.usage import UsageView
from flowchat.web.admin.charts import Chart, Series, draw, last_days

DAYS = 30


@dataclass(frozen=True, slots=True)
class Card:
    """`figure` is what all of the chart comes to, `about` what that is."""

    figure: str
    about: str
    chart: Chart


def cards(used: list[UsageView], answered: list[AnswerDay]) -> list[Card]:
    """`used` are all questions, `answered` those whose conversations are kept."""
    shown = last_days(DAYS)
    asked = [day for day in used if day.queries]
    checked = [day for day in answered if day.sentences]
    return [
        _questions(shown, asked),
        _refusals(shown, asked),
        _verified(shown, checked),
        _latency(shown, answered),
        _cost(shown, used),
    ]


def _questions(shown: list[str], asked: list[UsageView]) -> Card:
    queries, refusals = sum(day.queries for day in asked), sum(day.refusals for day in asked)
    answered = Series("Answered", {day.date: day.queries - day.refusals for day in asked})
    refused = Series("Refused", {day.date: day.refusals for day in asked})
    about = f"{queries - refusals:,} answered, {refusals:,} refused"
    chart = draw("answers", "Questions", shown, [answered, refused], lambda number: f"{number:,.0f}")
    return Card(f"{queries:,}", about, chart)


def _refusals(shown: list[str], asked: list[UsageView]) -> Card:
    rate = _share(sum(day.refusals for day in asked), sum(day.queries for day in asked))
    series = Series("Refused", {day.date: day.refusals / day.queries for day in asked})
    chart = draw("refusals", "Refusal rate", shown, [series], _percent, peak=1)
    return Card(rate, "of the questions had no answer in your sources", chart)


def _verified(shown: list[str], checked: list[AnswerDay]) -> Card:
    rate = _share(sum(day.verified for day in checked), sum(day.sentences for day in checked))
    series = Series("Verified", {day.date: day.verified / day.sentences for day in checked})
    chart = draw("verified", "Verified share", shown, [series], _percent, peak=1)
    return Card(rate, "of the sentences that were written are what your sources say", chart)


def _latency(shown: list[str], answered: list[AnswerDay]) -> Card:
    medians = {day.date: day.first_text_ms for day in answered if day.first_text_ms is not None}
    slow = {day.date: day.slow_text_ms for day in answered if day.slow_text_ms is not None}
    usual = sorted(medians.values())
    series = [
        Series("Half of the answers", medians),
        Series("More, for 95 %", {day: ms - medians[day] for day, ms in slow.items()}),
    ]
    figure = _seconds(usual[len(usual) // 2]) if usual else "\N{EN DASH}"
    chart = draw("latency", "Time to the first text", shown, series, _seconds)
    return Card(figure, "for half of the answers on a usual day", chart)


def _cost(shown: list[str], used: list[UsageView]) -> Card:
    costs = {day.date: Decimal(day.cost.amount) for day in used}
    currency = used[0].cost.currency.upper() if used else ""
    figure = f"{sum(costs.values(), Decimal()):,.2f} {currency}".strip()
    series = Series("Cost", {day: float(cost) for day, cost in costs.items()})
    chart = draw("cost", "Cost", shown, [series], lambda cost: f"{cost:,.2f}")
    return Card(figure, "by the prices of your plan", chart)


def _share(part: int, whole: int) -> str:
    return _percent(part / whole) if whole else "\N{EN DASH}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _seconds(ms: float) -> str:
    return f"{ms / 1000:.1f} s"
