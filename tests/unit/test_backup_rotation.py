"""Which backups have had their time."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from clock import Clock

from flowchat.services.backup_files import expired, time_of
from flowchat.settings import Settings

NOW = datetime(2026, 11, 24, 4, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    Clock(monkeypatch, NOW.isoformat())


def name(ago: timedelta, kept: str = "") -> str:
    return f"flowchat-{(NOW - ago).strftime('%Y%m%d-%H%M%S')}{kept}"


def kept(names: list[str], hourly: int, daily: int, weekly: int) -> list[str]:
    settings = Settings(backup_keep_hourly=hourly, backup_keep_daily=daily, backup_keep_weekly=weekly)
    gone = expired(names, settings)
    return [name for name in names if name not in gone]


def test_the_newest_of_each_of_the_last_hours_days_and_weeks_stay() -> None:
    names = [name(timedelta(hours=hour)) for hour in range(24 * 60)]
    assert kept(names, 3, 0, 0) == names[:3]
    days = kept(names, 0, 3, 0)
    assert [(NOW - made_at).days for n in days if (made_at := time_of(n))] == [0, 0, 1]
    assert [made_at.hour for n in days if (made_at := time_of(n))] == [4, 23, 23]
    assert len(kept(names, 12, 7, 4)) == 12 + 5 + 2  # the newest of a span is that of a shorter one, too
    assert kept(names, 12, 7, 4)[-1] == name(timedelta(days=15, hours=5))  # Sunday, 23:30


def test_two_of_one_hour_count_once_and_gaps_do_not() -> None:
    names = [name(timedelta(minutes=minute)) for minute in (0, 10, 20)] + [name(timedelta(days=90))]
    assert kept(names, 2, 0, 0) == [names[0], names[3]]


def test_the_newest_and_those_made_by_hand_always_stay() -> None:
    names = [name(timedelta(hours=1)), name(timedelta(hours=2)), name(timedelta(days=900), "-kept")]
    assert kept(names, 0, 0, 0) == [names[0], names[2]]


def test_a_wrong_clock_of_the_past_costs_no_backup() -> None:
    names = [name(timedelta(days=-2)), name(timedelta(days=-1)), name(timedelta(0)), name(timedelta(hours=1))]
    assert kept(names, 1, 0, 0) == names[:3]


def test_other_files_are_nobodys_business() -> None:
    assert expired(["flowchat", "flowchat-20261324-000000", "x", "../flowchat-20261124-000000"], Settings()) == []


def test_folders_stay_where_they_are(tmp_path: Path) -> None:
    assert time_of(f"{tmp_path}/flowchat-20261124-043000") is None
