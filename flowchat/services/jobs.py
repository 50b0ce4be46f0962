"""Jobs: reading and cancelling them, and the worker that runs one."""

import asyncio
import logging
import os
import secrets
import threading
import time
from dataclasses import dataclass
from typing import Literal

from flowchat.domain import Actor, Job, JobProgress, JobStatus, Source, Version
from flowchat.errors import Conflict, FlowChatError, NotFound
from flowchat.ingest import pipeline
from flowchat.ingest.documents import builtin_hash
from flowchat.net.fetch import Fetcher
from flowchat.services.access import require
from flowchat.services.context import Appliance, Context
from flowchat.services.lists import DEFAULT_LIMIT, read_page
from flowchat.store import audit_log, jobs, sources, versions
from flowchat.store.database import Connection

RENEW_S = 5.0
LOOK_S = 0.25

log = logging.getLogger(__name__)


async def get(app: Context, actor: Actor, job_id: str) -> Job:
    """Raises NotFound."""
    require(actor, "read")
    job = await jobs.get(app.db, job_id, actor.tenant_id)
    if job is None:
        raise NotFound("job", job_id)
    return job


async def list_page(
    app: Context, actor: Actor, limit: int = DEFAULT_LIMIT, starting_after: str = "", ending_before: str = ""
) -> tuple[list[Job], bool]:
    """Newest first, and whether there are more. Raises FlowChatError for a bad limit or cursor."""
    require(actor, "read")

    async def fetch(count: int) -> list[Job]:
        return await jobs.page(
            app.db, actor.tenant_id, limit=count, starting_after=starting_after, ending_before=ending_before
        )

    return await read_page(fetch, limit, starting_after, ending_before)


async def active(app: Context, actor: Actor, source: Source) -> Job | None:
    """The job that waits or works for a source."""
    require(actor, "read")
    return await jobs.active_of(app.db, source.id)


async def cancel(app: Context, actor: Actor, job_id: str) -> Job:
    """Ask a job to stop; a waiting one ends at once. Raises NotFound, and Conflict `job_finished`."""
    require(actor, "write")
    job = await get(app, actor, job_id)
    if job.status not in ("queued", "running"):
        raise Conflict("job_finished", f"The job {job.id} is over: {job.status}.")

    def transaction(conn: Connection) -> None:
        jobs.request_cancel(conn, job.id)
        if jobs.cancel_queued(conn, job.id):
            _give_up_version(conn, job)
        audit_log.insert(conn, actor, "jobs.cancel", job.id)

    await app.db.write(transaction)
    return await get(app, actor, job_id)


def _give_up_version(conn: Connection, job: Job) -> None:
    if job.source_id is not None:
        versions.fail_building(conn, job.source_id)
        sources.end_crawl(conn, job.source_id)


async def wake_waiting(app: Context) -> None:
    """Tell the workers of every job that waits: its wake-up may have been lost."""
    for job_id in await jobs.waiting(app.db):
        app.wake(job_id)


@dataclass(slots=True)
class _Lease:
    """This worker's hold of a job. `lost_by` says why it must let go."""

    job: Job
    owner: str
    stopping: threading.Event
    lost_by: Literal["", "cancel", "stop", "other worker"] = ""

    def check(self) -> None:
        if self.stopping.is_set():
            self.lost_by = self.lost_by or "stop"
        if self.lost_by:
            raise pipeline.Canceled(self.lost_by)


async def run(app: Appliance, job_id: str) -> None:
    """Work on a job until it ends, unless somebody else does. May be called any number of times for one job.

    When the appliance stops, or this task is cancelled, the job is queued again and goes on where it was.
    """
    lease = await _claim(app, job_id)
    if lease is None:
        return
    work = asyncio.create_task(_work(app, lease))
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
        await _let_go(app, lease)
    except FlowChatError as error:
        await _end(app, lease, "failed", error.message)
    except Exception:
        log.exception("job %s failed", job_id)
        await _end(app, lease, "failed", "An unexpected error stopped this job; the appliance's log has the details.")
    finally:
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)
    if lease.lost_by != "stop":
        await dispose(app)


async def dispose(app: Appliance) -> None:
    """Delete what versions that nothing needs have left; stops early when the appliance does."""
    await pipeline.dispose(app.db, app.stopping.is_set)


