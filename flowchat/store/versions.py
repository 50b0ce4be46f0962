"""Versions of a source: built page by page, live by one update, kept for a while, then deleted in small steps."""

import sqlite3
from collections.abc import Sequence

from flowchat.domain import EXTRACTOR, Version, new_id, now
from flowchat.store.database import Database, Row
from flowchat.store.paging import Cursor, newest_first

KEEP_FORMER = 3

_UNCOUNTED = "select v.*, 0 as pages, 0 as chunks from versions v"
_SELECT = """
    select v.*,
        (select count(*) from pages p where p.version = v.seq and p.status = 'indexed') as pages,
        (select count(*) from chunks c where c.version = v.seq) as chunks
    from versions v
"""


def insert(
    conn: sqlite3.Connection,
    source_id: str,
    embedder: str,
    content_hash: str | None = None,
    extractor: int = EXTRACTOR,
) -> str:
    """A new version in state `building`; returns its id."""
    version_id = new_id("ver")
    conn.execute(
        "insert into versions (id, source_id, number, status, embedder, extractor, content_hash, created_at)"
        " select ?, ?, coalesce(max(number), 0) + 1, 'building', ?, ?, ?, ? from versions where source_id = ?",
        (version_id, source_id, embedder, extractor, content_hash, now(), source_id),
    )
    return version_id


def make_live(conn: sqlite3.Connection, version: Version) -> None:
    """Switch the source over to the version. Chats that began before keep the chunks they have."""
    conn.execute("update versions set status = 'former' where source_id = ? and status = 'live'", (version.source_id,))
    conn.execute("update versions set status = 'live', live_at = ? where id = ?", (now(), version.id))
    conn.execute("update sources set live_version = ? where id = ?", (version.id, version.source_id))


def set_changes(conn: sqlite3.Connection, version_id: str, former_id: str, counts: tuple[int, int, int]) -> None:
    """The version that was live before it, and how many pages were (added, changed, removed) since that."""
    conn.execute(
        "update versions set former = ?, added = ?, changed = ?, removed = ? where id = ?",
        (former_id, *counts, version_id),
    )


def set_language(conn: sqlite3.Connection, version_id: str, language: str) -> None:
    conn.execute("update versions set language = ? where id = ?", (language, version_id))


def fail_building(conn: sqlite3.Connection, source_id: str) -> None:
    """Give up what is being built for a source. Only its active job builds, so there is one version at most."""
    conn.execute("update versions set status = 'failed' where source_id = ? and status = 'building'", (source_id,))


def retire(conn: sqlite3.Connection, source_id: str) -> None:
    """Nothing of a revoked source is live any more."""
    conn.execute("update sources set live_version = null where id = ?", (source_id,))
    conn.execute("update versions set status = 'former' where source_id = ? and status = 'live'", (source_id,))


def find(conn: sqlite3.Connection, source_id: str, version_id: str) -> Version | None:
    """One of the source's versions, uncounted, inside a transaction."""
    row = conn.execute(_UNCOUNTED + " where v.id = ? and v.source_id = ?", (version_id, source_id)).fetchone()
    return _version(row) if row else None


def is_kept(conn: sqlite3.Connection, version: Version) -> bool:
    """Whether a former version is one of those whose content is kept."""
    row = conn.execute(
        "select count(*) from versions where source_id = ? and status = 'former' and number > ?",
        (version.source_id, version.number),
    ).fetchone()
    return int(row[0]) < KEEP_FORMER


async def of_source(db: Database, source_id: str, version_id: str, *, is_counted: bool = True) -> Version | None:
    """Counting reads an entry for every page and chunk; without it `pages` and `chunks` are 0."""
    row = await db.row(
        (_SELECT if is_counted else _UNCOUNTED) + " where v.id = ? and v.source_id = ?", (version_id, source_id)
    )
    return _version(row) if row else None


async def newest(db: Database, source_id: str) -> Version | None:
    """The version that was begun last, uncounted."""
    row = await db.row(_UNCOUNTED + " where v.source_id = ? order by v.number desc limit 1", (source_id,))
    return _version(row) if row else None


async def page(db: Database, source_id: str, cursor: Cursor) -> list[Version]:
    rows = await newest_first(db, _SELECT, cursor, {"v.source_id = ?": source_id}, by="v.id")
    return [_version(row) for row in rows]


