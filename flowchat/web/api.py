"""The tenant's REST calls."""

import re
from typing import Any

from quart import Blueprint, Response, request

from flowchat.services import jobs, lists, sources, validate
from flowchat.services.views import job_json, source_json
from flowchat.web import auth, respond
from flowchat.web.current import appliance

blueprint = Blueprint("api", __name__, url_prefix="/v1")

_LIMIT = re.compile(r"\d{1,9}", re.ASCII)


@blueprint.get("/sources")
async def list_sources() -> Response:
    found, has_more = await sources.list_page(appliance(), await auth.actor(), **_page())
    return _listed([source_json(source) for source in found], has_more)


@blueprint.post("/sources")
async def create_source() -> Response:
    actor = await auth.actor()
    new = sources.read_new(await respond.read_json())
    source, job = await sources.create(appliance(), actor, new)
    return respond.json({**source_json(source), "job": job_json(job)}, 201, Location=f"/v1/sources/{source.id}")


@blueprint.get("/sources/<id_or_slug>")
async def get_source(id_or_slug: str) -> Response:
    return respond.json(source_json(await sources.get(appliance(), await auth.actor(), id_or_slug)))


@blueprint.post("/sources/<id_or_slug>/recrawl")
async def recrawl_source(id_or_slug: str) -> Response:
    job = await sources.recrawl(appliance(), await auth.actor(), id_or_slug)
    return respond.json(job_json(job), 202, Location=f"/v1/jobs/{job.id}")


@blueprint.get("/jobs")
async def list_jobs() -> Response:
    found, has_more = await jobs.list_page(appliance(), await auth.actor(), **_page())
    return _listed([job_json(job) for job in found], has_more)


@blueprint.get("/jobs/<job_id>")
async def get_job(job_id: str) -> Response:
    return respond.json(job_json(await jobs.get(appliance(), await auth.actor(), job_id)))


@blueprint.post("/jobs/<job_id>/cancel")
async def cancel_job(job_id: str) -> Response:
    return respond.json(job_json(await jobs.cancel(appliance(), await auth.actor(), job_id)))


def _page() -> dict[str, Any]:
    """What the query says about which page of a list is wanted. Raises FlowChatError `bad_limit`."""
    limit = request.args.get("limit", str(lists.DEFAULT_LIMIT))
    if not _LIMIT.fullmatch(limit):
        raise validate.invalid("limit", f"limit must be a whole number, not '{limit[:50]}'.")
    return {
        "limit": int(limit),
        "starting_after": request.args.get("starting_after", ""),
        "ending_before": request.args.get("ending_before", ""),
    }


def _listed(data: list[dict[str, Any]], has_more: bool) -> Response:
    return respond.json({"object": "list", "data": data, "has_more": has_more, "url": request.path})
