"""Models, for operators: which there are, which are in use, fetching one, and how to switch to it."""

from quart import Response

from flowchat.domain import Actor
from flowchat.services import models, settings_list
from flowchat.services.context import Appliance
from flowchat.services.views.machine import ModelView
from flowchat.web.admin import live, shell
from flowchat.web.admin.blueprint import blueprint, performs
from flowchat.web.current import appliance

LIST = "/admin/models"
ROLES = {
    "embedder": "Finds passages by their meaning",
    "reranker": "Orders the passages, and decides refusals",
    "generator": "Writes sentences",
    "verifier": "Checks every sentence",
}


@blueprint.get("/models")
@performs("models.list", "settings.list")
async def models_list() -> Response:
    app, actor = appliance(), shell.actor()
    listed = await _list(app, actor)
    settings = {row.variable: row.value for row in (await settings_list.list_all(app, actor)).items}
    return await shell.render(
        "admin/models/list.html",
        models=listed,
        roles=ROLES,
        in_use={role: settings[f"FLOWCHAT_{role.upper()}"] for role in ROLES},
        is_pulling=_is_pulling(listed),
    )


@blueprint.get("/models/live")
@performs("models.list")
async def models_live() -> Response:
    app, actor = appliance(), shell.actor()
    return await live.follow(lambda: _list(app, actor), _is_pulling)


async def _list(app: Appliance, actor: Actor) -> list[ModelView]:
    return [ModelView.of(state) for state in (await models.list_all(app, actor)).items]


def _is_pulling(listed: list[ModelView]) -> bool:
    return any(model.pull is not None and model.pull.status == "running" for model in listed)


@blueprint.post("/models/<model>/pull")
@performs("models.pull")
async def models_pull(model: str) -> Response:
    work = models.pull(appliance(), shell.actor(), model)
    return await shell.act(work, to=LIST, text=f"{model} is being pulled.")
