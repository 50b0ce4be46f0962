"""Pages behind links that work once: setting up, accepting an invitation, choosing a new password.

Opening a link changes nothing, because mail programs open links, too.
"""

from quart import Response

from flowchat.services import accounts
from flowchat.services.links import Purpose
from flowchat.services.validate import invalid
from flowchat.web.admin import shell
from flowchat.web.admin.blueprint import blueprint, public
from flowchat.web.admin.forms import Form
from flowchat.web.admin.sign_in import begin, browser, go_on
from flowchat.web.current import appliance


@blueprint.get("/set-up/<token>")
@public
async def set_up_show(token: str) -> Response:
    await accounts.read_set_up_link(appliance(), token)
    return await shell.render("admin/set_up.html", form=Form())


@blueprint.post("/set-up/<token>")
@public
async def set_up(token: str) -> Response:
    form = await Form.entered()
    with form:
        new = form.to(accounts.FirstUser)
        return await begin(await accounts.set_up(appliance(), token, new, browser()))
    return await shell.render("admin/set_up.html", 422, form=form)


@blueprint.get("/invitation/<token>")
@public
async def invitation_show(token: str) -> Response:
    return await _show("invitation", token)


@blueprint.post("/invitation/<token>")
@public
async def invitation_accept(token: str) -> Response:
    return await _choose("invitation", token)


@blueprint.get("/reset/<token>")
@public
async def reset_show(token: str) -> Response:
    return await _show("reset", token)


@blueprint.post("/reset/<token>")
@public
async def reset(token: str) -> Response:
    return await _choose("reset", token)


async def _show(purpose: Purpose, token: str) -> Response:
    account = await accounts.read_link(appliance(), purpose, token)
    form = Form({"name": account.user.name})
    return await shell.render("admin/choose_password.html", form=form, account=account, purpose=purpose)


async def _choose(purpose: Purpose, token: str) -> Response:
    account = await accounts.read_link(appliance(), purpose, token)
    form = await Form.entered()
    with form:
        name = form.value("name") if purpose == "invitation" else None
        if len(name or "") > 100:
            raise invalid("name", "A name has at most 100 characters.")
        account = await accounts.choose_password(appliance(), purpose, token, form.value("password"), name, browser())
        return await go_on([account])
    return await shell.render("admin/choose_password.html", 422, form=form, account=account, purpose=purpose)
