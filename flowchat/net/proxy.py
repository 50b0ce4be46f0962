"""A forward proxy on loopback, for one browser: whatever that requests is bound to the addresses that we may fetch.

HTTP/1.1 (RFC 9110, RFC 9112): CONNECT, which https and WebSockets use, and requests in absolute form, which plain http
uses; one request a connection. Names are looked up here and nowhere else, as guard.py says.
"""

import asyncio
import base64
import hmac
import re
import secrets
import socket
import struct
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass
from http import HTTPStatus
from typing import TypeAlias

import httpcore

from flowchat.errors import FlowChatError
from flowchat.net.guard import AddressPolicy, GuardedNetwork
from flowchat.settings import Settings

USER = "flowchat"
MAX_HEAD_BYTES = 65_536
MAX_BODY_BYTES = 1_000_000
CONNECT_TIMEOUT_S = 5.0  # for each address of a host
RESOLVERS = 4

_PART_BYTES = 65_536
_REQUEST_LINE = re.compile(rb"([A-Z]{1,20}) ([!-~]+) HTTP/1\.[01]")
_HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00\r\n]*?)[ \t]*")
_HOST = rb"(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z._-]+)"
_AUTHORITY = re.compile(_HOST + rb":([0-9]{1,5})")
_ABSOLUTE = re.compile(rb"(?i:http)://" + _HOST + rb"(?::([0-9]{1,5}))?(/[!-~]*)")
_HOP_BY_HOP = frozenset(  # RFC 9110, section 7.6.1
    b"connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer transfer-encoding "
    b"upgrade".split()
)
_FAULTS = (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError)

_Reader: TypeAlias = asyncio.StreamReader
_Writer: TypeAlias = asyncio.StreamWriter
_Headers: TypeAlias = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Limits:
    """`head_s` is for the head of a request, `connection_s` for all of a connection."""

    max_connections: int = 64  # Chromium opens at most 32 to one proxy, and as many for WebSockets
    head_s: float = 10.0
    connection_s: float = 120.0


class Proxy:
    """Listens on a free `port` of 127.0.0.1, and serves only who knows `password` (HTTP basic, user `flowchat`).

    `allow_bytes` must be called before the first request. All calls belong in one event loop; `aclose()` ends it.
    `network` opens the connections to addresses that have been checked.
    """

    def __init__(
        self, settings: Settings, limits: Limits | None = None, network: httpcore.AsyncNetworkBackend | None = None
    ) -> None:
        self.port = 0
        self.password = secrets.token_urlsafe(32)
        self._authorization = b"Basic " + base64.b64encode(f"{USER}:{self.password}".encode())
        self._limits = limits or Limits()
        # Of its own: names that no server answers for must not take the threads that chats run their models in.
        self._resolvers = ThreadPoolExecutor(RESOLVERS, thread_name_prefix="renderer-names")
        self._network = GuardedNetwork(AddressPolicy(settings.allow_private_hosts, self._resolvers), network)
        self._pool = httpcore.AsyncConnectionPool(
            max_connections=None,
            max_keepalive_connections=0,  # a request that only a browser can repeat must not race with a server's close
            network_backend=self._network,
        )
        self._bytes_left = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Begin to listen."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0, limit=MAX_HEAD_BYTES)
        self.port = self._server.sockets[0].getsockname()[1]

    async def aclose(self) -> None:
        """Stop listening and close all connections."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._pool.aclose()
        self._resolvers.shutdown(wait=False, cancel_futures=True)

    def allow_bytes(self, max_bytes: int) -> None:
        """From now on, that many bytes of bodies and tunnels may pass, in both directions together."""
        self._bytes_left = max_bytes

    @property
    def is_exhausted(self) -> bool:
        """Whether there was more to pass than is allowed."""
        return self._bytes_left < 0

    async def _connected(self, reader: _Reader, writer: _Writer) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 (a server runs its callbacks in tasks)
        self._tasks.add(task)
        try:
            async with asyncio.timeout(self._limits.connection_s):
                await self._answer(reader, writer)
            writer.close()
        except (TimeoutError, EOFError, asyncio.CancelledError, OSError):
            _reset(writer)
        finally:
            self._tasks.discard(task)

    async def _answer(self, reader: _Reader, writer: _Writer) -> None:
        try:
            async with asyncio.timeout(self._limits.head_s):
                request = await _read_request(reader)
            if len(self._tasks) > self._limits.max_connections:
                raise _Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "There are too many connections.")
            if not hmac.compare_digest(request.header(b"proxy-authorization"), self._authorization):
                raise _Refusal(HTTPStatus.PROXY_AUTHENTICATION_REQUIRED, "This proxy serves FlowChat's renderer only.")
            self._spend(request.body_bytes)
            await (self._tunnel if request.method == b"CONNECT" else self._forward)(request, reader, writer)
        except _Refusal as refusal:
            writer.write(refusal.response)
            await writer.drain()

    async def _tunnel(self, request: "_Request", reader: _Reader, writer: _Writer) -> None:
        try:
            upstream = await self._network.connect_tcp(request.host, request.port, CONNECT_TIMEOUT_S)
        except (FlowChatError, *_FAULTS) as error:
            raise _refusal(error) from error
        async with aclosing(upstream):
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            ways = [
                asyncio.create_task(self._upload(reader, upstream)),
                asyncio.create_task(self._download(upstream, writer)),
            ]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)

    async def _upload(self, reader: _Reader, upstream: httpcore.AsyncNetworkStream) -> None:
        while part := await reader.read(_PART_BYTES):
            self._spend(len(part))
            await upstream.write(part)

    async def _download(self, upstream: httpcore.AsyncNetworkStream, writer: _Writer) -> None:
        while part := await upstream.read(_PART_BYTES):
            self._spend(len(part))
            writer.write(part)
            await writer.drain()

    async def _forward(self, request: "_Request", reader: _Reader, writer: _Writer) -> None:
        url = httpcore.URL(scheme="http", host=request.host, port=request.port, target=request.target)
        body = await reader.readexactly(request.body_bytes)
        extensions = {"timeout": {"connect": CONNECT_TIMEOUT_S}}
        has_begun = False
        try:
            async with self._pool.stream(
                request.method, url, headers=request.forwarded_headers, content=body or None, extensions=extensions
            ) as response:
                headers = [*_end_to_end(response.headers), (b"Connection", b"close")]
                writer.write(_head(response.status, headers))
                has_begun = True
                async for part in response.aiter_stream():
                    self._spend(len(part))
                    writer.write(part)
                    await writer.drain()
        except (FlowChatError, _Refusal, *_FAULTS) as error:
            if has_begun:
                raise ConnectionAbortedError from error
            raise _refusal(error) from error

    def _spend(self, count: int) -> None:
        self._bytes_left -= count
        if self.is_exhausted:
            raise _Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "The page has transferred too much.")


def _reset(writer: _Writer) -> None:
    """Close a connection so that what was cut off does not look complete: with RST (RFC 9293, section 3.10.5)."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


