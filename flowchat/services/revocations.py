"""The revocation list: what is refused at once, in memory, and in a log beside the database.

The database is the truth of the moment; the log makes the list survive it: after an old backup was restored, what was
revoked since is revoked again at the next start. The running server also learns from the log what other processes,
such as the command line, have revoked.
"""

import asyncio
import errno
import logging
import os
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from flowchat import durable
from flowchat.domain import Actor, now
from flowchat.errors import DiskFull
from flowchat.store import audit_log, revocations
from flowchat.store.database import Connection, Database
from flowchat.store.revocations import RevokedKind

LOG_FILE = "revoked.log"
FOLLOW_S = 0.25  # contract, section 1: revocations by other processes count within a second

_log = logging.getLogger(__name__)


class _Line(msgspec.Struct, frozen=True):
    """A line of the log. `time` is when it was written."""

    kind: RevokedKind
    id: str
    time: str


class Revocations:
    """Ids of revoked keys and sources: `ident in app.revocations`.

    `on_revoked(kind, id)` is called once for each that is new to this process, on the event loop.
    """

    def __init__(
        self, data_dir: Path, on_revoked: Callable[[RevokedKind, str], None] = lambda kind, ident: None
    ) -> None:
        self._path = data_dir / LOG_FILE
        self._on_revoked = on_revoked
        self._revoked: set[str] = set()
        self._logged: set[str] = set()
        self._position = 0  # bytes of the log that were read

    def __contains__(self, ident: object) -> bool:
        return ident in self._revoked

    async def add(self, kind: RevokedKind, *idents: str) -> None:
        """Refuse these from now on and end the streams that concern them. Call it once the database says so, too.

        The log is on the disk when this returns. Adding something again is fine. Raises DiskFull; they are refused
        all the same, and logged when they are added again, or at the next start.
        """
        for ident in idents:
            self._take(kind, ident)
        fresh = [ident for ident in idents if ident not in self._logged]
        if fresh:
            await asyncio.to_thread(self._append, [_Line(kind, ident, now()) for ident in fresh])
            self._logged.update(fresh)

    async def follow(self) -> None:
        """Take in what other processes have added. Call it every `FOLLOW_S` seconds."""
        for line in self._news():
            self._logged.add(line.id)
            self._take(line.kind, line.id)

    async def rebuild(self, db: Database) -> None:
        """At start: the list from database and log together, and each of the two brought up to what the other knows."""
        logged = {line.id: line for line in self._news()}
        stored = await revocations.every(db)
        known = {ident for _, ident in stored}

        def transaction(conn: Connection) -> None:
            for line in logged.values():
                tenant_id = None if line.id in known else revocations.apply(conn, line.kind, line.id, line.time)
                if tenant_id is not None:
                    actor = Actor(tenant_id, "revocation log", frozenset())
                    audit_log.insert(conn, actor, f"{line.kind}s.revoke", line.id)

        await db.write(transaction)
        await asyncio.to_thread(
            self._append, [_Line(kind, ident, now()) for kind, ident in stored if ident not in logged]
        )
        for line in logged.values():
            self._take(line.kind, line.id)
        for kind, ident in stored:
            self._take(kind, ident)
        self._logged |= self._revoked

    def _take(self, kind: RevokedKind, ident: str) -> None:
        if ident not in self._revoked:
            self._revoked.add(ident)
            if self._on_revoked is not None:
                self._on_revoked(kind, ident)

    def _append(self, lines: Iterable[_Line]) -> None:
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            size = os.fstat(descriptor).st_size
            # A line that a power failure cut off must not swallow this one.
            start = b"\n" if size and os.pread(descriptor, 1, size - 1) != b"\n" else b""
            rest = start + b"".join(msgspec.json.encode(line) + b"\n" for line in lines)
            while rest:
                rest = rest[os.write(descriptor, rest) :]  # less than all, where there is room for less
            os.fsync(descriptor)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            raise DiskFull from error
        finally:
            os.close(descriptor)
        if not size:
            durable.sync(self._path.parent)

    def _news(self) -> list[_Line]:
        """The whole lines of the log since the last call."""
        try:
            size = self._path.stat().st_size
        except FileNotFoundError:
            return []
        if size < self._position:
            self._position = 0  # it is another file now
        if size == self._position:
            return []
        with self._path.open("rb") as file:
            file.seek(self._position)
            whole, newline, _ = file.read().rpartition(b"\n")
        self._position += len(whole) + len(newline)
        return [line for text in whole.splitlines() if (line := _read(text, self._path)) is not None]


def _read(text: bytes, path: Path) -> _Line | None:
    try:
        return msgspec.json.decode(text, type=_Line) if text else None
    except (msgspec.DecodeError, UnicodeDecodeError):
        _log.warning("a line of %s can't be read and is ignored: %r", path, text[:200])
        return None