async def get(db: Database, version_id: str) -> Version | None:
    row = await db.row(_SELECT + " where v.id = ?", (version_id,))
    return _version(row) if row else None


async def content_hash(db: Database, version_id: str) -> str | None:
    row = await db.row("select content_hash from versions where id = ?", (version_id,))
    return row["content_hash"] if row else None


async def live(db: Database, source_ids: Sequence[str]) -> list[Version]:
    """The live versions of these sources, less revoked ones. Every question asks: `pages` and `chunks` are 0."""
    marks = ",".join("?" * len(source_ids))
    rows = await db.rows(
        f"{_UNCOUNTED} join sources s on s.live_version = v.id where s.status <> 'revoked' and s.id in ({marks})",
        source_ids,
    )
    return [_version(row) for row in rows]


async def has_pages(db: Database, version: Version) -> bool:
    """Whether none of its pages has been deleted, or may be at any moment."""
    return version.seq not in await disposable(db, version.source_id)


async def disposable(db: Database, source_id: str | None = None) -> list[int]:
    """Seqs of versions (of one source, or of all) that nothing needs.

    They are former ones beyond the last KEEP_FORMER, failed ones with a newer version, and those of revoked sources.
    """
    rows = await db.rows(
        "select v.seq from (select seq, source_id, status,"
        " row_number() over (partition by source_id, status order by number desc) as age,"
        " row_number() over (partition by source_id order by number desc) as overall_age"
        " from versions where ?1 is null or source_id = ?1) v join sources s on s.id = v.source_id"
        " where (v.status = 'failed' and (v.overall_age > 1 or s.status = 'revoked'))"
        " or (v.status = 'former' and (v.age > ?2 or s.status = 'revoked'))",
        (source_id, KEEP_FORMER),
    )
    return [row["seq"] for row in rows]


async def failed_with_chunks(db: Database) -> list[int]:
    """Seqs of failed versions that have chunks left: these never answer. Their pages tell why they failed."""
    rows = await db.rows(
        "select v.seq from versions v where v.status = 'failed'"
        " and exists (select 1 from chunks c where c.version = v.seq)"
    )
    return [row["seq"] for row in rows]


def delete_if_empty(conn: sqlite3.Connection, seq: int) -> None:
    """Remove the version's row once its pages are gone (jobs forget it)."""
    conn.execute("update jobs set version_id = null where version_id = (select id from versions where seq = ?)", (seq,))
    conn.execute("delete from versions where seq = ?", (seq,))


async def faults(db: Database) -> list[str]:
    """Versions in a state that no sequence of whole transactions leads to."""
    checks = {
        "a source's live version is not in state live": "select s.id from sources s join versions v"
        " on v.id = s.live_version where v.status <> 'live' or v.source_id <> s.id",
        "a version in state live is not its source's live version": "select v.id from versions v join sources s"
        " on s.id = v.source_id where v.status = 'live' and s.live_version is not v.id",
        "a version is being built without an active job": "select v.id from versions v where v.status = 'building'"
        " and not exists (select 1 from jobs j where j.version_id = v.id and j.status in ('queued', 'running'))",
        "a page is indexed but has no chunk": "select p.url from pages p where p.status = 'indexed' and p.version in"
        " (select seq from versions where status in ('live', 'building'))"
        " and not exists (select 1 from chunks c where c.page_id = p.id)",
        "a page has chunks but is not indexed": "select p.url from pages p where p.status <> 'indexed'"
        " and exists (select 1 from chunks c where c.page_id = p.id)",
    }
    return [f"{what}: {row[0]}" for what, sql in checks.items() for row in await db.rows(sql)]


def _version(row: Row) -> Version:
    return Version(
        id=row["id"],
        seq=row["seq"],
        source_id=row["source_id"],
        number=row["number"],
        status=row["status"],
        embedder=row["embedder"],
        pages=row["pages"],
        chunks=row["chunks"],
        created_at=row["created_at"],
        live_at=row["live_at"],
        content_hash=row["content_hash"],
        extractor=row["extractor"],
        former=row["former"],
        added=row["added"],
        changed=row["changed"],
        removed=row["removed"],
        language=row["language"],
    )
