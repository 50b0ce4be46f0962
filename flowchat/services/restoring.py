"""Puts a backup in the place of the database: all of it is checked first, and then one rename replaces it.

Killed at any moment it leaves either the old database or the new one. The process must hold the data folder.
"""

import errno
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from flowchat.domain import Actor, now
from flowchat.errors import FlowChatError
from flowchat.services import backup_archive, backup_making, check, metering, vault
from flowchat.services.backup_archive import Manifest
from flowchat.services.revocations import Revocations, merge_log
from flowchat.services.tenants import system_actor
from flowchat.settings import Settings
from flowchat.store import audit_log, backup, meter_events, restores, sessions
from flowchat.store.database import Connection, open_database
from flowchat.store.migrate import check_known, migrate

RESTORING = "flowchat.db.restoring"
REPLACED = "flowchat-replaced-"
_BESIDE = ("", "-wal", "-shm", "-journal")
SPARE_BYTES = 50_000_000

Report = Callable[[str], None]  # is told what begins


@dataclass(frozen=True, slots=True)
class Restored:
    """`former` is where the database is that was replaced; None: there was none."""

    manifest: Manifest
    former: Path | None
    migrated: int


def read(path: Path) -> Manifest:
    """What the backup says of itself. Raises FlowChatError `bad_backup` and `database_too_new`."""
    manifest = backup_archive.read_manifest(path)
    check_known(manifest.schema, str(path))
    return manifest


def key_problem(settings: Settings, manifest: Manifest) -> str | None:
    """Why the secrets in the backup could not be read here."""
    present = vault.fingerprint(settings.data_dir)
    if manifest.secret_key in ("", present):
        return None
    where = settings.data_dir / vault.SECRET_FILE
    lost = (
        "Without the one that the backup was made with, the secrets of webhooks and the logins of crawled sites have "
        "to be entered again, and conversations that have begun can't be continued."
    )
    return f"{where} is {'another one' if present else 'missing'}. {lost}"


async def restore(settings: Settings, path: Path, report: Report, *, without_key: bool = False) -> Restored:
    """Restore the backup at `path`.

    Raises FlowChatError `bad_backup`, `database_too_new`, `secret_key_missing` (unless `without_key`),
    `backup_damaged`, `disk_nearly_full` and `disk_full`; then all is as it was.
    """
    manifest = read(path)
    if (problem := key_problem(settings, manifest)) is not None and not without_key:
        message = f"{problem} Copy the file there first, or restore with --without-key."
        raise FlowChatError("secret_key_missing", message, status=409)
    fresh = settings.data_dir / RESTORING
    tidy(settings)
    try:
        with backup_making.disk_full_explained("the backup was restored", settings.data_dir):
            _require_space(settings, manifest)
            report("Unpacking and verifying the backup")
            backup_archive.unpack(path, manifest, fresh)
            revoked = backup_archive.revoked(path, manifest)
            migrated = migrate(fresh, back_up=False)
            report("Checking the database")
            await _prepare(settings, fresh, path.stem, manifest, revoked)
            former = _swap(settings, fresh)
    finally:
        _remove(fresh)
    return Restored(manifest, former, migrated)


def tidy(settings: Settings) -> None:
    """Remove what a restore has left that was killed."""
    _remove(settings.data_dir / RESTORING)
    for aside in settings.data_dir.glob(f"{REPLACED}*.db"):
        # It was about to be replaced and was not: two names of the database that is in use.
        if settings.database_path.exists() and aside.samefile(settings.database_path):
            aside.unlink()


def _remove(database: Path) -> None:
    for end in _BESIDE:
        database.with_name(database.name + end).unlink(missing_ok=True)


def _require_space(settings: Settings, manifest: Manifest) -> None:
    needed = manifest.database.bytes + SPARE_BYTES
    free = shutil.disk_usage(settings.data_dir).free
    if free < needed:
        message = f"The disk of {settings.data_dir} has {free / 1e6:,.0f} MB free; this needs {needed / 1e6:,.0f} MB."
        raise FlowChatError("disk_nearly_full", message, status=507)


async def _prepare(settings: Settings, fresh: Path, name: str, manifest: Manifest, revoked: bytes) -> None:
    """Check the new database, revoke in it what was revoked since, and hold back what it would send."""
    async with open_database(fresh) as db:
        if problems := await check.check(db):
            message = f"The backup is damaged, and nothing was changed: {'; '.join(problems[:5])}. Take another one."
            raise FlowChatError("backup_damaged", message)
        actor = await system_actor(db)
        merge_log(settings.data_dir, revoked)
        await Revocations(settings.data_dir).rebuild(db)
        await db.write(lambda conn: _hold(conn, actor, name, manifest))


def _hold(conn: Connection, actor: Actor, name: str, manifest: Manifest) -> None:
    moment = now()
    restores.insert(conn, name, manifest.created_at, moment)
    meter_events.park_restored(conn, manifest.created_at, moment, metering.RESTORED)
    sessions.delete_every(conn)  # who has signed out since would be signed in again
    audit_log.insert(conn, actor, "backups.restore", name, created_at=manifest.created_at)


def _swap(settings: Settings, fresh: Path) -> Path | None:
    database = settings.database_path
    former = None
    if database.exists():
        stamp = datetime.fromisoformat(now()).strftime("%Y%m%d-%H%M%S")
        former = database.with_name(f"{REPLACED}{stamp}.db")
        if not backup.fold_log(database):
            # It can't be read, so that what lies beside it is of no use to it; the new one must not find that.
            for end in _BESIDE[1:]:
                if (beside := database.with_name(database.name + end)).exists():
                    beside.rename(former.with_name(former.name + end))
        _give_second_name(database, former)
    for end in _BESIDE[1:]:
        database.with_name(database.name + end).unlink(missing_ok=True)
    fresh.replace(database)
    backup_making.sync_folder(settings.data_dir)
    return former


def _give_second_name(database: Path, former: Path) -> None:
    try:
        os.link(database, former)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.EXDEV):
            raise
        shutil.copy2(database, former)  # a file system without hard links
