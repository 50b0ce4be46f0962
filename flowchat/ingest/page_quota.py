"""What crawled pages are billed, and how many of them a plan with a hard stop still has for a tenant."""

from flowchat.billing import month_of, quota_exceeded, split_pages
from flowchat.domain import Job, UsageCounts, now
from flowchat.ingest.progress import crawled
from flowchat.store import jobs, quotas, subscriptions, usage
from flowchat.store.database import Connection


def require_any(conn: Connection, tenant_id: str) -> None:
    """Raises FlowChatError `quota_exceeded` where a crawl that begins now could not be billed for a page."""
    limit = _limit(conn, tenant_id)
    if limit is not None and not quotas.pages_left(conn, tenant_id, month_of(now()), limit):
        raise quota_exceeded("pages", limit, now())


def reserve(conn: Connection, job: Job, max_pages: int) -> int | None:
    """How many more pages a crawl that begins, or goes on, may be billed for: they are its own now. None: any number.

    Raises FlowChatError `quota_exceeded` where there is none, unless the crawl has pages already.
    """
    limit = _limit(conn, job.tenant_id, job.id)
    if limit is None:
        return None
    left = quotas.pages_left(conn, job.tenant_id, month_of(now()), limit)
    if not left and not crawled(job.progress):
        raise quota_exceeded("pages", limit, now())
    pages = min(left, max(0, max_pages - crawled(job.progress)))
    quotas.hold_pages(conn, job.id, pages)
    return pages


def bill(conn: Connection, job: Job, pages_crawled: int, chunks_embedded: int) -> None:
    """Record what a batch of a job cost. Only crawled pages are billed, never more than a hard stop allows."""
    pages_crawled = pages_crawled if job.type == "crawl" else 0
    if not pages_crawled and not chunks_embedded:
        return
    is_free = jobs.is_free_crawl(conn, job.tenant_id, job.id)
    held = quotas.held_pages(conn, job.id)
    billable, free = split_pages(pages_crawled, is_free=is_free, most=_left(conn, job) if held is None else held)
    if held is not None:
        quotas.hold_pages(conn, job.id, held - billable)
    counts = UsageCounts(
        pages_crawled=pages_crawled, chunks_embedded=chunks_embedded, billable_pages=billable, free_pages=free
    )
    usage.record(conn, job.tenant_id, counts, source_id=job.source_id, job_id=job.id)


def settle(conn: Connection, job: Job) -> None:
    """A crawl has ended. Only one of a tenant is free: of those that ran at the same time, the first that succeeded.

    The others are billed afterwards, as far as a hard stop allows.
    """
    if jobs.is_free_crawl(conn, job.tenant_id, job.id):
        return
    billable, _ = split_pages(jobs.unbilled_pages(conn, job.id), is_free=False, most=_left(conn, job))
    if billable:
        counts = UsageCounts(billable_pages=billable, free_pages=-billable)
        usage.record(conn, job.tenant_id, counts, source_id=job.source_id, job_id=job.id)


def _left(conn: Connection, job: Job) -> int | None:
    """Pages that nobody holds; None: any number."""
    limit = _limit(conn, job.tenant_id, job.id)
    return None if limit is None else quotas.pages_left(conn, job.tenant_id, month_of(now()), limit)


def _limit(conn: Connection, tenant_id: str, job_id: str = "") -> int | None:
    """The hard stop that the crawl meets, if any: a free one meets none."""
    plan = subscriptions.plan_now(conn, tenant_id)
    limit = plan.hard_limit("pages") if plan else None
    return None if limit is None or jobs.is_free_crawl(conn, tenant_id, job_id) else limit
