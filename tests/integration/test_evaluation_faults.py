"""Small ones of `flowchat eval faults`; releases are tried with 200 kills of each kind of work, and the defaults.

FLOWCHAT_TEST_FAULTS sets how many faults (2 by default).
"""

import os
from collections.abc import Sequence

import pytest

from flowchat.evaluation.faults import clock, disk, kills, power, tracing, writes
from flowchat.evaluation.faults.works import WORKS
from flowchat.evaluation.report import Report

pytestmark = pytest.mark.slow
FAULTS = int(os.environ.get("FLOWCHAT_TEST_FAULTS", "2"))
ALL = tuple(WORKS)
TIMED = "start to ready"

needs_strace = pytest.mark.skipif(not tracing.is_there(), reason="needs strace, and leave to trace")
needs_mount = pytest.mark.skipif(not disk.can_mount(), reason="needs leave to mount a small disk: root")
needs_faketime = pytest.mark.skipif(clock.library() is None, reason="needs Debian's faketime")


def assert_met(report: Report, works: Sequence[str]) -> None:
    """All but times: they are the machine's."""
    missed = [measure for measure in report.measures if measure.ok is False and not measure.name.startswith(TIMED)]
    assert missed == [], report.notes
    assert {measure.name.partition(":")[0] for measure in report.measures} >= set(works)


@pytest.mark.parametrize("work", ALL)
async def test_killed(work: str) -> None:
    assert_met(await kills.run([work], FAULTS), [work])


@needs_strace
@pytest.mark.parametrize("work", ["index", "chat"])
async def test_killed_at_the_nth_write(work: str) -> None:
    report = await writes.run([work], FAULTS)
    assert_met(report, [work])
    assert report.measures[-1].name == f"{work}: killed in the middle of a write"
    assert report.measures[-1].value == FAULTS


@needs_mount
@pytest.mark.parametrize("work", ["crawl", "webhook"])
async def test_the_disk_is_full(work: str) -> None:
    report = await disk.run([work], FAULTS)
    assert_met(report, [work])


@needs_strace
@pytest.mark.parametrize("work", ["chat", "billing"])
async def test_the_power_fails(work: str) -> None:
    assert_met(await power.run([work], 10 * FAULTS), [work])


@needs_faketime
async def test_the_clock_jumps() -> None:
    assert_met(await clock.run(["webhook"], 1), ["webhook"])
