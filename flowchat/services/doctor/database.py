"""Can the database be read, and does it agree with itself?"""

import asyncio
from collections.abc import Iterable

from flowchat.errors import FlowChatError
from flowchat.services import check
from flowchat.services.doctor.findings import Facts, Finding, megabytes, ok, problem, warning
from flowchat.settings import Settings
from flowchat.store.database import Unreadable, open_database
from flowchat.store.migrate import is_current

LARGE_WAL_BYTES = 200_000_000


def schema(facts: Facts) -> Iterable[Finding]:
    path = facts.settings.database_path
    try:
        if not path.exists():
            yield ok("made at the first start")
        elif is_current(path):
            yield ok(f"{path}, {megabytes(path.stat().st_size)}")
        else:
            told = "The database is of an older FlowChat."
            yield warning(told, "Start FlowChat: it makes a copy and brings the database up to date.")
    except FlowChatError as error:
        yield problem(error.message, "Update FlowChat.")
    except Unreadable as error:
        yield problem(f"{path} can't be read: {error}.", "Restore a backup: flowchat restore.")


def wal(facts: Facts) -> Iterable[Finding]:
    path = facts.settings.database_path
    log = path.with_name(f"{path.name}-wal")
    size = log.stat().st_size if log.exists() else 0
    if size > LARGE_WAL_BYTES:
        told = f"{log} has {megabytes(size)}: it is not written back."
        yield warning(told, "Look for a program that has the database open for long, then restart FlowChat.")
    else:
        yield ok(megabytes(size))


def content(facts: Facts) -> Iterable[Finding]:
    """What `flowchat check` looks at."""
    path = facts.settings.database_path
    try:
        if not path.exists() or not is_current(path):
            return [ok("not looked at")]
        faults = asyncio.run(_faults(facts.settings))
    except (FlowChatError, Unreadable) as error:
        return [problem(f"{path} can't be checked: {error}.", "Restore a backup: flowchat restore.")]
    todo = "Restore a backup (flowchat restore), or recrawl the source that it is about."
    return [problem(fault, todo) for fault in faults] or [ok("database, indexes, versions and usage agree")]


async def _faults(settings: Settings) -> list[str]:
    async with open_database(settings.database_path) as db:
        return await check.check(db)
