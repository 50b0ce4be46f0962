"""Parts of pages that change by themselves: a stream says when, and the page asks for the part anew."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TypeVar

from quart import Response

from flowchat.errors import NotFound
from flowchat.services import sessions
from flowchat.web import auth
from flowchat.web.admin import cookies
from flowchat.web.current import appliance
from flowchat.web.streams import counted

LOOK_EVERY_S = 1
PER_SESSION = 20  # pages with such parts that one session may have open
SILENCE_S = 15  # proxies close what is silent for longer

State = TypeVar("State")


async def follow(look: Callable[[], Awaitable[State]], is_going_on: Callable[[State], bool]) -> Response:
    """Server-sent events: `changed` at first and whenever `look` returns something else, `over` when it is or is gone.

    The stream ends with the session, too, and when FlowChat stops. What `look` raises at first is the answer.
    """
    app, token, client = appliance(), cookies.read("session"), auth.client_address()
    reader = f"session {token}"
    app.streams.check(reader, PER_SESSION)
    state = await look()

    async def events() -> AsyncGenerator[bytes, None]:
        nonlocal state
        yield _event("changed")
        silent_s = 0
        while is_going_on(state) and not app.stopping.is_set():
            await asyncio.sleep(LOOK_EVERY_S)
            if await sessions.find(app, token, client, is_use=False) is None:
                return
            silent_s += LOOK_EVERY_S
            try:
                now = await look()
            except NotFound:  # it was deleted meanwhile: the page asks once more, and says so
                yield _event("over")
                return
            if now != state:
                state, silent_s = now, 0
                yield _event("changed")
            elif silent_s >= SILENCE_S:
                silent_s = 0
                yield b":\n\n"
        if not is_going_on(state):
            yield _event("over")  # else FlowChat stops, and the page asks again

    stream = counted(reader, events(), app.streams)
    response = Response(stream, content_type="text/event-stream", headers={"X-Accel-Buffering": "no"})
    response.timeout = None  # Quart's own would cut the stream
    return response


def _event(name: str) -> bytes:
    return f"event: {name}\ndata:\n\n".encode()
