"""Chunks with their two indexes: words (FTS5) and vectors (sqlite-vec), always written and deleted together."""

import json
import re
import sqlite3
from collections.abc import Iterable, Sequence
from typing import NamedTuple
from urllib.parse import quote

from numpy import float32, frombuffer
from numpy.typing import NDArray

from flowchat.domain import Chunk, NewChunk, new_id
from flowchat.store.database import Database, Row

_FLOAT_BYTES = 4
_TITLE_WEIGHT, _HEADINGS_WEIGHT, _TEXT_WEIGHT = 2.0, 2.0, 1.0
_WORD, _NO_WORD = re.compile(r"\w+"), re.compile(r"\W")

_SELECT = """
    select c.rowid, c.id, v.id as version_id, p.url, p.title, c.headings, c.anchor, c.text
    from chunks c join pages p on p.id = c.page_id join versions v on v.seq = c.version
"""
_VECTOR_TABLES = "select name from sqlite_schema where type = 'table' and sql like 'create virtual table%using vec0%'"


def ensure_vectors(conn: sqlite3.Connection, dims: int) -> None:
    """The vector table for that many dimensions. Small chunk_size: a partition takes 0.1 MB instead of 1.6."""
    conn.execute(
        f"create virtual table if not exists vectors_{int(dims)} using vec0(chunk integer primary key,"
        f" version integer partition key, embedding float[{int(dims)}] distance_metric=cosine, chunk_size=64)"
    )


def insert(
    conn: sqlite3.Connection,
    version: int,
    page_id: int,
    title: str,
    chunks: Sequence[NewChunk],
    vectors: NDArray[float32],
) -> None:
    """The chunks of one page and their vectors (len(chunks), dims), into all three tables."""
    for position, (chunk, vector) in enumerate(zip(chunks, vectors, strict=True)):
        rowid = conn.execute(
            "insert into chunks (id, version, page_id, position, headings, anchor, text) values (?, ?, ?, ?, ?, ?, ?)",
            (new_id("chk"), version, page_id, position, json.dumps(chunk.headings), chunk.anchor, chunk.text),
        ).lastrowid
        _index(conn, int(rowid or 0), version, title, chunk.headings, chunk.text, vector.tobytes())


def index_again(conn: sqlite3.Connection, rows: Iterable[Row]) -> None:
    """Chunks that came without their indexes: rowid, version, title, headings (JSON), text, embedding of each."""
    for row in rows:
        rowid, version, title, headings, text, embedding = row
        _index(conn, rowid, version, title, json.loads(headings), text, embedding)


def _index(
    conn: sqlite3.Connection,
    rowid: int,
    version: int,
    title: str,
    headings: Sequence[str],
    text: str,
    embedding: bytes,
) -> None:
    """embedding: (dims,) float32"""
    conn.execute(
        "insert into chunks_fts (rowid, version, title, headings, text) values (?, ?, ?, ?, ?)",
        (rowid, _version_word(version), title, " > ".join(headings), text),
    )
    conn.execute(
        f"insert into vectors_{len(embedding) // _FLOAT_BYTES} (chunk, version, embedding) values (?, ?, ?)",  # noqa: S608
        (rowid, version, embedding),
    )


def delete_batch(conn: sqlite3.Connection, version: int, limit: int) -> int:
    """Delete some chunks of a version from all three tables; returns how many."""
    rowids = [
        (row["rowid"],)
        for row in conn.execute("select rowid from chunks where version = ? limit ?", (version, limit)).fetchall()
    ]
    conn.executemany("delete from chunks_fts where rowid = ?", rowids)
    for table in vector_tables(conn):
        conn.executemany(f"delete from {table} where chunk = ?", rowids)  # noqa: S608 (a table of ours)
    conn.executemany("delete from chunks where rowid = ?", rowids)
    return len(rowids)


def vector_tables(conn: sqlite3.Connection) -> list[str]:
    return [row["name"] for row in conn.execute(_VECTOR_TABLES)]


async def search_words(
    db: Database, versions: Sequence[int], words: Sequence[str], limit: int
) -> list[tuple[int, float]]:
    """(row id, BM25) of the chunks that hold any of the words, best first. The higher, the better."""
    quoted = [f'"{word}"' for word in words if _WORD.fullmatch(word)]
    if not quoted or not versions:
        return []
    scope = " or ".join(f'"{_version_word(version)}"' for version in versions)
    rows = await db.rows(
        "select rowid, bm25(chunks_fts, 0.0, ?, ?, ?) as cost from chunks_fts where chunks_fts match ?"
        " order by cost limit ?",
        (
            _TITLE_WEIGHT,
            _HEADINGS_WEIGHT,
            _TEXT_WEIGHT,
            f"(version : ({scope})) AND ({{title headings text}} : ({' OR '.join(quoted)}))".replace(" or ", " OR "),
            limit,
        ),
    )
    return [(row["rowid"], -row["cost"]) for row in rows]


class WordUse(NamedTuple):
    """In how many chunks of some versions a word stands, and whether it stands in a certain chunk of them."""

    chunks: int
    is_held: bool


