"""A website on loopback whose answers a function makes."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Response:
    """A `body` that comes piece by piece ends with the connection."""

    body: bytes | AsyncIterator[bytes] = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


Respond = Callable[[str, Mapping[str, str]], Response]  # (path and query, headers by lower-case names)
NOT_FOUND = Response(b"not found", 404)


def page(title: str, main: str, head: str = "") -> Response:
    html = f"<!doctype html><html><head><title>{title}</title>{head}</head><body><main>{main}</main></body></html>"
    return Response(html.encode(), headers={"content-type": "text/html; charset=utf-8"})


@asynccontextmanager
async def local_site(respond: Respond) -> AsyncIterator[str]:
    """The site's address, without a slash at the end. It is served by the event loop of whoever asks."""
    connections: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            connections.add(task)
            task.add_done_callback(connections.discard)
        try:
            while await _answer(reader, writer, respond):
                pass
        except (asyncio.IncompleteReadError, asyncio.CancelledError, OSError):
            pass  # whoever asked has gone, or the site closes
        finally:
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        waiting = list(connections)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, respond: Respond) -> bool:
    """Answer one request; whether the connection stays open for another."""
    request, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    asked = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    await reader.readexactly(int(asked.get("content-length", "0")))  # a body says nothing here
    response = respond(request.split(" ")[1], asked)
    is_whole = isinstance(response.body, bytes)
    headers = dict(response.headers)
    headers |= {"content-length": str(len(response.body))} if isinstance(response.body, bytes) else {}
    headers |= {} if is_whole else {"connection": "close"}
    head = f"HTTP/1.1 {response.status} Is\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    writer.write(head.encode() + b"\r\n")
    if isinstance(response.body, bytes):
        writer.write(response.body)
        await writer.drain()
        return True
    async for piece in response.body:
        writer.write(piece)
        await writer.drain()
    return False
