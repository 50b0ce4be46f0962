"""`POST /v1/chat`: the answer as a stream of server-sent events, or as one JSON object."""

import re
from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec
from quart import Blueprint, Response, current_app, request

from flowchat.domain import Event
from flowchat.services import chat, validate
from flowchat.services.limits import visitor_of
from flowchat.services.runs import Run
from flowchat.services.views.chat import AnswerView
from flowchat.web import auth, limits, respond
from flowchat.web.current import appliance
from flowchat.web.streams import counted

blueprint = Blueprint("chat", __name__)

_STREAM_HEADERS = {"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"}
_EVENT_ID = re.compile(r"\d{1,9}", re.ASCII)
_HEARTBEAT = b": hb\n"  # with a blank line after it, httpx-sse would see an event


@blueprint.post("/v1/chat", provide_automatic_options=False)
async def ask() -> Response:
    app = appliance()
    key = await auth.widget_key()
    client = auth.client_address()
    reader = visitor_of(client)
    app.streams.check(reader, app.settings.max_connections_per_address)
    limits.follow(chat.policies(app, key, client))
    question = validate.read(await respond.read_json(), chat.ChatRequest)
    limits.follow(chat.policies(app, key, client, question.visitor_id))
    run, after = await chat.open_chat(
        app,
        key,
        question,
        idempotency_key=request.headers.get("Idempotency-Key"),
        last_event_id=_last_event_id(),
        client=client,
    )
    if _wants_json():
        return respond.json(AnswerView.of(await chat.collect(run)), Cache_Control="no-store")
    return streamed(run, after, reader=reader)


def streamed(run: Run, after: int = 0, *, reader: str) -> Response:
    """An answer as server-sent events, from the one after `after` on. `reader`: whose stream it is."""
    events = _events(run, after, current_app.config["HEARTBEAT_S"])
    response = Response(
        counted(reader, events, appliance().streams), content_type="text/event-stream", headers=_STREAM_HEADERS
    )
    response.timeout = None  # Quart's own would cut the stream; the answer has a time-out of its own
    return response


async def _events(run: Run, after: int, heartbeat_s: float) -> AsyncGenerator[bytes, None]:
    # Closing this unsubscribes, which stops or detaches the run.
    async with aclosing(run.events(after, heartbeat_s)) as events:
        async for numbered in events:
            yield _HEARTBEAT if numbered is None else _encode(*numbered)


def _encode(event_id: int, event: Event) -> bytes:
    return f"id: {event_id}\nevent: {event.name}\ndata: ".encode() + msgspec.json.encode(event.data) + b"\n\n"


def _last_event_id() -> int:
    given = request.headers.get("Last-Event-ID", "")
    return int(given) if _EVENT_ID.fullmatch(given) else 0


def _wants_json() -> bool:
    offered = ["text/event-stream", "application/json"]
    return request.accept_mimetypes.best_match(offered, offered[0]) == "application/json"
