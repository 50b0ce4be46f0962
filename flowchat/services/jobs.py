"""Jobs: what works in the background. Reading, pausing and cancelling them; `worker` does them."""

from typing import Annotated

from msgspec import Meta

from flowchat.domain import Actor, Job, JobStatus, Source
from flowchat.errors import Conflict, NotFound
from flowchat.ingest import ending
from flowchat.services.access import require
from flowchat.services.context import Context
from flowchat.services.lists import Listed, ListRequest, read_page
from flowchat.services.operations import operation
from flowchat.store import audit_log, jobs, sources
from flowchat.store.database import Connection


class JobsRequest(ListRequest, frozen=True, kw_only=True):
    """Which jobs are wanted."""

    source: Annotated[str, Meta(max_length=64, description="Jobs of this source alone: its id or slug.")] = ""
    status: Annotated[JobStatus | None, Meta(description="Jobs in this state alone.")] = None


_ALL = JobsRequest()


@operation("jobs.get", "read")
async def get(app: Context, actor: Actor, job_id: str) -> Job:
    """Show a job and how far it is. Raises NotFound."""
    job = await jobs.get(app.db, job_id, actor.tenant_id)
    if job is None:
        raise NotFound("job", job_id)
    return job


@operation("jobs.list", "read")
async def list_page(app: Context, actor: Actor, request: JobsRequest = _ALL) -> Listed[Job]:
    """List the jobs, newest first. Raises NotFound for a source that there is not."""
    source_id = None
    if request.source:
        source = await sources.get(app.db, actor.tenant_id, request.source, is_counted=False)
        if source is None:
            raise NotFound("source", request.source, param="source")
        source_id = source.id
    return await read_page(
        request,
        lambda cursor: jobs.page(app.db, actor.tenant_id, cursor, source_id=source_id, status=request.status),
    )


async def active(app: Context, actor: Actor, source: Source) -> Job | None:
    """The job that waits or works for a source."""
    require(actor, "read")
    return await jobs.active_of(app.db, source.id)


@operation("jobs.cancel", "write", while_read_only=True)
async def cancel(app: Context, actor: Actor, job_id: str) -> Job:
    """Ask a job to stop: a waiting one ends at once, a running one within seconds.

    Raises NotFound, and Conflict `job_finished`.
    """

    def transaction(conn: Connection) -> None:
        job = _find_unfinished(conn, actor, job_id)
        if job.status == "queued":
            ending.give_up(conn, job, "canceled", None)
        else:
            jobs.request_cancel(conn, job.id)
        audit_log.insert(conn, actor, "jobs.cancel", job.id)

    await app.db.write(transaction)
    return await get(app, actor, job_id)


@operation("jobs.pause", "write", while_read_only=True)
async def pause(app: Context, actor: Actor, job_id: str) -> Job:
    """Pause a job: it goes on where it was when it is resumed, also after a restart.

    A running one stops within about a second. What it has stored stays, and no other job of its source begins before
    it has ended. Doing it again changes nothing, nor does pausing what is being canceled. Raises NotFound, and
    Conflict `job_finished`.
    """

    def transaction(conn: Connection) -> None:
        job = _find_unfinished(conn, actor, job_id)
        if job.paused_at is not None or job.cancel_requested:
            return
        jobs.pause(conn, job.id)
        if job.source_id is not None:
            sources.set_paused(conn, job.source_id)
        audit_log.insert(conn, actor, "jobs.pause", job.id)

    await app.db.write(transaction)
    return await get(app, actor, job_id)


@operation("jobs.resume", "write")
async def resume(app: Context, actor: Actor, job_id: str) -> Job:
    """Let a paused job go on. One that is not paused stays as it is.

    Raises NotFound, and Conflict `job_finished`.
    """

    def transaction(conn: Connection) -> None:
        job = _find_unfinished(conn, actor, job_id)
        if job.paused_at is None:
            return
        jobs.resume(conn, job.id)
        audit_log.insert(conn, actor, "jobs.resume", job.id)

    await app.db.write(transaction)
    app.wake(job_id)
    return await get(app, actor, job_id)


def _find_unfinished(conn: Connection, actor: Actor, job_id: str) -> Job:
    job = jobs.find(conn, job_id)
    if job is None or job.tenant_id != actor.tenant_id:
        raise NotFound("job", job_id)
    if job.status not in ("queued", "running"):
        raise Conflict("job_finished", f"The job {job.id} is over: {job.status}.")
    return job
