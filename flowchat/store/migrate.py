"""Numbered, append-only migrations, each in one transaction, after a backup of what is there."""

import re
import sqlite3
from contextlib import closing, suppress
from importlib.resources import files
from pathlib import Path

from flowchat import durable
from flowchat.errors import FlowChatError
from flowchat.store.database import BUSY_TIMEOUT_S, connect

_FILE = re.compile(r"(\d{4})_\w+\.sql")
_OWNER_ONLY, _OTHERS = 0o600, 0o077


def migrations() -> list[tuple[int, str]]:
    """(number, SQL) of every migration, in order."""
    found = []
    for entry in (files("flowchat.store") / "migrations").iterdir():
        if match := _FILE.fullmatch(entry.name):
            found.append((int(match[1]), entry.read_text(encoding="utf-8")))
    return sorted(found)


def is_current(path: Path) -> bool:
    """Whether there is a database at `path` with nothing to migrate. Changes nothing. Raises what `migrate` raises."""
    if not path.exists():
        return False
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=BUSY_TIMEOUT_S)) as connection:
        return not _missing(connection, path)


def migrate(path: Path) -> int:
    """Bring the database at `path` (made if missing) up to date, and return the number of migrations applied.

    Raises FlowChatError for a database that a newer FlowChat has written.
    """
    durable.make_folder(path.parent)
    _keep_private(path)
    with closing(connect(path)) as connection:
        missing = _missing(connection, path)
        if missing and _present(connection):
            _back_up(connection, path.with_name(f"{path.stem}-before-{missing[-1][0]:04}.db"))
        for number, sql in missing:
            _apply(connection, number, sql)
    return len(missing)


def latest_schema() -> int:
    return migrations()[-1][0]


def schema_at(number: int, *more: str) -> set[tuple[str, str, str | None]]:
    """(type, name, SQL) of all that a database at that schema has, and what `more` statements make."""
    with closing(connect(Path(":memory:"))) as connection:
        for known, sql in migrations():
            if known <= number:
                _apply(connection, known, sql)
        for statement in more:
            connection.execute(statement)
        return {(row["type"], row["name"], row["sql"]) for row in connection.execute("select * from sqlite_schema")}


def _missing(connection: sqlite3.Connection, path: Path) -> list[tuple[int, str]]:
    known, present = migrations(), _present(connection)
    if present > known[-1][0]:
        raise FlowChatError(
            "database_too_new",
            f"{path} is at schema {present}, this FlowChat knows up to {known[-1][0]}. "
            "Start the newer FlowChat that wrote it, or restore an older backup.",
        )
    return [(number, sql) for number, sql in known if number > present]


def _present(connection: sqlite3.Connection) -> int:
    return int(connection.execute("pragma user_version").fetchone()[0])


def _back_up(connection: sqlite3.Connection, target: Path) -> None:
    target.unlink(missing_ok=True)
    _keep_private(target)  # an empty file will do for SQLite
    connection.execute("vacuum into ?", (str(target),))
    durable.sync(target)
    durable.sync(target.parent)


def _keep_private(path: Path) -> None:
    """Only its owner may read a database, which is made if missing: visitors' conversations are in it."""
    if not path.exists():
        path.touch(_OWNER_ONLY)
        durable.sync(path.parent)
    # SQLite gives new files beside a database its mode; those of an older FlowChat may be there already.
    for file in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
        if file.exists() and file.stat().st_mode & _OTHERS:
            with suppress(PermissionError):  # another user's file, or a file system without modes
                file.chmod(_OWNER_ONLY)


def _apply(connection: sqlite3.Connection, number: int, sql: str) -> None:
    # The whole script is one transaction: it either happened or it didn't.
    try:
        connection.executescript(f"begin immediate;\n{sql}\npragma user_version = {number};\ncommit;")
    except sqlite3.Error:
        if connection.in_transaction:
            connection.execute("rollback")
        raise
