"""Pages of a version. While it is being built, its queued pages are the crawl's frontier."""

import sqlite3
from collections.abc import Iterable

from flowchat.domain import Page, PageStatus, now
from flowchat.store.database import Database, Row
from flowchat.store.paging import Cursor


def enqueue(conn: sqlite3.Connection, version: int, urls: Iterable[tuple[str, int]]) -> None:
    """(url, depth) that the version doesn't know yet."""
    conn.executemany(
        "insert into pages (version, url, depth, status) values (?, ?, ?, 'queued') on conflict do nothing",
        [(version, url, depth) for url, depth in urls],
    )


def finish(
    conn: sqlite3.Connection,
    version: int,
    url: str,
    depth: int,
    status: PageStatus,
    *,
    reason: str | None = None,
    http_status: int | None = None,
    title: str = "",
    content_hash: str | None = None,
) -> int:
    """Record what became of a page; returns its row id."""
    row = conn.execute(
        "insert into pages (version, url, depth, status, reason, http_status, title, content_hash, fetched_at)"
        " values (?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " on conflict (version, url) do update set status = excluded.status, reason = excluded.reason,"
        " http_status = excluded.http_status, title = excluded.title, content_hash = excluded.content_hash,"
        " fetched_at = excluded.fetched_at returning id",
        (version, url, depth, status, reason, http_status, title, content_hash, now()),
    ).fetchone()
    return int(row["id"])


def delete_batch(conn: sqlite3.Connection, version: int, limit: int) -> int:
    """Delete some pages of a version that have no chunks left; returns how many."""
    return conn.execute(
        "delete from pages where id in (select id from pages where version = ? limit ?)", (version, limit)
    ).rowcount


async def all_of(db: Database, version: int) -> list[Page]:
    rows = await db.rows("select * from pages where version = ? order by id", (version,))
    return [_page(row) for row in rows]


async def page(
    db: Database, version: int, cursor: Cursor, *, status: PageStatus | None = None, reason: str = "", text: str = ""
) -> list[Page]:
    """Pages in the order they were found, with that status and reason, and with `text` in their address."""
    first, last = (int(ident.partition("_")[2] or 0) for ident in (cursor.starting_after, cursor.ending_before))
    order = "desc" if cursor.is_backwards else "asc"
    rows = await db.rows(
        "select * from pages where version = ? and (? is null or status = ?) and (? = '' or reason = ?)"  # noqa: S608
        f" and instr(lower(url), lower(?)) and id > ? and (? = 0 or id < ?) order by id {order} limit ?",
        (version, status, status, reason, reason, text, first, last, last, cursor.limit),
    )
    pages = [_page(row) for row in rows]
    return pages[::-1] if cursor.is_backwards else pages


async def content_hashes(db: Database, version: int) -> dict[str, str]:
    """{content hash: url} of the indexed pages, to see duplicates."""
    rows = await db.rows(
        "select content_hash, url from pages where version = ? and content_hash is not null and status = 'indexed'",
        (version,),
    )
    return {row["content_hash"]: row["url"] for row in rows}


async def count_unavailable(db: Database, former_id: str, version: int) -> tuple[int, int]:
    """How many pages are indexed in a former version, and how many of them a fault of the site keeps from this one.

    Such faults are a busy or broken server (429, 5xx) and failed connections.
    """
    row = await db.row(
        "select count(*) as live, count(now.id) as unavailable from versions v"
        " join pages was on was.version = v.seq and was.status = 'indexed'"
        " left join pages now on now.version = ? and now.url = was.url and now.status = 'failed'"
        " and (now.http_status = 429 or now.http_status >= 500 or now.reason in ('fetch_failed', 'fetch_timeout'))"
        " where v.id = ?",
        (version, former_id),
    )
    return (int(row["live"]), int(row["unavailable"])) if row else (0, 0)


def _page(row: Row) -> Page:
    return Page(
        id=row["id"],
        url=row["url"],
        depth=row["depth"],
        status=row["status"],
        reason=row["reason"],
        http_status=row["http_status"],
        title=row["title"],
        content_hash=row["content_hash"],
    )
