"""What is reported to Stripe's meters: made of lines of the usage ledger, which are marked in the same transaction."""

import sqlite3
from dataclasses import dataclass

from flowchat.billing import METRICS, MeterEvent, MeterEventStatus, Metric
from flowchat.domain import now
from flowchat.store.database import Database, Row
from flowchat.store.paging import Cursor, newest_first
from flowchat.store.tenants import NOT_MOVED

_FIELDS = tuple(MeterEvent.__dataclass_fields__)
_AFTER = "~"  # sorts after whatever can follow an hour (YYYY-MM-DDTHH) in a time
# A line is of an answer or of a crawl, never of both.
_VALUES: dict[Metric, str] = {
    "queries": "billable_queries",
    "pages": "case when billable_queries = 0 then billable_pages else 0 end",
}
_BILLED = "(billable_queries <> 0 or billable_pages <> 0)"  # as the index usage_ledger_unreported has it


@dataclass(frozen=True, slots=True)
class HourSum:
    """Of one tenant, metric and hour: what the ledger has to be reported, and the outbox by status."""

    tenant_id: str
    metric: Metric
    hour: str
    ledger: int = 0
    pending: int = 0
    delivered: int = 0
    parked: int = 0
    dropped: int = 0
    fresh: int = 0  # of what is delivered: since a time


def unsealed(conn: sqlite3.Connection, before: str, limit: int, tenant_id: str | None = None) -> list[MeterEvent]:
    """What is to be reported of before that time, of `limit` hours of tenants, and is in no event yet."""
    sums = ", ".join(f"sum({value}) as {metric}" for metric, value in _VALUES.items())
    rows = conn.execute(
        f"select l.tenant_id, s.stripe_customer, substr(l.created_at, 1, 13) as hour, {sums}"  # noqa: S608 (our names)
        " from subscriptions s join usage_ledger l on l.tenant_id = s.tenant_id and l.created_at >= s.billed_from"
        f" where s.stripe_customer is not null and l.reported_in is null and {_BILLED} and l.created_at < ?"
        f" and s.{NOT_MOVED} and (? is null or s.tenant_id = ?) group by l.tenant_id, hour order by hour limit ?",
        (before, tenant_id, tenant_id, limit),
    ).fetchall()
    return [
        MeterEvent(
            seq=0,
            identifier="",
            tenant_id=row["tenant_id"],
            stripe_customer=row["stripe_customer"],
            metric=metric,
            hour=row["hour"],
            value=row[metric],
        )
        for row in rows
        for metric in METRICS
        if row[metric]
    ]


def insert(conn: sqlite3.Connection, event: MeterEvent, due: str) -> int:
    """Due at that time, with the next free identifier of its hour; returns its number."""
    identifier = f"{event.tenant_id}-{event.metric}-{event.hour}"
    if former := len(of_hour(conn, event.tenant_id, event.metric, event.hour)):
        identifier += f"-{former + 1}"
    cursor = conn.execute(
        "insert into meter_events"
        " (identifier, tenant_id, stripe_customer, metric, hour, value, status, next_attempt_at, created_at)"
        " values (?, ?, ?, ?, ?, ?, 'pending', ?, ?)",
        (identifier, event.tenant_id, event.stripe_customer, event.metric, event.hour, event.value, due, now()),
    )
    return int(cursor.lastrowid or 0)


def mark(conn: sqlite3.Connection, event: MeterEvent, seq: int, before: str) -> int:
    """The lines of before that time that the event reports; returns what they sum up to."""
    value = _VALUES[event.metric]
    conn.execute(
        f"update usage_ledger set reported_in = ? where tenant_id = ? and reported_in is null and {_BILLED}"  # noqa: S608
        f" and {value} <> 0 and created_at >= ? and created_at < ? and created_at < ?"
        " and created_at >= (select billed_from from subscriptions where tenant_id = ?)",
        (seq, event.tenant_id, event.hour, event.hour + _AFTER, before, event.tenant_id),
    )
    row = conn.execute(
        f"select coalesce(sum({value}), 0) from usage_ledger where reported_in = ?",  # noqa: S608
        (seq,),
    ).fetchone()
    return int(row[0])


