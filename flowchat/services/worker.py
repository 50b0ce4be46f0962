"""The worker that does a job, and lets go of it when it must."""

import asyncio
import logging
import os
import secrets
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal

from flowchat import logs
from flowchat.domain import Job, JobProgress, JobStatus, Source, Version, now
from flowchat.errors import DiskFull, FlowChatError
from flowchat.ingest import disposal, ending, pipeline
from flowchat.ingest.site import SiteFault
from flowchat.logs import Work
from flowchat.net.fetch import Fetcher
from flowchat.net.render import Renderer
from flowchat.services import disk, source_auth
from flowchat.services.context import Context, Workplace
from flowchat.services.queueing import origin_of
from flowchat.settings import Settings
from flowchat.store import jobs, sources, versions
from flowchat.store.database import Connection

RENEW_S = 5.0
LOOK_AT_JOB_S = 1.0
LOOK_S = 0.25

log = logging.getLogger(__name__)


async def waiting(app: Context) -> list[str]:
    """The jobs that a worker should take, oldest first: also those whose wake-up, or whose worker, was lost."""
    return await jobs.waiting(app.db)


@dataclass(slots=True)
class _Lease:
    """This worker's hold of a job. `lost_by` says why it must let go; "taken": paused, or another worker's."""

    job: Job
    owner: str
    stopping: threading.Event
    lost_by: Literal["", "cancel", "stop", "taken", "disk"] = ""
    build: pipeline.Build | None = None

    @property
    def is_fetched(self) -> bool:
        """Whether there were pages to index, now or before an interruption."""
        return self.build.is_fetched if self.build else self.job.progress.indexed > 0

    def check(self) -> None:
        if self.stopping.is_set():
            self.lost_by = self.lost_by or "stop"
        if self.lost_by:
            raise pipeline.Canceled(self.lost_by)


@dataclass(frozen=True, slots=True)
class _Net:
    """How a job reaches sites."""

    fetcher: Fetcher
    renderer: Renderer | None


async def run(app: Workplace, job_id: str) -> None:
    """Work on a job until it ends, unless somebody else does. May be called any number of times for one job.

    When the appliance stops, or this task is cancelled, the job is queued again and goes on where it was.
    """
    try:
        lease = await _claim(app, job_id)
        if lease is None:
            return
        with logs.doing(Work(job_id=job_id, tenant_id=lease.job.tenant_id)):
            async with _net(app.settings) as net:
                await _do(app, lease, net)
        await _count_ended(app, job_id)
        if lease.lost_by != "stop":
            await dispose(app)
    except DiskFull as full:
        log.error("job %s waits: %s", job_id, full.message)


async def _count_ended(app: Workplace, job_id: str) -> None:
    job = await jobs.get(app.db, job_id)
    if job is not None and job.finished_at is not None:
        app.metrics.jobs_ended.labels(job.type, job.status).inc()


@asynccontextmanager
async def _net(settings: Settings) -> AsyncIterator[_Net]:
    """Closed however the work ends, and not by whoever does it: that may be cancelled at any moment."""
    net = _Net(Fetcher(settings), Renderer(settings) if settings.renderer else None)
    try:
        yield net
    finally:
        await net.fetcher.aclose()
        if net.renderer is not None:
            await net.renderer.aclose()


async def _do(app: Workplace, lease: _Lease, net: _Net) -> None:
    work = asyncio.create_task(_work(app, lease, net))
    watch = asyncio.create_task(_watch(app, lease, work))
    try:
        await work
    except asyncio.CancelledError:
        from_outside = not lease.lost_by
        lease.lost_by = lease.lost_by or "stop"  # the embedding thread looks at this
        await _let_go(app, lease)
        if from_outside:
            raise
    except pipeline.Canceled:
        if not lease.lost_by:  # the work has seen it before the watch
            await _look_at_job(app, lease)
        await _let_go(app, lease)
    except SiteFault as error:
        await _end(app, lease, "failed", error.message, is_fetched=False)
    except DiskFull as full:
        log.error("job %s goes on when there is room again: %s", lease.job.id, full.message)
        await app.db.write(lambda conn: jobs.release(conn, lease.job.id, lease.owner, is_interrupted=False))
    except FlowChatError as error:
        await _end(app, lease, "failed", error.message, is_fetched=lease.is_fetched)
    except Exception:
        log.exception("job %s failed", lease.job.id)
        message = "An unexpected error stopped this job; the appliance's log has the details."
        await _end(app, lease, "failed", message, is_fetched=lease.is_fetched)
    finally:
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)


async def dispose(app: Workplace) -> None:
    """Delete what old versions and revoked sources have left; stops early when the appliance does."""
    await disposal.dispose(app.db, app.stopping.is_set)


