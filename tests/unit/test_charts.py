"""Charts of days."""

from datetime import date

from flowchat.web.admin.charts import HEIGHT, STEP, Series, draw, last_days
from flowchat.web.admin.words import duration, reason_text, size

DAYS = last_days(date(2026, 3, 1), 3)


def test_bars_stand_on_each_other_up_to_the_peak() -> None:
    answered, refused = Series("Answered", {DAYS[0]: 6, DAYS[2]: 3}), Series("Refused", {DAYS[0]: 2, DAYS[2]: 0})
    chart = draw("q", "Questions", "11", "", DAYS, [answered, refused], lambda n: f"{n:.0f}")
    assert DAYS == ["2026-02-27", "2026-02-28", "2026-03-01"]
    assert [(bar.x, bar.y, bar.height, bar.series) for bar in chart.bars] == [
        (0, 25.0, 75.0, 0),
        (0, 0.0, 25.0, 1),
        (2 * STEP, 62.5, 37.5, 0),
    ]
    assert chart.width == 3 * STEP and chart.peak == "8" and chart.bars[1].text == "2026-02-27: Refused 2"
    assert chart.rows == [("2026-03-01", ["3", "0"]), ("2026-02-27", ["6", "2"])]
    assert "The most was 8, on 2026-02-27." in chart.text


def test_a_share_fills_the_height_at_one() -> None:
    chart = draw("r", "Rate", "50 %", "", DAYS, [Series("Refused", {DAYS[1]: 0.5})], str, peak=1)
    assert [bar.height for bar in chart.bars] == [HEIGHT / 2]


def test_nothing_to_be_seen() -> None:
    chart = draw("r", "Rate", "none", "", DAYS, [Series("Refused", {})], str)
    assert (chart.bars, chart.rows, chart.peak) == ([], [], "")
    assert "nothing yet" in chart.text


def test_words() -> None:
    assert [duration(s) for s in (None, 0.4, 59, 61, 3720)] == ["", "0 s", "59 s", "1 min 1 s", "1 h 2 min"]
    assert [size(n) for n in (30, 4_200, 3_400_000)] == ["30 B", "4 KB", "3.4 MB"]
    assert [reason_text(r) for r in (None, "http_404", "trap", "brand_new")] == [
        "",
        "answered 404",
        "an endless chain of pages",
        "brand new",
    ]
