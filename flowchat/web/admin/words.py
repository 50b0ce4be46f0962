"""Numbers, durations, and what FlowChat's short codes mean, as a page says them."""

from datetime import UTC, datetime

from flowchat.billing import format_money
from flowchat.domain import Job

REASONS = {
    "robots": "robots.txt forbids it",
    "robots_unreachable": "robots.txt could not be had",
    "max_pages": "beyond the limit of pages",
    "quota": "beyond the pages of the plan",
    "max_depth": "too many links from the start",
    "trap": "an endless chain of pages",
    "not_included": "left out by include or exclude",
    "noindex": "asks not to be indexed",
    "not_a_page": "not a page",
    "no_content": "has no text",
    "needs_javascript": "its text is made by scripts",
    "duplicate": "same text as another page",
    "near_duplicate": "nearly the same as another page",
    "canonical_elsewhere": "stands for another page",
    "other_locale": "a translation is crawled instead",
    "redirected": "leads to another page",
    "redirected_out_of_scope": "leads to another site",
    "address_not_public": "not a public address",
    "bad_document": "can't be read",
    "bad_url": "not an address",
    "fetch_failed": "could not be fetched",
    "fetch_timeout": "took too long",
    "fetch_too_large": "too large",
    "fetch_too_many_redirects": "redirects for ever",
    "render_failed": "could not be rendered",
    "render_timeout": "took too long to render",
}
JOBS = {
    "crawl": "Crawl",
    "index_docs": "Documentation indexed",
    "index_documents": "Documents indexed",
    "reindex": "Indexed with another model",
}


def reason_text(code: str | None) -> str:
    """Why a page was left out."""
    if not code:
        return ""
    if code.startswith("http_"):
        return f"answered {code.removeprefix('http_')}"
    return REASONS.get(code, code.replace("_", " "))


def job_title(job_type: str) -> str:
    return JOBS.get(job_type, job_type)


def time_taken(job: Job) -> str:
    """From its start to its end, or until now."""
    if job.started_at is None:
        return ""
    end = datetime.fromisoformat(job.finished_at) if job.finished_at else datetime.now(UTC)
    return duration((end - datetime.fromisoformat(job.started_at)).total_seconds())


def number(count: float) -> str:
    """1,234."""
    return f"{count:,}"


def duration(seconds: float | None) -> str:
    """Such as '2 min 5 s', rounded to what matters."""
    if seconds is None:
        return ""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def size(byte_count: int) -> str:
    """Such as '3.4 MB'."""
    if byte_count < 1000:
        return f"{byte_count} B"
    if byte_count < 1_000_000:
        return f"{byte_count / 1000:.0f} KB"
    return f"{byte_count / 1_000_000:.1f} MB"


def money(nano: int) -> str:
    """In whole units of the currency, with as many decimals as it takes, at least two: "19.00", "0.0025"."""
    whole, _, decimals = format_money(nano, 9).partition(".")
    return f"{whole}.{decimals.rstrip('0'):0<2}"
