"""Curated answers, with the vectors of their questions."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy import float32
from numpy.typing import NDArray

from flowchat.domain import Chunk, CuratedAnswer
from flowchat.store.database import Database, Row
from flowchat.store.paging import Cursor, newest_first

_GET = "select * from curated_answers where tenant_id = ? and id = ?"
_CANDIDATES = """
    select c.id, c.question, c.vector from curated_answers c left join sources s on s.id = c.source_id
    where c.tenant_id = ? and c.embedder = ? and (c.source_id is null or s.status <> 'revoked')
"""
# Its own address, or its source's, or that of the first of the sources asked; '' without any.
_ADDRESS = """
    coalesce(c.url, s.url, (select url from sources where url is not null and id in ({marks}) order by id limit 1), '')
"""


@dataclass(frozen=True, slots=True)
class Candidates:
    """Questions that have a curated answer, newest first. vectors: (len(questions), dims), of unit length"""

    ids: list[str]
    questions: list[str]
    vectors: NDArray[float32]


def insert(conn: sqlite3.Connection, curated: CuratedAnswer, embedder: str, vector: NDArray[float32]) -> None:
    """vector: (dims,), of the question"""
    conn.execute(
        "insert into curated_answers (id, tenant_id, source_id, chunk_id, question, answer, url, embedder, vector,"
        " created_at, updated_at) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            curated.id,
            curated.tenant_id,
            curated.source_id,
            curated.chunk_id,
            curated.question,
            curated.answer,
            curated.url,
            embedder,
            vector.tobytes(),
            curated.created_at,
            curated.updated_at,
        ),
    )


def update(conn: sqlite3.Connection, curated: CuratedAnswer) -> None:
    """All but its vector."""
    conn.execute(
        "update curated_answers set source_id = ?, chunk_id = ?, question = ?, answer = ?, url = ?, updated_at = ?"
        " where id = ? and tenant_id = ?",
        (
            curated.source_id,
            curated.chunk_id,
            curated.question,
            curated.answer,
            curated.url,
            curated.updated_at,
            curated.id,
            curated.tenant_id,
        ),
    )


def set_vector(
    conn: sqlite3.Connection, curated_id: str, question: str, embedder: str, vector: NDArray[float32]
) -> None:
    """Unless the question has changed meanwhile. vector: (dims,)"""
    conn.execute(
        "update curated_answers set embedder = ?, vector = ? where id = ? and question = ?",
        (embedder, vector.tobytes(), curated_id, question),
    )


def delete(conn: sqlite3.Connection, tenant_id: str, curated_id: str) -> bool:
    """False if there is none."""
    return bool(
        conn.execute("delete from curated_answers where id = ? and tenant_id = ?", (curated_id, tenant_id)).rowcount
    )


def count(conn: sqlite3.Connection, tenant_id: str) -> int:
    return int(conn.execute("select count(*) from curated_answers where tenant_id = ?", (tenant_id,)).fetchone()[0])


def get_now(conn: sqlite3.Connection, tenant_id: str, curated_id: str) -> CuratedAnswer | None:
    """As a transaction sees it."""
    row = conn.execute(_GET, (tenant_id, curated_id)).fetchone()
    return _curated(row) if row else None


async def get(db: Database, tenant_id: str, curated_id: str) -> CuratedAnswer | None:
    row = await db.row(_GET, (tenant_id, curated_id))
    return _curated(row) if row else None


async def page(db: Database, tenant_id: str, cursor: Cursor) -> list[CuratedAnswer]:
    rows = await newest_first(db, "select * from curated_answers", cursor, {"tenant_id = ?": tenant_id})
    return [_curated(row) for row in rows]


async def of_other_embedders(db: Database, embedder: str, limit: int) -> list[CuratedAnswer]:
    """Some, of every tenant, whose vectors can't be compared with this embedder's."""
    rows = await db.rows("select * from curated_answers where embedder <> ? order by id limit ?", (embedder, limit))
    return [_curated(row) for row in rows]


async def of_tenant(db: Database, tenant_id: str, embedder: str, dims: int) -> Candidates:
    """All of a tenant's that answer."""
    rows = await db.rows(_CANDIDATES + " order by c.id desc", (tenant_id, embedder))
    return _candidates(rows, dims)


async def of_sources(
    db: Database, tenant_id: str, source_ids: Sequence[str], embedder: str, dims: int, *, is_tenant_wide: bool
) -> Candidates:
    """Those of these sources; with `is_tenant_wide` those for all of the tenant's sources, too."""
    marks = ",".join("?" * len(source_ids))
    rows = await db.rows(
        f"{_CANDIDATES} and (c.source_id in ({marks}) or (c.source_id is null and ?)) order by c.id desc",
        (tenant_id, embedder, *source_ids, is_tenant_wide),
    )
    return _candidates(rows, dims)


async def stamp(db: Database, tenant_id: str, source_ids: Sequence[str], embedder: str, *, is_tenant_wide: bool) -> str:
    """Another text whenever what `of_sources` finds, or where it leads, is another."""
    marks = ",".join("?" * len(source_ids))
    row = await db.row(
        "select coalesce(group_concat(chunk_id || ' ' || address), '') as stamp from ("  # noqa: S608
        f"select c.chunk_id, {_ADDRESS.format(marks=marks)} as address"
        " from curated_answers c left join sources s on s.id = c.source_id"
        " where c.tenant_id = ? and c.embedder = ? and (c.source_id is null or s.status <> 'revoked')"
        f" and (c.source_id in ({marks}) or (c.source_id is null and ?)) order by c.id)",
        (*source_ids, tenant_id, embedder, *source_ids, is_tenant_wide),
    )
    return str(row["stamp"]) if row else ""


async def chunk(db: Database, curated_id: str, source_ids: Sequence[str]) -> Chunk | None:
    """What an answer cites: at its own address, or its source's, or the first of these sources'; '' without any."""
    marks = ",".join("?" * len(source_ids))
    row = await db.row(
        f"select c.*, {_ADDRESS.format(marks=marks)} as address"  # noqa: S608
        " from curated_answers c left join sources s on s.id = c.source_id where c.id = ?",
        (*source_ids, curated_id),
    )
    return Chunk(row["chunk_id"], 0, "", row["address"], row["question"], (), row["answer"]) if row else None


def _candidates(rows: Sequence[Row], dims: int) -> Candidates:
    vectors = np.frombuffer(b"".join(row["vector"] for row in rows), float32).reshape(len(rows), dims)
    return Candidates([row["id"] for row in rows], [row["question"] for row in rows], vectors)


def _curated(row: Row) -> CuratedAnswer:
    return CuratedAnswer(
        id=row["id"],
        tenant_id=row["tenant_id"],
        source_id=row["source_id"],
        chunk_id=row["chunk_id"],
        question=row["question"],
        answer=row["answer"],
        url=row["url"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