async def _claim(app: Appliance, job_id: str) -> _Lease | None:
    """The job, if it was free to take."""
    owner = f"{os.getpid()}-{secrets.token_hex(4)}"
    job = await jobs.get(app.db, job_id)
    if job is None or app.stopping.is_set():
        return None

    def transaction(conn: Connection) -> bool:
        taken = jobs.claim(conn, job_id, owner)
        if taken and job.source_id is not None:
            sources.set_status(conn, job.source_id, "crawling")
        return taken

    if not await app.db.write(transaction):
        return None
    claimed = await jobs.get(app.db, job_id)
    return _Lease(claimed or job, owner, app.stopping)


async def _work(app: Appliance, lease: _Lease) -> None:
    if lease.job.attempts > jobs.MAX_ATTEMPTS:
        raise FlowChatError("too_many_attempts", f"Given up after {jobs.MAX_ATTEMPTS} interruptions.")
    source = await sources.get(app.db, lease.job.tenant_id, lease.job.source_id or "")
    if source is None:
        raise FlowChatError("source_gone", "The source of this job is gone.")
    version = await _version(app, lease, source)
    fetcher = Fetcher(app.settings)
    try:
        await pipeline.run(
            pipeline.Build(
                settings=app.settings,
                db=app.db,
                embedder=app.engines.embedder,
                gate=app.gate,
                fetcher=fetcher,
                job=lease.job,
                owner=lease.owner,
                source=source,
                version=version,
                check=lease.check,
            )
        )
    finally:
        await fetcher.aclose()


async def _version(app: Appliance, lease: _Lease, source: Source) -> Version:
    """The job's version, or a new one in its place if the embedder or the built-in documents have changed since."""
    embedder = app.engines.embedder.name
    content_hash = builtin_hash() if lease.job.type == "index_docs" else None
    begun = await versions.get(app.db, lease.job.version_id or "")
    if (
        begun is not None
        and (begun.status, begun.embedder) == ("building", embedder)
        and await versions.content_hash(app.db, begun.id) == content_hash
    ):
        return begun

    def transaction(conn: Connection) -> str:
        versions.fail_building(conn, source.id)
        version_id = versions.insert(conn, source.id, embedder, content_hash)
        jobs.set_version(conn, lease.job.id, version_id)
        jobs.set_progress(conn, lease.job.id, JobProgress())
        return version_id

    version = await versions.get(app.db, await app.db.write(transaction))
    if version is None:
        raise FlowChatError("version_gone", "The version of this job is gone.")
    return version


async def _watch(app: Appliance, lease: _Lease, work: asyncio.Task[None]) -> None:
    """Renew the lease, and stop the work when that must end."""
    renew_at = 0.0
    while not lease.lost_by:
        if lease.stopping.is_set():
            lease.lost_by = "stop"
        elif time.monotonic() >= renew_at:
            renew_at = time.monotonic() + RENEW_S
            try:
                await _renew(app, lease)
            except Exception:
                log.exception("renewing the lease of job %s failed; it is tried again", lease.job.id)
        if not lease.lost_by:
            await asyncio.sleep(LOOK_S)
    work.cancel()


async def _renew(app: Appliance, lease: _Lease) -> None:
    held = await app.db.write(lambda conn: jobs.renew(conn, lease.job.id, lease.owner))
    job = await jobs.get(app.db, lease.job.id)
    if not held:
        lease.lost_by = "other worker"
    elif job is not None and job.cancel_requested:
        lease.lost_by = "cancel"


async def _let_go(app: Appliance, lease: _Lease) -> None:
    if lease.lost_by == "cancel":
        await _end(app, lease, "canceled", None)
    elif lease.lost_by == "stop":
        await app.db.write(lambda conn: jobs.release(conn, lease.job.id, lease.owner))


async def _end(app: Appliance, lease: _Lease, status: JobStatus, error: str | None) -> None:
    def transaction(conn: Connection) -> bool:
        # The last transaction of the work may have ended the job just before it was interrupted.
        if not jobs.renew(conn, lease.job.id, lease.owner):
            return False
        jobs.finish(conn, lease.job.id, status, error)
        _give_up_version(conn, lease.job)
        return True

    if await app.db.write(transaction):
        log.info("job %s: %s%s", lease.job.id, status, f": {error}" if error else "")
