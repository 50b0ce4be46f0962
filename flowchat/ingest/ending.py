"""How a job ends: its version, its source, what it costs and who is told, all in the transaction that ends it."""

from typing import Any

from flowchat.domain import EventType, Job, JobProgress, JobStatus, Source, Version
from flowchat.ingest import page_quota
from flowchat.store import changes, events, jobs, pages, sources, versions
from flowchat.store.database import Connection

_COUNTED = ("done", "total", "fetched", "unchanged", "indexed", "skipped", "failed", "chunks", "embedded")


def go_live(conn: Connection, version: Version, job: Job | None, source: Source, progress: JobProgress) -> None:
    """The version is the one that answers, from this transaction on. `job`: what has built it just now."""
    counts = _describe(conn, version, source) if job is not None else None
    versions.make_live(conn, version)
    added, changed, removed = counts or (None, None, None)
    data = {
        "number": version.number,
        "pages": progress.indexed,
        "chunks": progress.chunks,
        "added": added,
        "changed": changed,
        "removed": removed,
    }
    _tell(conn, "version.indexed", source, version.id, job.id if job else None, data)


def _describe(conn: Connection, version: Version, source: Source) -> tuple[int, int, int] | None:
    """Store what a new version's pages are like; returns how many are (added, changed, removed), if one was live."""
    versions.set_language(conn, version.id, pages.main_language(conn, version.seq))
    present = sources.find(conn, source.tenant_id, source.id)
    former = versions.find(conn, source.id, (present or source).live_version or "")
    if former is None:
        return None
    counts = changes.count(conn, version.seq, former.seq)
    versions.set_changes(conn, version.id, former.id, counts)
    return counts


def succeed(conn: Connection, job: Job, source: Source, progress: JobProgress) -> None:
    """The version that the job has built is live."""
    sources.end_crawl(conn, source.id)
    jobs.finish(conn, job.id, "succeeded")
    if job.type == "crawl":
        page_quota.settle(conn, job)
        _tell(conn, "source.crawl.completed", source, job.version_id, job.id, _counts(progress))


def give_up(conn: Connection, job: Job, status: JobStatus, error: str | None, *, is_fetched: bool = False) -> None:
    """The job has failed or was canceled. `is_fetched`: it had pages that could be used."""
    jobs.finish(conn, job.id, status, error)
    if job.source_id is None:
        return
    versions.fail_building(conn, job.source_id)
    sources.end_crawl(conn, job.source_id)
    source = sources.find(conn, job.tenant_id, job.source_id)
    if source is None:
        return
    was_crawled = job.type == "crawl"
    if was_crawled:
        page_quota.settle(conn, job)
    event: EventType = "version.failed"
    if was_crawled and (status == "canceled" or not is_fetched):
        event = "source.crawl.failed"
    data = {"status": status, "error": error, **_counts(job.progress)}
    _tell(conn, event, source, job.version_id, job.id, data)


def retire(conn: Connection, source: Source) -> None:
    """End the job of a revoked source, whose worker writes nothing more, and leave its versions to be deleted."""
    job_id = jobs.active_id(conn, source.id)
    job = jobs.find(conn, job_id) if job_id else None
    if job is not None:
        give_up(conn, job, "canceled", "The source was revoked.")
    versions.retire(conn, source.id)


def _counts(progress: JobProgress) -> dict[str, Any]:
    """Without reasons: those may be many, and an event is small."""
    return {name: getattr(progress, name) for name in _COUNTED}


def _tell(
    conn: Connection, event: EventType, source: Source, version_id: str | None, job_id: str | None, data: dict[str, Any]
) -> None:
    named = {"source": source.id, "slug": source.slug, "version": version_id, "job": job_id}
    events.record(conn, source.tenant_id, event, named | data)
