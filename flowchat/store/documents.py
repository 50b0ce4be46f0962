"""Documents: the uploaded files of a source, as they came."""

import hashlib
import sqlite3

from flowchat.domain import StoredDocument
from flowchat.store.database import Database, Row
from flowchat.store.paging import Cursor, newest_first

# A document is indexed when the live version has a page of the same address, made of the same bytes. It is skipped
# there when another document has the same bytes, too.
_SELECT = """
    select d.id, d.source_id, d.name, d.url, d.content_type, d.bytes, d.content_hash, d.created_at, exists (
        select 1 from sources s join versions v on v.id = s.live_version join pages p on p.version = v.seq
        where s.id = d.source_id and p.url = d.url and p.content_hash = d.content_hash
            and p.status in ('indexed', 'skipped')
    ) as is_indexed
    from documents d
"""


def put(conn: sqlite3.Connection, document: StoredDocument, content: bytes) -> None:
    """Store a document in place of the source's document of that name, if there is one, whose id it takes over.

    Raises sqlite3.IntegrityError when another document of the source has its URL.
    """
    conn.execute(
        "insert into documents (id, source_id, name, url, content_type, bytes, content, content_hash, created_at)"
        " values (?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict (source_id, name) do update set url = excluded.url,"
        " content_type = excluded.content_type, bytes = excluded.bytes, content = excluded.content,"
        " content_hash = excluded.content_hash, created_at = excluded.created_at",
        (
            document.id,
            document.source_id,
            document.name,
            document.url,
            document.content_type,
            document.bytes,
            content,
            document.content_hash,
            document.created_at,
        ),
    )


def id_of(conn: sqlite3.Connection, source_id: str, name: str) -> str | None:
    row = conn.execute("select id from documents where source_id = ? and name = ?", (source_id, name)).fetchone()
    return row["id"] if row else None


def name_at(conn: sqlite3.Connection, source_id: str, url: str) -> str | None:
    """The name of the document that has an address."""
    row = conn.execute("select name from documents where source_id = ? and url = ?", (source_id, url)).fetchone()
    return row["name"] if row else None


def delete(conn: sqlite3.Connection, source_id: str, document_id: str) -> bool:
    """False if there is none."""
    deleted = conn.execute("delete from documents where source_id = ? and id = ?", (source_id, document_id))
    return deleted.rowcount == 1


def delete_batch(conn: sqlite3.Connection, source_id: str, limit: int) -> int:
    """Delete some of a source's documents; returns how many."""
    return conn.execute(
        "delete from documents where id in (select id from documents where source_id = ? limit ?)", (source_id, limit)
    ).rowcount


def digest(conn: sqlite3.Connection, source_id: str) -> str:
    """Changes whenever any of the source's documents does."""
    rows = conn.execute(
        "select name, url, content_hash from documents where source_id = ? order by name", (source_id,)
    ).fetchall()
    return hashlib.sha256(repr([tuple(row) for row in rows]).encode()).hexdigest()


async def get(db: Database, source_id: str, document_id: str) -> StoredDocument | None:
    row = await db.row(_SELECT + " where d.source_id = ? and d.id = ?", (source_id, document_id))
    return _document(row) if row else None


async def page(db: Database, source_id: str, cursor: Cursor) -> list[StoredDocument]:
    rows = await newest_first(db, _SELECT, cursor, {"d.source_id = ?": source_id}, by="d.id")
    return [_document(row) for row in rows]


async def all_of(db: Database, source_id: str) -> list[StoredDocument]:
    """Oldest first."""
    rows = await db.rows(_SELECT + " where d.source_id = ? order by d.id", (source_id,))
    return [_document(row) for row in rows]


async def content(db: Database, document_id: str) -> bytes | None:
    """None if it was deleted meanwhile."""
    row = await db.row("select content from documents where id = ?", (document_id,))
    return row["content"] if row else None


def _document(row: Row) -> StoredDocument:
    return StoredDocument(
        id=row["id"],
        source_id=row["source_id"],
        name=row["name"],
        url=row["url"],
        content_type=row["content_type"],
        bytes=row["bytes"],
        content_hash=row["content_hash"],
        created_at=row["created_at"],
        is_indexed=bool(row["is_indexed"]),
    )
