"""Charts of days: stacked bars in units of a drawing that its frame stretches, and the same as a table."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

HEIGHT = 100
Show = Callable[[float], str]


@dataclass(frozen=True, slots=True)
class Series:
    """One part of the bars, from the bottom up. `values`: by day."""

    name: str
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Bar:
    """`y` counts from the top; `series` from 0."""

    series: int
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Day:
    """`text` is what its bars stand for, in words."""

    date: str
    text: str
    bars: list[Bar]


@dataclass(frozen=True, slots=True)
class Chart:
    """`peak` is what the full height stands for, `text` what there is to be seen, `names` those of the series.

    `rows` of the table, newest first, are (day, a cell for each name).
    """

    id: str
    title: str
    peak: str
    text: str
    names: list[str]
    days: list[Day]
    rows: list[tuple[str, list[str]]]

    @property
    def has_bars(self) -> bool:
        return any(day.bars for day in self.days)


def draw(id: str, title: str, days: Sequence[str], series: Sequence[Series], show: Show, *, peak: float = 0) -> Chart:
    """A chart of these days (YYYY-MM-DD, oldest first). `peak`: the least that the full height stands for."""
    totals = {day: sum(one.values.get(day, 0) for one in series) for day in days}
    known = [day for day in days if any(day in one.values for one in series)]
    top = max(peak, *totals.values())
    return Chart(
        id,
        title,
        show(top),
        _in_words(totals, known, show),
        [one.name for one in series],
        [Day(day, _of_day(day, series, show), _bars(day, series, top)) for day in days],
        [(day, [show(one.values[day]) if day in one.values else "" for one in series]) for day in reversed(known)],
    )


def _in_words(totals: Mapping[str, float], known: Sequence[str], show: Show) -> str:
    period = f"from {min(totals)} to {max(totals)}"
    if not known:
        return f"Nothing {period}."
    highest = max(known, key=lambda day: totals[day])
    if not totals[highest]:
        return f"{show(0)} on each day, {period}."
    return f"By day, {period}. The most was {show(totals[highest])}, on {highest}."


def _of_day(day: str, series: Sequence[Series], show: Show) -> str:
    told = [f"{one.name} {show(one.values[day])}" for one in series if day in one.values]
    return f"{day}: {', '.join(told) or 'nothing'}"


def _bars(day: str, series: Sequence[Series], top: float) -> list[Bar]:
    bars, y = [], float(HEIGHT)
    for number, one in enumerate(series):
        if value := one.values.get(day, 0):
            height = HEIGHT * value / top
            y -= height
            bars.append(Bar(number, round(y, 2), round(height, 2)))
    return bars


def dates(first: date, last: date) -> list[str]:
    """Every day of a period, oldest first."""
    return [(first + timedelta(days=number)).isoformat() for number in range((last - first).days + 1)]


def last_days(count: int) -> list[str]:
    """So many dates until today (UTC), oldest first."""
    today = datetime.now(UTC).date()
    return dates(today - timedelta(days=count - 1), today)
