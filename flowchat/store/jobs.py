"""Jobs: the durable truth about background work. A worker holds a job by a lease that it keeps renewing."""

import json
import sqlite3
from dataclasses import asdict

from flowchat.domain import Job, JobProgress, JobStatus, JobType, new_id, now
from flowchat.store.database import Database, Row
from flowchat.store.paging import Cursor, newest_first

LEASE_S = 30.0
MAX_ATTEMPTS = 20  # interruptions without any progress between them: such a job is broken, not unlucky


def insert(
    conn: sqlite3.Connection,
    tenant_id: str,
    job_type: JobType,
    source_id: str,
    version_id: str,
    *,
    max_pages: int | None = None,
    accept_removals: bool = False,
) -> str:
    """A queued job; returns its id. Raises sqlite3.IntegrityError if the source has an active one."""
    job_id = new_id("job")
    conn.execute(
        "insert into jobs (id, tenant_id, type, source_id, version_id, status, created_at, max_pages, accept_removals)"
        " values (?, ?, ?, ?, ?, 'queued', ?, ?, ?)",
        (job_id, tenant_id, job_type, source_id, version_id, now(), max_pages, accept_removals),
    )
    return job_id


def claim(conn: sqlite3.Connection, job_id: str, owner: str) -> bool:
    """Take a job that is queued and not paused, or whose worker has stopped renewing its lease.

    A lease that lasts longer than any does was taken before the clock went back.
    """
    moment = now()
    taken = conn.execute(
        "update jobs set status = 'running', lease_owner = ?, lease_until = ?, attempts = attempts + 1,"
        " reserved_pages = null, started_at = coalesce(started_at, ?)"
        " where id = ? and paused_at is null and (status = 'queued'"
        " or (status = 'running' and (lease_until < ? or lease_until > ?)))",
        (owner, now(LEASE_S), moment, job_id, moment, now(LEASE_S + 1)),
    )
    return taken.rowcount == 1


def renew(conn: sqlite3.Connection, job_id: str, owner: str) -> bool:
    """Hold a job for another LEASE_S seconds. False if it is no longer this worker's."""
    renewed = conn.execute(
        "update jobs set lease_until = ? where id = ? and lease_owner = ? and status = 'running'",
        (now(LEASE_S), job_id, owner),
    )
    return renewed.rowcount == 1


def release(conn: sqlite3.Connection, job_id: str, owner: str, *, is_interrupted: bool = True) -> None:
    """Give a job back that goes on later. `is_interrupted`: that is an interruption that counts."""
    conn.execute(
        "update jobs set status = 'queued', attempts = attempts - ?, lease_owner = null, lease_until = null,"
        " reserved_pages = null where id = ? and lease_owner = ? and status = 'running'",
        (int(not is_interrupted), job_id, owner),
    )


def pause(conn: sqlite3.Connection, job_id: str, moment: str = "") -> None:
    """Take a job from its worker, if it has one, until it is resumed. That is no interruption that counts."""
    conn.execute(
        "update jobs set paused_at = ?, status = 'queued', attempts = attempts - (status = 'running'),"
        " lease_owner = null, lease_until = null, reserved_pages = null"
        " where id = ? and status in ('queued', 'running') and paused_at is null",
        (moment or now(), job_id),
    )


def resume(conn: sqlite3.Connection, job_id: str) -> None:
    """Let workers take a paused job again."""
    conn.execute("update jobs set paused_at = null where id = ?", (job_id,))


def set_version(conn: sqlite3.Connection, job_id: str, version_id: str) -> None:
    conn.execute("update jobs set version_id = ? where id = ?", (version_id, job_id))


def set_progress(conn: sqlite3.Connection, job_id: str, progress: JobProgress) -> None:
    """Record how far a job is. Attempts are counted anew from here: only those without progress are suspect."""
    conn.execute("update jobs set progress = ?, attempts = 1 where id = ?", (json.dumps(asdict(progress)), job_id))


def set_total(conn: sqlite3.Connection, job_id: str, owner: str, total: int) -> None:
    """Of the progress only how many pages are known, if the job is still this worker's."""
    conn.execute(
        "update jobs set progress = json_set(progress, '$.total', ?) where id = ? and lease_owner = ?",
        (total, job_id, owner),
    )


def finish(conn: sqlite3.Connection, job_id: str, status: JobStatus, error: str | None = None) -> None:
    conn.execute(
        "update jobs set status = ?, error = ?, finished_at = ?, lease_owner = null, lease_until = null,"
        " paused_at = null, reserved_pages = null where id = ?",
        (status, error, now(), job_id),
    )


