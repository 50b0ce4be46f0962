"""Plans: what tenants can subscribe to, and what that costs. Operators make them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from msgspec import UNSET

from flowchat.billing import Plan, Prices
from flowchat.domain import Actor, new_id, now
from flowchat.errors import Conflict, NotFound
from flowchat.services.access import require
from flowchat.services.context import Context
from flowchat.services.lists import Listed, ListRequest, read_page
from flowchat.services.operations import operation
from flowchat.services.plan_requests import NewPlan, PlanUpdate, priced
from flowchat.store import audit_log, plans
from flowchat.store.database import Connection

_TAKEN_OVER = ("name", "description", "included_queries", "included_pages", "max_sources", "overage", "trial_days")


@dataclass(frozen=True, slots=True)
class PlanState:
    """A plan, how many tenants have it, and what its prices are in."""

    plan: Plan
    tenants: int
    currency: str

    @property
    def id(self) -> str:
        return self.plan.id


@operation("plans.list", "operator")
async def list_page(app: Context, actor: Actor, request: ListRequest) -> Listed[PlanState]:
    """List the plans, newest first, archived ones included."""
    listed = await read_page(request, lambda cursor: plans.page(app.db, cursor))
    return Listed(await _states(app, listed.items), listed.has_more)


@operation("plans.get", "operator")
async def get(app: Context, actor: Actor, id_or_slug: str) -> PlanState:
    """Show a plan, by its id or slug.

    Raises NotFound.
    """
    plan = await plans.get(app.db, id_or_slug)
    if plan is None:
        raise NotFound("plan", id_or_slug)
    return (await _states(app, [plan]))[0]


async def list_choosable(app: Context, actor: Actor) -> list[Plan]:
    """Those that a tenant can be given: all but archived ones, oldest first."""
    require(actor, "operator")
    return await plans.every(app.db)


@operation("plans.create", "operator")
async def create(app: Context, actor: Actor, new: NewPlan) -> PlanState:
    """Make a plan.

    Raises Conflict `slug_taken`, and FlowChatError `bad_prices` for an amount that is none, negative or too fine.
    """
    plan = Plan(
        id=new_id("pln"),
        slug=new.slug,
        features=tuple(feature.strip() for feature in new.features),
        prices=priced(Prices(), new.prices),
        is_public=new.is_public,
        created_at=now(),
        **{name: getattr(new, name) for name in _TAKEN_OVER},
    )

    def transaction(conn: Connection) -> None:
        if plans.find(conn, new.slug) is not None:
            raise Conflict("slug_taken", f"There is a plan '{new.slug}' already. Choose another slug.", param="slug")
        plans.insert(conn, plan)
        if new.is_trial:
            plans.set_trial(conn, plan.id)
        audit_log.insert(conn, actor, "plans.create", plan.id, slug=plan.slug)

    await app.db.write(transaction)
    return await get(app, actor, plan.id)


@operation("plans.update", "operator")
async def update(app: Context, actor: Actor, id_or_slug: str, change: PlanUpdate) -> PlanState:
    """Change a plan, at once for all who have it. What was used before keeps its cost.

    Raises NotFound, Conflict `trial_plan` or `plan_archived`, and FlowChatError `bad_prices`.
    """

    def transaction(conn: Connection) -> str:
        plan = _find(conn, id_or_slug)
        _check_trial(plan, change)
        plans.update(conn, _changed(plan, change))
        if change.is_trial is True:
            plans.set_trial(conn, plan.id)
        fields = [name for name in change.__struct_fields__ if getattr(change, name) is not UNSET]
        audit_log.insert(conn, actor, "plans.update", plan.id, slug=plan.slug, fields=fields)
        return plan.id

    return await get(app, actor, await app.db.write(transaction))


def _check_trial(plan: Plan, change: PlanUpdate) -> None:
    """Exactly one plan is what sign-ups begin with."""
    if change.is_trial is False and plan.is_trial:
        raise _is_trial(plan, param="is_trial")
    if plan.archived_at is not None and (change.is_trial is True or change.is_public is True):
        raise Conflict("plan_archived", f"The plan '{plan.slug}' is archived: nobody can choose it. Make another one.")


def _changed(plan: Plan, change: PlanUpdate) -> Plan:
    sent = {name: value for name in _TAKEN_OVER if (value := getattr(change, name)) is not UNSET}
    return replace(
        plan,
        features=plan.features if change.features is UNSET else tuple(text.strip() for text in change.features),
        prices=priced(plan.prices, change.prices),
        is_public=plan.is_public if change.is_public is UNSET else change.is_public,
        **sent,
    )


@operation("plans.archive", "operator")
async def archive(app: Context, actor: Actor, id_or_slug: str) -> PlanState:
    """Offer a plan to nobody any more. Those who have it keep it. It can't be undone.

    Doing it again changes nothing. Raises NotFound, and Conflict `trial_plan`.
    """

    def transaction(conn: Connection) -> str:
        plan = _find(conn, id_or_slug)
        if plan.is_trial:
            raise _is_trial(plan)
        if plan.archived_at is None:
            plans.archive(conn, plan.id)
            audit_log.insert(conn, actor, "plans.archive", plan.id, slug=plan.slug)
        return plan.id

    return await get(app, actor, await app.db.write(transaction))


def _is_trial(plan: Plan, param: str | None = None) -> Conflict:
    return Conflict(
        "trial_plan", f"Sign-ups begin with '{plan.slug}'. Make another plan the trial one first.", param=param
    )


def _find(conn: Connection, id_or_slug: str) -> Plan:
    plan = plans.find(conn, id_or_slug)
    if plan is None:
        raise NotFound("plan", id_or_slug)
    return plan


async def _states(app: Context, found: Sequence[Plan]) -> list[PlanState]:
    tenants = await plans.tenants_of(app.db, [plan.id for plan in found])
    return [PlanState(plan, tenants.get(plan.id, 0), app.settings.currency) for plan in found]
