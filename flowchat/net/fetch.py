"""Fetches URLs that users and pages supply: only from allowed addresses, within bounds of time, size and redirects."""

import asyncio
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import h2.exceptions
import httpcore
from ada_url import URL

from flowchat.errors import FlowChatError
from flowchat.net import urls
from flowchat.net.guard import AddressPolicy, GuardedNetwork
from flowchat.settings import Settings

MAX_REDIRECTS = 5
CONNECT_TIMEOUT_S = 5.0  # for each address of a host, so that a dead one leaves time for the next
KEEPALIVE_S = 4.0  # below the 5 s after which common servers close: a request must not race with that
MAX_CONNECTIONS = 10

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_ACCEPT = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
_WBITS = {"gzip": 31, "x-gzip": 31, "deflate": 15}
_RAW_DEFLATE_WBITS = -15
_CHARSET = re.compile(r"""charset\s*=\s*["']?([^\s;"']+)""", re.IGNORECASE)
_SECONDS = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer, of any status. Header names are in lower case, `body` is decompressed.

    `url` is the final one. `content_type` is lower case without parameters and '' if the server named none.
    """

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    content_type: str
    charset: str | None


class Fetcher:
    """Keeps connections alive between fetches (HTTP/1.1 and HTTP/2); ignores proxies of the environment.

    May be made anywhere, but all its calls belong in one event loop; `aclose()` ends it. `network` opens the
    connections to addresses that have been checked.
    """

    def __init__(self, settings: Settings, network: httpcore.AsyncNetworkBackend | None = None) -> None:
        self._timeout_s = settings.crawl_timeout_s
        self._max_bytes = settings.crawl_max_bytes
        self._user_agent = settings.user_agent
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=httpcore.default_ssl_context(),  # made once: httpcore would load it for every connection
            max_connections=MAX_CONNECTIONS,
            keepalive_expiry=KEEPALIVE_S,
            http2=True,
            network_backend=GuardedNetwork(AddressPolicy(settings.allow_private_hosts), network),
        )

    async def aclose(self) -> None:
        """Close all connections."""
        await self._pool.aclose()

    async def fetch(self, url: str, *, headers: Mapping[str, str] | None = None) -> Fetched:
        """GET a URL, following up to 5 redirects. `headers` go to the URL's own origin only, not where it redirects.

        Raises FlowChatError: `bad_url`, `address_not_public`, `fetch_timeout`, `fetch_too_large`,
        `fetch_too_many_redirects`, or `fetch_failed` for name look-up, connection, TLS and protocol faults.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._follow(_checked(url), headers or {})
        except (TimeoutError, httpcore.TimeoutException) as error:
            raise FlowChatError(
                "fetch_timeout", f"{url} took longer than {self._timeout_s:g} s (FLOWCHAT_CRAWL_TIMEOUT_S).", status=504
            ) from error
        except (httpcore.NetworkError, httpcore.ProtocolError, h2.exceptions.H2Error, zlib.error, OSError) as error:
            detail = str(error) or type(error).__name__
            raise FlowChatError("fetch_failed", f"{url} could not be fetched: {detail}", status=502) from error

    async def _follow(self, target: URL, headers: Mapping[str, str]) -> Fetched:
        start = target
        redirects = 0
        while True:
            status, received, body = await self._get(target, headers)
            location = received.get("location")
            if status not in _REDIRECTS or location is None:
                return _fetched(target, status, received, body)
            redirects += 1
            if redirects > MAX_REDIRECTS:
                raise FlowChatError(
                    "fetch_too_many_redirects",
                    f"{_without_fragment(start)} redirects more than {MAX_REDIRECTS} times.",
                    status=502,
                )
            following = _checked(location, target.href)
            if following.origin != target.origin:
                headers = {}
            target = following

    async def _get(self, target: URL, headers: Mapping[str, str]) -> tuple[int, dict[str, str], bytes]:
        url = httpcore.URL(
            scheme=target.protocol.rstrip(":"),
            host=target.hostname.strip("[]"),
            port=int(target.port) if target.port else None,
            target=target.pathname + target.search,
        )
        sent = {
            "accept": _ACCEPT,
            "user-agent": self._user_agent,
            **{name.lower(): value for name, value in headers.items()},
            "host": target.host,
            "accept-encoding": "gzip, deflate",
        }
        extensions = {"timeout": {"connect": CONNECT_TIMEOUT_S}}
        raw = [(name.encode(), value.encode()) for name, value in sent.items()]
        async with self._pool.stream("GET", url, headers=raw, extensions=extensions) as response:
            received = _header_texts(response.headers)
            return response.status, received, await self._read(response, received)

    async def _read(self, response: httpcore.Response, headers: Mapping[str, str]) -> bytes:
        """The body, decompressed. Neither that nor what came over the wire may be larger than the limit."""
        encoding = headers.get("content-encoding", "").strip().lower()
        inflater = None if encoding in ("", "identity") else _Inflater(encoding)
        body = bytearray()
        wire_bytes = 0
        async for part in response.aiter_stream():
            wire_bytes += len(part)
            body += inflater.feed(part, self._max_bytes + 1 - len(body)) if inflater else part
            if max(wire_bytes, len(body)) > self._max_bytes:
                raise self._too_large()
        if inflater and wire_bytes and not inflater.finished:
            raise httpcore.RemoteProtocolError("the compressed body is cut off")
        return bytes(body)

    def _too_large(self) -> FlowChatError:
        message = f"The page is larger than {self._max_bytes} bytes (FLOWCHAT_CRAWL_MAX_BYTES)."
        return FlowChatError("fetch_too_large", message, status=502)


