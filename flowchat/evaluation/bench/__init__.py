"""`flowchat eval bench`: how quick FlowChat is, each figure beside a reference in the same run."""

import asyncio
from collections.abc import Sequence

from flowchat import settings as settings_table
from flowchat.evaluation.bench import models, pages, serving
from flowchat.evaluation.bench.row import Row
from flowchat.evaluation.bench.table import table, write

__all__ = ["run", "table", "write"]


def run(parts: Sequence[str]) -> list[Row]:
    """Of these parts: serving, models, pages."""
    settings = settings_table.load()
    rows: list[Row] = []
    if "serving" in parts:  # in a process of its own
        rows += asyncio.run(serving.rows(settings))
    if "models" in parts:
        rows += models.rows(settings)
    if "pages" in parts:
        rows += pages.rows()
    return rows