def claim(conn: sqlite3.Connection, seq: int, moment: str, until: str) -> MeterEvent | None:
    """Take an event that is due, for an attempt that may come to be unanswered; None where another has it.

    It is written down before anything is sent: a process that is killed in between doesn't know either.
    """
    taken = conn.execute(
        "update meter_events set attempts = attempts + 1, last_attempt_at = ?,"
        " unanswered_since = coalesce(unanswered_since, ?), next_attempt_at = ?"
        " where seq = ? and status = 'pending' and next_attempt_at <= ?",
        (moment, moment, until, seq, moment),
    ).rowcount
    return find(conn, seq) if taken else None


def deliver(conn: sqlite3.Connection, seq: int, moment: str) -> None:
    """Stripe has it."""
    conn.execute(
        "update meter_events set status = 'delivered', delivered_at = ?, next_attempt_at = null, error = null,"
        " unanswered_since = null where seq = ? and status in ('pending', 'parked')",
        (moment, seq),
    )


def postpone(conn: sqlite3.Connection, seq: int, due: str, error: str, unanswered_since: str | None) -> None:
    conn.execute(
        "update meter_events set next_attempt_at = ?, error = ?, unanswered_since = ?"
        " where seq = ? and status = 'pending'",
        (due, error, unanswered_since, seq),
    )


def hurry(conn: sqlite3.Connection, moment: str) -> None:
    """What is pending is due now, unless its hour is not over."""
    conn.execute(
        "update meter_events set next_attempt_at = ?1 where status = 'pending' and next_attempt_at > ?1 and hour < ?2",
        (moment, moment[:13]),
    )


def free_stranded(conn: sqlite3.Connection, after: str, moment: str) -> int:
    """What is due only after that time, although its hour is over, is due now; returns how many there were."""
    return conn.execute(
        "update meter_events set next_attempt_at = ?1 where status = 'pending' and next_attempt_at > ?2 and hour < ?3",
        (moment, after, moment[:13]),
    ).rowcount


def park(conn: sqlite3.Connection, seq: int, error: str, unanswered_since: str | None) -> None:
    """Nothing is sent any more until the event is reconciled."""
    conn.execute(
        "update meter_events set status = 'parked', next_attempt_at = null, error = ?, unanswered_since = ?"
        " where seq = ? and status <> 'dropped'",
        (error, unanswered_since, seq),
    )


def send_again(conn: sqlite3.Connection, event: MeterEvent, due: str, *, is_renamed: bool) -> None:
    """A parked event that Stripe surely doesn't count; under another identifier where it may know the present one."""
    identifier = event.identifier
    if is_renamed:
        identifier = f"{event.tenant_id}-{event.metric}-{event.hour}-again-{event.seq}-{event.attempts}"
    conn.execute(
        "update meter_events set status = 'pending', identifier = ?, next_attempt_at = ?, unanswered_since = null,"
        " delivered_at = null where seq = ? and status = 'parked'",
        (identifier, due, event.seq),
    )


def drop(conn: sqlite3.Connection, seq: int, error: str) -> None:
    conn.execute(
        "update meter_events set status = 'dropped', error = ? where seq = ? and status = 'parked'", (error, seq)
    )


def find(conn: sqlite3.Connection, seq: int) -> MeterEvent | None:
    """As a transaction sees it."""
    row = conn.execute("select * from meter_events where seq = ?", (seq,)).fetchone()
    return _event(row) if row else None


def find_by_identifier(conn: sqlite3.Connection, *identifiers: str) -> MeterEvent | None:
    marks = ", ".join("?" * len(identifiers))
    row = conn.execute(f"select * from meter_events where identifier in ({marks})", identifiers).fetchone()  # noqa: S608
    return _event(row) if row else None


async def due(db: Database, moment: str, limit: int) -> list[int]:
    """Numbers of pending events whose time has come, longest due first."""
    rows = await db.rows(
        f"select seq from meter_events where status = 'pending' and next_attempt_at <= ? and {NOT_MOVED}"  # noqa: S608
        " order by next_attempt_at limit ?",
        (moment, limit),
    )
    return [row["seq"] for row in rows]


async def page(db: Database, cursor: Cursor, status: MeterEventStatus | None) -> list[MeterEvent]:
    """Events with that status; None: any."""
    select = "select * from (select *, printf('mev_%016d', seq) as id from meter_events)"
    return [_event(row) for row in await newest_first(db, select, cursor, {"status = ?": status})]


