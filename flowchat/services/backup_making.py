"""Makes a backup: a copy of the database beside whoever works with it, checked, packed, and read once more.

It appears under its name only when it is whole, verified and on the disk.
"""

import errno
import fcntl
import logging
import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from flowchat import __version__
from flowchat.domain import now
from flowchat.errors import Conflict, FlowChatError
from flowchat.services import backup_archive, backup_files, vault
from flowchat.services.backup_archive import Manifest, Part
from flowchat.services.revocations import LOG_FILE
from flowchat.settings import Settings
from flowchat.store import backup

SPARE_BYTES = 200_000_000  # that stay free on the disk, for all else that happens meanwhile
NICE = 19
LOCK = ".lock"
_MAKING = ".making"

Progress = Callable[[str, int, int], None]  # step, bytes done, bytes in all; may raise to end it

log = logging.getLogger(__name__)


def make(settings: Settings, progress: Progress, *, target: Path | None = None, is_kept: bool = True) -> Path:
    """Back the database up to the file `target`, or into the folder of backups; returns where it is.

    In any thread and any process. Raises Conflict `backup_running`, and FlowChatError `no_database`,
    `disk_nearly_full`, `disk_full` and `database_damaged`; then nothing is left of it.
    """
    if not settings.database_path.exists():
        message = f"There is no database at {settings.database_path}: nothing to back up."
        raise FlowChatError("no_database", message)
    folder = backup_files.folder(settings)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _alone(folder), disk_full_explained("the backup was made", folder):
        path = target or backup_files.path_of(settings, backup_files.new_name(settings, is_kept=is_kept))
        making = path.with_name(f"{_MAKING}-{path.name}")
        copied = folder / f"{_MAKING}.db"
        _remove_left_over(folder)
        try:
            _require_space(settings, folder)
            _copy(settings, copied, making, progress)
            making.replace(path)
            sync_folder(path.parent)
        finally:
            copied.unlink(missing_ok=True)
            making.unlink(missing_ok=True)
    return path


def _copy(settings: Settings, copied: Path, making: Path, progress: Progress) -> None:
    created_at = now()
    backup.copy(settings.database_path, copied, lambda done, total: progress("copying", done, total))
    if faults := backup.faults(copied):
        log.error("the database is damaged, and was not backed up: %s", "; ".join(faults))
        message = (
            f"The database is damaged, and was not backed up: {faults[0]}. "
            "Older backups are kept: restore one (flowchat restore)."
        )
        raise FlowChatError("database_damaged", message, status=500)

    def manifest_of(database: Part, revoked: Part) -> Manifest:
        return Manifest(
            format=backup_archive.FORMAT,
            created_at=created_at,
            flowchat=__version__,
            schema=backup.schema_of(copied),
            secret_key=vault.fingerprint(settings.data_dir),
            database=database,
            revoked=revoked,
            rows=backup.counts(copied),
        )

    log_file = settings.data_dir / LOG_FILE
    revoked = log_file.read_bytes() if log_file.exists() else b""
    manifest = backup_archive.write(
        making, copied, revoked, lambda done, total: progress("packing", done, total), manifest_of
    )
    progress("verifying", 0, manifest.database.bytes)
    backup_archive.verify(making, manifest)


def _require_space(settings: Settings, folder: Path) -> None:
    """For the copy and, at worst, an archive of the same size."""
    database = settings.database_path
    wal = database.with_name(f"{database.name}-wal")
    needed = 2 * (database.stat().st_size + (wal.stat().st_size if wal.exists() else 0)) + SPARE_BYTES
    free = shutil.disk_usage(folder).free
    if free < needed:
        message = (
            f"The disk of {folder} has {free / 1e6:,.0f} MB free, and a backup may need {needed / 1e6:,.0f} MB. "
            "Free some space, or keep fewer backups (FLOWCHAT_BACKUP_KEEP_HOURLY and the like)."
        )
        raise FlowChatError("disk_nearly_full", message, status=507)


@contextmanager
def disk_full_explained(what: str, folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise _disk_full(what, folder) from None
    except backup.Error as error:
        if "full" not in str(error):
            raise
        raise _disk_full(what, folder) from None


def _disk_full(what: str, folder: Path) -> FlowChatError:
    message = f"The disk of {folder} became full while {what}. Free some space, and try again."
    return FlowChatError("disk_full", message, status=507)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One at a time, of all processes."""
    with (folder / LOCK).open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict("backup_running", "A backup is being made at this moment. Wait until it is there.") from None
        yield


def _remove_left_over(folder: Path) -> None:
    """What a killed process has left."""
    for path in folder.glob(f"{_MAKING}*"):
        path.unlink()


def sync_folder(folder: Path) -> None:
    """Get names that have changed onto the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def go_behind_others() -> None:
    """From now on this thread takes only what others leave of the processor. Where the system knows it."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
