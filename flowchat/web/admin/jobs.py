"""Jobs: list, watch, pause, resume, cancel."""

from quart import Response

from flowchat.domain import Job
from flowchat.services import jobs
from flowchat.services.jobs import JobsRequest
from flowchat.web.admin import guard, live, shell
from flowchat.web.admin.blueprint import blueprint, performs
from flowchat.web.admin.forms import Form
from flowchat.web.admin.source_names import source_names
from flowchat.web.current import appliance

LIST = "/admin/jobs"


@blueprint.get("/jobs")
@performs("jobs.list")
async def jobs_list() -> Response:
    app, actor, asked = appliance(), shell.actor(), shell.query(JobsRequest)
    listed = await jobs.list_page(app, actor, asked)
    names = await source_names()
    return await shell.render(
        "admin/jobs/list.html",
        jobs=listed.items,
        sources=names,
        choices=sorted(((one.slug, one.title) for one in names.values()), key=lambda choice: choice[1].lower()),
        paging=shell.paging(listed, asked),
        form=Form({"source": asked.source, "status": asked.status}),
    )


@blueprint.get("/jobs/<job>")
@performs("jobs.get")
async def jobs_show(job: str) -> Response:
    app, actor = appliance(), shell.actor()
    shown = await jobs.get(app, actor, job)
    named = (await source_names()).get(shown.source_id or "")
    return await shell.render("admin/jobs/show.html", job=shown, named=named)


@blueprint.get("/jobs/<job>/progress")
@performs("jobs.get")
async def jobs_progress(job: str) -> Response:
    """What watching pages ask for when it has changed; they are shown anew when the job has ended, or was paused."""
    shown = await jobs.get(appliance(), shell.actor(), job)
    response = await shell.render("admin/jobs/progress.html", job=shown)
    if guard.is_htmx() and not is_watched(shown):
        response.headers["HX-Refresh"] = "true"
    return response


@blueprint.get("/jobs/<job>/live")
@performs("jobs.get")
async def jobs_live(job: str) -> Response:
    app, actor = appliance(), shell.actor()
    return await live.follow(lambda: jobs.get(app, actor, job), is_watched)


def is_watched(job: Job) -> bool:
    """Whether something may happen with it at any moment."""
    return job.status in ("queued", "running") and job.paused_at is None


@blueprint.post("/jobs/<job>/pause")
@performs("jobs.pause")
async def jobs_pause(job: str) -> Response:
    return await shell.act(jobs.pause(appliance(), shell.actor(), job), to=await _back(job), text="It is paused.")


@blueprint.post("/jobs/<job>/resume")
@performs("jobs.resume")
async def jobs_resume(job: str) -> Response:
    return await shell.act(jobs.resume(appliance(), shell.actor(), job), to=await _back(job), text="It goes on.")


@blueprint.post("/jobs/<job>/cancel")
@performs("jobs.cancel")
async def jobs_cancel(job: str) -> Response:
    return await shell.act(jobs.cancel(appliance(), shell.actor(), job), to=await _back(job), text="It is canceled.")


async def _back(job: str) -> str:
    """The page that the button was on: the job's, or its source's."""
    slug = (await Form.entered()).value("source")
    return f"/admin/sources/{slug}" if slug else f"{LIST}/{job}"