async def word_uses(
    db: Database, versions: Sequence[int], words: Sequence[str], chunk_rowid: int, max_chunks: int
) -> dict[str, WordUse]:
    """Of each word, found as by `search_words`; one such as "write-ahead" also as "writeahead", and not by its parts.

    Counting ends at `max_chunks`. words: without quotation marks.
    """
    if not words:
        return {}
    scope = " OR ".join(f'"{_version_word(version)}"' for version in versions)
    forms = {word: f'"{word}" OR "{_NO_WORD.sub("", word)}"' for word in words}
    sought = {word: f"(version : ({scope})) AND ({{title headings text}} : ({form}))" for word, form in forms.items()}
    rows = await db.rows(
        " union all ".join(
            "select ? as word, (select count(*) from (select 1 from chunks_fts where chunks_fts match ? limit ?))"
            " as chunks, exists (select 1 from chunks_fts where chunks_fts match ? and rowid = ?) as is_held"
            for _ in sought
        ),
        [value for word, match in sought.items() for value in (word, match, max_chunks, match, chunk_rowid)],
    )
    return {row["word"]: WordUse(row["chunks"], bool(row["is_held"])) for row in rows}


async def count(db: Database, versions: Sequence[int]) -> int:
    """The chunks of the versions."""
    marks = ",".join("?" * len(versions))
    rows = await db.rows(f"select count(*) as chunks from chunks where version in ({marks})", versions)  # noqa: S608
    return int(rows[0]["chunks"])


async def search_vectors(
    db: Database, versions: Sequence[int], vector: NDArray[float32], limit: int
) -> list[tuple[int, float]]:
    """(row id, cosine) of the nearest chunks, nearest first. vector: (dims,)"""
    if not versions:
        return []
    marks = ",".join("?" * len(versions))
    rows = await db.rows(
        f"select chunk, distance from vectors_{len(vector)}"  # noqa: S608 (a number and marks)
        f" where embedding match ? and k = ? and version in ({marks}) order by distance",
        (vector.tobytes(), limit, *versions),
    )
    return [(row["chunk"], 1 - row["distance"]) for row in rows]


async def by_rowids(db: Database, rowids: Sequence[int]) -> list[Chunk]:
    """The chunks, in the order of their row ids as given."""
    marks = ",".join("?" * len(rowids))
    rows = await db.rows(f"{_SELECT} where c.rowid in ({marks})", rowids)
    found = {row["rowid"]: _chunk(row) for row in rows}
    return [found[rowid] for rowid in rowids if rowid in found]


async def of_page(db: Database, page_id: int) -> list[NewChunk]:
    rows = await db.rows("select text, headings, anchor from chunks where page_id = ? order by position", (page_id,))
    return [_new_chunk(row) for row in rows]


async def embedded(
    db: Database, version: int, urls: Sequence[str], dims: int
) -> list[tuple[str, NewChunk, NDArray[float32]]]:
    """(title, chunk, vector (dims,)) of all that these pages of a version have."""
    marks = ",".join("?" * len(urls))
    rows = await db.rows(
        "select p.title, c.text, c.headings, c.anchor, v.embedding from pages p"  # noqa: S608 (a number and marks)
        f" cross join chunks c on c.page_id = p.id cross join vectors_{int(dims)} v on v.chunk = c.rowid"
        f" where p.version = ? and p.url in ({marks})",
        (version, *urls),
    )
    return [(row["title"], _new_chunk(row), frombuffer(row["embedding"], float32)) for row in rows]


async def count_missing(db: Database) -> dict[str, int]:
    """How many entries the three tables lack of each other; all zero in a sound database.

    `integrity_check` does not see a lost vector row, so this compares row by row.
    """
    problems = {}
    checks = {
        "chunks without words": "select count(*) from chunks where rowid not in (select rowid from chunks_fts)",
        "words without chunk": "select count(*) from chunks_fts where rowid not in (select rowid from chunks)",
    }
    tables = [row["name"] for row in await db.rows(_VECTOR_TABLES)]
    if tables:
        vectors = " union all ".join(f"select chunk from {table}" for table in tables)  # noqa: S608 (tables of ours)
        checks["chunks without vector"] = f"select count(*) from chunks where rowid not in ({vectors})"  # noqa: S608
        checks["vectors without chunk"] = (
            f"select count(*) from ({vectors}) where chunk not in (select rowid from chunks)"  # noqa: S608
        )
    for name, sql in checks.items():
        row = await db.row(sql)
        problems[name] = int(row[0]) if row else 0
    return problems


def _version_word(version: int) -> str:
    return f"version{version}"


def _new_chunk(row: Row) -> NewChunk:
    return NewChunk(row["text"], tuple(json.loads(row["headings"])), row["anchor"])


def _chunk(row: Row) -> Chunk:
    # What begins with # is a document without an address, and has no places inside either.
    has_anchor = row["anchor"] and not row["url"].startswith("#")
    anchor = f"#{quote(row['anchor'], safe='-._~!$&()*+,;=:@/?')}" if has_anchor else ""
    return Chunk(
        id=row["id"],
        rowid=row["rowid"],
        version_id=row["version_id"],
        url=row["url"] + anchor,
        title=row["title"],
        headings=tuple(json.loads(row["headings"])),
        text=row["text"],
    )
