"""Backups that this process makes: by itself, every so many hours, and when somebody asks; then their way to S3."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from flowchat.domain import now
from flowchat.errors import Conflict, FlowChatError
from flowchat.services import backup_files, backup_making, backup_uploads
from flowchat.settings import Settings

FIRST_AFTER_S = 120.0  # from the start: that has enough to do
UPLOAD_PAUSES_S = (60, 300, 900, 3600)  # after so many failures
RETRY_S = 900.0  # after a backup that failed
_UNEXPECTED = "An unexpected error stopped this; the appliance's log has the details."

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Run:
    """A backup on its way, or the last one if it has failed."""

    name: str
    status: Literal["running", "failed"]
    begun_at: str
    step: str = ""
    bytes_done: int = 0
    bytes_total: int = 0
    error: str | None = None


class Stopped(Exception):
    """FlowChat stops: the backup is not made."""


class BackupRuns:
    """One at a time, in a thread of its own that takes what others leave of the processor."""

    def __init__(self, settings: Settings, stopping: threading.Event) -> None:
        self._settings = settings
        self._stopping = stopping
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._begun = time.monotonic()
        self._tried: float | None = None
        self._upload_failures = 0
        self._upload_tried = 0.0
        self.run: Run | None = None
        self.upload_error: str | None = None

    def start(self, *, is_kept: bool) -> Run:
        """Begin a backup. Raises Conflict `backup_running`."""
        with self._starting:
            if self._is_busy():
                raise Conflict("backup_running", "A backup is being made or uploaded already. Wait until it is there.")
            name = backup_files.new_name(self._settings, is_kept=is_kept)
            self.run = begun = Run(name, "running", now())
            self._go(self._make, name)
            return begun

    def look(self) -> None:
        """Begin what is due: a backup, or another try to upload those that are not at S3. Call it once a minute."""
        with self._starting:
            if self._is_busy():
                return
            if self._is_due():
                name = backup_files.new_name(self._settings, is_kept=False)
                self.run = Run(name, "running", now())
                self._go(self._make, name)
            elif self._upload_is_due():
                self._go(self._upload)

    def wait(self, timeout_s: float | None = None) -> None:
        """Until nothing is under way, or so long."""
        if (thread := self._thread) is not None:
            thread.join(timeout_s)

    def _is_busy(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _go(self, work: Callable[..., None], *arguments: str) -> None:
        # A daemon: the appliance stops without waiting for an upload.
        self._thread = threading.Thread(target=work, args=arguments, name="backup", daemon=True)
        self._thread.start()

    def _is_due(self) -> bool:
        """By the newest backup of the schedule; and never sooner than this process has tried, whatever clocks say."""
        every_s = self._settings.backup_every_hours * 3600
        moment = time.monotonic()
        if not every_s or moment - self._begun < min(FIRST_AFTER_S, every_s):
            return False
        if self._tried is not None:
            has_failed = self.run is not None and self.run.status == "failed"
            return moment - self._tried >= (min(RETRY_S, every_s) if has_failed else every_s)
        found = [name for name in backup_files.names(self._settings) if not name.endswith(backup_files.KEPT)]
        newest = backup_files.time_of(found[0]) if found else None
        age_s = (datetime.fromisoformat(now()) - newest).total_seconds() if newest else every_s
        return age_s >= every_s or age_s < 0

    def _upload_is_due(self) -> bool:
        if not self._settings.backup_s3_bucket or not backup_uploads.missing(self._settings):
            return False
        pause_s = UPLOAD_PAUSES_S[min(self._upload_failures, len(UPLOAD_PAUSES_S)) - 1] if self._upload_failures else 0
        return time.monotonic() - self._upload_tried >= pause_s

    def _make(self, name: str) -> None:
        backup_making.go_behind_others()
        self._tried = time.monotonic()
        try:
            path = backup_files.path_of(self._settings, name)
            backup_making.make(self._settings, self._note, target=path)
            for old in backup_files.expired(backup_files.names(self._settings), self._settings):
                backup_files.delete(self._settings, old)
            self.run = None
        except Stopped:
            self.run = None
            return
        except FlowChatError as error:
            log.warning("the backup %s was not made: %s", name, error.message)
            self._fail(error.message)
            return
        except Exception:
            log.exception("the backup %s was not made", name)
            self._fail(_UNEXPECTED)
            return
        if self._settings.backup_s3_bucket:
            self._upload()

    def _upload(self) -> None:
        backup_making.go_behind_others()
        self._upload_tried = time.monotonic()
        try:
            backup_uploads.upload_missing(self._settings)
            self._upload_failures, self.upload_error = 0, None
        except FlowChatError as error:
            log.warning("backups are not uploaded: %s", error.message)
            self._upload_failures, self.upload_error = self._upload_failures + 1, error.message
        except Exception:
            log.exception("backups are not uploaded")
            self._upload_failures, self.upload_error = self._upload_failures + 1, _UNEXPECTED

    def _note(self, step: str, done: int, total: int) -> None:
        if self._stopping.is_set():
            raise Stopped
        if self.run is not None:
            self.run = replace(self.run, step=step, bytes_done=done, bytes_total=total)

    def _fail(self, error: str) -> None:
        if self.run is not None:
            self.run = replace(self.run, status="failed", error=error)
