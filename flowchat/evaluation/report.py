"""What a check of `flowchat eval` is given, and what it finds."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Options:
    """`data`: the folder of the test data. `sites`: one with a folder for each site to crawl."""

    data: Path
    sites: Path
    cases: int  # of malformed input
    pages: int  # of the generated site


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure. `ok` says whether it meets the target, and is None where there is none."""

    name: str
    value: float | str
    target: str = ""
    ok: bool | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """`notes` explain what the figures don't say by themselves."""

    title: str
    measures: tuple[Measure, ...]
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return all(measure.ok is not False for measure in self.measures)
