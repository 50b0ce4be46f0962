"""Which rows are there? For whoever remembers what was promised."""

from collections.abc import Collection
from typing import Literal

import msgspec

from flowchat.store.database import Database

Table = Literal["documents", "deliveries", "feedback", "jobs", "keys", "messages"]


async def missing(db: Database, table: Table, idents: Collection[str]) -> list[str]:
    """Those of the ids that the table does not have."""
    rows = await db.rows(
        f"select value from json_each(?) where value not in (select id from {table})",  # noqa: S608 (our names)
        (msgspec.json.encode(list(idents)).decode(),),
    )
    return [row["value"] for row in rows]
