"""How far a job is, counted page by page."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from flowchat.domain import JobProgress, Page, PageStatus


def count(progress: JobProgress, status: PageStatus, reason: str | None, chunks: int) -> JobProgress:
    """One page more is done."""
    reasons = progress.reasons
    if status in ("skipped", "failed"):
        counted = Counter(reasons.get(status, {}))
        counted[reason or "unknown"] += 1
        reasons = {**reasons, status: dict(counted)}
    return replace(
        progress,
        done=progress.done + 1,
        indexed=progress.indexed + (status == "indexed"),
        skipped=progress.skipped + (status == "skipped"),
        failed=progress.failed + (status == "failed"),
        chunks=progress.chunks + chunks,
        reasons=reasons,
    )


def progress_of(known: Iterable[Page], chunks: int) -> JobProgress:
    """Where an interrupted job was, by the pages that it has stored."""
    pages = list(known)
    progress = JobProgress(total=len(pages), chunks=chunks)
    for page in pages:
        if page.status != "queued":
            progress = count(progress, page.status, page.reason, 0)
    return progress
