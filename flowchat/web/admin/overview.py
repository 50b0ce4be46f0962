"""The first page: how to begin, then how it goes and what needs attention."""

from dataclasses import dataclass

from quart import Response

from flowchat.domain import Actor, Source
from flowchat.services import keys, sources, statistics, tenants, usage
from flowchat.services.context import Appliance
from flowchat.services.lists import MAX_LIMIT, ListRequest
from flowchat.services.usage import UsageRequest
from flowchat.services.views.usage import UsageView
from flowchat.web.admin import attention, overview_charts, shell
from flowchat.web.admin.blueprint import blueprint, performs
from flowchat.web.admin.charts import last_days
from flowchat.web.current import appliance


@dataclass(frozen=True, slots=True)
class FirstRun:
    """How far somebody is who has just begun. `source` is the first site, `is_asked` whether anybody asked anything."""

    source: Source | None
    is_ready: bool
    is_asked: bool
    has_key: bool

    @property
    def is_over(self) -> bool:
        return self.is_ready and self.has_key


@blueprint.get("")
@performs("tenant.get", "sources.list", "statistics.get", *attention.OPERATIONS)
async def overview_show() -> Response:
    app, actor = appliance(), shell.actor()
    listed = await sources.list_page(app, actor, ListRequest(limit=MAX_LIMIT))
    present = [source for source in listed.items if source.status != "revoked"]
    own = [source for source in present if not source.is_builtin]
    jobs = await attention.newest_jobs(app, actor)
    used = await _usage(app, actor)
    is_asked = actor.tenant_id in app.tried or any(day.queries for day in used)
    first_run = await _first_run(app, actor, own, is_asked=is_asked)
    return await shell.render(
        "admin/overview/show.html",
        tenant=await tenants.get_own(app, actor),
        sources=own or present,
        jobs=jobs,
        first_run=first_run,
        job=jobs.get(first_run.source.id) if first_run.source else None,
        attention=await attention.items(app, actor, present, jobs) if own else await attention.sign_ups(app, actor),
        cards=overview_charts.cards(used, (await statistics.get(app, actor)).days),
    )


async def _usage(app: Appliance, actor: Actor) -> list[UsageView]:
    listed = await usage.list_page(app, actor, UsageRequest(limit=MAX_LIMIT, first=last_days(overview_charts.DAYS)[0]))
    return [UsageView.of(day) for day in listed.items]


async def _first_run(app: Appliance, actor: Actor, own: list[Source], *, is_asked: bool) -> FirstRun:
    listed = await keys.list_page(app, actor, ListRequest(limit=MAX_LIMIT))
    has_key = any(key.type == "widget" and key.billed and key.revoked_at is None for key in listed.items)
    ready = [source for source in own if source.live_version]
    first = (ready or own)[-1] if own else None
    return FirstRun(first, bool(ready), is_asked, has_key)
