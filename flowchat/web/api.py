"""Every call of the REST API: parse → the operation → render."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from http import HTTPStatus
from typing import Any, TypeVar

import msgspec
from quart import Blueprint, Response, request

from flowchat.domain import Actor
from flowchat.services import idempotency, validate
from flowchat.services.access import require
from flowchat.services.lists import Listed
from flowchat.web import auth, respond, uploads
from flowchat.web.calls import CALLS, Call, visitor_methods
from flowchat.web.current import appliance

T = TypeVar("T")
blueprint = Blueprint("api", __name__)

OWN_HANDLERS = {"chat.ask"}  # operations whose handler is not made here
STOPS_WITH_CLIENT = {"playground.ask"}  # they change nothing, and keep the models busy
FINISH_S = 3.0  # what is being changed when the appliance stops
_ALLOWED_HEADERS = "X-FlowChat-Key, Content-Type, Last-Event-ID, Idempotency-Key"
_PREFLIGHT_KEEP_S = 7200  # the longest that Chromium keeps one

_working: set[asyncio.Task[Any]] = set()


@blueprint.before_app_request
async def count_strays() -> None:
    """Every request under /v1 counts, what leads nowhere by its address. Preflights of visitors don't."""
    is_plain_options = request.method == "OPTIONS" and not visitor_methods(request.path)
    if respond.is_api(request.path) and (request.routing_exception is not None or is_plain_options):
        auth.count_by_address()


def _options_handler(path: str) -> Callable[..., Awaitable[Response]]:
    calls = [call for call in CALLS if call.path == path]
    allowed = {"OPTIONS", *(call.method for call in calls)} | (
        {"HEAD"} if "GET" in {c.method for c in calls} else set()
    )
    for_visitors = sorted(call.method for call in calls if call.is_for_visitors)

    async def options(**ids: str) -> Response:
        """Also the preflight of visitors, for every origin: it carries no key. `respond` adds the origin."""
        response = Response(b"", HTTPStatus.NO_CONTENT)
        response.headers["Allow"] = ", ".join(sorted(allowed))
        if for_visitors:
            response.headers["Access-Control-Allow-Methods"] = ", ".join(for_visitors)
            response.headers["Access-Control-Allow-Headers"] = _ALLOWED_HEADERS
            response.headers["Access-Control-Max-Age"] = str(_PREFLIGHT_KEEP_S)
        return response

    return options


def _handler(call: Call) -> Callable[..., Awaitable[Response]]:
    async def handle(**ids: str) -> Response:
        caller = await _caller(call)
        arguments = (*(ids[name] for name in call.ids), *await _request(call))
        if call.method == "GET":
            return await _answer(call, caller, arguments)
        key = request.headers.get("Idempotency-Key")
        if call.method == "POST" and key is not None and isinstance(caller, Actor):
            return await finish(_once(call, caller, key, arguments))
        if call.operation_name in STOPS_WITH_CLIENT:
            return await _answer(call, caller, arguments)
        return await finish(_answer(call, caller, arguments))

    return handle


async def _caller(call: Call) -> Any:
    if call.is_for_anyone:
        return auth.anyone()
    return await (auth.visitor() if call.is_for_visitors else auth.actor())


async def _request(call: Call) -> tuple[Any, ...]:
    """What the query or the body says, as the operation's request; empty where it takes none."""
    if call.request_type is not None and not call.has_body:
        return (validate.read_query(request.args.to_dict(), call.request_type),)
    validate.refuse_unknown(request.args)
    if call.request_type is None:
        return ()
    if uploads.is_upload(call.request_type):
        return (validate.read(await uploads.read_form(call.request_type), call.request_type),)
    return (validate.read(await respond.read_json(call.request_type), call.request_type),)


async def _answer(call: Call, caller: Any, arguments: tuple[Any, ...]) -> Response:
    result = await call.operation.function(appliance(), caller, *arguments)
    if call.file_type is not None:
        return await respond.file(result, call.file_type)
    return _render(call, result)


async def finish(work: Coroutine[Any, Any, T]) -> T:
    """A change that has begun is made whole, also when its client goes away."""
    task = asyncio.create_task(work)
    _working.add(task)
    task.add_done_callback(_working.discard)
    return await asyncio.shield(task)


async def finish_all() -> None:
    """Wait for the changes whose clients have gone, before the database closes."""
    if _working:
        await asyncio.wait(_working, timeout=FINISH_S)


async def _once(call: Call, actor: Actor, key: str, arguments: tuple[Any, ...]) -> Response:
    require(actor, *call.operation.scopes)  # before a replay: it may tell a secret
    asked = idempotency.request_hash(call.operation_name, actor, arguments)
    async with idempotency.attempt(appliance(), actor, key, asked) as attempt:
        if (former := attempt.former) is not None:
            return Response(former.body, former.status, {**former.headers, "Idempotent-Replayed": "true"})
        response = await _answer(call, actor, arguments)
        kept = {name: response.headers[name] for name in ("Content-Type", "Location") if name in response.headers}
        attempt.response = idempotency.Response(response.status_code, kept, await response.get_data(as_text=False))
    return response


def _render(call: Call, result: Any) -> Response:
    if call.view is None:
        return Response(b"", HTTPStatus.NO_CONTENT)
    if call.at_once is not None and isinstance(result, call.at_once.result):
        return respond.json(call.at_once.view.of(result), call.at_once.status)
    if isinstance(result, Listed):
        data = [call.view.of(item) for item in result.items]
        return respond.json({"object": "list", "data": data, "has_more": result.has_more, "url": request.path})
    body = call.view.of(result)
    location = {}
    if call.location is not None:
        names = {**(request.view_args or {}), **msgspec.to_builtins(body)}
        location = {"Location": call.location.format(**names)}
    return respond.json(body, call.status, **location)


def _add_routes() -> None:
    for call in CALLS:
        if call.operation_name not in OWN_HANDLERS:
            _add_route(call.path, call.method, call.operation_name, _handler(call))
    for path in dict.fromkeys(call.path for call in CALLS):
        _add_route(path, "OPTIONS", f"options_{path}", _options_handler(path))


def _add_route(path: str, method: str, name: str, handler: Callable[..., Awaitable[Response]]) -> None:
    blueprint.add_url_rule(
        path.replace("{", "<").replace("}", ">"),
        name.replace(".", "_"),
        handler,
        methods=[method],
        provide_automatic_options=False,
    )


_add_routes()
