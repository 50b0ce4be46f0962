"""Pages of a source: what became of each."""

from typing import Annotated

from msgspec import Meta

from flowchat.domain import Actor, Page, PageStatus
from flowchat.errors import NotFound
from flowchat.services import sources
from flowchat.services.context import Context
from flowchat.services.lists import Listed, ListRequest, read_page
from flowchat.services.operations import operation
from flowchat.store import pages, versions

PageId = Annotated[str, Meta(pattern=r"^(?:pag_[0-9]{16})?$(?!\n)")]


class PagesRequest(ListRequest, frozen=True, kw_only=True):
    """Which pages are wanted, and of which version."""

    starting_after: Annotated[PageId, Meta(description="The id of the last page of the list before.")] = ""
    ending_before: Annotated[PageId, Meta(description="The id of the first page of the list after.")] = ""
    version: Annotated[str, Meta(max_length=64, description="A version's id. Empty: the live one.")] = ""
    status: Annotated[PageStatus | None, Meta(description="Pages in this state alone.")] = None
    reason: Annotated[str, Meta(max_length=64, description="Pages skipped or failed for this reason alone.")] = ""
    q: Annotated[str, Meta(max_length=200, description="Pages with this text in their address alone.")] = ""


@operation("pages.list", "read")
async def list_page(app: Context, actor: Actor, source_name: str, request: PagesRequest) -> Listed[Page]:
    """List the pages of a source in the order they were found, skipped and failed ones with the reason.

    Without a live version the list is empty. Raises NotFound.
    """
    source = await sources.find(app, actor, source_name)
    version_id = request.version or source.live_version
    if version_id is None:
        return Listed([], False)
    version = await versions.of_source(app.db, source.id, version_id, is_counted=False)
    if version is None:
        raise NotFound("version", version_id, param="version")
    return await read_page(
        request,
        lambda cursor: pages.page(
            app.db, version.seq, cursor, status=request.status, reason=request.reason, text=request.q
        ),
    )
