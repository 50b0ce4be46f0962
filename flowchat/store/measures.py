"""Figures for whoever watches the appliance: the first few from small indexes only, the others by reading a lot."""

import asyncio
from collections.abc import Mapping

from flowchat.domain import now
from flowchat.store.database import Database

_OUTBOXES: Mapping[str, str] = {
    "webhooks": "select count(*), min(next_attempt_at) from deliveries where next_attempt_at is not null",
    "emails": "select count(*), min(next_attempt_at) from emails where next_attempt_at is not null",
    "meter_events": "select count(*), min(next_attempt_at) from meter_events where status = 'pending'",
    "stripe_events": "select count(*), min(next_attempt_at) from stripe_events where status = 'pending'",
}
_JOBS = (
    "select type, case when paused_at is not null then 'paused' else status end as status, count(*) as number"
    " from jobs where status in ('queued', 'running') group by 1, 2"
)
_OLDEST_JOB = "select min(created_at) from jobs where status = 'queued' and paused_at is null"
_PARKED = "select count(*) from meter_events where status = 'parked'"
_CONTENT: Mapping[str, str] = {
    "sources": "select count(*) from sources where live_version is not null",
    "pages": "select count(*) from pages where status = 'indexed' and version in (select seq from live)",
    "chunks": "select count(*) from chunks where version in (select seq from live)",
}
_LIVE = "with live as (select v.seq from versions v join sources s on s.live_version = v.id)"


async def jobs(db: Database) -> dict[tuple[str, str], int]:
    """{(type, queued, running or paused): number} of the jobs that have not ended."""
    return {(row["type"], row["status"]): row["number"] for row in await db.rows(_JOBS)}


async def oldest_job(db: Database) -> str | None:
    """When the job was made that waits longest for a worker."""
    row = await db.row(_OLDEST_JOB)
    return row[0] if row else None


async def outboxes(db: Database) -> dict[str, tuple[int, str]]:
    """By outbox: how much is pending, and since when the oldest of it has been due, or will be."""
    rows = await asyncio.gather(*(db.row(sql) for sql in _OUTBOXES.values()))
    return {name: (row[0], row[1] or now()) if row else (0, now()) for name, row in zip(_OUTBOXES, rows, strict=True)}


async def parked_meter_events(db: Database) -> int:
    row = await db.row(_PARKED)
    return int(row[0]) if row else 0


async def free_bytes(db: Database) -> int:
    """Of pages within the database's file that nothing is in."""
    row = await db.row("select freelist_count * page_size from pragma_freelist_count, pragma_page_size")
    return int(row[0]) if row else 0


async def content(db: Database) -> dict[str, int]:
    """What is live. Goes through an index entry for each chunk."""
    rows = await asyncio.gather(*(db.row(f"{_LIVE} {sql}") for sql in _CONTENT.values()))
    return {name: int(row[0]) if row else 0 for name, row in zip(_CONTENT, rows, strict=True)}


async def index_bytes(db: Database) -> dict[str, int]:
    """Of the two indexes that are searched. Goes through all of them."""
    vectors = await db.rows("select name from sqlite_schema where name glob 'vectors_*_vector_chunks00'")
    tables = {"words": [("chunks_fts_data", "block")], "vectors": [(row["name"], "vectors") for row in vectors]}
    return {index: sum([await _bytes(db, *column) for column in columns]) for index, columns in tables.items()}


async def _bytes(db: Database, table: str, column: str) -> int:
    row = await db.row(f'select coalesce(sum(length("{column}")), 0) from "{table}"')  # noqa: S608 (names of ours)
    return int(row[0]) if row else 0
