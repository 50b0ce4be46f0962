"""Fetching over real sockets on loopback: answers, redirects, connections, TLS."""

import asyncio
import ssl
from contextlib import aclosing
from pathlib import Path

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import RequestReceived
from loopback import Reader, Writer, answer, failure, fetch, redirect, serving, settings

from flowchat.errors import FlowChatError
from flowchat.evaluation.sockets import names
from flowchat.net.fetch import Fetcher, retry_after_s
from flowchat.settings import Settings

CERTIFICATE = Path(__file__).parents[1] / "data/localhost.pem"  # key and certificate, good for 100 years
PAGE = b"<p>Hello</p>" * 100


async def test_an_answer() -> None:
    async with serving() as server:
        server.answers["/a?b=1"] = answer(PAGE, Content_Type='Text/HTML; Charset="ISO-8859-1"', X_A="1")
        fetched = await fetch(server.url + "/a?b=1#part")
    assert fetched.url == server.url + "/a?b=1"
    assert (fetched.status, fetched.body) == (200, PAGE)
    assert (fetched.content_type, fetched.charset) == ("text/html", "iso-8859-1")
    assert fetched.headers["x-a"] == "1"
    request = server.requests[0].lower()
    assert f"host: 127.0.0.1:{server.port}\r\n" in request
    assert f"user-agent: {Settings().user_agent.lower()}\r\n" in request
    assert "accept-encoding: gzip, deflate, br, zstd\r\n" in request


async def test_no_content_type() -> None:
    async with serving() as server:
        server.answers["/"] = answer(b"?")
        fetched = await fetch(server.url)
    assert (fetched.content_type, fetched.charset) == ("", None)


@pytest.mark.parametrize("status", ["304 Not Modified", "404 Not Found", "500 Internal Server Error", "302 Found"])
async def test_any_status_is_an_answer(status: str) -> None:
    async with serving() as server:
        server.answers["/"] = answer(status=status)
        assert (await fetch(server.url)).status == int(status[:3])


async def test_connections_are_reused() -> None:
    async with serving() as server, aclosing(Fetcher(settings())) as fetcher:
        server.answers |= {"/a": redirect("/b"), "/b": answer(PAGE)}
        for path in ("/a", "/b", "/missing", "/b") * 5:
            await fetcher.fetch(server.url + path)
        assert (len(server.requests), server.connections) == (25, 1)


async def test_a_name_is_looked_up_for_a_connection_not_for_a_fetch() -> None:
    async with serving() as server, aclosing(Fetcher(settings("localhost"))) as fetcher:
        with names({"localhost": (("127.0.0.1",), ())}) as asked:
            for _ in range(5):
                assert (await fetcher.fetch(f"http://localhost:{server.port}/")).status == 404
        assert asked["localhost"] == 1


async def test_cookies_are_not_sent_back() -> None:
    async with serving() as server, aclosing(Fetcher(settings())) as fetcher:
        server.answers |= {"/": redirect("/b"), "/b": answer(PAGE, Set_Cookie="visit=1; Path=/")}
        for _ in range(2):
            await fetcher.fetch(server.url)
    assert len(server.requests) == 4
    assert not any("cookie" in request.lower() for request in server.requests)


async def test_several_fetches_at_once() -> None:
    async with serving() as server, aclosing(Fetcher(settings())) as fetcher:
        server.answers = {f"/{n}": answer(str(n).encode()) for n in range(50)}
        fetched = await asyncio.gather(*(fetcher.fetch(f"{server.url}/{n}") for n in range(50)))
    assert [page.body for page in fetched] == [str(n).encode() for n in range(50)]


async def test_proxies_of_the_environment_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with serving() as server:
        assert (await fetch(server.url)).status == 404


async def test_redirects_are_followed() -> None:
    async with serving() as server:
        server.answers = {
            "/1": redirect("/2#part", "301 Moved Permanently"),
            "/2": redirect("x/../3", "303 See Other"),
            "/3": redirect(server.url + "/4", "307 Temporary Redirect"),
            "/4": redirect("?5", "308 Permanent Redirect"),
            "/4?5": redirect("/ende-\u00e4"),
            "/ende-%C3%A4": answer(PAGE),
        }
        fetched = await fetch(server.url + "/1")
    assert (fetched.url, fetched.body) == (server.url + "/ende-%C3%A4", PAGE)
    assert [head.split(" ")[1] for head in server.requests] == ["/1", "/2", "/3", "/4", "/4?5", "/ende-%C3%A4"]


async def test_too_many_redirects() -> None:
    async with serving() as server:
        server.answers["/"] = redirect("/")
        assert await failure(server.url) == "fetch_too_many_redirects"
    assert len(server.requests) == 6


async def test_redirect_to_a_private_host() -> None:
    async with serving() as server, serving() as secret:
        server.answers["/"] = redirect(secret.url)
        assert await failure(server.url, settings(f"127.0.0.1:{server.port}")) == "address_not_public"
        assert (server.connections, secret.connections) == (1, 0)


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://127.0.0.1/", "http://a:b@127.0.0.1/", "http://[/"])
async def test_redirect_to_what_may_not_be_fetched(location: str) -> None:
    async with serving() as server:
        server.answers["/"] = redirect(location)
        assert await failure(server.url) == "bad_url"


