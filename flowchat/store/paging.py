"""Pages of rows, newest first: ids sort by their time of creation."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flowchat.store.database import Database, Row


@dataclass(frozen=True, slots=True)
class Cursor:
    """Which rows of a list are wanted: at most `limit`, older than one id and newer than another. Empty: any."""

    limit: int
    starting_after: str = ""
    ending_before: str = ""

    @property
    def is_backwards(self) -> bool:
        return bool(self.ending_before) and not self.starting_after


async def newest_first(
    db: Database, select: str, cursor: Cursor, where: Mapping[str, Any], *, by: str = "id"
) -> list[Row]:
    """At most `cursor.limit` rows of `select`, a query without `where`.

    `where` maps conditions, each with one `?`, to their values; a condition on None is left out. `by` is the column
    that the cursor's ids are of. With `ending_before` alone they are the rows next to it, else the newest.
    """
    conditions = {sql: value for sql, value in where.items() if value is not None}
    if cursor.ending_before:
        conditions[f"{by} > ?"] = cursor.ending_before
    if cursor.starting_after:
        conditions[f"{by} < ?"] = cursor.starting_after
    order = "asc" if cursor.is_backwards else "desc"
    rows = await db.rows(
        f"{select} where {' and '.join(conditions) or 'true'} order by {by} {order} limit ?",
        (*conditions.values(), cursor.limit),
    )
    return rows[::-1] if cursor.is_backwards else rows
