"""How the indexed pages of two versions of a source differ, by their address and content hash."""

import sqlite3

from flowchat.domain import ChangeType, PageChange
from flowchat.store.database import Database
from flowchat.store.paging import Cursor

# ?1 is the version (its seq), ?2 what it is compared with, ?3 and ?4 are the ids between which pages are wanted.
_BRANCHES: dict[ChangeType, str] = {
    "added": "select now.id, now.url, now.title, 'added' as change, null as reason from pages now"
    " where now.version = ?1 and now.status = 'indexed' and not exists"
    " (select 1 from pages was where was.version = ?2 and was.url = now.url and was.status = 'indexed')"
    " and now.id > ?3 and now.id < ?4",
    "changed": "select now.id, now.url, now.title, 'changed', null from pages now"
    " join pages was on was.version = ?2 and was.url = now.url and was.status = 'indexed'"
    " where now.version = ?1 and now.status = 'indexed' and now.content_hash <> was.content_hash"
    " and now.id > ?3 and now.id < ?4",
    "removed": "select was.id, was.url, was.title, 'removed', now.reason from pages was"
    " left join pages now on now.version = ?1 and now.url = was.url"
    " where was.version = ?2 and was.status = 'indexed' and now.status is not 'indexed'"
    " and was.id > ?3 and was.id < ?4",
}
_LAST_ID = 2**63 - 1


def count(conn: sqlite3.Connection, version: int, former: int) -> tuple[int, int, int]:
    """(added, changed, removed): how many pages of `version` are not as they are in `former`."""
    row = conn.execute(
        "select count(*) as indexed, count(was.id) as common,"
        " count(*) filter (where now.content_hash <> was.content_hash) as changed"
        " from pages now left join pages was on was.version = ?2 and was.url = now.url and was.status = 'indexed'"
        " where now.version = ?1 and now.status = 'indexed'",
        (version, former),
    ).fetchone()
    before = conn.execute("select count(*) from pages where version = ? and status = 'indexed'", (former,)).fetchone()
    return row["indexed"] - row["common"], row["changed"], before[0] - row["common"]


async def page(
    db: Database, version: int, former: int, cursor: Cursor, *, change: ChangeType | None = None
) -> list[PageChange]:
    """Pages that are not in `version` as they are in `former`, in the order in which they were found."""
    first, last = (int(ident.partition("_")[2] or 0) for ident in (cursor.starting_after, cursor.ending_before))
    branches = [sql for of, sql in _BRANCHES.items() if change in (None, of)]
    order = "desc" if cursor.is_backwards else "asc"
    rows = await db.rows(
        f"{' union all '.join(branches)} order by 1 {order} limit ?5",
        (version, former, first, last or _LAST_ID, cursor.limit),
    )
    changes = [PageChange(*row) for row in rows]
    return changes[::-1] if cursor.is_backwards else changes


async def find(db: Database, version: int, former: int, page_id: int) -> PageChange | None:
    """One of these pages."""
    row = await db.row(" union all ".join(_BRANCHES.values()), (version, former, page_id - 1, page_id + 1))
    return PageChange(*row) if row else None
