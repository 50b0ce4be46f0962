"""Sign-ups and invites, for operators: who waits, their links, who is invited."""

from quart import Response

from flowchat.domain import now
from flowchat.services import invites, signups
from flowchat.services.invites import DEFAULT_DAYS, NewInvite
from flowchat.services.lists import ListRequest
from flowchat.services.views.signups import SignUpView
from flowchat.web.admin import shell
from flowchat.web.admin.blueprint import blueprint, performs
from flowchat.web.admin.forms import Form
from flowchat.web.current import appliance

LIST = "/admin/signups"
INVITES = f"{LIST}/invites"


@blueprint.get("/signups")
@performs("signups.list")
async def signups_list() -> Response:
    asked = shell.query(ListRequest)
    listed = await signups.list_page(appliance(), shell.actor(), asked)
    return await shell.render(
        "admin/signups/list.html",
        signups=[SignUpView.of(signup) for signup in listed.items],
        offer=await signups.offer(appliance()),
        paging=shell.paging(listed, asked),
    )


@blueprint.post("/signups/<signup>/link")
@performs("signups.link")
async def signups_link(signup: str) -> Response:
    form = Form()
    with form:
        link = await signups.link(appliance(), shell.actor(), signup)
        return await shell.render("admin/signups/link.html", link=link)
    return await shell.done(form.message, LIST, "bad")


@blueprint.post("/signups/<signup>/delete")
@performs("signups.delete")
async def signups_delete(signup: str) -> Response:
    return await shell.act(signups.delete(appliance(), shell.actor(), signup), to=LIST, text="The sign-up is deleted.")


@blueprint.get("/signups/invites")
@performs("invites.list")
async def invites_list() -> Response:
    asked = shell.query(ListRequest)
    listed = await invites.list_page(appliance(), shell.actor(), asked)
    return await shell.render(
        "admin/signups/invites.html",
        invites=listed.items,
        offer=await signups.offer(appliance()),
        now=now(),
        paging=shell.paging(listed, asked),
    )


@blueprint.get("/signups/invites/new")
@performs("invites.create")
async def invites_new() -> Response:
    return await _new(Form({"expires_days": DEFAULT_DAYS}))


async def _new(form: Form, status: int = 200) -> Response:
    plans = await invites.plans_to_choose(appliance(), shell.actor())
    return await shell.render(
        "admin/signups/new_invite.html",
        status,
        form=form,
        plans=[("", "The trial plan"), *((plan.slug, plan.name) for plan in plans if not plan.is_trial)],
        offer=await signups.offer(appliance()),
    )


@blueprint.post("/signups/invites")
@performs("invites.create")
async def invites_create() -> Response:
    form = await Form.entered()
    with form:
        new = form.to(NewInvite, optional=["email", "plan"], numbers=["expires_days"])
        created = await invites.create(appliance(), shell.actor(), new)
        return await shell.render("admin/signups/invited.html", created=created)
    return await _new(form, 422)


@blueprint.post("/signups/invites/<invite>/delete")
@performs("invites.delete")
async def invites_delete(invite: str) -> Response:
    text = "The invite is deleted: its link works no more."
    return await shell.act(invites.delete(appliance(), shell.actor(), invite), to=INVITES, text=text)
