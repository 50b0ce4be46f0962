"""The audit log: every change, with whoever made it. Services write it in the transaction of the change."""

from typing import Annotated

import msgspec

from flowchat.domain import Actor, AuditEntry
from flowchat.services.context import Context
from flowchat.services.lists import Listed, ListRequest, read_page
from flowchat.services.operations import operation
from flowchat.store import audit_log

Text = Annotated[str, msgspec.Meta(max_length=200)]


class AuditLogRequest(ListRequest, frozen=True, kw_only=True):
    """Entries that equal all the filters given."""

    operation: Annotated[Text, msgspec.Meta(description="Such as keys.create.")] = ""
    target: Annotated[Text, msgspec.Meta(description="The id of the thing it was done to.")] = ""
    actor: Annotated[Text, msgspec.Meta(description="Who did it, as entries name them.")] = ""


@operation("audit_log.list", "read")
async def list_page(app: Context, actor: Actor, request: AuditLogRequest) -> Listed[AuditEntry]:
    """List the changes in the tenant, newest first: who did what, when, and from where."""
    return await read_page(
        request,
        lambda cursor: audit_log.page(
            app.db,
            actor.tenant_id,
            cursor,
            operation=request.operation or None,
            target=request.target or None,
            actor=request.actor or None,
        ),
    )