async def _claim(app: Workplace, job_id: str) -> _Lease | None:
    """The job, if it was free to take."""
    owner = f"{os.getpid()}-{secrets.token_hex(4)}"
    job = await jobs.get(app.db, job_id)
    if job is None or app.stopping.is_set() or disk.is_low(app.settings):
        return None  # where there is no room, it waits: the queue is looked at again

    def transaction(conn: Connection) -> bool:
        taken = jobs.claim(conn, job_id, owner)
        if taken and job.source_id is not None:
            sources.set_status(conn, job.source_id, "crawling")
        return taken

    if not await app.db.write(transaction):
        return None
    claimed = await jobs.get(app.db, job_id)
    return _Lease(claimed or job, owner, app.stopping)


async def _work(app: Workplace, lease: _Lease, net: _Net) -> None:
    if lease.job.attempts > jobs.MAX_ATTEMPTS:
        raise FlowChatError("too_many_attempts", f"Given up after {jobs.MAX_ATTEMPTS} interruptions.")
    is_done = False
    while not is_done:
        lease.build = await _build(app, lease, net)
        is_done = await pipeline.run(lease.build)


async def _build(app: Workplace, lease: _Lease, net: _Net) -> pipeline.Build:
    job = await jobs.get(app.db, lease.job.id) or lease.job
    source = await sources.get(app.db, job.tenant_id, job.source_id or "")
    if source is None:
        raise FlowChatError("source_gone", "The source of this job is gone.")
    return pipeline.Build(
        settings=app.settings,
        db=app.db,
        embedder=app.embedder,
        gate=app.gate,
        fetcher=net.fetcher,
        renderer=net.renderer,
        job=job,
        owner=lease.owner,
        source=source,
        version=await _version(app, lease, job, source),
        check=lease.check,
        metrics=app.metrics,
        headers=source_auth.headers(app.settings.data_dir, source),
        live=await versions.get(app.db, source.live_version or ""),
    )


async def _version(app: Workplace, lease: _Lease, job: Job, source: Source) -> Version:
    """The job's version, or a new one in its place if what it is made of or with has changed."""
    embedder = app.embedder.name

    def transaction(conn: Connection) -> str:
        if not jobs.renew(conn, job.id, lease.owner):
            raise pipeline.Canceled("another worker has this job")
        content_hash, extractor = origin_of(conn, source, job.type)
        begun = versions.find(conn, source.id, job.version_id or "")
        wanted = ("building", embedder, content_hash, extractor)
        if begun is not None and (begun.status, begun.embedder, begun.content_hash, begun.extractor) == wanted:
            return begun.id
        versions.fail_building(conn, source.id)
        version_id = versions.insert(conn, source.id, embedder, content_hash, extractor)
        jobs.set_version(conn, job.id, version_id)
        jobs.set_progress(conn, job.id, JobProgress())
        return version_id

    version = await versions.get(app.db, await app.db.write(transaction))
    if version is None:
        raise FlowChatError("version_gone", "The version of this job is gone.")
    return version


async def _watch(app: Workplace, lease: _Lease, work: asyncio.Task[None]) -> None:
    """Renew the lease, and stop the work when that must end."""
    look_at = 0.0
    while not lease.lost_by:
        if lease.stopping.is_set():
            lease.lost_by = "stop"
        elif time.monotonic() >= look_at:
            look_at = time.monotonic() + LOOK_AT_JOB_S
            try:
                if disk.is_nearly_full(app.settings):
                    lease.lost_by = "disk"
                    break
                await _look_at_job(app, lease)
            except Exception:
                log.exception("renewing the lease of job %s failed; it is tried again", lease.job.id)
        if not lease.lost_by:
            await asyncio.sleep(LOOK_S)
    work.cancel()


async def _look_at_job(app: Workplace, lease: _Lease) -> None:
    is_held, is_canceled, until = await jobs.hold(app.db, lease.job.id, lease.owner)
    if is_held and not now(jobs.LEASE_S - RENEW_S) <= until <= now(jobs.LEASE_S):  # longer: the clock went back
        is_held = await app.db.write(lambda conn: jobs.renew(conn, lease.job.id, lease.owner))
    if not is_held:
        lease.lost_by = "taken"
    elif is_canceled:
        lease.lost_by = "cancel"


async def _let_go(app: Workplace, lease: _Lease) -> None:
    if lease.lost_by == "cancel":
        await _end(app, lease, "canceled", None, is_fetched=lease.is_fetched)
    elif lease.lost_by == "disk":
        await _end(app, lease, "failed", disk.low(app.settings).message, is_fetched=lease.is_fetched)
    elif lease.lost_by == "stop":
        await app.db.write(lambda conn: jobs.release(conn, lease.job.id, lease.owner))


async def _end(app: Workplace, lease: _Lease, status: JobStatus, error: str | None, *, is_fetched: bool) -> None:
    def transaction(conn: Connection) -> bool:
        # The last transaction of the work may have ended the job just before it was interrupted.
        if not jobs.renew(conn, lease.job.id, lease.owner):
            return False
        job = jobs.find(conn, lease.job.id) or lease.job
        ending.give_up(conn, job, status, error, is_fetched=is_fetched)
        return True

    if await app.db.write(transaction):
        log.info("job %s: %s%s", lease.job.id, status, f": {error}" if error else "")
