"""Backups, and what waits to be sent."""

from dataclasses import dataclass
from typing import Literal, Self

from flowchat.domain import OlderOutbox, Restore
from flowchat.services.backups import BackupState
from flowchat.services.outboxes import Outboxes, Waiting


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupProgressView:
    """How far it is. `step`: copying, packing or verifying."""

    step: str
    bytes_done: int
    bytes_total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupView:
    """A backup of the whole appliance.

    `ready` ones were verified when they were made: the copy by SQLite's own check, the file by reading it again.
    `kept`: it was made by somebody, and only somebody deletes it; others are deleted when they have had their time.
    `state_of` is the moment whose state it has, `database_bytes` its size once restored, `schema` the number of its
    last migration, `rows` how many some tables have.
    """

    id: str
    status: Literal["running", "failed", "damaged", "ready"]
    kept: bool
    created_at: str
    state_of: str | None
    bytes: int | None
    database_bytes: int | None
    sha256: str | None
    flowchat: str | None
    schema: int | None
    rows: dict[str, int]
    uploaded: bool
    upload_error: str | None
    progress: BackupProgressView | None
    error: str | None

    @classmethod
    def of(cls, state: BackupState) -> Self:
        stored, run = state.stored, state.run
        manifest = stored.manifest if stored else None
        made_at = stored.made_at.isoformat(timespec="seconds").replace("+00:00", "Z") if stored else ""
        is_running = run is not None and run.status == "running"
        return cls(
            id=state.name,
            status=state.status,
            kept=state.name.endswith("-kept"),
            created_at=made_at or (run.begun_at if run else ""),
            state_of=manifest.created_at if manifest else None,
            bytes=stored.bytes if stored else None,
            database_bytes=manifest.database.bytes if manifest else None,
            sha256=manifest.database.sha256 if manifest else None,
            flowchat=manifest.flowchat if manifest else None,
            schema=manifest.schema if manifest else None,
            rows=manifest.rows if manifest else {},
            uploaded=stored.is_uploaded if stored else False,
            upload_error=state.upload_error,
            progress=BackupProgressView(step=run.step, bytes_done=run.bytes_done, bytes_total=run.bytes_total)
            if run is not None and is_running
            else None,
            error=run.error if run else stored.error if stored else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreView:
    """A backup that the database was restored from."""

    backup: str
    backup_at: str
    restored_at: str
    released_at: str | None
    older: OlderOutbox | None

    @classmethod
    def of(cls, restore: Restore) -> Self:
        return cls(
            backup=restore.backup,
            backup_at=restore.backup_at,
            restored_at=restore.restored_at,
            released_at=restore.released_at,
            older=restore.older,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingView:
    """How many are not sent yet: written before the restore, and since. Without a hold, all count as newer."""

    older: int
    newer: int

    @classmethod
    def of(cls, waiting: Waiting) -> Self:
        return cls(older=waiting.older, newer=waiting.newer)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxesView:
    """What waits to be sent. `held`: nothing goes out, because of `restore`. `parked_usage`: hours of usage that Stripe
    has to be asked about.
    """

    held: bool
    restore: RestoreView | None
    webhooks: WaitingView
    emails: WaitingView
    parked_usage: int

    @classmethod
    def of(cls, found: Outboxes) -> Self:
        return cls(
            held=found.restore is not None,
            restore=RestoreView.of(found.restore) if found.restore else None,
            webhooks=WaitingView.of(found.webhooks),
            emails=WaitingView.of(found.emails),
            parked_usage=found.parked,
        )
