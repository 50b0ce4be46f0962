"""Progress on stderr: a bar on a terminal, elsewhere a line now and then."""

import sys
import time
from types import TracebackType
from typing import Self

import click
from tqdm import tqdm

LINE_EVERY_S = 10.0
_WITH_NOTE = "{percentage:3.0f}%|{bar:6}| {desc}"  # as it is cut off at the right, the bar is short


class Meter:
    """Shows how far one piece of work is. Of bytes (`unit` "B") it tells how many, of other things what is noted."""

    def __init__(self, label: str, unit: str = "") -> None:
        self._label = label
        self._told_at = time.monotonic()
        self._said = ""
        self._bar = (
            tqdm(
                desc=label,
                unit=unit,
                unit_scale=bool(unit),
                bar_format=None if unit else _WITH_NOTE,
                dynamic_ncols=True,
                file=sys.stderr,
            )
            if sys.stderr.isatty()
            else None
        )

    def show(self, done: int, total: int, note: str = "") -> None:
        """`done` of `total` units; `note` says it in words where they are not bytes."""
        self._said = ""
        if self._bar is not None:
            self._bar.total = total
            self._bar.update(done - self._bar.n)
            if note:
                self._bar.set_description_str(note)
        elif time.monotonic() - self._told_at >= LINE_EVERY_S:
            self._told_at = time.monotonic()
            click.echo(f"{self._label}: {note or f'{done / 1e6:.0f} MB of {total / 1e6:.0f} MB'}", err=True)

    def say(self, text: str) -> None:
        """A line of its own, once until the work goes on."""
        if text == self._said:
            return
        self._said = text
        if self._bar is not None:
            self._bar.write(text, file=sys.stderr)
        else:
            click.echo(text, err=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()
