"""How much of a large body is taken, and when."""

import asyncio
from typing import Any, cast

import pytest
from hypercorn.typing import ASGIReceiveCallable
from quart import Request
from werkzeug.datastructures import Headers
from werkzeug.exceptions import RequestEntityTooLarge

from flowchat.web import MAX_BODY_BYTES, uploads

PART = 16 * 1024
PARTS = 100
UPLOAD_PATH = "/v1/sources/help/documents"


def request_to(path: str) -> Any:
    scope = cast(Any, {"type": "http", "headers": []})
    kind: type[Request] = uploads.request_class(10_000_000)
    return kind(
        "POST", "http", path, b"", Headers(), "", "1.1", scope,
        max_content_length=MAX_BODY_BYTES, send_push_promise=cast(Any, None),
    )  # fmt: skip


class Client:
    """Sends parts of a body as fast as they are taken."""

    def __init__(self) -> None:
        self.taken = 0

    async def receive(self) -> dict[str, Any]:
        await asyncio.sleep(0)
        self.taken += 1
        if self.taken > PARTS:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": b"x" * PART, "more_body": self.taken < PARTS}


def read(request: Any, client: Client) -> asyncio.Task[None]:
    connection = uploads.Connection(cast(Any, None), cast(Any, {}))
    return asyncio.create_task(connection.handle_messages(request, cast(ASGIReceiveCallable, client.receive)))


async def test_an_upload_waits_until_it_is_admitted() -> None:
    request, client = request_to(UPLOAD_PATH), Client()
    reading = read(request, client)
    for _ in range(10 * PARTS):
        await asyncio.sleep(0)
    assert client.taken == MAX_BODY_BYTES // PART + 1
    request.admitted.set()
    await reading
    assert len(await request.body) == PART * PARTS


async def test_other_bodies_stay_small() -> None:
    request, client = request_to("/v1/sources"), Client()
    await read(request, client)
    with pytest.raises(RequestEntityTooLarge):
        await request.body
