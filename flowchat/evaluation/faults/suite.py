"""All kinds of faults, one report each."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from flowchat.evaluation.faults import clock, disk, kills, power, writes
from flowchat.evaluation.report import Report


@dataclass(frozen=True, slots=True)
class Amounts:
    """Of each kind of work: kills, kills at the Nth write, times that the disk is full, power failures, and times that
    the clock goes there and back.
    """

    kills: int
    writes: int
    disk: int
    power: int
    clock: int


def run(faults: Sequence[str], works: Sequence[str], amounts: Amounts) -> Iterator[Report]:
    checks = {
        "kills": lambda: kills.run(works, amounts.kills),
        "writes": lambda: writes.run(works, amounts.writes),
        "disk": lambda: disk.run(works, amounts.disk),
        "power": lambda: power.run(works, amounts.power),
        "clock": lambda: clock.run(works, amounts.clock),
    }
    for fault in faults:
        yield asyncio.run(checks[fault]())
