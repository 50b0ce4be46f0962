"""What came of one kind of work under one kind of fault, as measures."""

from dataclasses import dataclass, field
from statistics import median

from flowchat.evaluation.faults.machine import Start
from flowchat.evaluation.faults.work import Tally, Wrong
from flowchat.evaluation.report import Measure

READY_S = 5.0
SHOWN = 5  # of what is wrong


@dataclass(slots=True)
class Outcome:
    """`problems` are what `flowchat check` has found."""

    work: str
    faults: int
    tally: Tally
    starts: list[Start]
    wrong: Wrong = field(default_factory=Wrong)
    problems: list[str] = field(default_factory=list)

    @property
    def measures(self) -> list[Measure]:
        wrong = self.wrong
        return [
            Measure(f"{self.work}: faults", self.faults),
            Measure(f"{self.work}: acknowledged writes", self.tally.acknowledged, "some", self.tally.acknowledged > 0),
            self._none("acknowledged writes lost", wrong.lost),
            self._none("duplicates", wrong.twice),
            self._none("half-visible versions", wrong.half),
            self._none("problems that `flowchat check` finds", self.problems),
            self._none("errors that no client should get", list(self.tally.unclean.elements())),
        ]

    @property
    def notes(self) -> list[str]:
        wrong = (*self.wrong.lost, *self.wrong.twice, *self.wrong.half, *self.problems)
        shown = [f"{self.work}: {text}" for text in wrong[:SHOWN]]
        if self.tally.unclean:
            shown.append(f"{self.work}: {dict(self.tally.unclean)}")
        return shown

    def _none(self, what: str, found: list[str]) -> Measure:
        return Measure(f"{self.work}: {what}", len(found), "0", not found)


def start_measures(starts: list[Start]) -> list[Measure]:
    """Of all starts after a fault."""
    ready = [start.ready_s for start in starts] or [0.0]
    own = [start.ready_s - start.imported_s for start in starts] or [0.0]
    return [
        Measure("start to ready, s, median", median(ready)),
        Measure("start to ready, s, at most", max(ready), f"<= {READY_S:g}", max(ready) <= READY_S),
        Measure("of that without Python's imports, s, median", median(own)),
        Measure("of that without Python's imports, s, at most", max(own)),
    ]