def request_cancel(conn: sqlite3.Connection, job_id: str) -> None:
    conn.execute("update jobs set cancel_requested = 1 where id = ? and status in ('queued', 'running')", (job_id,))


def is_to_be_canceled(conn: sqlite3.Connection, job_id: str) -> bool:
    row = conn.execute("select cancel_requested from jobs where id = ?", (job_id,)).fetchone()
    return bool(row and row["cancel_requested"])


def active_id(conn: sqlite3.Connection, source_id: str) -> str | None:
    row = conn.execute(
        "select id from jobs where source_id = ? and status in ('queued', 'running')", (source_id,)
    ).fetchone()
    return row["id"] if row else None


def find(conn: sqlite3.Connection, job_id: str) -> Job | None:
    """`get` inside a transaction."""
    row = conn.execute("select * from jobs where id = ?", (job_id,)).fetchone()
    return _job(row) if row else None


def is_free_crawl(conn: sqlite3.Connection, tenant_id: str, job_id: str = "") -> bool:
    """A tenant's first crawl that succeeds is free: whether no crawl but this job, or one to come, has so far."""
    other = conn.execute(
        # The + keeps SQLite from going through the jobs of every tenant, by their status.
        "select 1 from jobs where tenant_id = ? and type = 'crawl' and +status = 'succeeded' and id <> ?",
        (tenant_id, job_id),
    ).fetchone()
    return other is None


def unbilled_pages(conn: sqlite3.Connection, job_id: str) -> int:
    """Pages in the ledger that the job crawled and nobody was billed for."""
    row = conn.execute(
        "select coalesce(sum(pages_crawled - billable_pages), 0) from usage_ledger where job_id = ?", (job_id,)
    ).fetchone()
    return int(row[0])


def release_all(conn: sqlite3.Connection) -> None:
    """Queue what a dead process left running. Only for the one process that owns the data folder."""
    conn.execute(
        "update jobs set status = 'queued', lease_owner = null, lease_until = null, reserved_pages = null"
        " where status = 'running'"
    )


async def get(db: Database, job_id: str, tenant_id: str | None = None) -> Job | None:
    """A job; with `tenant_id` only if it is that tenant's."""
    row = await db.row(
        "select * from jobs where id = ? and (? is null or tenant_id = ?)", (job_id, tenant_id, tenant_id)
    )
    return _job(row) if row else None


async def page(
    db: Database, tenant_id: str, cursor: Cursor, *, source_id: str | None = None, status: JobStatus | None = None
) -> list[Job]:
    where = {"tenant_id = ?": tenant_id, "source_id = ?": source_id, "status = ?": status}
    rows = await newest_first(db, "select * from jobs", cursor, where)
    return [_job(row) for row in rows]


async def hold(db: Database, job_id: str, owner: str) -> tuple[bool, bool, str]:
    """(whether the worker has the job, whether that is to be canceled, until when the worker's lease lasts)."""
    row = await db.row(
        "select status = 'running' and lease_owner = ? as is_held, cancel_requested, lease_until from jobs"
        " where id = ?",
        (owner, job_id),
    )
    if row is None or not row["is_held"]:
        return False, False, ""
    return True, bool(row["cancel_requested"]), row["lease_until"]


async def active_of(db: Database, source_id: str) -> Job | None:
    row = await db.row("select * from jobs where source_id = ? and status in ('queued', 'running')", (source_id,))
    return _job(row) if row else None


async def waiting(db: Database) -> list[str]:
    """Ids of jobs that a worker should take: queued and not paused, or with a lease that has run out. Oldest first."""
    rows = await db.rows(
        "select id from jobs where (status = 'queued' and paused_at is null)"
        " or (status = 'running' and (lease_until < ? or lease_until > ?)) order by id",
        (now(), now(LEASE_S + 1)),
    )
    return [row["id"] for row in rows]


def _job(row: Row) -> Job:
    return Job(
        id=row["id"],
        tenant_id=row["tenant_id"],
        type=row["type"],
        source_id=row["source_id"],
        version_id=row["version_id"],
        status=row["status"],
        progress=JobProgress(**json.loads(row["progress"])),
        error=row["error"],
        attempts=row["attempts"],
        cancel_requested=bool(row["cancel_requested"]),
        created_at=row["created_at"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        max_pages=row["max_pages"],
        accept_removals=bool(row["accept_removals"]),
        paused_at=row["paused_at"],
    )
