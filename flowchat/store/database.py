"""The database: one writer thread that runs whole transactions, and reader connections beside it.

Why: statements of two tasks on one connection would share a transaction, and a task cancelled in the middle would
leave it open and lock every other writer out. A write is a function that runs from `begin immediate` to `commit` on
one thread; cancelling whoever waits for it changes nothing. Readers are aiosqlite connections, which WAL lets run
beside the writer.
"""

import asyncio
import contextvars
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite
import sqlite_vec

from flowchat.errors import DiskFull, FlowChatError

T = TypeVar("T")
READERS = 3
SQLITE_VERSION = sqlite3.sqlite_version
BUSY_TIMEOUT_S = 30.0  # another process (the command line) may hold the write lock for a batch of chunks
GIVE_WAY_S = 0.05  # SQLite's locks are not fair: who waits for one looks at it after pauses of up to 0.1 s
_PRAGMAS = (
    "journal_mode = wal",
    "synchronous = full",
    "foreign_keys = on",
    "secure_delete = on",  # what is erased leaves nothing in the file's free pages
    "mmap_size = 0",
    "temp_store = memory",
    "journal_size_limit = 4194304",  # a large transaction leaves no large write-ahead log behind: 1,000 pages of 4 KiB
)

# SQLITE_FULL, and SQLITE_IOERR_SHMSIZE: no room for the index of the write-ahead log, which readers need, too.
_NO_ROOM = {13, 4874}

Row = sqlite3.Row
Unreadable = sqlite3.Error
Connection = sqlite3.Connection


def connect(path: Path) -> sqlite3.Connection:
    """A connection in autocommit mode with vectors loaded and the pragmas every connection has.

    Raises DiskFull.
    """
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    connection.enable_load_extension(True)
    sqlite_vec.load(connection)
    connection.enable_load_extension(False)
    with _disk_full_explained():
        for pragma in _PRAGMAS:
            connection.execute(f"pragma {pragma}")
    return connection


class Database:
    """An open database. `await open_database(path)` makes one; any event loop of the process may use it."""

    def __init__(
        self, path: Path, writer: sqlite3.Connection, readers: Sequence[aiosqlite.Connection], gives_way: bool = False
    ) -> None:
        self.path = path
        self._gives_way = gives_way
        self._writer = writer
        self._readers = readers
        self._reading = [0] * len(readers)  # queries that each reader has been given
        self._choosing = threading.Lock()  # event loops of several threads read
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store-writer")

    async def write(self, transaction: Callable[[sqlite3.Connection], T]) -> T:
        """Run the function in one transaction: committed if it returns, rolled back if it raises. Raises DiskFull."""
        future = self._thread.submit(contextvars.copy_context().run, self._run, transaction)
        return await asyncio.shield(asyncio.wrap_future(future))

    def _run(self, transaction: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return run_transaction(self._writer, transaction)
        finally:
            if self._gives_way:
                time.sleep(GIVE_WAY_S)

    async def rows(self, sql: str, parameters: Iterable[Any] = ()) -> list[sqlite3.Row]:
        """All rows of a query, each as it was at one moment."""
        # Only this package calls it: SQL stays inside the store.
        reading = asyncio.ensure_future(self._read(sql, tuple(parameters)))
        try:
            return await asyncio.shield(reading)
        except asyncio.CancelledError:
            # A reader's thread that answers to an event loop which has closed meanwhile would die of it.
            await asyncio.wait({reading})
            raise

    async def _read(self, sql: str, parameters: tuple[Any, ...]) -> list[sqlite3.Row]:
        with self._least_busy() as reader, _disk_full_explained():
            return list(await reader.execute_fetchall(sql, parameters))  # one way to its thread and back, not three

    @contextmanager
    def _least_busy(self) -> Iterator[aiosqlite.Connection]:
        """A free reader, if there is one: a slow query then only delays what finds no other."""
        with self._choosing:
            index = self._reading.index(min(self._reading))
            self._reading[index] += 1
        try:
            yield self._readers[index]
        finally:
            with self._choosing:
                self._reading[index] -= 1

    async def row(self, sql: str, parameters: Iterable[Any] = ()) -> sqlite3.Row | None:
        """The first row of a query, or None."""
        rows = await self.rows(sql, parameters)
        return rows[0] if rows else None

    async def integrity_faults(self) -> list[str]:
        """What SQLite's own checks find: of pages, indexes, the full-text index and foreign keys."""
        return await asyncio.to_thread(_integrity_faults, self.path)

    async def close(self) -> None:
        for reader in self._readers:
            await reader.close()
        self._thread.shutdown()
        self._writer.close()


def run_transaction(connection: sqlite3.Connection, transaction: Callable[[sqlite3.Connection], T]) -> T:
    """`begin immediate`, the function, `commit`; `rollback` if it raises. Raises DiskFull."""
    with _disk_full_explained():
        connection.execute("begin immediate")
        try:
            result = transaction(connection)
            connection.execute("commit")
        except BaseException:
            if connection.in_transaction:
                connection.execute("rollback")
            raise
        return result


@contextmanager
def _disk_full_explained() -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        # Of virtual tables' errors only the text says so.
        if error.sqlite_errorcode not in _NO_ROOM and "disk is full" not in str(error):
            raise
        raise DiskFull from error


def _integrity_faults(path: Path) -> list[str]:
    # A connection that has searched remembers the segments of the full-text index: checked beside a writer that has
    # merged them meanwhile, a sound index would look corrupt. This one has not.
    with closing(connect(path)) as connection:
        connection.execute("pragma query_only = on")
        faults = [str(row[0]) for row in connection.execute("pragma integrity_check") if row[0] != "ok"]
        dangling = connection.execute("pragma foreign_key_check").fetchall()
    return faults + [f"a row of {row['table']} refers to a missing row of {row['parent']}" for row in dangling]


@asynccontextmanager
async def open_database(path: Path, *, gives_way: bool = False) -> AsyncIterator[Database]:
    """Open a migrated database and close it at the end. Raises FlowChatError where there is none.

    `gives_way`: after each write other processes get a moment for theirs.
    """
    if not path.exists():
        raise FlowChatError("no_database", f"There is no database at {path}. Start the appliance once: scripts/serve.")
    writer = connect(path)
    readers = [await _reader(path) for _ in range(READERS)]
    database = Database(path, writer, readers, gives_way)
    try:
        yield database
    finally:
        await database.close()


async def _reader(path: Path) -> aiosqlite.Connection:
    reader = aiosqlite.Connection(lambda: connect(path), iter_chunk_size=256)
    await reader
    await reader.execute("pragma query_only = on")
    return reader
