"""Quotas: what tenants have used of a month, and what is under way that may still be billed."""

import json
import sqlite3
from collections.abc import Collection
from dataclasses import dataclass

from flowchat.billing import METRICS, Metric, MonthUsed, Plan, Subscription
from flowchat.domain import now
from flowchat.store.database import Database, Row
from flowchat.store.plans import plan_of
from flowchat.store.subscriptions import subscription_of

_USED = "coalesce(m.billable_queries, 0) as billable_queries, coalesce(m.billable_pages, 0) as billable_pages"


def used_now(conn: sqlite3.Connection, tenant_id: str, month: str) -> MonthUsed:
    """What of the month (YYYY-MM) is billed so far, as a transaction sees it."""
    row = conn.execute("select * from usage_months where tenant_id = ? and month = ?", (tenant_id, month)).fetchone()
    return _used(row) if row else MonthUsed()


def begin_answer(conn: sqlite3.Connection, tenant_id: str, month: str, limit: int | None) -> bool:
    """Count an answer that may be billed. False, and nothing is counted, where it would be one too many."""
    if limit is not None and used_now(conn, tenant_id, month).queries + _answers_begun(conn, tenant_id) >= limit:
        return False
    conn.execute(
        "insert into answers_begun values (?, 1) on conflict do update set answers = answers + 1", (tenant_id,)
    )
    return True


def _answers_begun(conn: sqlite3.Connection, tenant_id: str) -> int:
    row = conn.execute("select answers from answers_begun where tenant_id = ?", (tenant_id,)).fetchone()
    return int(row["answers"]) if row else 0


def end_answer(conn: sqlite3.Connection, tenant_id: str) -> None:
    """It is billed by now, or never will be."""
    conn.execute("update answers_begun set answers = answers - 1 where tenant_id = ? and answers > 0", (tenant_id,))


def forget_answers(conn: sqlite3.Connection) -> None:
    """At start: whatever was under way has died."""
    conn.execute("delete from answers_begun")


def pages_left(conn: sqlite3.Connection, tenant_id: str, month: str, limit: int) -> int:
    """What can still be reserved: neither billed nor held by a crawl that is at work."""
    held = conn.execute(
        "select coalesce(sum(reserved_pages), 0) as pages from jobs where tenant_id = ? and reserved_pages is not null",
        (tenant_id,),
    ).fetchone()
    return max(0, limit - used_now(conn, tenant_id, month).pages - int(held["pages"]))


def hold_pages(conn: sqlite3.Connection, job_id: str, pages: int) -> None:
    """What the job may still be billed for. It is given back when the job ends or is let go of."""
    conn.execute("update jobs set reserved_pages = ? where id = ?", (pages, job_id))


def held_pages(conn: sqlite3.Connection, job_id: str) -> int | None:
    """None: the job holds nothing, be it that its plan has no hard stop or that the crawl was free at its start."""
    row = conn.execute("select reserved_pages from jobs where id = ?", (job_id,)).fetchone()
    return row["reserved_pages"] if row else None


async def account(db: Database, tenant_id: str, month: str) -> tuple[Subscription, Plan, MonthUsed] | None:
    """A tenant's subscription and plan, and what it has used of the month; None without a plan. One indexed look."""
    row = await db.row(
        f"select s.*, p.*, {_USED} from subscriptions s join plans p on p.id = s.plan_id"  # noqa: S608 (our names)
        " left join usage_months m on m.tenant_id = s.tenant_id and m.month = ? where s.tenant_id = ?",
        (month, tenant_id),
    )
    return (subscription_of(row), plan_of(row), _used(row)) if row else None


async def used(db: Database, tenant_id: str, month: str) -> MonthUsed:
    row = await db.row("select * from usage_months where tenant_id = ? and month = ?", (tenant_id, month))
    return _used(row) if row else MonthUsed()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """So many percent of what a tenant's plan includes are used. `email`: where letters go, if that was told."""

    tenant_id: str
    tenant_name: str
    email: str
    metric: Metric
    percent: int
    used: int
    plan: Plan


async def reached(db: Database, month: str, percents: Collection[int]) -> list[Reached]:
    """What tenants have reached in the month and have not been told, lowest percent first. Closed ones are left out."""
    rows = await db.rows(
        """
        with used as (
            select s.tenant_id, t.name as tenant_name, s.plan_id, s.email, metrics.value as metric,
                iif(metrics.value = 'queries', m.billable_queries, m.billable_pages) as used,
                iif(metrics.value = 'queries', p.included_queries, p.included_pages) as included
            from subscriptions s
            join plans p on p.id = s.plan_id
            join usage_months m on m.tenant_id = s.tenant_id and m.month = ?1
            join tenants t on t.id = s.tenant_id and t.closed_at is null
            join json_each(?2) metrics
        )
        select p.*, used.tenant_id, tenant_name, email, metric, used, percents.value as percent
        from used join plans p on p.id = used.plan_id join json_each(?3) percents
        where included > 0 and 100 * used >= percents.value * included and not exists (
            select 1 from quota_warnings w where w.tenant_id = used.tenant_id and w.month = ?1
            and w.metric = used.metric and w.percent = percents.value
        )
        order by used.tenant_id, metric, percent
        """,
        (month, json.dumps(METRICS), json.dumps(sorted(percents))),
    )
    return [
        Reached(
            tenant_id=row["tenant_id"],
            tenant_name=row["tenant_name"],
            email=row["email"],
            metric=row["metric"],
            percent=row["percent"],
            used=row["used"],
            plan=plan_of(row),
        )
        for row in rows
    ]


def tell(conn: sqlite3.Connection, tenant_id: str, month: str, metric: Metric, percent: int) -> bool:
    """Note that the tenant is told. False: it was told already."""
    told = conn.execute(
        "insert into quota_warnings (tenant_id, month, metric, percent, created_at) values (?, ?, ?, ?, ?)"
        " on conflict do nothing",
        (tenant_id, month, metric, percent, now()),
    )
    return told.rowcount == 1


def _used(row: Row) -> MonthUsed:
    return MonthUsed(row["billable_queries"], row["billable_pages"])
