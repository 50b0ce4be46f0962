"""Sums of days of usage, and a chart of them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

from flowchat.services.views.usage import UsageView
from flowchat.web.admin.charts import Chart, Series, Show, dates, draw

Measure = Literal["questions", "billable", "pages", "tokens", "cost"]

MOST_GROUPS = 4  # so many colours, and one for the others
TITLES: dict[Measure, str] = {
    "questions": "Questions",
    "billable": "Billable",
    "pages": "Pages",
    "tokens": "Tokens",
    "cost": "Cost",
}
MEASURES: dict[Measure, dict[str, Callable[[UsageView], float]]] = {
    "questions": {"Answered": lambda day: day.queries - day.refusals, "Refused": lambda day: day.refusals},
    "billable": {
        "Billable questions": lambda day: day.billable.queries,
        "Billable pages": lambda day: day.billable.pages,
    },
    "pages": {"Pages crawled": lambda day: day.pages_crawled},
    "tokens": {"Tokens read": lambda day: day.tokens_in, "Tokens written": lambda day: day.tokens_out},
    "cost": {"Cost": lambda day: float(day.cost.amount)},
}


@dataclass(frozen=True, slots=True)
class Sums:
    """Of several days. `cost` is in whole units of the currency."""

    queries: int
    refusals: int
    tokens_in: int
    tokens_out: int
    pages_crawled: int
    billable_queries: int
    billable_pages: int
    cost: Decimal
    currency: str


def total(days: Iterable[UsageView]) -> Sums:
    """The sums of those days."""
    counted = list(days)
    return Sums(
        queries=sum(day.queries for day in counted),
        refusals=sum(day.refusals for day in counted),
        tokens_in=sum(day.tokens_in for day in counted),
        tokens_out=sum(day.tokens_out for day in counted),
        pages_crawled=sum(day.pages_crawled for day in counted),
        billable_queries=sum(day.billable.queries for day in counted),
        billable_pages=sum(day.billable.pages for day in counted),
        cost=sum((Decimal(day.cost.amount) for day in counted), Decimal()),
        currency=counted[0].cost.currency if counted else "usd",
    )


def chart(days: Iterable[UsageView], first: date, last: date, measure: Measure) -> Chart:
    """One bar for each day of the period."""
    used = list(days)
    series = [Series(name, {day.date: amount(day) for day in used}) for name, amount in MEASURES[measure].items()]
    return draw("usage", TITLES[measure], dates(first, last), series, _show(measure))


def chart_of_groups(groups: Iterable[tuple[str, list[UsageView]]], first: date, last: date, measure: Measure) -> Chart:
    """As `chart`, each bar divided among the groups, (name, days) each: the MOST_GROUPS that have most, and others."""
    parts = MEASURES[measure].values()
    amounts = [(name, {day.date: sum(part(day) for part in parts) for day in days}) for name, days in groups]
    ranked = sorted(amounts, key=lambda group: (-sum(group[1].values()), group[0]))
    series = [Series(name, values) for name, values in ranked[:MOST_GROUPS]]
    if rest := ranked[MOST_GROUPS:]:
        days = sorted({day for _, values in rest for day in values})
        series.append(Series("others", {day: sum(values.get(day, 0) for _, values in rest) for day in days}))
    return draw("usage", TITLES[measure], dates(first, last), series, _show(measure))


def _show(measure: Measure) -> Show:
    return _amount if measure == "cost" else _number


def _amount(cost: float) -> str:
    return f"{cost:,.4f}"


def _number(count: float) -> str:
    return f"{count:,.0f}"
