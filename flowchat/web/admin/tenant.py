"""Settings: what the tenant is called and how long it keeps what visitors ask."""

from urllib.parse import urlsplit

from quart import Response

from flowchat.domain import Tenant
from flowchat.services import tenants
from flowchat.services.tenants import TenantChange
from flowchat.web.admin import shell
from flowchat.web.admin.blueprint import blueprint, performs
from flowchat.web.admin.forms import Form
from flowchat.web.current import appliance

PAGE = "/admin/settings"


@blueprint.get("/settings")
@performs("tenant.get")
async def tenant_edit() -> Response:
    tenant = await tenants.get_own(appliance(), shell.actor())
    return await _edit(tenant, Form({"name": tenant.name, "retention_days": tenant.retention_days}))


async def _edit(tenant: Tenant, form: Form, status: int = 200) -> Response:
    return await shell.render(
        "admin/tenant/edit.html",
        status,
        tenant=tenant,
        company=tenants.company(tenant),
        form=form,
        generating_server=generating_server(),
    )


def generating_server() -> str:
    """The host that questions are sent to; '' if the generator is of this process."""
    return urlsplit(f"http{appliance().settings.generator.partition('@http')[2]}").hostname or ""


@blueprint.post("/settings")
@performs("tenant.update", "tenant.get")
async def tenant_update() -> Response:
    app, actor, form = appliance(), shell.actor(), await Form.entered()
    with form:
        await tenants.update_own(app, actor, form.to(TenantChange, numbers=["retention_days"]))
        return await shell.done("The settings are saved.", PAGE)
    return await _edit(await tenants.get_own(app, actor), form, 422)
