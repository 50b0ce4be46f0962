"""The renderer's proxy, over real sockets: what it lets through, and what it refuses."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from loopback import Reader, Server, Writer, answer, serving, settings

from flowchat.net.proxy import MAX_BODY_BYTES, MAX_HEAD_BYTES, Limits, Proxy

PAGE = answer(b"hello", content_type="text/html", x_site="yes")


@asynccontextmanager
async def proxying(*allowed: str, limits: Limits | None = None, max_bytes: int = 1_000_000) -> AsyncIterator[Proxy]:
    proxy = Proxy(settings(*(allowed or ("none.test",))), limits)
    await proxy.start()
    proxy.allow_bytes(max_bytes)
    try:
        yield proxy
    finally:
        await proxy.aclose()


def signed_in(proxy: Proxy, head: str, body: bytes = b"") -> bytes:
    """A request with the proxy's password; `head` has no empty line at its end."""
    token = base64.b64encode(f"flowchat:{proxy.password}".encode()).decode()
    return f"{head}\r\nProxy-Authorization: Basic {token}\r\n\r\n".encode() + body


async def exchange(proxy: Proxy, *sent: bytes) -> bytes:
    """All that the proxy answers until it closes; b'' if it cuts the connection off."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    try:
        for part in sent:
            writer.write(part)
            await writer.drain()
        return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


def status(response: bytes) -> int:
    return int(response.split(b" ")[1])


def address(server: Server) -> str:
    return f"127.0.0.1:{server.port}"


async def test_a_request_in_absolute_form() -> None:
    async with serving() as server, proxying(address(server)) as proxy:
        server.answers["/a?b=c"] = PAGE
        head = f"GET {server.url}/a?b=c HTTP/1.1\r\nHost: elsewhere\r\nProxy-Connection: keep-alive\r\nCookie: a=b"
        response = await exchange(proxy, signed_in(proxy, head))
        assert response.startswith(b"HTTP/1.1 200")
        assert response.endswith(b"\r\n\r\nhello")
        assert b"\r\nx-site: yes\r\n" in response
        assert b"\r\nConnection: close\r\n" in response
        received = server.requests[0].lower()
        assert received.startswith("get /a?b=c http/1.1\r\n")
        assert f"\r\nhost: {address(server)}\r\n" in received
        assert "\r\ncookie: a=b\r\n" in received
        assert "proxy-" not in received


async def test_a_body_goes_along() -> None:
    async def echo(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer(await reader.readexactly(5)))
        await writer.drain()

    async with serving(echo) as server, proxying(address(server)) as proxy:
        head = f"POST {server.url}/ HTTP/1.1\r\nContent-Length: 5"
        assert (await exchange(proxy, signed_in(proxy, head, b"abcde"))).endswith(b"\r\n\r\nabcde")


async def test_a_chunked_answer() -> None:
    async with serving() as server, proxying(address(server)) as proxy:
        server.answers["/"] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
        response = await exchange(proxy, signed_in(proxy, f"GET {server.url}/ HTTP/1.1"))
        assert response.endswith(b"\r\n\r\nabcde")
        assert b"chunked" not in response


async def test_a_tunnel() -> None:
    async def shout(reader: Reader, writer: Writer) -> None:
        while line := await reader.readline():
            writer.write(line.upper())
            await writer.drain()

    async with serving(shout) as server, proxying(address(server)) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(signed_in(proxy, f"CONNECT {address(server)} HTTP/1.1"))
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        for line in (b"one\n", b"two\n"):
            writer.write(line)
            assert await reader.readline() == line.upper()
        writer.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "0.0.0.0"])
@pytest.mark.parametrize("request_line", ["CONNECT {} HTTP/1.1", "GET http://{}/ HTTP/1.1"])
async def test_no_connection_to_an_address_that_is_not_public(host: str, request_line: str) -> None:
    async with serving() as server, proxying() as proxy:
        head = request_line.format(f"{host}:{server.port}")
        response = await exchange(proxy, signed_in(proxy, head))
        assert status(response) == 403
        assert b"FLOWCHAT_ALLOW_PRIVATE_HOSTS" in response
        assert server.connections == 0


async def test_a_listed_host_is_reached_at_its_port_only() -> None:
    async with serving() as server, serving() as other, proxying(address(server)) as proxy:
        head = f"GET {other.url}/ HTTP/1.1\r\nHost: {address(server)}"
        assert status(await exchange(proxy, signed_in(proxy, head))) == 403
        assert (server.connections, other.connections) == (0, 0)


@pytest.mark.parametrize("credential", ["", "Basic Zmxvd2NoYXQ6", "Basic ", "Bearer x", "Basic ÿ"])
@pytest.mark.parametrize("request_line", ["CONNECT {} HTTP/1.1", "GET http://{}/ HTTP/1.1"])
async def test_only_who_knows_the_password_is_served(credential: str, request_line: str) -> None:
    async with serving() as server, proxying(address(server)) as proxy:
        head = request_line.format(address(server))
        field = f"\r\nProxy-Authorization: {credential}" if credential else ""
        response = await exchange(proxy, f"{head}{field}\r\n\r\n".encode())
        assert status(response) == 407
        assert b'\r\nProxy-Authenticate: Basic realm="FlowChat"\r\n' in response
        assert server.connections == 0


async def test_each_proxy_has_a_password_of_its_own() -> None:
    async with proxying() as one, proxying() as other:
        assert one.password != other.password
        assert len(one.password) >= 32
        assert status(await exchange(one, signed_in(other, "CONNECT 127.0.0.1:1 HTTP/1.1"))) == 407


@pytest.mark.parametrize(
    "head",
    [
        "GET / HTTP/1.1",
        "GET https://site.test/ HTTP/1.1",
        "GET ftp://site.test/ HTTP/1.1",
        "GET http://user:secret@site.test/ HTTP/1.1",
        "GET http://site.test HTTP/1.1",
        "GET http:///x HTTP/1.1",
        "GET http://site.test:99999/ HTTP/1.1",
        "GET http://site.test/ HTTP/2.0",
        "GET http://site.test/ a HTTP/1.1",
        "CONNECT site.test HTTP/1.1",
        "CONNECT site.test:0 HTTP/1.1",
        "CONNECT http://site.test:443/ HTTP/1.1",
        "CONNECT a,b:443 HTTP/1.1",
        "CONNECT site.test:443 HTTP/1.1\r\nNo colon",
        "CONNECT site.test:443 HTTP/1.1\r\nName : value",
        "CONNECT site.test:443 HTTP/1.1\r\n folded",
        "CONNECT site.test:443 HTTP/1.1\r\nA: b\nC: d",
        "SSH-2.0-OpenSSH_9.2",
        "",
    ],
)
async def test_a_malformed_request(head: str) -> None:
    async with proxying() as proxy:
        assert status(await exchange(proxy, signed_in(proxy, head))) == 400


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("Transfer-Encoding: chunked", 411),
        ("Content-Length: five", 411),
        ("Content-Length: -5", 411),
        ("Content-Length: 5\r\nContent-Length: 6", 400),
        (f"Content-Length: {MAX_BODY_BYTES + 1}", 413),
        ("Content-Length: " + "9" * 5000, 413),
        ("A: " + "b" * MAX_HEAD_BYTES, 431),
    ],
)
async def test_a_request_that_is_too_large_or_unclear(fields: str, expected: int) -> None:
    async with proxying() as proxy:
        head = f"POST http://site.test/ HTTP/1.1\r\n{fields}"
        assert status(await exchange(proxy, signed_in(proxy, head))) == expected


async def test_a_client_that_sends_nothing_or_too_slowly_is_cut_off() -> None:
    async with proxying(limits=Limits(head_s=0.1)) as proxy:
        assert await exchange(proxy) == b""
        assert await exchange(proxy, b"CONNECT site.test") == b""


async def test_a_connection_has_an_end() -> None:
    async def silent(reader: Reader, _writer: Writer) -> None:
        await reader.read()

    async with serving(silent) as server, proxying(address(server), limits=Limits(connection_s=0.3)) as proxy:
        assert await exchange(proxy, signed_in(proxy, f"CONNECT {address(server)} HTTP/1.1")) == b""
        assert await exchange(proxy, signed_in(proxy, f"GET {server.url}/ HTTP/1.1")) == b""


async def test_connections_at_the_same_time_are_limited() -> None:
    async with proxying(limits=Limits(max_connections=1)) as proxy:
        _, waiting = await asyncio.open_connection("127.0.0.1", proxy.port)
        assert status(await exchange(proxy, b"CONNECT site.test:443 HTTP/1.1\r\n\r\n")) == 503
        waiting.close()


@pytest.mark.parametrize("form", ["CONNECT", "GET"])
async def test_no_more_bytes_pass_than_are_allowed(form: str) -> None:
    async def endless(_reader: Reader, writer: Writer) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 1000)
            await writer.drain()
            await asyncio.sleep(0)

    async with serving(endless) as server, proxying(address(server), max_bytes=50_000) as proxy:
        target = address(server) if form == "CONNECT" else f"{server.url}/"
        assert len(await exchange(proxy, signed_in(proxy, f"{form} {target} HTTP/1.1"))) < 51_000
        assert proxy.is_exhausted
        assert status(await exchange(proxy, signed_in(proxy, f"{form} {target} HTTP/1.1"))) == 503
        proxy.allow_bytes(50_000)
        assert not proxy.is_exhausted


@pytest.mark.parametrize("sent", [b"", b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n"])
async def test_a_server_that_does_not_speak_http(sent: bytes) -> None:
    async def connection(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(sent)
        await writer.drain()

    async with serving(connection) as server, proxying(address(server)) as proxy:
        assert status(await exchange(proxy, signed_in(proxy, f"GET {server.url}/ HTTP/1.1"))) == 502


async def test_a_body_that_is_cut_off_does_not_look_complete() -> None:
    async def connection(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel")
        await writer.drain()

    async with serving(connection) as server, proxying(address(server)) as proxy:
        assert await exchange(proxy, signed_in(proxy, f"GET {server.url}/ HTTP/1.1")) == b""


async def test_nobody_listens() -> None:
    async with serving() as server:
        closed = address(server)
    async with proxying(closed) as proxy:
        assert status(await exchange(proxy, signed_in(proxy, f"CONNECT {closed} HTTP/1.1"))) == 502
        assert status(await exchange(proxy, signed_in(proxy, f"GET http://{closed}/ HTTP/1.1"))) == 502


async def test_closing_ends_what_is_open() -> None:
    async def silent(reader: Reader, _writer: Writer) -> None:
        await reader.read()

    async with serving(silent) as server, proxying(address(server)) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(signed_in(proxy, f"CONNECT {address(server)} HTTP/1.1"))
        await reader.readuntil(b"\r\n\r\n")
        await proxy.aclose()
        with pytest.raises(ConnectionError):
            await reader.readexactly(1)
        writer.close()
        with pytest.raises(OSError):
            await asyncio.open_connection("127.0.0.1", proxy.port)
