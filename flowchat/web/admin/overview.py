"""The first page: what there is, or how to begin."""

from quart import Response

from flowchat.services import sources, tenants
from flowchat.services.lists import MAX_LIMIT, ListRequest
from flowchat.web.admin import shell
from flowchat.web.admin.blueprint import blueprint, performs
from flowchat.web.current import appliance


@blueprint.get("")
@performs("tenant.get", "sources.list")
async def overview_show() -> Response:
    app, actor = appliance(), shell.actor()
    tenant = await tenants.get_own(app, actor)
    listed = await sources.list_page(app, actor, ListRequest(limit=MAX_LIMIT))
    own = [source for source in listed.items if not source.is_builtin]
    return await shell.render("admin/overview.html", tenant=tenant, sources=own)
