"""Users: list, invite, change, remove."""

from quart import Response

from flowchat.domain import User
from flowchat.services import users
from flowchat.services.lists import ListRequest
from flowchat.services.users import NewUser, UserChange
from flowchat.web.admin import shell
from flowchat.web.admin.blueprint import blueprint, performs
from flowchat.web.admin.forms import Form
from flowchat.web.current import appliance

LIST = "/admin/users"


@blueprint.get("/users")
@performs("users.list")
async def users_list() -> Response:
    asked = shell.query(ListRequest)
    listed = await users.list_page(appliance(), shell.actor(), asked)
    return await shell.render("admin/users/list.html", users=listed.items, paging=shell.paging(listed, asked))


@blueprint.get("/users/new")
@performs("users.create")
async def users_new() -> Response:
    return await shell.render("admin/users/new.html", form=Form({"role": "editor"}))


@blueprint.post("/users")
@performs("users.create", "users.invite")
async def users_create() -> Response:
    app, actor, form = appliance(), shell.actor(), await Form.entered()
    with form:
        user = await users.create(app, actor, form.to(NewUser, flags=_flags()))
        return await _show_link(await users.invite(app, actor, user.id))
    return await shell.render("admin/users/new.html", 422, form=form)


@blueprint.get("/users/<user>")
@performs("users.get")
async def users_edit(user: str) -> Response:
    shown = await users.get(appliance(), shell.actor(), user)
    form = Form({"email": shown.email, "name": shown.name, "role": shown.role, "operator": shown.operator})
    return await _edit(shown, form)


async def _edit(user: User, form: Form, status: int = 200) -> Response:
    return await shell.render("admin/users/edit.html", status, user=user, form=form)


@blueprint.post("/users/<user>")
@performs("users.update", "users.get")
async def users_update(user: str) -> Response:
    app, actor, form = appliance(), shell.actor(), await Form.entered()
    with form:
        changed = await users.update(app, actor, user, form.to(UserChange, flags=_flags()))
        return await shell.done(f"{changed.email} is changed.", LIST)
    return await _edit(await users.get(app, actor, user), form, 422)


@blueprint.post("/users/<user>/invite")
@performs("users.invite")
async def users_invite(user: str) -> Response:
    return await _show_link(await users.invite(appliance(), shell.actor(), user))


async def _show_link(invitation: users.Invitation) -> Response:
    return await shell.render("admin/users/link.html", invitation=invitation)


@blueprint.post("/users/<user>/delete")
@performs("users.delete")
async def users_delete(user: str) -> Response:
    return await shell.act(users.delete(appliance(), shell.actor(), user), to=LIST, text="The user is removed.")


def _flags() -> tuple[str, ...]:
    """Only operators see the check box: without it, it says nothing."""
    return ("operator",) if "operator" in shell.actor().scopes else ()
