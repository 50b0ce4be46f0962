"""Jobs are queued here: by whoever asks, by a source's schedule, and by what changed."""

import random

from flowchat.domain import EXTRACTOR, Actor, JobType, Schedule, Source, now
from flowchat.errors import Conflict
from flowchat.ingest.documents import builtin_hash
from flowchat.ingest.scope import choices_hash
from flowchat.services import disk, standing
from flowchat.services.context import Context
from flowchat.store import audit_log, documents, jobs, sources, versions
from flowchat.store.database import Connection

PERIOD_S: dict[Schedule, int] = {"hourly": 3600, "daily": 86_400, "weekly": 7 * 86_400, "monthly": 30 * 86_400}
_JITTER = 0.1  # of a period, so that sources made together don't stay together
MAX_JITTER_S = 3600


def queue(
    conn: Connection,
    source: Source,
    job_type: JobType,
    embedder: str,
    *,
    max_pages: int | None = None,
    accept_removals: bool = False,
) -> str:
    """A new version of the source and the job that builds it, in the caller's transaction; returns the job's id.

    Wake a worker after it. Raises Conflict `job_active`.
    """
    active_id = jobs.active_id(conn, source.id)
    active = jobs.find(conn, active_id) if active_id else None
    if active is not None:
        state, advice = ("paused", "Resume it") if active.paused_at else ("at work", "Wait for it")
        raise Conflict("job_active", f"The job {active.id} of '{source.slug}' is {state}. {advice}, or cancel it.")
    content_hash, extractor = origin_of(conn, source, job_type)
    version_id = versions.insert(conn, source.id, embedder, content_hash, extractor)
    if job_type == "crawl" and source.schedule is not None:
        sources.set_next_crawl(conn, source.id, next_crawl(source.schedule))
    return jobs.insert(
        conn,
        source.tenant_id,
        job_type,
        source.id,
        version_id,
        max_pages=max_pages,
        accept_removals=accept_removals,
    )


def origin_of(conn: Connection, source: Source, job_type: JobType) -> tuple[str | None, int]:
    """(content hash, extractor) of what a job builds: of what, and how it is read. A `reindex` keeps the live one's."""
    match job_type:
        case "index_docs":
            return builtin_hash(), EXTRACTOR
        case "index_documents":
            return documents.digest(conn, source.id), EXTRACTOR
        case "crawl":
            return choices_hash(source), EXTRACTOR
        case "reindex":
            live = versions.find(conn, source.id, source.live_version or "")
            return (live.content_hash, live.extractor) if live else (None, EXTRACTOR)


def next_crawl(schedule: Schedule) -> str:
    """When a source that is crawled now is due again: a period later, more or less."""
    period_s = PERIOD_S[schedule]
    jitter_s = min(_JITTER * period_s, MAX_JITTER_S)
    return now(period_s + random.uniform(-jitter_s, jitter_s))  # noqa: S311 (no secret)


async def queue_due(app: Context) -> None:
    """Queue the crawls whose time has come, each once however long that was ago; a source at work waits for its end.

    So does one whose tenant is read-only, for better times, and all of them while the disk is nearly full.
    """
    if disk.is_low(app.settings):
        return
    for source in await sources.due(app.db):
        if (await standing.of_tenant(app, source.tenant_id)).is_read_only:
            continue
        job_id = await app.db.write(lambda conn, source=source: _queue_due(app, conn, source))  # type: ignore[misc]
        if job_id is not None:
            app.wake(job_id)


def _queue_due(app: Context, conn: Connection, listed: Source) -> str | None:
    """None if it is not due after all: things have changed since it was listed."""
    source = sources.find(conn, listed.tenant_id, listed.id)
    if source is None or source.status == "revoked" or source.next_crawl != listed.next_crawl:
        return None
    if jobs.active_id(conn, source.id) is not None:
        return None
    audit_log.insert(conn, Actor(source.tenant_id, "schedule", frozenset()), "sources.recrawl", source.id)
    return queue(conn, source, "crawl", app.settings.embedder)
