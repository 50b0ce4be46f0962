"""The bars, words and tables of a chart of days."""

from datetime import date, timedelta

from flowchat.web.admin.charts import Bar, Series, dates, draw, last_days

DAYS = dates(date(2026, 2, 27), date(2026, 3, 2))


def whole(number: float) -> str:
    return f"{number:,.0f}"


def test_bars_stand_on_each_other() -> None:
    answered = Series("Answered", {"2026-02-28": 30, "2026-03-01": 5})
    refused = Series("Refused", {"2026-02-28": 10, "2026-03-01": 0})
    chart = draw("asked", "Questions", DAYS, [answered, refused], whole)
    assert [day.date for day in chart.days] == ["2026-02-27", "2026-02-28", "2026-03-01", "2026-03-02"]
    assert [day.bars for day in chart.days] == [[], [Bar(0, 25, 75), Bar(1, 0, 25)], [Bar(0, 87.5, 12.5)], []]
    assert [day.text for day in chart.days[:2]] == ["2026-02-27: nothing", "2026-02-28: Answered 30, Refused 10"]
    assert chart.peak == "40"
    assert chart.text == "By day, from 2026-02-27 to 2026-03-02. The most was 40, on 2026-02-28."


def test_the_table_has_what_is_known_newest_first() -> None:
    series = [Series("Half", {"2026-02-27": 1, "2026-03-01": 2}), Series("More", {"2026-03-01": 0})]
    assert draw("time", "Time", DAYS, series, whole).rows == [("2026-03-01", ["2", "0"]), ("2026-02-27", ["1", ""])]


def test_the_full_height_may_be_given() -> None:
    chart = draw("rate", "Rate", DAYS, [Series("Refused", {"2026-02-27": 0.2})], lambda rate: f"{rate:.0%}", peak=1)
    assert (chart.peak, chart.days[0].bars) == ("100%", [Bar(0, 80, 20)])


def test_nothing_is_told_from_zero() -> None:
    nothing = draw("cost", "Cost", DAYS, [Series("Cost", {})], whole)
    assert (nothing.has_bars, nothing.rows, nothing.text) == (False, [], "Nothing from 2026-02-27 to 2026-03-02.")
    zero = draw("cost", "Cost", DAYS, [Series("Cost", {"2026-02-27": 0})], whole)
    assert (zero.has_bars, zero.text) == (False, "0 on each day, from 2026-02-27 to 2026-03-02.")
    assert zero.rows == [("2026-02-27", ["0"])]


def test_last_days_are_consecutive() -> None:
    days = [date.fromisoformat(day) for day in last_days(30)]
    assert days == [days[0] + timedelta(days=number) for number in range(30)]
