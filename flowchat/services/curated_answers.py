"""Curated answers: an operator's own words for a question, preferred to what the pages say."""

import asyncio
from dataclasses import replace
from functools import partial
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from flowchat.domain import Actor, CuratedAnswer, new_id, now
from flowchat.engines.protocols import Vectors
from flowchat.errors import Conflict, NotFound
from flowchat.services.context import Appliance, Context
from flowchat.services.fields import TEXT_PATTERN, HttpUrl
from flowchat.services.lists import Listed, ListRequest, read_page
from flowchat.services.operations import operation
from flowchat.services.sources import require_answering
from flowchat.store import audit_log, curated_answers, sources
from flowchat.store.database import Connection

MAX_PER_TENANT = 1000  # every question is compared with all of them
EMBED_BATCH = 50

Question = Annotated[
    str, Meta(max_length=500, pattern=TEXT_PATTERN, description="As visitors ask it.", examples=["Do you ship abroad?"])
]
AnswerText = Annotated[
    str,
    Meta(
        max_length=4000,
        pattern=TEXT_PATTERN,
        description="Shown word for word.",
        examples=["We ship to all countries of the EU."],
    ),
]
SourceName = Annotated[
    str,
    Meta(
        max_length=64,
        description="Id or slug of the source that it belongs to. null: only keys that may ask all sources use it.",
        examples=["docs"],
    ),
]


class NewCuratedAnswer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A question with the answer to it. `url` is where the answer's link leads; without it, to the source's address."""

    question: Question
    answer: AnswerText
    url: HttpUrl | None = None
    source: SourceName | None = None


class CuratedAnswerChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is left out stays as it is."""

    question: Question | UnsetType = UNSET
    answer: AnswerText | UnsetType = UNSET
    url: HttpUrl | UnsetType | None = UNSET
    source: SourceName | UnsetType | None = UNSET


@operation("curated_answers.list", "read")
async def list_page(app: Context, actor: Actor, request: ListRequest) -> Listed[CuratedAnswer]:
    """List the curated answers, newest first."""
    return await read_page(request, lambda cursor: curated_answers.page(app.db, actor.tenant_id, cursor))


@operation("curated_answers.get", "read")
async def get(app: Context, actor: Actor, curated_id: str) -> CuratedAnswer:
    """Show a curated answer.

    Raises NotFound.
    """
    curated = await curated_answers.get(app.db, actor.tenant_id, curated_id)
    if curated is None:
        raise NotFound("curated answer", curated_id)
    return curated


@operation("curated_answers.create", "write")
async def create(app: Appliance, actor: Actor, new: NewCuratedAnswer) -> CuratedAnswer:
    """Answer a question in your own words from now on.

    Raises NotFound for an unknown source, and Conflict `source_revoked` or `too_many_curated_answers`.
    """
    moment = now()
    curated = CuratedAnswer(
        id=new_id("cur"),
        tenant_id=actor.tenant_id,
        source_id=None,
        chunk_id=new_id("chk"),
        question=new.question.strip(),
        answer=new.answer.strip(),
        url=new.url,
        created_at=moment,
        updated_at=moment,
    )
    vector = await asyncio.to_thread(app.engines.embedder.embed_query, curated.question)

    def transaction(conn: Connection) -> CuratedAnswer:
        placed = replace(curated, source_id=_source_id(conn, actor, new.source))
        if curated_answers.count(conn, actor.tenant_id) >= MAX_PER_TENANT:
            raise Conflict(
                "too_many_curated_answers",
                f"There are {MAX_PER_TENANT} curated answers already. Delete some, or put more into the pages.",
            )
        curated_answers.insert(conn, placed, app.engines.embedder.name, vector)
        audit_log.insert(conn, actor, "curated_answers.create", placed.id, question=placed.question)
        return placed

    return await app.db.write(transaction)


@operation("curated_answers.update", "write")
async def update(app: Appliance, actor: Actor, curated_id: str, change: CuratedAnswerChange) -> CuratedAnswer:
    """Change a curated answer. Conversations keep what they cited.

    Raises NotFound, and Conflict `source_revoked`.
    """
    source = change.source
    question = UNSET if change.question is UNSET else change.question.strip()
    embedder = app.engines.embedder
    vector = None if question is UNSET else await asyncio.to_thread(embedder.embed_query, question)

    def transaction(conn: Connection) -> CuratedAnswer:
        present = curated_answers.get_now(conn, actor.tenant_id, curated_id)
        if present is None:
            raise NotFound("curated answer", curated_id)
        changed = replace(
            present,
            source_id=present.source_id if source is UNSET else _source_id(conn, actor, source),
            chunk_id=new_id("chk"),
            question=present.question if question is UNSET else question,
            answer=present.answer if change.answer is UNSET else change.answer.strip(),
            url=present.url if change.url is UNSET else change.url,
            updated_at=now(),
        )
        curated_answers.update(conn, changed)
        if vector is not None:
            curated_answers.set_vector(conn, changed.id, changed.question, embedder.name, vector)
        audit_log.insert(conn, actor, "curated_answers.update", changed.id, question=changed.question)
        return changed

    return await app.db.write(transaction)


@operation("curated_answers.delete", "write", while_read_only=True)
async def delete(app: Context, actor: Actor, curated_id: str) -> None:
    """Delete a curated answer. Conversations keep what they cited.

    Raises NotFound.
    """

    def transaction(conn: Connection) -> None:
        if not curated_answers.delete(conn, actor.tenant_id, curated_id):
            raise NotFound("curated answer", curated_id)
        audit_log.insert(conn, actor, "curated_answers.delete", curated_id)

    await app.db.write(transaction)


async def embed_again(app: Appliance) -> None:
    """Give every tenant's curated answers vectors of the present embedder."""
    embedder = app.engines.embedder
    while stale := await curated_answers.of_other_embedders(app.db, embedder.name, EMBED_BATCH):
        for curated in stale:
            vector = await asyncio.to_thread(embedder.embed_query, curated.question)
            await app.db.write(partial(_set_vector, curated=curated, embedder=embedder.name, vector=vector))


def _set_vector(conn: Connection, curated: CuratedAnswer, embedder: str, vector: Vectors) -> None:
    curated_answers.set_vector(conn, curated.id, curated.question, embedder, vector)


def _source_id(conn: Connection, actor: Actor, id_or_slug: str | None) -> str | None:
    if id_or_slug is None:
        return None
    source = sources.find(conn, actor.tenant_id, id_or_slug)
    if source is None:
        raise NotFound("source", id_or_slug, param="source")
    require_answering(source)  # a revoked one's curated answers are deleted with it
    return source.id
