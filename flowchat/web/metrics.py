"""`GET /metrics`, for Prometheus."""

from quart import Blueprint, Response

from flowchat.metrics import CONTENT_TYPE
from flowchat.services import scraping
from flowchat.web import auth
from flowchat.web.current import appliance

blueprint = Blueprint("metrics", __name__)


@blueprint.get("/metrics")
async def show() -> Response:
    body = await scraping.scrape(appliance(), await auth.actor())
    return Response(body, content_type=CONTENT_TYPE, headers={"Cache-Control": "no-store"})
