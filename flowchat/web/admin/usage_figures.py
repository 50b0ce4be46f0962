"""Sums of days of usage, and a chart of them: bars in units of the drawing, which its frame stretches."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Literal, TypeAlias

from flowchat.services.views.usage import UsageView

Measure = Literal["questions", "billable", "pages", "tokens", "cost"]
Number: TypeAlias = int | Decimal
BAR_WIDTH, HEIGHT = 10, 100

MEASURES: dict[Measure, tuple[tuple[str, Callable[[UsageView], Number]], ...]] = {
    "questions": (("Answered", lambda day: day.queries - day.refusals), ("Refused", lambda day: day.refusals)),
    "billable": (
        ("Billable questions", lambda day: day.billable.queries),
        ("Billable pages", lambda day: day.billable.pages),
    ),
    "pages": (("Pages crawled", lambda day: day.pages_crawled),),
    "tokens": (("Tokens read", lambda day: day.tokens_in), ("Tokens written", lambda day: day.tokens_out)),
    "cost": (("Cost", lambda day: Decimal(day.cost.amount)),),
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


@dataclass(frozen=True, slots=True)
class Bar:
    """A part of a day, `y` from the top. `series` counts from 0."""

    x: int
    y: float
    height: float
    series: int
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """`peak` is the number that the full height stands for; `text` says in words what can be seen."""

    bars: list[Bar]
    width: int
    peak: Number
    series: list[str]
    days: list[date]
    text: str


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
    """Stacked bars, one for each day of the period, days without usage included."""
    by_date = {day.date: day for day in days}
    dates = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    series = MEASURES[measure]
    numbers = [
        [amount(by_date[day.isoformat()]) if day.isoformat() in by_date else 0 for _, amount in series] for day in dates
    ]
    peak = max((sum(parts) for parts in numbers), default=0)
    names = [name for name, _ in series]
    bars = [bar for place, day in enumerate(dates) for bar in _bars(place, day, numbers[place], names, peak)]
    return Chart(bars, len(dates) * BAR_WIDTH, peak, names, dates, _in_words(dates, numbers, names, peak))


def _bars(place: int, day: date, parts: list[Number], names: list[str], peak: Number) -> list[Bar]:
    bars, top = [], float(HEIGHT)
    text = f"{day}: " + ", ".join(f"{name.lower()} {part:,}" for name, part in zip(names, parts, strict=True))
    for series, part in enumerate(parts):
        if part:
            height = float(part) / float(peak) * HEIGHT
            top -= height
            bars.append(Bar(place * BAR_WIDTH + 1, round(top, 2), round(height, 2), series, text))
    return bars


def _in_words(dates: list[date], numbers: list[list[Number]], names: list[str], peak: Number) -> str:
    sums = [sum(parts[place] for parts in numbers) for place in range(len(names))]
    told = ", ".join(f"{name.lower()} {amount:,}" for name, amount in zip(names, sums, strict=True))
    words = f"By day, from {dates[0]} to {dates[-1]}: {told} in all."
    if peak:
        most = next(day for day, parts in zip(dates, numbers, strict=True) if sum(parts) == peak)
        words += f" The most on one day were {peak:,}, on {most}."
    return words
