"""Probes: is the process alive, can it answer?"""

from quart import Blueprint, Response

from flowchat import __version__
from flowchat.services import health
from flowchat.web import respond
from flowchat.web.current import appliance

blueprint = Blueprint("health", __name__)


@blueprint.get("/health/live")
async def live() -> Response:
    return respond.json({"status": "live"}, Cache_Control="no-store")


@blueprint.get("/health/ready")
@blueprint.get("/health")
async def ready() -> Response:
    problems = await health.problems(appliance())
    body = {
        "status": "not ready" if problems else "ready",
        "problems": problems,
        "warnings": health.warnings(appliance()),
        "version": __version__,
    }
    return respond.json(body, 503 if problems else 200, Cache_Control="no-store")
