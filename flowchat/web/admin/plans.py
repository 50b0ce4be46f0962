"""Plans, for operators: list, make, change, archive."""

from dataclasses import fields
from typing import Any

from quart import Response

from flowchat.billing import Plan, Prices
from flowchat.services import plans
from flowchat.services.access import require
from flowchat.services.lists import ListRequest
from flowchat.services.plan_requests import NewPlan, PlanUpdate
from flowchat.services.plans import PlanState
from flowchat.services.views.plans import PlanView, PricesView
from flowchat.web.admin import shell
from flowchat.web.admin.blueprint import blueprint, performs
from flowchat.web.admin.forms import Form
from flowchat.web.current import appliance

LIST = "/admin/plans"
_NUMBERS = ("included_queries", "included_pages", "max_sources", "trial_days")
_NULLABLE = ("included_queries", "included_pages", "max_sources")
_FLAGS = ("is_public", "is_trial")


@blueprint.get("/plans")
@performs("plans.list")
async def plans_list() -> Response:
    asked = shell.query(ListRequest)
    listed = await plans.list_page(appliance(), shell.actor(), asked)
    shown = [PlanView.of(state) for state in listed.items]
    return await shell.render("admin/plans/list.html", plans=shown, paging=shell.paging(listed, asked))


@blueprint.get("/plans/new")
@performs("plans.create")
async def plans_new() -> Response:
    require(shell.actor(), "operator")
    return await _new(Form({"trial_days": 0, "overage": "metered", **_prices(Prices())}))


async def _new(form: Form, status: int = 200) -> Response:
    return await shell.render("admin/plans/new.html", status, form=form, currency=appliance().settings.currency)


@blueprint.post("/plans")
@performs("plans.create")
async def plans_create() -> Response:
    form = await Form.entered()
    with form:
        new = form.to(NewPlan, numbers=_NUMBERS, nullable=_NULLABLE, flags=_FLAGS, lines=["features"])
        made = await plans.create(appliance(), shell.actor(), new)
        return await shell.done(f"The plan {made.plan.name} is made. Give it to tenants on their pages.", LIST)
    return await _new(form, 422)


@blueprint.get("/plans/<plan>")
@performs("plans.get")
async def plans_edit(plan: str) -> Response:
    shown = await plans.get(appliance(), shell.actor(), plan)
    return await _edit(shown, Form(_values(shown.plan)))


async def _edit(shown: PlanState, form: Form, status: int = 200) -> Response:
    return await shell.render(
        "admin/plans/edit.html", status, plan=PlanView.of(shown), form=form, currency=shown.currency
    )


@blueprint.post("/plans/<plan>")
@performs("plans.update", "plans.get")
async def plans_update(plan: str) -> Response:
    app, actor, form = appliance(), shell.actor(), await Form.entered()
    shown = await plans.get(app, actor, plan)
    with form:
        flags = _FLAGS if shown.plan.archived_at is None else ()
        change = form.to(PlanUpdate, numbers=_NUMBERS, nullable=_NULLABLE, flags=flags, lines=["features"])
        changed = await plans.update(app, actor, plan, change)
        return await shell.done(f"The plan {changed.plan.name} is changed.", LIST)
    return await _edit(shown, form, 422)


@blueprint.post("/plans/<plan>/archive")
@performs("plans.archive")
async def plans_archive(plan: str) -> Response:
    archiving = plans.archive(appliance(), shell.actor(), plan)
    return await shell.act(archiving, to=LIST, text="The plan is archived. Those who have it keep it.")


def _values(plan: Plan) -> dict[str, Any]:
    """What the fields of a plan's form show."""
    names = ("name", "description", "features", *_NUMBERS, "overage", *_FLAGS)
    return {name: getattr(plan, name) for name in names} | _prices(plan.prices)


def _prices(prices: Prices) -> dict[str, str]:
    shown = PricesView.of(prices)
    return {f"prices.{field.name}": getattr(shown, field.name) for field in fields(PricesView)}