def of_hour(conn: sqlite3.Connection, tenant_id: str, metric: Metric, hour: str) -> list[MeterEvent]:
    """As a transaction sees them, oldest first."""
    rows = conn.execute(
        "select * from meter_events where hour = ? and tenant_id = ? and metric = ? order by seq",
        (hour, tenant_id, metric),
    )
    return [_event(row) for row in rows]


def parked_hours(conn: sqlite3.Connection) -> dict[tuple[str, Metric, str], list[MeterEvent]]:
    """All events of each tenant, metric and hour of which one is parked."""
    rows = conn.execute(
        f"select distinct tenant_id, metric, hour from meter_events where status = 'parked' and {NOT_MOVED}"  # noqa: S608
    ).fetchall()
    hours = [(row["tenant_id"], row["metric"], row["hour"]) for row in rows]
    return {hour: of_hour(conn, *hour) for hour in hours}


async def counts(db: Database) -> dict[MeterEventStatus, int]:
    rows = await db.rows("select status, count(*) as number from meter_events group by status")
    return {row["status"]: row["number"] for row in rows}


async def last_delivered_at(db: Database) -> str | None:
    row = await db.row("select max(delivered_at) as moment from meter_events")
    return row["moment"] if row else None


async def first_open_hour(db: Database) -> str | None:
    """The earliest hour of what is pending or parked."""
    row = await db.row(
        f"select min(hour) as hour from meter_events where status in ('pending', 'parked') and {NOT_MOVED}"  # noqa: S608
    )
    return row["hour"] if row else None


async def hour_sums(db: Database, first: str, before: str, fresh_from: str) -> list[HourSum]:
    """Of hours from `first` on and before `before`, oldest first; what was delivered from `fresh_from` on is fresh."""
    lines = " union all ".join(
        f"select l.tenant_id, '{metric}' as metric, substr(l.created_at, 1, 13) as hour, {value} as value,"  # noqa: S608
        " 'ledger' as status, null as delivered_at"
        " from usage_ledger l left join subscriptions s on s.tenant_id = l.tenant_id"
        f" where l.created_at >= ?1 and l.created_at < ?2 and {_BILLED} and {value} <> 0"
        " and (l.reported_in is not null or (s.stripe_customer is not null and l.created_at >= s.billed_from))"
        for metric, value in _VALUES.items()
    )
    sums = ", ".join(
        f"coalesce(sum(value) filter (where status = '{status}'), 0) as {status}"
        for status in ("ledger", "pending", "delivered", "parked", "dropped")
    )
    rows = await db.rows(
        f"select tenant_id, metric, hour, {sums},"  # noqa: S608 (our names)
        " coalesce(sum(value) filter (where status = 'delivered' and delivered_at >= ?3), 0) as fresh"
        f" from ({lines} union all select tenant_id, metric, hour, value, status, delivered_at from meter_events"
        f" where hour >= ?1 and hour < ?2) where {NOT_MOVED}"
        " group by tenant_id, metric, hour order by hour, tenant_id, metric",
        (first, before, fresh_from),
    )
    return [HourSum(**{name: row[name] for name in HourSum.__dataclass_fields__}) for row in rows]


async def customers(db: Database, first: str) -> dict[tuple[str, str], str]:
    """Who else was reported for, or is, from an hour on: (tenant, Stripe's customer) and the tenant's slug."""
    rows = await db.rows(
        "select c.tenant_id, c.stripe_customer, t.slug from"
        " (select tenant_id, stripe_customer from meter_events where hour >= ?"
        " union select tenant_id, stripe_customer from subscriptions"
        " where stripe_customer is not null and billed_from is not null) c join tenants t on t.id = c.tenant_id"
        " where t.moved_at is null",
        (first,),
    )
    return {(row["tenant_id"], row["stripe_customer"]): row["slug"] for row in rows}


async def faults(db: Database) -> list[str]:
    """Events that are not the sum of their lines, one sentence each."""
    sums = " ".join(f"when '{metric}' then {value}" for metric, value in _VALUES.items())
    rows = await db.rows(
        f"select e.identifier from meter_events e left join usage_ledger l on l.reported_in = e.seq"  # noqa: S608
        f" group by e.seq having e.value <> coalesce(sum(case e.metric {sums} end), 0)"
    )
    return [f"the meter event {row['identifier']} is not the sum of its usage" for row in rows]


def _event(row: Row) -> MeterEvent:
    return MeterEvent(**{name: row[name] for name in _FIELDS})
