"""Usage: a ledger of what was done, and its sums by day, key and source. Both change in the deed's own transaction."""

import sqlite3
from dataclasses import astuple, replace
from datetime import datetime, timedelta

from flowchat.billing import month_of
from flowchat.domain import UsageCounts, UsageDay, UsageGroup, now
from flowchat.store import subscriptions
from flowchat.store.database import Database
from flowchat.store.paging import Cursor, newest_first

COUNTS = tuple(UsageCounts.__dataclass_fields__)
FINAL_AFTER_S = 60  # a transaction that began before midnight may commit after it


def record(
    conn: sqlite3.Connection,
    tenant_id: str,
    counts: UsageCounts,
    *,
    key_id: str | None = None,
    source_id: str | None = None,
    message_id: str | None = None,
    job_id: str | None = None,
) -> None:
    """One line of the ledger, on the present day: the writer holds the lock, so that no day is written after it.

    Its cost is by the prices of the tenant's plan at this moment: what is final stays so when prices change.
    """
    prices = subscriptions.prices_now(conn, tenant_id)
    counts = replace(counts, cost_nano=prices.cost_nano(counts)) if prices else counts
    moment = now()
    day = moment[:10]
    marks = ", ".join("?" * len(COUNTS))
    conn.execute(
        "insert into usage_ledger (tenant_id, day, key_id, source_id, message_id, job_id,"  # noqa: S608 (our names)
        f" created_at, {', '.join(COUNTS)}) values (?, ?, ?, ?, ?, ?, ?, {marks})",
        (tenant_id, day, key_id, source_id, message_id, job_id, moment, *astuple(counts)),
    )
    sums = ", ".join(f"{name} = {name} + excluded.{name}" for name in COUNTS)
    conn.execute(
        f"insert into usage_days (tenant_id, day, key_id, source_id, {', '.join(COUNTS)})"  # noqa: S608
        f" values (?, ?, ?, ?, {marks}) on conflict do update set {sums}",
        (tenant_id, day, key_id or "", source_id or "", *astuple(counts)),
    )
    if counts.billable_queries or counts.billable_pages:
        conn.execute(
            "insert into usage_months values (?, ?, ?, ?) on conflict do update set"
            " billable_queries = billable_queries + excluded.billable_queries,"
            " billable_pages = billable_pages + excluded.billable_pages",
            (tenant_id, month_of(day), counts.billable_queries, counts.billable_pages),
        )


async def days(db: Database, tenant_id: str, cursor: Cursor, first: str | None, last: str | None) -> list[str]:
    """Dates (YYYY-MM-DD, UTC) from `first` to `last` on which something was done. The cursor's ids are dates."""
    rows = await newest_first(
        db,
        "select distinct day from usage_days",
        cursor,
        {"tenant_id = ?": tenant_id, "day >= ?": first, "day <= ?": last},
        by="day",
    )
    return [row["day"] for row in rows]


async def sums(
    db: Database, tenant_id: str, first: str, last: str, grouped_by: UsageGroup | None = None
) -> list[UsageDay]:
    """The sums of each day from `first` to `last` that has any, newest first; with a group, by its ids as well."""
    moment = now()  # before the sums are read: what becomes final meanwhile is not called so yet
    group = f"nullif({grouped_by}_id, '')" if grouped_by else "null"
    rows = await db.rows(
        f"select day, {group} as group_id, {', '.join(f'sum({name}) as {name}' for name in COUNTS)}"  # noqa: S608
        " from usage_days where tenant_id = ? and day between ? and ? group by 1, 2 order by 1 desc, 2",
        (tenant_id, first, last),
    )
    return [
        UsageDay(
            date=row["day"],
            counts=UsageCounts(**{name: row[name] for name in COUNTS}),
            is_final=is_final(row["day"], moment),
            grouped_by=grouped_by,
            group_id=row["group_id"],
        )
        for row in rows
    ]


async def billable_sums(db: Database) -> dict[str, tuple[int, int]]:
    """By tenant, all (queries, pages) of the ledger that are billable."""
    rows = await db.rows(
        "select tenant_id, sum(billable_queries) as queries, sum(billable_pages) as pages from usage_ledger group by 1"
    )
    return {row["tenant_id"]: (row["queries"], row["pages"]) for row in rows}


def is_final(day: str, moment: str) -> bool:
    """Whether at that moment (both in UTC) nothing can be recorded on the day any more."""
    end = datetime.fromisoformat(f"{day}T00:00:00+00:00") + timedelta(days=1, seconds=FINAL_AFTER_S)
    return datetime.fromisoformat(moment) >= end


async def faults(db: Database) -> list[str]:
    """Days and months whose sums are not those of the ledger, one sentence each."""
    columns = ", ".join(COUNTS)
    negated = ", ".join(f"-{name}" for name in COUNTS)
    differs = " or ".join(f"sum({name}) <> 0" for name in COUNTS)
    rows = await db.rows(
        "select tenant_id, day from ("  # noqa: S608 (our names)
        f"select tenant_id, day, coalesce(key_id, '') as key_id, coalesce(source_id, '') as source_id, {columns}"
        f" from usage_ledger union all select tenant_id, day, key_id, source_id, {negated} from usage_days)"
        f" group by tenant_id, day, key_id, source_id having {differs}"
    )
    days_off = {f"the usage of {row['tenant_id']} on {row['day']} is not the sum of its ledger" for row in rows}
    rows = await db.rows(
        "select tenant_id, month from (select tenant_id, substr(day, 1, 7) as month, billable_queries, billable_pages"
        " from usage_ledger union all select tenant_id, month, -billable_queries, -billable_pages from usage_months)"
        " group by tenant_id, month having sum(billable_queries) <> 0 or sum(billable_pages) <> 0"
    )
    months_off = {f"what is billed of {row['tenant_id']} in {row['month']} is not its ledger's sum" for row in rows}
    return sorted(days_off) + sorted(months_off)
