"""The shapes of responses: problem+json for every error, and the headers that all of them carry."""

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import msgspec.inspect
from quart import Quart, Response, current_app, g, render_template, request
from werkzeug.exceptions import HTTPException

from flowchat import logs
from flowchat.domain import new_id
from flowchat.errors import FlowChatError
from flowchat.web import access_log, limits
from flowchat.web.calls import visitor_methods
from flowchat.web.current import appliance

_EXPOSED = "RateLimit, RateLimit-Policy, Retry-After, X-Request-Id"
_SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self';"
    " frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_PIECE_BYTES = 1 << 18
_TURNED_AWAY = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.INSUFFICIENT_STORAGE)
_HSTS = "max-age=31536000"
ErrorPage: TypeAlias = Callable[[FlowChatError], Awaitable[Response]]

_log = logging.getLogger(__name__)


def install(web: Quart, error_pages: Mapping[str, ErrorPage]) -> None:
    """`error_pages`: by the first part of a path (/admin), what shows errors to people there."""
    web.extensions["error_pages"] = error_pages
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


async def file(path: Path, content_type: str) -> Response:
    """A file to be saved, as it is read: it may be larger than memory."""

    async def pieces() -> AsyncIterator[bytes]:
        opened = await asyncio.to_thread(path.open, "rb")
        try:  # Quart's own way leaves it open where a client goes away
            while piece := await asyncio.to_thread(opened.read, _PIECE_BYTES):
                yield piece
        finally:
            opened.close()

    response = Response(pieces(), content_type=content_type)
    response.timeout = None  # Quart's own would cut a long one
    response.content_length = path.stat().st_size
    response.headers["Content-Disposition"] = f"attachment; filename={path.name}"
    response.headers["Cache-Control"] = "private, no-store"
    return response


async def read_json(request_type: type | None = None) -> Any:
    """The request's body; {} for an empty one where nothing of `request_type` is required.

    Raises FlowChatError: 415 for another content type, 400 for what is not JSON. 413 comes from Quart.
    """
    body = await request.get_data(cache=False, as_text=False)
    if not body and request_type is not None and _needs_nothing(request_type):
        return {}
    if not request.is_json:
        raise FlowChatError(
            "unsupported_media_type", "Send the body as JSON, with Content-Type: application/json.", status=415
        )
    try:
        return _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FlowChatError("bad_json", f"The body is not JSON: {error}.") from None


def _number(text: str) -> int | float:
    """JSON knows only numbers: 5.0 is a whole one."""
    number = float(text)
    if not math.isfinite(number):
        raise msgspec.DecodeError(f"{text[:20]} is too large")
    return int(number) if number.is_integer() else number


_decoder = msgspec.json.Decoder(float_hook=_number)


def _needs_nothing(request_type: type) -> bool:
    kind = msgspec.inspect.type_info(request_type)
    return isinstance(kind, (msgspec.inspect.StructType, msgspec.inspect.DataclassType)) and not any(
        field.required for field in kind.fields
    )


def _name_request() -> None:
    given = request.headers.get("X-Request-Id", "")
    work = logs.current()
    work.request_id = g.request_id = given if logs.REQUEST_ID.fullmatch(given) else new_id("req")
    work.route = request.url_rule.rule if request.url_rule else access_log.NO_ROUTE


def _add_headers(response: Response) -> Response:
    response.headers["X-Request-Id"] = g.request_id
    if is_api(request.path):
        limits.add_headers(response)
    for name, value in _SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    if appliance().settings.public_url.startswith("https:"):
        response.headers["Strict-Transport-Security"] = _HSTS
    if visitor_methods(request.path):
        response.headers["Vary"] = "Origin"
        if origin := request.headers.get("Origin"):
            # Every origin may read the answer, errors included; the key's own list decides who gets one.
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Expose-Headers"] = _EXPOSED
    return response


async def _on_expected(error: FlowChatError) -> Response:
    if error.status in _TURNED_AWAY:
        appliance().metrics.turned_away.labels(error.code).inc()
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
    _log.error("%s %s failed", request.method, logs.current().route, exc_info=error)  # a path may be a one-time link
    message = f"Something went wrong inside FlowChat. The server's log tells more under {g.request_id}."
    return await _problem(FlowChatError("internal_error", message, status=500))


def _explain(status: HTTPStatus) -> str:
    match status:
        case HTTPStatus.NOT_FOUND:
            hint = " Leave the last slash out." if request.path.endswith("/") else " /docs/api shows all calls."
            return f"There is nothing at {request.path}.{hint if is_api(request.path) else ''}"
        case HTTPStatus.METHOD_NOT_ALLOWED:
            return f"{request.path} does not take {request.method}; the header Allow says what it takes."
        case HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return "The body is larger than this call takes."
        case _:
            return status.description or status.phrase


async def _problem(error: FlowChatError) -> Response:
    error_pages: Mapping[str, ErrorPage] = current_app.extensions["error_pages"]
    for prefix, error_page in error_pages.items():
        if f"{request.path}/".startswith(f"{prefix}/"):
            return await error_page(error)
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
        scheme = "FlowChat-Key" if request.method in visitor_methods(request.path) else "Bearer"
        response.headers["WWW-Authenticate"] = f'{scheme} realm="FlowChat"'
    if error.retry_after_s is not None:
        response.headers["Retry-After"] = str(error.retry_after_s)
    return response


def _is_for_people() -> bool:
    """Pages answer browsers with a page; the API always answers with a problem."""
    if is_api(request.path) or f"{request.path}/".startswith(("/health/", "/metrics/")):
        return False
    return request.accept_mimetypes.best_match(["application/problem+json", "text/html"]) == "text/html"


def is_api(path: str) -> bool:
    return f"{path}/".startswith("/v1/")
