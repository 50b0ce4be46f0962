"""Numbered, append-only migrations, each in one transaction, after a backup of what is there."""

import re
import sqlite3
from contextlib import closing
from importlib.resources import files
from pathlib import Path

from flowchat.errors import FlowChatError
from flowchat.store.database import connect

_FILE = re.compile(r"(\d{4})_\w+\.sql")


def migrations() -> list[tuple[int, str]]:
    """(number, SQL) of every migration, in order."""
    found = []
    for entry in (files("flowchat.store") / "migrations").iterdir():
        if match := _FILE.fullmatch(entry.name):
            found.append((int(match[1]), entry.read_text(encoding="utf-8")))
    return sorted(found)


def migrate(path: Path) -> int:
    """Bring the database at `path` (made if missing) up to date, and return the number of migrations applied.

    Raises FlowChatError for a database that a newer FlowChat has written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(connect(path)) as connection:
        present = int(connection.execute("pragma user_version").fetchone()[0])
        known = migrations()
        if present > known[-1][0]:
            raise FlowChatError(
                "database_too_new",
                f"{path} is at schema {present}, this FlowChat knows up to {known[-1][0]}. "
                "Start the newer FlowChat that wrote it, or restore an older backup.",
            )
        missing = [(number, sql) for number, sql in known if number > present]
        if missing and present:
            _back_up(connection, path.with_name(f"{path.stem}-before-{missing[-1][0]:04}.db"))
        for number, sql in missing:
            _apply(connection, number, sql)
    return len(missing)


def _back_up(connection: sqlite3.Connection, target: Path) -> None:
    target.unlink(missing_ok=True)
    connection.execute("vacuum into ?", (str(target),))


def _apply(connection: sqlite3.Connection, number: int, sql: str) -> None:
    # The whole script is one transaction: it either happened or it didn't.
    try:
        connection.executescript(f"begin immediate;\n{sql}\npragma user_version = {number};\ncommit;")
    except sqlite3.Error:
        if connection.in_transaction:
            connection.execute("rollback")
        raise
