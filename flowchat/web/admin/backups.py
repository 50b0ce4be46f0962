"""Backups, for operators: what there is, making one, and what is held back since one was restored."""

from quart import Response

from flowchat.domain import Actor
from flowchat.errors import FlowChatError
from flowchat.services import backups, outboxes
from flowchat.services.context import Appliance
from flowchat.services.outboxes import Releasing
from flowchat.services.views.backups import BackupView, OutboxesView
from flowchat.web import respond
from flowchat.web.admin import live, shell
from flowchat.web.admin.blueprint import blueprint, performs
from flowchat.web.admin.forms import Form
from flowchat.web.current import appliance

LIST = "/admin/backups"


@blueprint.get("/backups")
@performs("backups.list", "outboxes.get")
async def backups_list() -> Response:
    app, actor = appliance(), shell.actor()
    listed = await _list(app, actor)
    return await shell.render(
        "admin/backups/list.html",
        backups=listed,
        is_running=_is_running(listed),
        outboxes=OutboxesView.of(await outboxes.get(app, actor)),
        warnings=await backups.warnings(app, actor),
        settings=app.settings,
        form=Form({"older": "drop"}),
    )


@blueprint.get("/backups/live")
@performs("backups.list")
async def backups_live() -> Response:
    app, actor = appliance(), shell.actor()
    return await live.follow(lambda: _list(app, actor), _is_running)


async def _list(app: Appliance, actor: Actor) -> list[BackupView]:
    return [BackupView.of(state) for state in (await backups.list_all(app, actor)).items]


def _is_running(listed: list[BackupView]) -> bool:
    return any(backup.status == "running" for backup in listed)


@blueprint.post("/backups")
@performs("backups.create")
async def backups_create() -> Response:
    work = backups.create(appliance(), shell.actor())
    return await shell.act(work, to=LIST, text="A backup is being made.")


@blueprint.get("/backups/<backup>")
@performs("backups.get")
async def backups_show(backup: str) -> Response:
    found = BackupView.of(await backups.get(appliance(), shell.actor(), backup))
    return await shell.render("admin/backups/show.html", backup=found)


@blueprint.get("/backups/<backup>/download")
@performs("backups.download")
async def backups_download(backup: str) -> Response:
    return await respond.file(await backups.download(appliance(), shell.actor(), backup), "application/zip")


@blueprint.post("/backups/<backup>/delete")
@performs("backups.delete")
async def backups_delete(backup: str) -> Response:
    try:
        await backups.delete(appliance(), shell.actor(), backup)
    except FlowChatError as error:
        return await shell.done(error.message, LIST, "bad")
    return await shell.done(f"{backup} is deleted.", LIST)


@blueprint.post("/outboxes/release")
@performs("outboxes.release")
async def outboxes_release() -> Response:
    form = await Form.entered()
    try:
        found = await outboxes.release(appliance(), shell.actor(), form.to(Releasing))
    except FlowChatError as error:
        return await shell.done(error.message, LIST, "bad")
    text = "Webhooks and e-mails are sent again."
    if found.parked:
        return await shell.done(f"{text} Parked usage waits to be compared with Stripe.", "/admin/stripe")
    return await shell.done(text, LIST)
