"""How far a job is, counted page by page."""

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import replace
from time import monotonic

from flowchat.domain import JobProgress, Page, PageOutcome

RATE_WINDOW_S = 60.0


def count(progress: JobProgress, page: Page | PageOutcome, chunks: int) -> JobProgress:
    """One page more is done, and has so many chunks."""
    kind = "kept" if page.status == "indexed" else page.status
    reasons = progress.reasons
    if page.reason:
        counted = Counter(reasons.get(kind, {}))
        counted[page.reason] += 1
        reasons = {**reasons, kind: dict(counted)}
    return replace(
        progress,
        done=progress.done + 1,
        fetched=progress.fetched + (page.http_status is not None),
        unchanged=progress.unchanged + (page.http_status == 304),
        indexed=progress.indexed + (page.status == "indexed"),
        skipped=progress.skipped + (page.status == "skipped"),
        failed=progress.failed + (page.status == "failed"),
        chunks=progress.chunks + chunks,
        reasons=reasons,
    )


def crawled(progress: JobProgress) -> int:
    """Pages that are indexed as they are now, rather than kept from the former version."""
    return progress.indexed - sum(progress.reasons.get("kept", {}).values())


def progress_of(known: Iterable[Page], stored: JobProgress, chunks: int) -> JobProgress:
    """Where an interrupted job was, by the pages that it has stored; what pages don't tell is in `stored`."""
    pages = list(known)
    progress = JobProgress(total=len(pages), chunks=chunks, embedded=stored.embedded)
    for page in pages:
        if page.status != "queued":
            progress = count(progress, page, 0)
    return progress


class Pace:
    """How many pages were done in a second, over the last minute."""

    def __init__(self) -> None:
        self._marks: deque[tuple[float, int]] = deque()

    def timed(self, progress: JobProgress, max_pages: int) -> JobProgress:
        """The progress with its rate and the time that the known pages will take at it, up to the limit of pages."""
        moment = monotonic()
        self._marks.append((moment, progress.done))
        while self._marks[0][0] < moment - RATE_WINDOW_S and len(self._marks) > 2:
            self._marks.popleft()
        (start, before), (end, after) = self._marks[0], self._marks[-1]
        rate = (after - before) / (end - start) if end > start else 0.0
        if not rate:
            return replace(progress, pages_per_s=None, remaining_s=None)
        to_do = min(progress.total - progress.done, max_pages - progress.indexed)
        remaining_s = round(max(0, to_do) / rate)
        return replace(progress, pages_per_s=round(rate, 2), remaining_s=remaining_s)
