"""Huey wakes workers up; the jobs table is the truth. What carries the wake-ups may be lost: a file, or a Redis.

The command line and worker processes write wake-ups to the same place, so that whoever is free takes their jobs.
"""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from huey import SqliteHuey
from huey.api import Huey
from huey.consumer import Consumer

from flowchat.services import vault, worker
from flowchat.services.context import Workplace

QUEUE_FILE = "huey.db"
MAX_POLL_S = 1.0
BUSY_TIMEOUT_S = 0.5  # whoever writes a wake-up waits at most this long

log = logging.getLogger(__name__)


class Queue:
    """The wake-ups of one data folder, in a file of it, or in the Redis at `url`.

    Anybody may `wake`; only the appliance and its worker processes start workers.
    """

    def __init__(self, data_dir: Path, url: str = "") -> None:
        self._huey = _huey(data_dir, url)
        self._place: Workplace | None = None
        self._consumer: _Consumer | None = None
        self._task = self._huey.task(name="run_job")(self._run_job)
        self._waking = ThreadPoolExecutor(1, thread_name_prefix="wake")  # no event loop waits for a disk or a Redis

    def _run_job(self, job_id: str) -> None:
        # A loop of its own, in the worker's thread: a crawl must not slow down the loop that chats use.
        if self._place is not None:
            asyncio.run(worker.run(self._place, job_id))

    def wake(self, job_id: str) -> None:
        """Tell a worker of a job that is stored. Never fails: jobs whose wake-up was lost are looked for."""
        with suppress(RuntimeError):  # the queue is closed already
            self._waking.submit(self._wake, job_id)

    def _wake(self, job_id: str) -> None:
        try:
            self._task(job_id)
        except Exception:
            log.exception("the wake-up of job %s was lost", job_id)

    @property
    def is_empty(self) -> bool:
        """Blocks for a moment."""
        return not self._huey.pending_count()

    def start(self, place: Workplace, workers: int) -> None:
        """Start so many threads, each of which does one job at a time; 0: this process does none."""
        self._place = place
        if workers:
            self._consumer = _Consumer(self._huey, workers=workers, periodic=False, max_delay=MAX_POLL_S)
            self._consumer.start()

    def stop(self) -> None:
        """Wait for the workers. Blocks: set `stopping` first, or it takes as long as their jobs."""
        if self._consumer is not None:
            self._consumer.stop(graceful=True)

    def close(self) -> None:
        """Blocks until the wake-ups are written."""
        self._waking.submit(self._huey.storage.close)  # each thread has a connection of its own
        self._waking.shutdown()
        self._huey.storage.close()


def _huey(data_dir: Path, url: str) -> Huey:
    if not url:
        file = str(data_dir / QUEUE_FILE)
        return SqliteHuey("flowchat", filename=file, results=False, fsync=False, timeout=BUSY_TIMEOUT_S)
    from flowchat.tasks.redis_queue import redis_huey  # needs the extra `redis`

    return redis_huey(url, vault.derive(data_dir, "queue").hex())


class _Consumer(Consumer):  # type: ignore[misc]
    def _set_signal_handlers(self) -> None:
        """Signals are the server's."""
