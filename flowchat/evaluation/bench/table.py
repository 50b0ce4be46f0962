"""The rows as a table in Markdown, and its place in the README."""

import re
from collections.abc import Sequence
from pathlib import Path

from flowchat.errors import FlowChatError
from flowchat.evaluation.bench.row import Row

_PLACE = re.compile(r"(?<=<!-- bench -->\n).*?(?=<!-- /bench -->)", re.DOTALL)


def table(rows: Sequence[Row]) -> str:
    lines = ["| What | FlowChat | Reference | Ratio |", "| --- | --- | --- | --- |"]
    return "\n".join([*lines, *map(_line, rows)]) + "\n"


def _line(row: Row) -> str:
    reference = f"{row.reference}: {row.theirs:.3g}" if row.reference else ""
    ratio = f"{row.ratio:.2f}" if row.reference else ""
    return f"| {row.what} | {row.ours:.3g} {row.unit} | {reference} | {ratio} |"


def write(readme: Path, rows: Sequence[Row]) -> None:
    """In place of the former table. Raises FlowChatError `no_place` where the file has none."""
    text = readme.read_text(encoding="utf-8")
    if not _PLACE.search(text):
        raise FlowChatError("no_place", f"{readme} has no lines <!-- bench --> and <!-- /bench --> for the table.")
    readme.write_text(_PLACE.sub(lambda _: "\n" + table(rows) + "\n", text), encoding="utf-8")
