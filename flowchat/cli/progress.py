"""Progress on stderr: a bar on a terminal, elsewhere a line now and then."""

import sys
import time
from types import TracebackType
from typing import Self

import click
from tqdm import tqdm

LINE_EVERY_S = 10.0


class Meter:
    """Shows how far one piece of work is. `unit` is what is counted; "B" is bytes."""

    def __init__(self, label: str, unit: str) -> None:
        self._label = label
        self._unit = unit
        self._bar = (
            tqdm(desc=label, unit=unit, unit_scale=unit == "B", file=sys.stderr) if sys.stderr.isatty() else None
        )
        self._told_at = time.monotonic()

    def show(self, done: int, total: int, note: str = "") -> None:
        """`note` follows the numbers."""
        if self._bar is not None:
            self._bar.total = total
            self._bar.set_postfix_str(note, refresh=False)
            self._bar.update(done - self._bar.n)
        elif time.monotonic() - self._told_at >= LINE_EVERY_S:
            self._told_at = time.monotonic()
            click.echo(f"{self._label}: {self._count(done)} of {self._count(total)}  {note}".rstrip(), err=True)

    def _count(self, number: int) -> str:
        return f"{number / 1e6:.0f} MB" if self._unit == "B" else f"{number} {self._unit}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()
