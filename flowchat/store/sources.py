"""Sources. A deleted one is hidden at once; its row goes when its content has."""

import json
import sqlite3
from dataclasses import asdict

from flowchat.domain import CrawlConfig, Schedule, Source, SourceStatus, now
from flowchat.store.database import Database, Row
from flowchat.store.paging import Cursor, newest_first
from flowchat.store.tenants import refused_if_closed

_UNCOUNTED = "select s.*, 0 as pages, 0 as chunks, '' as language from sources s"
_SELECT = """
    select s.*, coalesce(v.language, '') as language,
        (select count(*) from pages p where p.version = v.seq and p.status = 'indexed') as pages,
        (select count(*) from chunks c where c.version = v.seq) as chunks
    from sources s left join versions v on v.id = s.live_version
"""
_OWN = "select count(*) as own from sources where tenant_id = ? and status <> 'revoked' and not is_builtin"
_BY_NAME = " where s.tenant_id = ? and (s.id = ? or s.slug = ?) and s.deleted_at is null"


def insert(conn: sqlite3.Connection, source: Source) -> None:
    """Raises Conflict `tenant_closed`, and sqlite3.IntegrityError when the tenant has a source of that slug."""
    with refused_if_closed():
        conn.execute(
            "insert into sources (id, tenant_id, slug, name, url, status, locale, config, created_at, schedule,"
            " next_crawl, sitemap, auth, is_builtin) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
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
                source.schedule,
                source.next_crawl,
                source.sitemap,
                source.auth,
                source.is_builtin,
            ),
        )


def update(conn: sqlite3.Connection, source: Source) -> None:
    """Store what its owner may change. Raises sqlite3.IntegrityError when the tenant has another of that slug."""
    conn.execute(
        "update sources set slug = ?, name = ?, url = ?, locale = ?, config = ?, schedule = ?, next_crawl = ?,"
        " sitemap = ?, auth = ? where id = ?",
        (
            source.slug,
            source.name,
            source.url,
            source.locale,
            json.dumps(asdict(source.config)),
            source.schedule,
            source.next_crawl,
            source.sitemap,
            source.auth,
            source.id,
        ),
    )


def find(conn: sqlite3.Connection, tenant_id: str, id_or_slug: str) -> Source | None:
    """`get`, uncounted, inside a transaction."""
    row = conn.execute(_UNCOUNTED + _BY_NAME, (tenant_id, id_or_slug, id_or_slug)).fetchone()
    return _source(row) if row else None


def slugs(conn: sqlite3.Connection, tenant_id: str) -> set[str]:
    rows = conn.execute("select slug from sources where tenant_id = ?", (tenant_id,)).fetchall()
    return {row["slug"] for row in rows}


def count_now(conn: sqlite3.Connection, tenant_id: str) -> int:
    """`count` as a transaction sees it."""
    row = conn.execute(_OWN, (tenant_id,)).fetchone()
    return int(row["own"])


def set_status(conn: sqlite3.Connection, source_id: str, status: SourceStatus) -> None:
    """A revoked source stays revoked."""
    conn.execute("update sources set status = ? where id = ? and status <> 'revoked'", (status, source_id))


def set_paused(conn: sqlite3.Connection, source_id: str) -> None:
    """Its job has stopped for now, so nobody crawls it: it answers as before, or waits for its first version."""
    conn.execute(
        "update sources set status = iif(live_version is null, 'pending', 'ready')"
        " where id = ? and status = 'crawling'",
        (source_id,),
    )


def set_next_crawl(conn: sqlite3.Connection, source_id: str, next_crawl: str) -> None:
    conn.execute("update sources set next_crawl = ? where id = ?", (next_crawl, source_id))


def end_crawl(conn: sqlite3.Connection, source_id: str) -> None:
    """After a job, however it ended: ready if some version is live, else failed."""
    conn.execute(
        "update sources set last_crawl = ?, status = iif(live_version is null, 'failed', 'ready')"
        " where id = ? and status <> 'revoked'",
        (now(), source_id),
    )


def set_ready(conn: sqlite3.Connection, source_id: str) -> None:
    """A former version is live again; a job that is at work goes on."""
    conn.execute("update sources set status = 'ready' where id = ? and status in ('pending', 'failed')", (source_id,))


def revoke(conn: sqlite3.Connection, source_id: str) -> None:
    """It is asked no more, nor crawled: nothing of its sign-in is kept."""
    conn.execute(
        "update sources set status = 'revoked', revoked_at = ?, next_crawl = null, auth = null"
        " where id = ? and status <> 'revoked'",
        (now(), source_id),
    )


