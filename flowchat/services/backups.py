"""The backups of the appliance."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from flowchat.domain import Actor, now
from flowchat.errors import Conflict, NotFound
from flowchat.services import backup_files, backup_uploads
from flowchat.services.access import require
from flowchat.services.backup_files import StoredBackup
from flowchat.services.backup_runs import Run
from flowchat.services.context import Appliance
from flowchat.services.lists import Listed
from flowchat.services.operations import operation
from flowchat.store import audit_log

LATE_AFTER = 3  # times the hours between two


@dataclass(frozen=True, slots=True)
class BackupState:
    """One on the disk, on its way, or the last one where it has failed."""

    name: str
    stored: StoredBackup | None = None
    run: Run | None = None
    upload_error: str | None = None

    @property
    def status(self) -> Literal["running", "failed", "damaged", "ready"]:
        if self.run is not None:
            return self.run.status
        return "ready" if self.stored is not None and self.stored.manifest is not None else "damaged"


@operation("backups.list", "operator")
async def list_all(app: Appliance, actor: Actor) -> Listed[BackupState]:
    """List the backups on this machine's disk, newest first, all on one page.

    One that is being made is among them, and the last one if it has failed. What is only at S3 is listed by `flowchat
    backup --list`.
    """
    found = [_state(app, stored) for stored in await asyncio.to_thread(backup_files.stored, app.settings)]
    if (run := app.backups.run) is not None and all(state.name != run.name for state in found):
        found.insert(0, BackupState(run.name, run=run))
    return Listed(found, False)


def _state(app: Appliance, stored: StoredBackup) -> BackupState:
    return BackupState(stored.name, stored, upload_error=None if stored.is_uploaded else app.backups.upload_error)


@operation("backups.create", "operator")
async def create(app: Appliance, actor: Actor) -> BackupState:
    """Back the database up now, in the background, while everybody goes on.

    It stays until somebody deletes it, and is uploaded to S3 where a bucket is set. The file `secret.key` is not in it.

    Raises Conflict `backup_running`.
    """
    run = app.backups.start(is_kept=True)
    await app.db.write(lambda conn: audit_log.insert(conn, actor, "backups.create", run.name))
    return BackupState(run.name, run=run)


@operation("backups.get", "operator")
async def get(app: Appliance, actor: Actor, name: str) -> BackupState:
    """Read about one backup. Raises NotFound."""
    run = app.backups.run
    stored = await asyncio.to_thread(backup_files.find, app.settings, name)
    if stored is not None:
        return _state(app, stored)
    if run is not None and run.name == name:
        return BackupState(name, run=run)
    raise NotFound("backup", name)


@operation("backups.delete", "operator")
async def delete(app: Appliance, actor: Actor, name: str) -> None:
    """Delete a backup, at S3 too if it was uploaded. It can't be undone.

    Raises NotFound, Conflict `backup_running`, and FlowChatError `s3_failed`.
    """
    state = await get(app, actor, name)
    if state.status == "running":
        raise Conflict("backup_running", "This backup is being made. Wait until it is there.")
    if state.stored is not None and state.stored.is_uploaded:
        await asyncio.to_thread(backup_uploads.delete, app.settings, name)
    await app.db.write(lambda conn: audit_log.insert(conn, actor, "backups.delete", name))
    await asyncio.to_thread(backup_files.delete, app.settings, name)
    if app.backups.run is not None and app.backups.run.name == name:
        app.backups.run = None


@operation("backups.download", "operator")
async def download(app: Appliance, actor: Actor, name: str) -> Path:
    """Download a backup: a zip file with the database, the revocation log and a manifest. Raises NotFound."""
    if (await get(app, actor, name)).stored is None:
        raise NotFound("backup", name)
    await app.db.write(lambda conn: audit_log.insert(conn, actor, "backups.download", name))
    return backup_files.path_of(app.settings, name)


async def warnings(app: Appliance, actor: Actor) -> list[str]:
    """What an operator should know about backups; empty if all is well. Raises Forbidden."""
    require(actor, "operator")
    found = []
    if (run := app.backups.run) is not None and run.status == "failed":
        found.append(f"The last backup failed: {run.error}")
    if app.backups.upload_error is not None:
        found.append(f"Backups are not uploaded: {app.backups.upload_error}")
    newest = next(iter(backup_files.names(app.settings)), None)
    made_at = backup_files.time_of(newest) if newest else None
    every_s = app.settings.backup_every_hours * 3600
    if every_s and made_at and not found:
        late_s = (datetime.fromisoformat(now()) - made_at).total_seconds()
        if late_s > LATE_AFTER * every_s and run is None:
            found.append(f"The newest backup is {late_s / 3600:,.0f} hours old.")
    return found
