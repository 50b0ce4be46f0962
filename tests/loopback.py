"""A server on a free port of loopback, and fetches of it."""

import asyncio
import ssl
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from typing import TypeAlias

import pytest

from flowchat.errors import FlowChatError
from flowchat.net.fetch import Fetched, Fetcher
from flowchat.settings import Settings

Reader: TypeAlias = asyncio.StreamReader
Writer: TypeAlias = asyncio.StreamWriter
Connection: TypeAlias = Callable[[Reader, Writer], Awaitable[None]]


class Server:
    """Answers on a free port of loopback. `answers` maps paths to whole responses; a missing one is 404.

    Requests of a path that is `held` are answered once its event is set. With `has_etags` a page that is asked for by
    its ETag is sent only if it has changed; `bodies` counts those sent.
    """

    def __init__(self) -> None:
        self.has_etags = False
        self.bodies = 0
        self.answers: dict[str, bytes] = {}
        self.held: dict[str, asyncio.Event] = {}
        self.requests: list[str] = []
        self.connections = 0
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def http(self, reader: Reader, writer: Writer) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            self.requests.append(head.decode())
            path = head.split(b" ")[1].decode()
            if held := self.held.get(path):
                await held.wait()
            writer.write(self._answer(path, head.decode()))
            await writer.drain()

    def _answer(self, path: str, head: str) -> bytes:
        whole = self.answers.get(path, answer(status="404 Not Found"))
        if not self.has_etags or not whole.startswith(b"HTTP/1.1 200"):
            return whole
        etag = f'"{zlib.crc32(whole)}"'
        if f"if-none-match: {etag}" in head.lower():
            return answer(status="304 Not Modified", etag=etag)
        self.bodies += 1
        return whole.replace(b"\r\n", f"\r\nETag: {etag}\r\n".encode(), 1)


@asynccontextmanager
async def serving(connection: Connection | None = None, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """A server that speaks HTTP, or what `connection` speaks."""
    server = Server()
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: Reader, writer: Writer) -> None:
        server.connections += 1
        task = asyncio.current_task()
        assert task
        tasks.add(task)
        try:
            await (connection or server.http)(reader, writer)
        except (asyncio.IncompleteReadError, asyncio.CancelledError, OSError):
            pass
        finally:
            writer.close()

    listener = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def answer(body: bytes = b"", *, status: str = "200 OK", **headers: str) -> bytes:
    fields = {"content_length": str(len(body)), **headers}
    lines = [f"HTTP/1.1 {status}"] + [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def redirect(location: str, status: str = "302 Found") -> bytes:
    return answer(b"moved", status=status, location=location)


def settings(*allowed: str, timeout_s: float = 10, max_bytes: int = 100_000) -> Settings:
    return Settings(allow_private_hosts=allowed or ("127.0.0.1",), crawl_timeout_s=timeout_s, crawl_max_bytes=max_bytes)


async def fetch(url: str, with_settings: Settings | None = None) -> Fetched:
    async with aclosing(Fetcher(with_settings or settings())) as fetcher:
        return await fetcher.fetch(url)


async def failure(url: str, with_settings: Settings | None = None) -> str:
    with pytest.raises(FlowChatError) as caught:
        await fetch(url, with_settings)
    return caught.value.code
