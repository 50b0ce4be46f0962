"""Deletes what nothing needs any more, in small transactions, so that nobody waits for it."""

from collections.abc import Callable
from typing import TypeVar

from flowchat.ingest import ending
from flowchat.store import chunks, documents, pages, sources, versions
from flowchat.store.database import Connection, Database

T = TypeVar("T")
BATCH_ROWS = 500
BATCH_DOCUMENTS = 5  # each may be many megabytes

ShouldStop = Callable[[], bool]


async def dispose(db: Database, should_stop: ShouldStop) -> None:
    """Delete the content of old and failed versions and of revoked sources, until `should_stop()`.

    A source's newest version keeps its pages, without their text, when it has failed: they tell why.
    It goes by what state things are in: whatever revoked a source, and however often this was interrupted.
    """
    for source in await sources.revoked(db):
        await db.write(lambda conn, source=source: ending.retire(conn, source))  # type: ignore[misc]
        await _repeat(db, should_stop, documents.delete_batch, source.id, BATCH_DOCUMENTS)
        await _repeat(db, should_stop, sources.delete_curated_answers, source.id, BATCH_ROWS)
    for seq in await versions.failed_with_chunks(db):
        await _repeat(db, should_stop, chunks.delete_batch, seq, BATCH_ROWS)
    for seq in await versions.disposable(db):
        await _repeat(db, should_stop, chunks.delete_batch, seq, BATCH_ROWS)
        await _repeat(db, should_stop, pages.delete_batch, seq, BATCH_ROWS)
        if should_stop():
            return
        await db.write(lambda conn, seq=seq: versions.delete_if_empty(conn, seq))  # type: ignore[misc]
    for source in await sources.revoked(db):
        await db.write(lambda conn, source=source: sources.delete_if_empty(conn, source.id))  # type: ignore[misc]


async def _repeat(
    db: Database, should_stop: ShouldStop, delete: Callable[[Connection, T, int], int], of: T, limit: int
) -> None:
    deleted = 1
    while deleted and not should_stop():
        deleted = await db.write(lambda conn: delete(conn, of, limit))
