"""One figure of the bench, and how two things are measured in turn."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Row:
    """`ratio` is ours to the reference's; `reference` says what that is."""

    what: str
    unit: str
    ours: float
    reference: str
    theirs: float

    @property
    def ratio(self) -> float:
        return self.ours / self.theirs if self.theirs else float("nan")


def rates(items: int, works: Mapping[str, Callable[[], object]], rounds: int = ROUNDS) -> dict[str, float]:
    """Median items a second of each, run in turn after a warm-up: the machine's own speed drifts."""
    measured: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(rounds + 1):
        for name, work in works.items():
            began = time.perf_counter()
            work()
            if turn:
                measured[name].append(items / (time.perf_counter() - began))
    return {name: statistics.median(values) for name, values in measured.items()}
