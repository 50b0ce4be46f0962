"""Pages of a version. While it is being built, its queued pages are the crawl's frontier."""

import sqlite3
import zlib
from collections.abc import Iterable
from dataclasses import fields

from flowchat.domain import Page, PageFacts, PageOutcome, PageSort, PageStatus, now
from flowchat.store.database import Database, Row
from flowchat.store.paging import Cursor

_BRIEF = "id, url, depth, status, reason, http_status, title, content_hash, fetched_at, simhash, duplicate_of"
_LISTED = f"{_BRIEF}, description, language, published, modified"
_FACTS = tuple(field.name for field in fields(PageFacts))
_KEYS = {
    "found": "id",
    "url": "url",
    "title": "title collate nocase",
    "depth": "depth",
    "fetched_at": "coalesce(fetched_at, '')",
}
_WHOLE = f"{_BRIEF}, {', '.join(_FACTS)}"


def enqueue(conn: sqlite3.Connection, version: int, urls: Iterable[tuple[str, int]]) -> None:
    """(url, depth) that the version doesn't know yet."""
    conn.executemany(
        "insert into pages (version, url, depth, status) values (?, ?, ?, 'queued') on conflict do nothing",
        [(version, url, depth) for url, depth in urls],
    )


def finish(conn: sqlite3.Connection, version: int, outcome: PageOutcome) -> int:
    """Record what became of a page; returns its row id."""
    facts = outcome.facts
    row = conn.execute(
        "insert into pages (version, url, depth, status, reason, http_status, title, content_hash, fetched_at,"
        " description, language, published, modified, etag, last_modified, outlinks, simhash, duplicate_of, kept)"
        " values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " on conflict (version, url) do update set status = excluded.status, reason = excluded.reason,"
        " http_status = excluded.http_status, title = excluded.title, content_hash = excluded.content_hash,"
        " fetched_at = excluded.fetched_at, description = excluded.description, language = excluded.language,"
        " published = excluded.published, modified = excluded.modified, etag = excluded.etag,"
        " last_modified = excluded.last_modified, outlinks = excluded.outlinks, simhash = excluded.simhash,"
        " duplicate_of = excluded.duplicate_of, kept = excluded.kept returning id",
        (
            version,
            outcome.url,
            outcome.depth,
            outcome.status,
            outcome.reason,
            outcome.http_status,
            outcome.title,
            outcome.content_hash,
            now(),
            facts.description,
            facts.language,
            facts.published,
            facts.modified,
            facts.etag,
            facts.last_modified,
            zlib.compress("\n".join(facts.outlinks).encode()) if facts.outlinks else None,
            facts.simhash,
            facts.duplicate_of,
            facts.kept,
        ),
    ).fetchone()
    return int(row["id"])


def delete_batch(conn: sqlite3.Connection, version: int, limit: int) -> int:
    """Delete some pages of a version that have no chunks left; returns how many."""
    return conn.execute(
        "delete from pages where id in (select id from pages where version = ? limit ?)", (version, limit)
    ).rowcount


async def all_of(db: Database, version: int) -> list[Page]:
    """All pages of a version in the order they were found; of their facts only what tells copies."""
    rows = await db.rows(f"select {_BRIEF} from pages where version = ? order by id", (version,))  # noqa: S608
    return [_page(row) for row in rows]


async def find(db: Database, version: int, url: str) -> Page | None:
    """A page with all its facts."""
    row = await db.row(f"select {_WHOLE} from pages where version = ? and url = ?", (version, url))  # noqa: S608
    return _page(row) if row else None


async def page(
    db: Database,
    version: int,
    cursor: Cursor,
    *,
    status: PageStatus | None = None,
    reason: str = "",
    language: str = "",
    text: str = "",
    sort: PageSort = "found",
) -> list[Page]:
    """Pages in that order, with that status and reason, and with `text` in their address.

    `language` (in lower case) takes in its variants: "pt" finds "pt-br" too.
    """
    key, is_down = _KEYS[sort.removeprefix("-")], sort.startswith("-")
    conditions, bounds = _between(version, key, cursor, is_down=is_down)
    order = "desc" if is_down != cursor.is_backwards else "asc"
    rows = await db.rows(
        f"select {_LISTED} from pages where version = ? and (? is null or status = ?) and (? = '' or reason = ?)"  # noqa: S608
        " and (? = '' or instr(language || '-', ? || '-') = 1) and instr(lower(url), lower(?))"
        f"{conditions} order by {key} {order}, id {order} limit ?",
        (version, status, status, reason, reason, language, language, text, *bounds, cursor.limit),
    )
    pages = [_page(row) for row in rows]
    return pages[::-1] if cursor.is_backwards else pages


def _between(version: int, key: str, cursor: Cursor, *, is_down: bool) -> tuple[str, list[int]]:
    """What takes in only the pages between those of the cursor, in the order of a key and its values' parameters."""
    conditions, bounds = "", list[int]()
    for ident, is_after in ((cursor.starting_after, True), (cursor.ending_before, False)):
        if ident:
            number = int(ident.partition("_")[2])
            by_id = key == "id"  # then the page itself may be gone
            place = "(?, ?)" if by_id else f"(select {key}, id from pages where version = ? and id = ?)"  # noqa: S608
            conditions += f" and ({key}, id) {'>' if is_after != is_down else '<'} {place}"
            bounds += [number if by_id else version, number]
    return conditions, bounds


async def reasons(db: Database, version: int) -> list[str]:
    """Why pages of a version were skipped or failed, each reason once."""
    rows = await db.rows("select distinct reason from pages where version = ? and reason is not null", (version,))
    return [str(row["reason"]) for row in rows]


def main_language(conn: sqlite3.Connection, version: int) -> str:
    """What most of a version's pages are in, without region; '' where no page says.

    "en" if at least half of those that say are English, else the commonest other language.
    """
    rows = conn.execute(
        "select substr(language, 1, instr(language || '-', '-') - 1) as name, count(*) as pages from pages"
        " where version = ? and status = 'indexed' and language <> '' group by name order by pages desc, name",
        (version,),
    ).fetchall()
    counts = {str(row["name"]): int(row["pages"]) for row in rows}
    if counts.get("en", 0) * 2 >= sum(counts.values()):
        return "en" if counts else ""
    return next(name for name in counts if name != "en")


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
        " left join pages now on now.version = ? and now.url = was.url and (now.kept > 0 or (now.status = 'failed'"
        " and (now.http_status = 429 or now.http_status >= 500 or now.reason in ('fetch_failed', 'fetch_timeout'))))"
        " where v.id = ?",
        (version, former_id),
    )
    return (int(row["live"]), int(row["unavailable"])) if row else (0, 0)


async def missing(db: Database, former: int, version: int) -> list[tuple[str, int, str | None]]:
    """(url, depth, reason) of pages that are indexed in a former version and not in another; reason None: not found."""
    rows = await db.rows(
        "select was.url, was.depth, now.reason from pages was"
        " left join pages now on now.version = ? and now.url = was.url"
        " where was.version = ? and was.status = 'indexed' and now.status is not 'indexed'",
        (version, former),
    )
    return [(row["url"], row["depth"], row["reason"]) for row in rows]


def _page(row: Row) -> Page:
    columns = dict(row)
    facts = {name: columns.pop(name) for name in _FACTS if name in columns}
    if facts.get("outlinks") is not None:
        facts["outlinks"] = tuple(zlib.decompress(facts["outlinks"]).decode().split("\n"))
    return Page(**columns, facts=PageFacts(**{name: value for name, value in facts.items() if value is not None}))
