"""Pages of a source: what became of each."""

from typing import Annotated

from msgspec import Meta

from flowchat.domain import Actor, Page, PageSort, PageStatus, Source, Version
from flowchat.errors import NotFound
from flowchat.services import sources
from flowchat.services.access import require
from flowchat.services.context import Context
from flowchat.services.fields import Locale
from flowchat.services.lists import Listed, ListRequest, read_page
from flowchat.services.operations import operation
from flowchat.store import pages, versions

PAGE_ID_DIGITS = 16
PageId = Annotated[str, Meta(pattern=rf"^(?:pag_[0-9]{{{PAGE_ID_DIGITS}}})?$(?!\n)")]


class PagesRequest(ListRequest, frozen=True, kw_only=True):
    """Which pages are wanted, and of which version."""

    starting_after: Annotated[PageId, Meta(description="The id of the last page of the list before.")] = ""
    ending_before: Annotated[PageId, Meta(description="The id of the first page of the list after.")] = ""
    version: Annotated[
        str,
        Meta(max_length=64, description="A version's id. Empty: the live one, or else the one that was begun last."),
    ] = ""
    status: Annotated[PageStatus | None, Meta(description="Pages in this state alone.")] = None
    reason: Annotated[str, Meta(max_length=64, description="Pages skipped or failed for this reason alone.")] = ""
    language: Annotated[
        Locale | None, Meta(description="Pages that state this language alone: pt takes in pt-br, pt-br not pt.")
    ] = None
    sort: Annotated[
        PageSort, Meta(description="In which order: as they were found, or by this field; with -, the highest first.")
    ] = "found"
    q: Annotated[str, Meta(max_length=200, description="Pages with this text in their address alone.")] = ""


@operation("pages.list", "read")
async def list_page(app: Context, actor: Actor, source_name: str, request: PagesRequest) -> Listed[Page]:
    """List the pages of a source, skipped and failed ones with the reason, as they were found or as `sort` says.

    Where no version is live, they are those of the version that is being built, or that has failed. Raises NotFound.
    """
    source = await sources.find(app, actor, source_name)
    version = await _version(app, source, request.version)
    if version is None:
        return Listed([], False)
    return await read_page(
        request,
        lambda cursor: pages.page(
            app.db,
            version.seq,
            cursor,
            status=request.status,
            reason=request.reason,
            language=(request.language or "").lower(),
            text=request.q,
            sort=request.sort,
        ),
    )


async def list_reasons(app: Context, actor: Actor, source_name: str, version_id: str) -> list[str]:
    """The reasons that pages of this version, or of the one that `list_page` chooses, were left out for."""
    require(actor, "read")
    version = await _version(app, await sources.find(app, actor, source_name), version_id)
    return await pages.reasons(app.db, version.seq) if version else []


async def _version(app: Context, source: Source, version_id: str) -> Version | None:
    if version_id or source.live_version:
        version = await versions.of_source(app.db, source.id, version_id or source.live_version or "", is_counted=False)
        if version is None:
            raise NotFound("version", version_id, param="version")
        return version
    return None if source.status == "revoked" else await versions.newest(app.db, source.id)