async def test_own_headers_go_to_the_own_origin_only() -> None:
    async with serving() as server, serving() as other, aclosing(Fetcher(settings())) as fetcher:
        server.answers |= {"/a": redirect("/b"), "/b": redirect(other.url)}
        other.answers["/"] = redirect(server.url + "/c")
        sent = {"Authorization": "Basic c2VjcmV0", "Host": "evil.test", "X-Name": "\u00e4"}
        await fetcher.fetch(server.url + "/a", headers=sent)
    assert ["c2VjcmV0" in request for request in server.requests] == [True, True, False]
    assert "c2VjcmV0" not in other.requests[0]
    assert not any("evil.test" in request for request in server.requests)


async def test_headers_cannot_smuggle_others() -> None:
    async with serving() as server, aclosing(Fetcher(settings())) as fetcher:
        with pytest.raises(FlowChatError) as caught:
            await fetcher.fetch(server.url, headers={"X-A": "1\r\nX-B: 2"})
        assert (caught.value.code, server.requests) == ("fetch_failed", [])


def tls(protocol: str = "http/1.1") -> tuple[ssl.SSLContext, list[str | None]]:
    """-> server context, the names that clients will have asked for"""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    context.set_alpn_protocols([protocol])
    names: list[str | None] = []
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    return context, names


async def test_https_keeps_the_name_although_it_connects_to_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    context, names = tls()
    async with serving(tls=context) as server:
        url = f"https://localhost:{server.port}/"
        server.answers["/"] = answer(PAGE)
        assert (await fetch(url, settings("localhost"))).body == PAGE
    assert names == ["localhost"]
    assert f"host: localhost:{server.port}\r\n" in server.requests[0].lower()


async def test_certificate_of_an_unknown_authority() -> None:
    async with serving(tls=tls()[0]) as server:
        assert await failure(f"https://localhost:{server.port}/", settings("localhost")) == "fetch_failed"
        assert server.requests == []


async def test_certificate_of_another_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    async with serving(tls=tls()[0]) as server:
        assert await failure(f"https://127.0.0.1:{server.port}/") == "fetch_failed"


async def test_https_to_a_server_without_tls() -> None:
    async def connection(reader: Reader, writer: Writer) -> None:
        await reader.read(1)
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n" * 100)

    async with serving(connection) as server:
        assert await failure(f"https://127.0.0.1:{server.port}/") == "fetch_failed"


async def test_tls_handshake_without_end_leaves_no_connection_behind() -> None:
    async def connection(reader: Reader, _writer: Writer) -> None:
        await reader.read()
        ended.set()

    ended = asyncio.Event()
    async with serving(connection) as server, aclosing(Fetcher(settings(timeout_s=0.3))) as fetcher:
        with pytest.raises(FlowChatError) as caught:
            await fetcher.fetch(f"https://127.0.0.1:{server.port}/")
        assert caught.value.code == "fetch_timeout"
        await asyncio.wait_for(ended.wait(), 10)


async def http2(reader: Reader, writer: Writer) -> None:
    connection = H2Connection(H2Configuration(client_side=False))
    connection.initiate_connection()
    writer.write(connection.data_to_send())
    while data := await reader.read(65536):
        for event in connection.receive_data(data):
            if isinstance(event, RequestReceived):
                connection.send_headers(event.stream_id, [(":status", "200"), ("content-type", "text/html")])
                connection.send_data(event.stream_id, PAGE, end_stream=True)
        writer.write(connection.data_to_send())


async def test_http2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    async with serving(http2, tls("h2")[0]) as server, aclosing(Fetcher(settings("localhost"))) as fetcher:
        url = f"https://localhost:{server.port}/"
        fetched = await asyncio.gather(*(fetcher.fetch(f"{url}{n}") for n in range(20)))
        assert {(page.status, page.body, page.content_type) for page in fetched} == {(200, PAGE, "text/html")}
        assert server.connections == 1


@pytest.mark.parametrize("fields", [[("x-a", "1" * 4000)] * 5000, [(f"x-{n}", "1") for n in range(20_000)]])
async def test_http2_headers_without_measure(monkeypatch: pytest.MonkeyPatch, fields: list[tuple[str, str]]) -> None:
    async def connection(reader: Reader, writer: Writer) -> None:
        server = H2Connection(H2Configuration(client_side=False))
        server.initiate_connection()
        while data := await reader.read(65536):
            for event in server.receive_data(data):
                if isinstance(event, RequestReceived):
                    server.send_headers(event.stream_id, [(":status", "200"), *fields])
            writer.write(server.data_to_send())

    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    async with serving(connection, tls("h2")[0]) as server:
        assert await failure(f"https://localhost:{server.port}/", settings("localhost")) == "fetch_failed"


@pytest.mark.parametrize("garbage", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x00\x00\x04\x08\x00\x00\x00\x00\x00", b""])
async def test_http2_garbage(monkeypatch: pytest.MonkeyPatch, garbage: bytes) -> None:
    async def connection(reader: Reader, writer: Writer) -> None:
        await reader.read(65536)
        writer.write(garbage * 10)
        await writer.drain()

    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    async with serving(connection, tls("h2")[0]) as server:
        assert await failure(f"https://localhost:{server.port}/", settings("localhost")) == "fetch_failed"


@pytest.mark.parametrize(
    ("told", "expected"),
    [("7", 7.0), (" 0 ", 0.0), ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0), ("soon", None), ("-1", None), ("\u0663", None)],
)
def test_retry_after(told: str, expected: float | None) -> None:
    assert retry_after_s({"retry-after": told}) == expected
    assert retry_after_s({}) is None
