"""Connections that are too many, too slow, or not HTTP/1.1: each ends in time, and nobody else notices."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from web_server import Served, asking, serving

from flowchat.web import connections, uploads

GET = b"GET /health/live HTTP/1.1\r\nHost: shop.example\r\n\r\n"


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async with serving(tmp_path) as running:
        yield running


@asynccontextmanager
async def connected(
    served: Served, sent: bytes = b""
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", served.app.settings.port)
    try:
        writer.write(sent)
        await writer.drain()
        yield reader, writer
    finally:
        writer.close()


async def head_of(reader: asyncio.StreamReader) -> bytes:
    return await reader.readuntil(b"\r\n\r\n")


async def test_more_connections_than_one_address_may_have_are_told_so(tmp_path: Path) -> None:
    async with serving(tmp_path, max_connections_per_address=2) as served, connected(served, GET) as (first, _):
        await head_of(first)
        async with connected(served, GET) as (second, _):
            await head_of(second)
            async with connected(served, GET) as (third, _):
                answer = (await third.read()).decode()
        assert answer.startswith("HTTP/1.1 429 ")
        assert "\r\nRetry-After: 10\r\n" in answer
        assert json.loads(answer.partition("\r\n\r\n")[2])["code"] == "too_many_connections"
        while served.connections.open > 1:  # noqa: ASYNC110 (a test may poll)
            await asyncio.sleep(0.01)
        async with connected(served, GET) as (again, _):
            assert (await head_of(again)).startswith(b"HTTP/1.1 200")


async def test_more_connections_than_there_may_be_are_told_so(tmp_path: Path) -> None:
    async with serving(tmp_path, max_connections=10, max_connections_per_address=0) as served:
        held = [connected(served, GET) for _ in range(11)]
        readers = [(await one.__aenter__())[0] for one in held]
        answers = [await reader.read(20) for reader in readers]
        assert [answer for answer in answers if b"200" not in answer] == [answers[-1]]
        assert answers[-1].startswith(b"HTTP/1.1 503 ")
        for one in held:
            await one.__aexit__(None, None, None)


async def test_a_trusted_proxy_may_have_any_number(tmp_path: Path) -> None:
    settings = {"max_connections_per_address": 1, "trusted_proxies": ("127.0.0.1",)}
    async with serving(tmp_path, **settings) as served, connected(served, GET) as (first, _):
        assert (await head_of(first)).startswith(b"HTTP/1.1 200")
        async with connected(served, GET) as (second, _):
            assert (await head_of(second)).startswith(b"HTTP/1.1 200")


async def test_one_visitor_behind_a_proxy_may_not_have_any_number_of_streams(tmp_path: Path) -> None:
    settings = {"max_connections_per_address": 1, "trusted_proxies": ("127.0.0.1",)}
    async with serving(tmp_path, **settings) as served:
        go_on = served.answerer.hold_back()
        async with asking(served, X_Forwarded_For="203.0.113.5") as events:
            await anext(events)
            refused = await served.ask(X_Forwarded_For="203.0.113.5")
            assert (refused.status_code, refused.json()["code"]) == (429, "too_many_streams")
            async with asking(served, X_Forwarded_For="203.0.113.6") as others:
                await anext(others)
            go_on.set()
        while served.app.streams._open:  # noqa: ASYNC110 (a test may poll)
            await asyncio.sleep(0.01)


async def test_a_request_whose_head_does_not_end_is_cut(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_S", 0.2)
    async with connected(served, b"GET /health/live HTTP/1.1\r\nX-Slow: ") as (reader, _):
        assert await reader.read() == b""


async def test_a_body_that_does_not_come_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "BODY_TIMEOUT_S", 0.1)
    monkeypatch.setattr(uploads, "DROP_S", 0.1)
    async with serving(tmp_path) as served:
        answer = await _half_a_question(served)
    assert answer.startswith("HTTP/1.1 408 ")
    assert json.loads(answer.partition("\r\n\r\n")[2])["code"] == "request_timeout"


async def _half_a_question(served: Served) -> str:
    head = f"POST /v1/chat HTTP/1.1\r\nHost: x\r\nX-FlowChat-Key: {served.key}\r\nContent-Length: 100\r\n"
    head += "Content-Type: application/json\r\n\r\n"
    async with connected(served, head.encode() + b"{") as (reader, _):
        return (await reader.read()).decode()


async def test_a_reader_that_does_not_read_is_cut(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "WRITE_S", 0.2)
    monkeypatch.setattr(connections, "CLOSE_S", 0.2)
    bounded = served.connections
    before = bounded.open
    async with connected(served, b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 200) as (_, writer):
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        while bounded.open == before:  # noqa: ASYNC110 (a test may poll)
            await asyncio.sleep(0.01)
        while bounded.open > before:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("upgrade", ["h2c", "websocket"])
async def test_nothing_is_upgraded(served: Served, upgrade: str) -> None:
    asked = f"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: {upgrade}\r\n"
    asked += "HTTP2-Settings: AAMAAABkAAQAAP__\r\nSec-WebSocket-Key: dGhlIHNhbXBsZQ==\r\nSec-WebSocket-Version: 13\r\n"
    async with connected(served, f"{asked}\r\n".encode()) as (reader, _):
        assert (await head_of(reader)).startswith(b"HTTP/1.1 200")


async def test_who_begins_with_http_2_is_refused(served: Served) -> None:
    async with connected(served, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0") as (reader, _):
        assert (await reader.read()).startswith(b"HTTP/1.1 4")


async def test_a_head_that_is_too_large_is_refused(served: Served) -> None:
    async with connected(served, b"GET / HTTP/1.1\r\nHost: x\r\nX-Large: " + b"a" * 40_000) as (reader, _):
        assert (await reader.read()).startswith(b"HTTP/1.1 431 ")


async def test_a_body_that_is_compressed_is_not_unpacked(served: Served) -> None:
    answer = await served.client.post(
        "/v1/chat",
        content=b"\x1f\x8b\x08\0",
        headers=served.headers(Content_Type="application/json", Content_Encoding="gzip"),
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_json")