class _Refusal(Exception):
    """An answer of the proxy's own."""

    def __init__(self, status: HTTPStatus, text: str) -> None:
        super().__init__(text)
        headers = [
            (b"Content-Type", b"text/plain; charset=utf-8"),
            (b"Content-Length", str(len(text.encode())).encode()),
            (b"Connection", b"close"),
        ]
        if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
            headers.append((b"Proxy-Authenticate", b'Basic realm="FlowChat"'))
        self.response = _head(status, headers) + text.encode()


def _refusal(error: Exception) -> _Refusal:
    if isinstance(error, FlowChatError) and error.code == "address_not_public":
        return _Refusal(HTTPStatus.FORBIDDEN, error.message)
    if isinstance(error, httpcore.TimeoutException):
        return _Refusal(HTTPStatus.GATEWAY_TIMEOUT, "The server did not answer in time.")
    return _Refusal(HTTPStatus.BAD_GATEWAY, f"The server could not be reached: {str(error) or type(error).__name__}")


@dataclass(frozen=True, slots=True)
class _Request:
    method: bytes
    host: str  # without the brackets of IPv6
    port: int
    authority: bytes
    target: bytes  # '' for CONNECT
    headers: _Headers  # names in lower case

    def header(self, name: bytes) -> bytes:
        """The value of a header that may stand there once; b'' without it."""
        values = [value for known, value in self.headers if known == name]
        if len(values) > 1:
            raise _Refusal(HTTPStatus.BAD_REQUEST, f"There is more than one {name.decode()}.")
        return values[0] if values else b""

    @property
    def body_bytes(self) -> int:
        """Length of the body that follows. Of unknown length is none: no browser sends that over HTTP/1.1."""
        length = self.header(b"content-length") or b"0"
        if self.header(b"transfer-encoding") or not length.isdigit():
            raise _Refusal(HTTPStatus.LENGTH_REQUIRED, "The length of the body is not known.")
        if len(length) > 10 or int(length) > MAX_BODY_BYTES:
            raise _Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The body is larger than {MAX_BODY_BYTES} bytes.")
        return int(length)

    @property
    def forwarded_headers(self) -> _Headers:
        """What the server gets. The address decides, whatever Host says (RFC 9112, section 3.2.2)."""
        headers = [(name, value) for name, value in _end_to_end(self.headers) if name != b"host"]
        return [(b"host", self.authority), *headers]


async def _read_request(reader: _Reader) -> _Request:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError as error:
        status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        raise _Refusal(status, f"The head is larger than {MAX_HEAD_BYTES} bytes.") from error
    first, *lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    request_line, headers = _REQUEST_LINE.fullmatch(first), [_HEADER.fullmatch(line) for line in lines]
    if request_line is None:
        raise _malformed()
    method, target = request_line.groups()
    address = (_AUTHORITY if method == b"CONNECT" else _ABSOLUTE).fullmatch(target)
    if address is None:
        raise _malformed()
    host, port, path = (*address.groups(), b"")[:3]
    number = int(port or b"80")
    if not 0 < number < 65_536:
        raise _malformed()
    return _Request(
        method=method,
        host=host.decode().strip("[]"),
        port=number,
        authority=host + (b":" + port if port else b""),
        target=path,
        headers=[_header(match) for match in headers],
    )


def _header(match: re.Match[bytes] | None) -> tuple[bytes, bytes]:
    if match is None:
        raise _malformed()
    return match[1].lower(), match[2]


def _malformed() -> _Refusal:
    return _Refusal(HTTPStatus.BAD_REQUEST, "This is neither CONNECT host:port nor a request for http://host/path.")


def _end_to_end(headers: Iterable[tuple[bytes, bytes]]) -> _Headers:
    return [(name, value) for name, value in headers if name.lower() not in _HOP_BY_HOP]


def _head(status: int, headers: _Headers) -> bytes:
    fields = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
    return b"HTTP/1.1 %d \r\n%s\r\n" % (status, fields)
