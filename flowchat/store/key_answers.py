"""Answers that keys have given or are about to give, by UTC day (YYYY-MM-DD) and month (YYYY-MM): what caps count."""

import sqlite3
from collections.abc import Iterable, Mapping


def reserve(conn: sqlite3.Connection, key_id: str, caps: Mapping[str, int | None]) -> str | None:
    """Count one more answer in each of these periods, which `caps` maps to the most they may have (None: any number).

    Returns the period that is full, if one is: then nothing is counted.
    """
    for period, cap in caps.items():
        if cap is not None and _reserved(conn, key_id, period) >= cap:
            return period
    for period in caps:
        conn.execute(
            "insert into key_answers values (?, ?, 1) on conflict do update set reserved = reserved + 1",
            (key_id, period),
        )
    return None


def _reserved(conn: sqlite3.Connection, key_id: str, period: str) -> int:
    row = conn.execute("select reserved from key_answers where key_id = ? and period = ?", (key_id, period)).fetchone()
    return int(row["reserved"]) if row else 0


def release(conn: sqlite3.Connection, key_id: str, periods: Iterable[str]) -> None:
    """Take back a reservation that no answer came of."""
    for period in periods:
        conn.execute(
            "update key_answers set reserved = reserved - 1 where key_id = ? and period = ? and reserved > 0",
            (key_id, period),
        )


def recount(conn: sqlite3.Connection, today: str) -> None:
    """Count today and this month from the usage, and forget other periods: a killed process kept its reservations.

    Answers that broke off after some text are in the usage, too.
    """
    conn.execute("delete from key_answers")
    month = today[:7]
    for period, first_day in ((today, today), (month, f"{month}-01")):
        conn.execute(
            "insert into key_answers select key_id, ?, sum(queries - refusals) from usage_days"
            " where day >= ? and key_id in (select id from keys) group by key_id",
            (period, first_day),
        )
