"""Sources."""

import json
import sqlite3
from dataclasses import asdict

from flowchat.domain import CrawlConfig, Source, SourceStatus, now
from flowchat.store.database import Database, Row
from flowchat.store.paging import newest_first

_UNCOUNTED = "select s.*, 0 as pages, 0 as chunks from sources s"
_SELECT = """
    select s.*,
        (select count(*) from pages p where p.version = v.seq and p.status = 'indexed') as pages,
        (select count(*) from chunks c where c.version = v.seq) as chunks
    from sources s left join versions v on v.id = s.live_version
"""


def insert(conn: sqlite3.Connection, source: Source) -> None:
    """Raises sqlite3.IntegrityError when the tenant has a source of that slug."""
    conn.execute(
        "insert into sources (id, tenant_id, slug, name, url, status, locale, config, created_at)"
        " values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            source.id,
            source.tenant_id,
            source.slug,
            source.name,
            source.url,
            source.status,
            source.locale,
            json.dumps(asdict(source.config)),
            source.created_at,
        ),
    )


def slugs(conn: sqlite3.Connection, tenant_id: str) -> set[str]:
    rows = conn.execute("select slug from sources where tenant_id = ?", (tenant_id,)).fetchall()
    return {row["slug"] for row in rows}


def set_config(conn: sqlite3.Connection, source_id: str, config: CrawlConfig) -> None:
    conn.execute("update sources set config = ? where id = ?", (json.dumps(asdict(config)), source_id))


def set_status(conn: sqlite3.Connection, source_id: str, status: SourceStatus) -> None:
    """A revoked source stays revoked."""
    conn.execute("update sources set status = ? where id = ? and status <> 'revoked'", (status, source_id))


def end_crawl(conn: sqlite3.Connection, source_id: str) -> None:
    """After a crawl, however it ended: ready if some version is live, else failed."""
    conn.execute(
        "update sources set last_crawl = ?, status = iif(live_version is null, 'failed', 'ready')"
        " where id = ? and status <> 'revoked'",
        (now(), source_id),
    )


async def get(db: Database, tenant_id: str, id_or_slug: str, *, is_counted: bool = True) -> Source | None:
    """Counting reads an entry for every page and chunk; without it `pages` and `chunks` are 0."""
    select = _SELECT if is_counted else _UNCOUNTED
    row = await db.row(
        select + " where s.tenant_id = ? and (s.id = ? or s.slug = ?)", (tenant_id, id_or_slug, id_or_slug)
    )
    return _source(row) if row else None


async def page(
    db: Database, tenant_id: str, *, limit: int, starting_after: str = "", ending_before: str = ""
) -> list[Source]:
    rows = await newest_first(db, _SELECT, "s", tenant_id, limit, starting_after, ending_before)
    return [_source(row) for row in rows]


async def answering(db: Database, tenant_id: str) -> list[Source]:
    """All sources of a tenant that are not revoked, uncounted."""
    rows = await db.rows(_UNCOUNTED + " where s.tenant_id = ? and s.status <> 'revoked' order by s.id", (tenant_id,))
    return [_source(row) for row in rows]


async def all_with_live_version(db: Database) -> list[Source]:
    """Of every tenant, uncounted: for start-up checks."""
    rows = await db.rows(_UNCOUNTED + " where s.live_version is not null and s.status <> 'revoked' order by s.id")
    return [_source(row) for row in rows]


def _source(row: Row) -> Source:
    config = json.loads(row["config"])
    return Source(
        id=row["id"],
        tenant_id=row["tenant_id"],
        slug=row["slug"],
        name=row["name"],
        url=row["url"],
        status=row["status"],
        locale=row["locale"],
        config=CrawlConfig(
            include=tuple(config.get("include", ())),
            exclude=tuple(config.get("exclude", ())),
            max_pages=config.get("max_pages"),
            max_depth=config.get("max_depth"),
        ),
        live_version=row["live_version"],
        pages=row["pages"],
        chunks=row["chunks"],
        last_crawl=row["last_crawl"],
        created_at=row["created_at"],
    )
