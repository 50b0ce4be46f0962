"""The shapes of responses: problem+json for every error, and the headers that all of them carry."""

import logging
import re
from http import HTTPStatus
from typing import Any

import msgspec
from quart import Quart, Response, g, render_template, request
from werkzeug.exceptions import HTTPException

from flowchat.domain import new_id
from flowchat.errors import FlowChatError

VISITOR_PATHS = frozenset({"/v1/chat"})  # called by pages of any origin
_EXPOSED = "RateLimit, RateLimit-Policy, Retry-After, X-Request-Id"
_REQUEST_ID = re.compile(r"[\w.:-]{8,128}", re.ASCII)
_SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self';"
    " frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "strict-origin-when-cross-origin",
}

_log = logging.getLogger(__name__)


def install(web: Quart) -> None:
    web.before_request(_name_request)
    web.after_request(_add_headers)
    web.register_error_handler(FlowChatError, _on_expected)
    web.register_error_handler(HTTPException, _on_http)
    web.register_error_handler(Exception, _on_bug)


def json(data: Any, status: int = 200, **headers: str) -> Response:
    """`headers`: names with `_` for `-`."""
    response = Response(msgspec.json.encode(data), status, content_type="application/json")
    for name, value in headers.items():
        response.headers[name.replace("_", "-")] = value
    return response


async def read_json() -> Any:
    """The request's body. Raises FlowChatError: 415 for another content type, 400 for what is not JSON."""
    if not request.is_json:
        raise FlowChatError(
            "unsupported_media_type", "Send the body as JSON, with Content-Type: application/json.", status=415
        )
    body = await request.get_data(cache=False, as_text=False)
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise FlowChatError("bad_json", f"The body is not JSON: {error}.") from None


def _name_request() -> None:
    given = request.headers.get("X-Request-Id", "")
    g.request_id = given if _REQUEST_ID.fullmatch(given) else new_id("req")


def _add_headers(response: Response) -> Response:
    response.headers["X-Request-Id"] = g.request_id
    for name, value in _SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    if request.path in VISITOR_PATHS:
        response.headers["Vary"] = "Origin"
        if origin := request.headers.get("Origin"):
            # Every origin may read the answer, errors included; the key's own list decides who gets one.
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Expose-Headers"] = _EXPOSED
    return response


async def _on_expected(error: FlowChatError) -> Response:
    return await _problem(error)


async def _on_http(error: HTTPException) -> Response:
    status = HTTPStatus(error.code or 500)
    code = status.name.lower()
    response = await _problem(FlowChatError(code, _explain(status), status=status))
    for name, value in error.get_headers():
        if name == "Allow":
            response.headers["Allow"] = value
    if location := getattr(error, "new_url", None):
        response.headers["Location"] = location
    return response


async def _on_bug(error: Exception) -> Response:
    _log.error("%s %s failed (%s)", request.method, request.path, g.request_id, exc_info=error)
    message = f"Something went wrong inside FlowChat. The server's log tells more under {g.request_id}."
    return await _problem(FlowChatError("internal_error", message, status=500))


def _explain(status: HTTPStatus) -> str:
    match status:
        case HTTPStatus.NOT_FOUND:
            return f"There is nothing at {request.path}."
        case HTTPStatus.METHOD_NOT_ALLOWED:
            return f"{request.path} does not take {request.method}."
        case HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return "The body is larger than this call takes."
        case _:
            return status.description or status.phrase


async def _problem(error: FlowChatError) -> Response:
    if _is_for_people():
        title = HTTPStatus(error.status).phrase
        page = await render_template("error.html", status=error.status, title=title, message=error.message)
        return Response(page, error.status, content_type="text/html; charset=utf-8")
    body = {
        "type": "about:blank",
        "title": HTTPStatus(error.status).phrase,
        "status": error.status,
        "detail": error.message,
        "code": error.code,
        "param": error.param,
        "request_id": g.request_id,
    }
    response = Response(msgspec.json.encode(body), error.status, content_type="application/problem+json")
    response.headers["Cache-Control"] = "no-store"
    if error.status == HTTPStatus.UNAUTHORIZED:
        scheme = "FlowChat-Key" if request.path in VISITOR_PATHS else "Bearer"
        response.headers["WWW-Authenticate"] = f'{scheme} realm="FlowChat"'
    if error.retry_after_s is not None:
        response.headers["Retry-After"] = str(error.retry_after_s)
    return response


def _is_for_people() -> bool:
    """Pages answer browsers with a page; the API always answers with a problem."""
    if f"{request.path}/".startswith(("/v1/", "/health/")):
        return False
    return request.accept_mimetypes.best_match(["application/problem+json", "text/html"]) == "text/html"
