"""Which rows are there? For whoever remembers what was promised."""

from collections.abc import Collection
from typing import Literal, get_args

import msgspec

from flowchat.store.database import Database

Table = Literal["documents", "deliveries", "feedback", "jobs", "keys", "messages", "revoked_keys"]
TABLES: tuple[Table, ...] = get_args(Table)
_ROWS = {"revoked_keys": "keys where revoked_at is not null"}


async def missing(db: Database, table: Table, idents: Collection[str]) -> list[str]:
    """Those of the ids that the table does not have."""
    rows = await db.rows(
        f"select value from json_each(?) where value not in (select id from {_ROWS.get(table, table)})",  # noqa: S608
        (msgspec.json.encode(list(idents)).decode(),),
    )
    return [row["value"] for row in rows]
