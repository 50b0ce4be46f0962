"""The playground: ask, see how the answer comes about, compare settings."""

from quart import Response, request

from flowchat.services import playground, sources, validate
from flowchat.services.lists import MAX_LIMIT, ListRequest
from flowchat.services.playground import PlaygroundRequest
from flowchat.web import respond
from flowchat.web.admin import shell
from flowchat.web.admin.blueprint import blueprint, performs
from flowchat.web.admin.forms import Form
from flowchat.web.chat import streamed
from flowchat.web.current import appliance


@blueprint.get("/playground")
@performs("sources.list")
async def playground_show() -> Response:
    """Its address tells what to ask: the page's script asks it."""
    app = appliance()
    listed = await sources.list_page(app, shell.actor(), ListRequest(limit=MAX_LIMIT))
    form = Form({name: request.args.getlist(name) for name in request.args})
    return await shell.render(
        "admin/playground/show.html",
        form=form,
        sources=[source for source in listed.items if source.status != "revoked"],
        defaults=app.settings,
        asks_at_once=request.headers.get("Sec-Fetch-Site", "none") in ("same-origin", "none"),  # no other site asks
    )


@blueprint.post("/playground/ask")
@performs("playground.ask")
async def playground_ask() -> Response:
    """The answer as a stream of events, as visitors get it, with its trace before the last one."""
    asked = validate.read(await respond.read_json(PlaygroundRequest), PlaygroundRequest)
    actor = shell.actor()
    return streamed(await playground.start(appliance(), actor, asked), reader=f"user {actor.key_id}")
