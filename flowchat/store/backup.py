"""A copy of the database as it was at one moment, made beside whoever reads and writes it."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import sqlite_vec

from flowchat.store.database import connect

STEP_PAGES = 256
SYNC_BYTES = 16_000_000
_MAGIC = b"SQLite format 3\0"
COUNTED = (
    "tenants",
    "users",
    "keys",
    "sources",
    "versions",
    "pages",
    "chunks",
    "conversations",
    "messages",
    "usage_ledger",
    "events",
    "deliveries",
    "meter_events",
)

Error = sqlite3.Error
Note = Callable[[int, int], None]  # is told bytes done and in all, and may raise to end it


def copy(source: Path, target: Path, note: Note) -> None:
    """Copy the database at `source`, with all that was committed before, to `target`, which must not exist.

    Nobody waits for it: a reader that holds one state of the database copies it, while others go on writing.
    """
    target.touch(0o600)
    descriptor = os.open(target, os.O_RDWR)
    try:
        with closing(connect(source)) as reader, closing(sqlite3.connect(target, isolation_level=None)) as writer:
            writer.execute("pragma synchronous = off")
            writer.execute("pragma journal_mode = off")
            # Without a transaction of its own, the copying would begin anew with each write of others.
            reader.execute("begin")
            reader.execute("select count(*) from sqlite_schema").fetchone()
            page_size = int(reader.execute("pragma page_size").fetchone()[0])
            reader.backup(writer, pages=STEP_PAGES, progress=_progress(descriptor, page_size, note), sleep=0)
            reader.execute("rollback")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _progress(descriptor: int, page_size: int, note: Note) -> Callable[[int, int, int], None]:
    synced = 0

    def progress(status: int, remaining: int, total: int) -> None:
        nonlocal synced
        done = (total - remaining) * page_size
        if done - synced >= SYNC_BYTES:
            # All of it at once at the end would make the writers' own syncs wait.
            os.fdatasync(descriptor)
            synced = done
        note(done, total * page_size)

    return progress


@contextmanager
def _finished(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection to a database that nobody writes, which leaves no file beside it."""
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?immutable=1", uri=True)) as connection:
        connection.enable_load_extension(True)
        sqlite_vec.load(connection)
        connection.enable_load_extension(False)
        yield connection


def faults(path: Path) -> list[str]:
    """What SQLite's quick check finds in a database that nobody writes."""
    try:
        with _finished(path) as connection:
            return [str(row[0]) for row in connection.execute("pragma quick_check") if row[0] != "ok"]
    except sqlite3.DatabaseError as error:
        return [str(error)]


def schema_of(path: Path) -> int:
    """The number of its last migration."""
    with _finished(path) as connection:
        return int(connection.execute("pragma user_version").fetchone()[0])


def counts(path: Path) -> dict[str, int]:
    """How many rows the tables have that tell most."""
    with _finished(path) as connection:
        present = {row[0] for row in connection.execute("select name from sqlite_schema where type = 'table'")}
        return {
            table: int(connection.execute(f"select count(*) from {table}").fetchone()[0])  # noqa: S608 (our names)
            for table in COUNTED
            if table in present
        }


def fold_log(path: Path) -> bool:
    """Bring all that was committed into the one file of a database that nobody has open. False: it can't be read."""
    with path.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            return False  # SQLite would delete its log
    try:
        with closing(connect(path)) as connection:
            connection.execute("pragma wal_checkpoint(truncate)")
    except sqlite3.DatabaseError:
        return False
    log = path.with_name(f"{path.name}-wal")
    return not log.exists() or not log.stat().st_size
