"""Huey wakes workers up; the jobs table is the truth. Its database is a file of its own, and may be lost.

The command line writes wake-ups to the same file, so that a running appliance takes its jobs.
"""

import asyncio
import logging
from pathlib import Path

from huey import SqliteHuey
from huey.consumer import Consumer

from flowchat.services import worker
from flowchat.services.context import Appliance

QUEUE_FILE = "huey.db"
MAX_POLL_S = 1.0
BUSY_TIMEOUT_S = 0.5  # whoever wakes a worker waits at most this long

log = logging.getLogger(__name__)


class Queue:
    """The wake-ups of one data folder. Anybody may `wake`; only the appliance starts workers."""

    def __init__(self, data_dir: Path) -> None:
        file = str(data_dir / QUEUE_FILE)
        self._huey = SqliteHuey("flowchat", filename=file, results=False, fsync=False, timeout=BUSY_TIMEOUT_S)
        self._app: Appliance | None = None
        self._consumer: _Consumer | None = None
        self._task = self._huey.task(name="run_job")(self._run_job)

    def _run_job(self, job_id: str) -> None:
        # A loop of its own, in the worker's thread: a crawl must not slow down the loop that chats use.
        if self._app is not None:
            asyncio.run(worker.run(self._app, job_id))

    def wake(self, job_id: str) -> None:
        """Tell a worker of a job that is stored. Never fails: the appliance finds jobs whose wake-up was lost."""
        try:
            self._task(job_id)
        except Exception:
            log.exception("the wake-up of job %s was lost", job_id)

    @property
    def is_empty(self) -> bool:
        return not self._huey.pending_count()

    def start(self, app: Appliance) -> None:
        """Start `crawl_workers` threads."""
        self._app = app
        self._consumer = _Consumer(self._huey, workers=app.settings.crawl_workers, periodic=False, max_delay=MAX_POLL_S)
        self._consumer.start()

    def stop(self) -> None:
        """Wait for the workers. Blocks: set `app.stopping` first, or it takes as long as their jobs."""
        if self._consumer is not None:
            self._consumer.stop(graceful=True)

    def close(self) -> None:
        self._huey.storage.close()


class _Consumer(Consumer):  # type: ignore[misc]
    def _set_signal_handlers(self) -> None:
        """Signals are the server's."""
