"""Tenants, for operators: list, make, change, close."""

from quart import Response

from flowchat.domain import Tenant
from flowchat.services import owners, tenants, validate
from flowchat.services.access import require
from flowchat.services.lists import ListRequest
from flowchat.services.owners import NewOwner
from flowchat.services.tenants import AnyTenantChange, NewTenant
from flowchat.web.admin import shell
from flowchat.web.admin.blueprint import blueprint, performs
from flowchat.web.admin.forms import Form
from flowchat.web.current import appliance

LIST = "/admin/tenants"


@blueprint.get("/tenants")
@performs("tenants.list")
async def tenants_list() -> Response:
    asked = shell.query(ListRequest)
    listed = await tenants.list_page(appliance(), shell.actor(), asked)
    return await shell.render("admin/tenants/list.html", tenants=listed.items, paging=shell.paging(listed, asked))


@blueprint.get("/tenants/new")
@performs("tenants.create")
async def tenants_new() -> Response:
    require(shell.actor(), "operator")
    return await shell.render("admin/tenants/new.html", form=Form({"retention_days": 90}))


@blueprint.post("/tenants")
@performs("tenants.create", "tenants.invite")
async def tenants_create() -> Response:
    """With the address of its first owner, the page has the link to send to them."""
    app, actor, form = appliance(), shell.actor(), await Form.entered()
    with form:
        new = form.to(NewTenant, numbers=["retention_days"], without=["email"])
        email = form.value("email").strip()
        owner = validate.read({"email": email}, NewOwner) if email else None
        tenant, secret = await tenants.create(app, actor, new)
        invitation = await owners.invite(app, actor, tenant.id, owner) if owner else None
        return await shell.render("admin/tenants/made.html", tenant=tenant, secret=secret, invitation=invitation)
    return await shell.render("admin/tenants/new.html", 422, form=form)


@blueprint.get("/tenants/<tenant>")
@performs("tenants.get")
async def tenants_edit(tenant: str) -> Response:
    shown = await tenants.get(appliance(), shell.actor(), tenant)
    return await _edit(shown, Form({"name": shown.name, "retention_days": shown.retention_days}))


async def _edit(tenant: Tenant, form: Form, status: int = 200) -> Response:
    wants_owner = await owners.is_wanted(appliance(), tenant)
    return await shell.render("admin/tenants/edit.html", status, tenant=tenant, form=form, wants_owner=wants_owner)


@blueprint.post("/tenants/<tenant>")
@performs("tenants.update", "tenants.get")
async def tenants_update(tenant: str) -> Response:
    app, actor, form = appliance(), shell.actor(), await Form.entered()
    with form:
        changed = await tenants.update(app, actor, tenant, form.to(AnyTenantChange, numbers=["retention_days"]))
        return await shell.done(f"{changed.name} is changed.", LIST)
    return await _edit(await tenants.get(app, actor, tenant), form, 422)


@blueprint.post("/tenants/<tenant>/invite")
@performs("tenants.invite", "tenants.get")
async def tenants_invite(tenant: str) -> Response:
    app, actor, form = appliance(), shell.actor(), await Form.entered()
    with form:
        invitation = await owners.invite(app, actor, tenant, form.to(NewOwner))
        return await shell.render("admin/users/link.html", invitation=invitation, back=(LIST, "Tenants"))
    shown = await tenants.get(app, actor, tenant)
    filled = Form({"name": shown.name, "retention_days": shown.retention_days, "email": form.value("email")})
    filled.error = form.error
    return await _edit(shown, filled, 422)


@blueprint.post("/tenants/<tenant>/close")
@performs("tenants.close", "tenants.get")
async def tenants_close(tenant: str) -> Response:
    """Nothing brings a tenant back, so what was typed counts without JavaScript, too."""
    app, actor, form = appliance(), shell.actor(), await Form.entered()
    shown = await tenants.get(app, actor, tenant)
    if form.value("confirm").strip() != shown.slug:
        return await shell.done(f"Nothing was closed: type {shown.slug} to confirm.", f"{LIST}/{shown.id}", "bad")
    return await shell.act(tenants.close(app, actor, tenant), to=LIST, text=f"{shown.name} is closed.")
