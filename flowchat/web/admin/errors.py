"""Errors within the admin's frame; as a toast where htmx asked."""

import json
from http import HTTPStatus

from quart import Response, g

from flowchat.errors import FlowChatError
from flowchat.web.admin import guard, shell


async def error_page(error: FlowChatError) -> Response:
    if guard.is_htmx():
        toast = json.dumps({"toast": {"text": error.message, "kind": "bad"}})  # ASCII, as headers must be
        response = Response(b"", error.status, {"HX-Trigger": toast, "HX-Reswap": "none"})
    else:
        title = "You can't do this" if error.status == HTTPStatus.FORBIDDEN else HTTPStatus(error.status).phrase
        response = await shell.render(
            "admin/error.html", error.status, title=title, error=error, request_id=g.get("request_id", "")
        )
    if error.retry_after_s is not None:
        response.headers["Retry-After"] = str(error.retry_after_s)
    return response