def hide(conn: sqlite3.Connection, source_id: str) -> None:
    """Delete a revoked source as far as anybody can see. Its slug is free; no slug looks like an id."""
    conn.execute("update sources set deleted_at = ?, slug = id where id = ?", (now(), source_id))


def delete_if_empty(conn: sqlite3.Connection, source_id: str) -> bool:
    """Remove the row of a hidden source that has no content left. Its jobs stay, without it: they were billed for."""
    empty = conn.execute(
        "select 1 from sources s where id = ? and deleted_at is not null"
        " and not exists (select 1 from versions where source_id = s.id)"
        " and not exists (select 1 from documents where source_id = s.id)"
        " and not exists (select 1 from curated_answers where source_id = s.id)",
        (source_id,),
    ).fetchone()
    if empty is None:
        return False
    conn.execute("update jobs set source_id = null where source_id = ?", (source_id,))
    conn.execute("delete from sources where id = ?", (source_id,))
    return True


def delete_curated_answers(conn: sqlite3.Connection, source_id: str, limit: int) -> int:
    """Delete some of a source's curated answers; returns how many."""
    return conn.execute(
        "delete from curated_answers where id in (select id from curated_answers where source_id = ? limit ?)",
        (source_id, limit),
    ).rowcount


async def get(db: Database, tenant_id: str, id_or_slug: str, *, is_counted: bool = True) -> Source | None:
    """Counting reads an entry for every page and chunk; without it `pages` and `chunks` are 0."""
    select = _SELECT if is_counted else _UNCOUNTED
    row = await db.row(select + _BY_NAME, (tenant_id, id_or_slug, id_or_slug))
    return _source(row) if row else None


async def count(db: Database, tenant_id: str) -> int:
    """How many of its own a tenant has: without revoked ones and FlowChat's documentation."""
    row = await db.row(_OWN, (tenant_id,))
    return int(row["own"]) if row else 0


async def builtin(db: Database) -> Source | None:
    """FlowChat's own documentation, uncounted, unless it was deleted."""
    row = await db.row(_UNCOUNTED + " where s.is_builtin and s.deleted_at is null")
    return _source(row) if row else None


async def page(db: Database, tenant_id: str, cursor: Cursor) -> list[Source]:
    where = {"s.tenant_id = ?": tenant_id, "ifnull(s.deleted_at, '') = ?": ""}
    rows = await newest_first(db, _SELECT, cursor, where, by="s.id")
    return [_source(row) for row in rows]


async def answering(db: Database, tenant_id: str) -> list[Source]:
    """All sources of a tenant that are not revoked, uncounted."""
    rows = await db.rows(_UNCOUNTED + " where s.tenant_id = ? and s.status <> 'revoked' order by s.id", (tenant_id,))
    return [_source(row) for row in rows]


async def all_with_live_version(db: Database) -> list[Source]:
    """Of every tenant, uncounted: for start-up checks."""
    rows = await db.rows(_UNCOUNTED + " where s.live_version is not null and s.status <> 'revoked' order by s.id")
    return [_source(row) for row in rows]


async def due(db: Database) -> list[Source]:
    """Sources of every tenant, uncounted, whose next crawl's time has come and that have no job, longest due first."""
    rows = await db.rows(
        _UNCOUNTED + " where s.next_crawl <= ? and s.status <> 'revoked' and not exists"  # noqa: S608
        " (select 1 from jobs j where j.source_id = s.id and j.status in ('queued', 'running')) order by s.next_crawl",
        (now(),),
    )
    return [_source(row) for row in rows]


def free_stranded(conn: sqlite3.Connection, schedule: Schedule, after: str, due: str) -> int:
    """Sources of that schedule whose next crawl lies after `after` are due then; returns how many there were."""
    return conn.execute(
        "update sources set next_crawl = ? where schedule = ? and next_crawl > ?", (due, schedule, after)
    ).rowcount


async def revoked(db: Database) -> list[Source]:
    """Revoked sources of every tenant, uncounted, that have content left or are deleted."""
    rows = await db.rows(
        _UNCOUNTED + " where s.status = 'revoked' and (s.deleted_at is not null or s.live_version is not null"  # noqa: S608
        " or exists (select 1 from versions where source_id = s.id)"
        " or exists (select 1 from documents where source_id = s.id)"
        " or exists (select 1 from curated_answers where source_id = s.id))"
    )
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
        schedule=row["schedule"],
        next_crawl=row["next_crawl"],
        sitemap=row["sitemap"],
        auth=row["auth"],
        revoked_at=row["revoked_at"],
        is_builtin=bool(row["is_builtin"]),
        language=row["language"],
    )
