"""Versions of a source, and rolling back to a former one."""

import asyncio
from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta, Struct

from flowchat.domain import Actor, ChangeType, JobProgress, NewChunk, PageChange, Source, Version
from flowchat.errors import Conflict, NotFound
from flowchat.ingest import ending
from flowchat.services import sources, text_diff
from flowchat.services.context import Context
from flowchat.services.lists import Listed, ListRequest, read_page
from flowchat.services.operations import operation
from flowchat.services.pages import PAGE_ID_DIGITS, PageId
from flowchat.services.text_diff import TextDiff
from flowchat.store import audit_log, changes, chunks, pages, versions
from flowchat.store import sources as source_store
from flowchat.store.database import Connection

Against = Annotated[
    str, Meta(max_length=64, description="Another version's id. Empty: the version that was live before it.")
]


class ChangesRequest(ListRequest, frozen=True, kw_only=True):
    """Which changes are wanted, and against which version."""

    starting_after: Annotated[PageId, Meta(description="The id of the last change of the list before.")] = ""
    ending_before: Annotated[PageId, Meta(description="The id of the first change of the list after.")] = ""
    against: Against = ""
    change: Annotated[ChangeType | None, Meta(description="Changes of this kind alone.")] = None


class ChangeRequest(Struct, frozen=True, kw_only=True):
    """Against which version a page is compared."""

    against: Against = ""


@dataclass(frozen=True, slots=True)
class ChangedText:
    """A page that has changed, and how its text has. `former_title` is None for an added page."""

    page: PageChange
    former_title: str | None
    diff: TextDiff


@operation("versions.list", "read")
async def list_page(app: Context, actor: Actor, source_name: str, request: ListRequest) -> Listed[Version]:
    """List the versions of a source, newest first. Raises NotFound."""
    source = await sources.find(app, actor, source_name)
    return await read_page(request, lambda cursor: versions.page(app.db, source.id, cursor))


@operation("versions.get", "read")
async def get(app: Context, actor: Actor, source_name: str, version_id: str) -> Version:
    """Show a version. Raises NotFound."""
    source = await sources.find(app, actor, source_name)
    version = await versions.of_source(app.db, source.id, version_id)
    if version is None:
        raise NotFound("version", version_id)
    return version


@operation("versions.activate", "write")
async def activate(app: Context, actor: Actor, source_name: str, version_id: str) -> Version:
    """Let a former version answer, from the next question on: roll back, or forward again.

    The next crawl makes a newer version live. Raises NotFound, and Conflict `version_not_kept`, `other_embedder` or
    `source_revoked`.
    """
    version = await get(app, actor, source_name, version_id)
    progress = JobProgress(indexed=version.pages, chunks=version.chunks)

    def transaction(conn: Connection) -> None:
        source = source_store.find(conn, actor.tenant_id, version.source_id)
        present = versions.find(conn, version.source_id, version.id)
        if source is None or present is None:
            raise NotFound("version", version_id)
        sources.require_answering(source)
        if present.status == "live":
            return
        _require_usable(conn, present, app.settings.embedder)
        ending.go_live(conn, present, None, source, progress)
        source_store.set_ready(conn, source.id)
        audit_log.insert(conn, actor, "versions.activate", version.id, source=source.id, number=version.number)

    await app.db.write(transaction)
    return await get(app, actor, source_name, version_id)


def _require_usable(conn: Connection, version: Version, embedder: str) -> None:
    if version.status != "former" or not versions.is_kept(conn, version):
        raise Conflict(
            "version_not_kept",
            f"Version {version.number} is {version.status}. Only a former version whose content is kept can go live: "
            f"the last {versions.KEEP_FORMER}.",
        )
    if version.embedder != embedder:
        raise Conflict(
            "other_embedder",
            f"Version {version.number} was embedded with {version.embedder}, not with {embedder}. Recrawl instead.",
        )


@operation("versions.changes", "read")
async def list_changes(
    app: Context, actor: Actor, source_name: str, version_id: str, request: ChangesRequest
) -> Listed[PageChange]:
    """List the pages that a version has added, changed or removed, against the version that was live before it.

    A version that never was live is compared with the live one. A source's first version has no changes. Raises
    NotFound, and Conflict `version_building` or `version_not_kept`.
    """
    compared = await _pair(app, actor, source_name, version_id, request.against)
    if compared is None:
        return Listed([], False)
    version, other = compared
    return await read_page(
        request, lambda cursor: changes.page(app.db, version.seq, other.seq, cursor, change=request.change)
    )


@operation("versions.diff", "read")
async def diff(
    app: Context, actor: Actor, source_name: str, version_id: str, page_id: str, request: ChangeRequest
) -> ChangedText:
    """Show how the text of a page has changed: one of those that the list of changes has, by its id there.

    What differs is told line by line, a sentence being a line, with up to two unchanged lines around it; at most 400
    lines. Raises NotFound, and Conflict `version_building` or `version_not_kept`.
    """
    compared = await _pair(app, actor, source_name, version_id, request.against)
    number = page_id.removeprefix("pag_")
    page = None
    if compared is not None and number.isdecimal() and len(number) == PAGE_ID_DIGITS:
        page = await changes.find(app.db, compared[0].seq, compared[1].seq, int(number))
    if compared is None or page is None:
        raise NotFound("changed page", page_id)
    _, now = await _page_text(app, compared[0], page.url)
    former_title, was = await _page_text(app, compared[1], page.url)
    return ChangedText(page, former_title, await asyncio.to_thread(text_diff.compare, was, now))


async def _page_text(app: Context, version: Version, url: str) -> tuple[str | None, list[NewChunk]]:
    """Title and passages of a page; none where the version does not have it."""
    page = await pages.find(app.db, version.seq, url)
    if page is None or page.status != "indexed":
        return None, []
    return page.title, await chunks.of_page(app.db, page.id)


async def _pair(
    app: Context, actor: Actor, source_name: str, version_id: str, against: str
) -> tuple[Version, Version] | None:
    """A version and what it is compared with, both with their pages; None for a first version."""
    source = await sources.find(app, actor, source_name)
    version = await _uncounted(app, source, version_id)
    if version is None:
        raise NotFound("version", version_id)
    if version.status == "building":
        raise Conflict("version_building", f"Version {version.number} is not finished: ask again when its job is.")
    other = await _compared(app, source, version, against)
    if other is None:
        return None
    for compared in (version, other):
        if not await versions.has_pages(app.db, compared):
            raise _not_kept(f"The pages of version {compared.number} are deleted.")
    return version, other


async def _compared(app: Context, source: Source, version: Version, against: str) -> Version | None:
    """What the version is compared with; None for a first version."""
    if against:
        other = await _uncounted(app, source, against)
        if other is None:
            raise NotFound("version", against, param="against")
        return other
    if version.former is not None:
        former = await _uncounted(app, source, version.former)
        if former is None:
            raise _not_kept(f"The version that was live before version {version.number} is deleted.")
        return former
    is_unused = version.live_at is None and source.live_version is not None
    return await _uncounted(app, source, source.live_version or "") if is_unused else None


async def _uncounted(app: Context, source: Source, version_id: str) -> Version | None:
    return await versions.of_source(app.db, source.id, version_id, is_counted=False)


def _not_kept(reason: str) -> Conflict:
    return Conflict("version_not_kept", f"{reason} Choose another one to compare with: send its id as `against`.")
