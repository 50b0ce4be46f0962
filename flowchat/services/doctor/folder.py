"""Is the data folder on a good disk, and only its owner's?"""

import os
import shutil
import stat
import time
from collections.abc import Iterable
from pathlib import Path

from flowchat.services.disk import MEGABYTE
from flowchat.services.doctor.findings import Facts, Finding, megabytes, ok, problem, warning
from flowchat.services.scraping import BACKUPS
from flowchat.services.vault import SECRET_FILE

SECRET_BYTES = 32
GOOD_FREE_BYTES = 2_000_000_000
MISSED_BACKUPS = 3  # in a row: one may take long, or the machine was off
_OTHERS = 0o077
_NETWORK = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre", "ncpfs", "virtiofs"}
_PASSING = {"tmpfs", "ramfs", "overlay", "aufs"}
_PRIVATE = ("flowchat.db", "flowchat.db-wal", SECRET_FILE, "huey.db", "revoked.log")


def owner_and_modes(facts: Facts) -> Iterable[Finding]:
    path, me = facts.settings.data_dir, os.geteuid()
    if not path.exists():
        return [warning(f"There is no {path} yet.", "Start FlowChat once, or set FLOWCHAT_DATA_DIR.")]
    owner = path.stat().st_uid
    if owner != me and me != 0:
        told = f"{path} belongs to user {owner}, and this is user {me}."
        return [problem(told, "Run FlowChat and its commands as the folder's owner, or change its owner (chown -R).")]
    found = []
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        found.append(
            problem(f"{path} can't be written to.", "Mount it writable, and let its owner write (chmod u+rwx).")
        )
    present = [file for file in (path / name for name in _PRIVATE) if file.exists()]
    for file in present:
        if file.stat().st_uid != owner:
            found.append(problem(f"{file} belongs to another user than its folder.", f"Run: chown {owner} {file}"))
        elif file.stat().st_mode & _OTHERS:
            found.append(warning(f"Others may read {file}.", f"Run: chmod 600 {file}"))
    return found or [ok(f"{path}, only its owner's ({stat.filemode(path.stat().st_mode)})")]


def file_system(facts: Facts) -> Iterable[Finding]:
    path = _existing(facts.settings.data_dir)
    mount, kind = max(
        ((mount, kind) for mount, kind in facts.machine.mounts if path.is_relative_to(mount)),
        key=lambda found: len(found[0]),
        default=("/", "unknown"),
    )
    if kind in _NETWORK or kind.startswith("fuse."):
        told = f"{path} is on {kind} ({mount}): SQLite's write-ahead log needs a disk of this machine."
        yield problem(told, "Move the data folder to a local disk.")
    elif kind in _PASSING:
        told = f"{path} is on {kind} ({mount}), which goes with the container or at a restart."
        yield warning(told, "Mount a volume there.")
    else:
        yield ok(f"{kind} ({mount})")


def disk(facts: Facts) -> Iterable[Finding]:
    path, database = _existing(facts.settings.data_dir), facts.settings.database_path
    free = shutil.disk_usage(path).free
    size = database.stat().st_size if database.exists() else 0
    told = f"{megabytes(free)} free; a backup or an update needs up to {megabytes(2 * size)}"
    todo = "Free some space: unused models (`flowchat models list`), old backups; or make the disk larger."
    if free < facts.settings.min_free_mb * MEGABYTE + size:
        yield problem(f"{told}.", todo)
    elif free < GOOD_FREE_BYTES + 2 * size:
        yield warning(f"{told}.", todo)
    else:
        yield ok(told)


def lock(facts: Facts) -> Iterable[Finding]:
    if facts.holder is None:
        yield ok("nobody uses the data folder")
    else:
        pid, url = facts.holder
        yield ok(f"held by process {pid or 'unknown'}" + (f", which serves {url}" if url else ""))


def secret_key(facts: Facts) -> Iterable[Finding]:
    path = facts.settings.data_dir / SECRET_FILE
    if not path.exists():
        if facts.settings.database_path.exists():
            told = f"{path} is missing: stored secrets of webhooks and sources can't be read."
            yield problem(told, "Put your copy of it back before you start FlowChat, which would make another.")
        else:
            yield ok("made at the first start")
    elif path.stat().st_size != SECRET_BYTES:
        told = f"{path} has {path.stat().st_size} bytes instead of {SECRET_BYTES}: it is damaged."
        yield problem(told, "Put your copy of it back.")
    elif path.stat().st_mode & _OTHERS:
        yield problem(f"Others may read {path}.", f"Run: chmod 600 {path}")
    else:
        yield ok("there, and private. Keep a copy elsewhere: backups of the database are no good without it")


def backups(facts: Facts) -> Iterable[Finding]:
    if not facts.settings.database_path.exists():
        yield ok("nothing to back up yet")
        return
    every_hours = facts.settings.backup_every_hours
    made = [file.stat().st_mtime for file in facts.settings.data_dir.glob(BACKUPS)]
    if not made:
        yield warning("There is no backup.", "Run `flowchat backup`; FlowChat makes them by itself while it runs.")
    elif not every_hours:
        told = "No backups are made by themselves (FLOWCHAT_BACKUP_EVERY_HOURS is 0)."
        yield warning(told, "Set it, or run `flowchat backup` by a timer.")
    elif (age_s := time.time() - max(made)) > MISSED_BACKUPS * 3600 * every_hours:
        yield warning(f"The newest backup is {age_s / 3600:.0f} hours old.", "Run `flowchat backup`, and read the log.")
    else:
        yield ok(f"{len(made)}, the newest {age_s / 60:.0f} minutes old")


def _existing(path: Path) -> Path:
    """The folder, or the nearest one above it that there is."""
    path = path.resolve()
    while not path.exists():
        path = path.parent
    return path