class _Inflater:
    """Decompresses one body piece by piece, never more than asked for. Raises zlib.error on damage."""

    def __init__(self, encoding: str) -> None:
        if encoding not in _WBITS:
            raise httpcore.RemoteProtocolError(f"the server used the encoding '{encoding}', which was not offered")
        self._stream = zlib.decompressobj(_WBITS[encoding])
        self._may_be_raw = encoding == "deflate"

    def feed(self, data: bytes, max_bytes: int) -> bytes:
        """-> at most `max_bytes` bytes (at least 1 must be asked for)"""
        may_be_raw, self._may_be_raw = self._may_be_raw, False
        try:
            return self._stream.decompress(data, max_bytes)
        except zlib.error:
            if not may_be_raw:
                raise
        # "deflate" means zlib, but some servers send the bare stream.
        self._stream = zlib.decompressobj(_RAW_DEFLATE_WBITS)
        return self._stream.decompress(data, max_bytes)

    @property
    def finished(self) -> bool:
        """Whether the end of the compressed data has been seen."""
        return self._stream.eof


def _checked(url: str, base: str | None = None) -> URL:
    parsed = urls.parse(url, base)
    if parsed is None:
        raise FlowChatError(
            "bad_url",
            f"'{url[:200]}' can't be fetched: give an http or https URL of at most {urls.MAX_URL_CHARS} characters "
            "without user name and password.",
        )
    return parsed


def _without_fragment(url: URL) -> str:
    return url.href.partition("#")[0]


def _header_texts(raw: list[tuple[bytes, bytes]]) -> dict[str, str]:
    texts: dict[str, str] = {}
    for name_bytes, value_bytes in raw:
        name, value = name_bytes.decode("ascii", "replace").lower(), value_bytes.decode("utf-8", "replace")
        texts[name] = f"{texts[name]}, {value}" if name in texts else value
    return texts


def _fetched(url: URL, status: int, headers: dict[str, str], body: bytes) -> Fetched:
    content_type = headers.get("content-type", "")
    charset = _CHARSET.search(content_type)
    return Fetched(
        url=_without_fragment(url),
        status=status,
        headers=headers,
        body=body,
        content_type=content_type.partition(";")[0].strip().lower(),
        charset=charset[1].lower() if charset else None,
    )


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """How long an answer asks to wait, by its Retry-After (seconds or a date); None if it doesn't say."""
    told = headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(told):
        return float(told)
    try:
        moment = parsedate_to_datetime(told)
    except ValueError:
        return None
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
