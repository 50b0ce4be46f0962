"""Tenants, for operators: list, make, change, close."""

from quart import Response

from flowchat.billing import Subscriber
from flowchat.services import owners, plans, tenants, validate
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
    return await _new(Form({"retention_days": 90}))


async def _new(form: Form, status: int = 200) -> Response:
    return await shell.render("admin/tenants/new.html", status, form=form, plans=await _plans())


async def _plans(present: Subscriber | None = None) -> list[tuple[str, str]]:
    """(slug, name) of those to choose from, and of the one that the tenant has, though it is archived."""
    choosable = {plan.slug: plan.name for plan in await plans.list_choosable(appliance(), shell.actor())}
    if present is not None and present.plan is not None:
        choosable.setdefault(present.plan.slug, present.plan.name)
    return [("", "None: no limits, nothing billed"), *choosable.items()]


@blueprint.post("/tenants")
@performs("tenants.create", "tenants.invite")
async def tenants_create() -> Response:
    """With the address of its first owner, the page has the link to send to them."""
    app, actor, form = appliance(), shell.actor(), await Form.entered()
    with form:
        new = form.to(NewTenant, numbers=["retention_days"], nullable=["plan"], without=["email"])
        email = form.value("email").strip()
        owner = validate.read({"email": email}, NewOwner) if email else None
        tenant, secret = await tenants.create(app, actor, new)
        invitation = await owners.invite(app, actor, tenant.id, owner) if owner else None
        return await shell.render("admin/tenants/made.html", tenant=tenant, secret=secret, invitation=invitation)
    return await _new(form, 422)


@blueprint.get("/tenants/<tenant>")
@performs("tenants.get")
async def tenants_edit(tenant: str) -> Response:
    shown = await tenants.get(appliance(), shell.actor(), tenant)
    return await _edit(shown, Form(_values(shown)))


def _values(tenant: Subscriber) -> dict[str, object]:
    plan = tenant.plan.slug if tenant.plan else ""
    return {"name": tenant.name, "retention_days": tenant.retention_days, "plan": plan}


async def _edit(tenant: Subscriber, form: Form, status: int = 200) -> Response:
    wants_owner = await owners.is_wanted(appliance(), tenant)
    return await shell.render(
        "admin/tenants/edit.html",
        status,
        tenant=tenant,
        form=form,
        plans=await _plans(tenant),
        wants_owner=wants_owner,
    )


@blueprint.post("/tenants/<tenant>")
@performs("tenants.update", "tenants.get")
async def tenants_update(tenant: str) -> Response:
    app, actor, form = appliance(), shell.actor(), await Form.entered()
    with form:
        changed = await tenants.update(app, actor, tenant, form.to(AnyTenantChange, numbers=["retention_days"]))
        return await shell.done(f"{changed.name} is changed.", LIST)
    return await _again(tenant, form)


async def _again(tenant: str, entered: Form) -> Response:
    """The page with what was entered in one of its forms, and what is wrong with it; its others are as they were."""
    shown = await tenants.get(appliance(), shell.actor(), tenant)
    names = ("name", "retention_days", "plan", "email")
    filled = Form(_values(shown) | {name: text for name in names if (text := entered.value(name))})
    filled.error = entered.error
    return await _edit(shown, filled, 422)


@blueprint.post("/tenants/<tenant>/plan")
@performs("tenants.update", "tenants.get")
async def tenants_give_plan(tenant: str) -> Response:
    app, actor, form = appliance(), shell.actor(), await Form.entered()
    with form:
        changed = await tenants.update(app, actor, tenant, form.to(AnyTenantChange, nullable=["plan"]))
        has = f"has the plan {changed.plan.name}" if changed.plan else "has no plan any more"
        return await shell.done(f"{changed.name} {has}.", f"{LIST}/{changed.id}")
    return await _again(tenant, form)


@blueprint.post("/tenants/<tenant>/invite")
@performs("tenants.invite", "tenants.get")
async def tenants_invite(tenant: str) -> Response:
    app, actor, form = appliance(), shell.actor(), await Form.entered()
    with form:
        invitation = await owners.invite(app, actor, tenant, form.to(NewOwner))
        return await shell.render("admin/users/link.html", invitation=invitation, back=(LIST, "Tenants"))
    return await _again(tenant, form)


@blueprint.post("/tenants/<tenant>/close")
@performs("tenants.close", "tenants.get")
async def tenants_close(tenant: str) -> Response:
    """Nothing brings a tenant back, so what was typed counts without JavaScript, too."""
    app, actor, form = appliance(), shell.actor(), await Form.entered()
    shown = await tenants.get(app, actor, tenant)
    if form.value("confirm").strip() != shown.slug:
        return await shell.done(f"Nothing was closed: type {shown.slug} to confirm.", f"{LIST}/{shown.id}", "bad")
    return await shell.act(tenants.close(app, actor, tenant), to=LIST, text=f"{shown.name} is closed.")
