"""Charts of days: stacked bars in units of a drawing that its frame stretches, and the same as a table."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

STEP, BAR, HEIGHT = 10, 7, 100
Values = Mapping[str, float]  # by day


@dataclass(frozen=True, slots=True)
class Series:
    """One part of the bars, from the bottom up."""

    name: str
    values: Values


@dataclass(frozen=True, slots=True)
class Bar:
    """`y` counts from the top; `series` from 0. `text` is what it stands for, in words."""

    x: int
    y: float
    height: float
    series: int
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """`figure` is what all of it comes to, `peak` what the full height stands for, `text` what there is to be seen.

    `rows` of the table are (day, a cell for each name).
    """

    id: str
    title: str
    figure: str
    about: str
    peak: str
    text: str
    width: int
    bars: list[Bar]
    names: list[str]
    rows: list[tuple[str, list[str]]]


def draw(
    id: str,
    title: str,
    figure: str,
    about: str,
    days: Sequence[str],
    series: Sequence[Series],
    show: Callable[[float], str],
    *,
    peak: float = 0,
) -> Chart:
    """A chart of these days (YYYY-MM-DD, oldest first). `peak`: the least that the full height stands for."""
    totals = {day: sum(one.values.get(day, 0) for one in series) for day in days}
    top = max(peak, *totals.values())
    bars = [bar for place, day in enumerate(days) for bar in _bars(place, day, series, top, show)]
    known = [day for day in days if any(day in one.values for one in series)]
    rows = [(day, [show(one.values[day]) if day in one.values else "" for one in series]) for day in reversed(known)]
    highest = max(totals, key=lambda day: totals[day])
    text = f"{title} from {days[0]} to {days[-1]}. "
    text += f"The most was {show(totals[highest])}, on {highest}." if known else "There is nothing yet."
    names = [one.name for one in series]
    return Chart(id, title, figure, about, show(top) if top else "", text, STEP * len(days), bars, names, rows)


def _bars(place: int, day: str, series: Sequence[Series], top: float, show: Callable[[float], str]) -> list[Bar]:
    bars, below = [], 0.0
    for number, one in enumerate(series):
        height = HEIGHT * one.values.get(day, 0) / top if top else 0.0
        if height:
            text = f"{day}: {one.name} {show(one.values[day])}"
            bars.append(Bar(place * STEP, round(HEIGHT - below - height, 2), round(height, 2), number, text))
        below += height
    return bars


def last_days(last: date, count: int) -> list[str]:
    """So many dates until `last`, oldest first."""
    return [(last - timedelta(days=back)).isoformat() for back in range(count - 1, -1, -1)]
