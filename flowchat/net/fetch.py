"""Fetches URLs that users and pages supply: only from allowed addresses, within bounds of time, size and redirects."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import h2.exceptions
import httpcore
from ada_url import URL

from flowchat.errors import FlowChatError
from flowchat.net import urls
from flowchat.net.decompress import ACCEPT_ENCODING, Body
from flowchat.net.guard import AddressPolicy, GuardedNetwork
from flowchat.settings import Settings

MAX_REDIRECTS = 5
CONNECT_TIMEOUT_S = 5.0  # for each address of a host, so that a dead one leaves time for the next
KEEPALIVE_S = 4.0  # below the 5 s after which common servers close: a request must not race with that
MAX_CONNECTIONS = 10
MAX_VALIDATOR_CHARS = 1024

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_ACCEPT = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
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

    @property
    def etag(self) -> str | None:
        """What a later fetch may send as If-None-Match, as it came: weak ones and ones without quotes too."""
        return _validator(self.headers.get("etag"))

    @property
    def last_modified(self) -> str | None:
        """What a later fetch may send as If-Modified-Since, as it came."""
        return _validator(self.headers.get("last-modified"))


class Fetcher:
    """Keeps connections alive between fetches (HTTP/1.1 and HTTP/2); ignores proxies of the environment.

    Keeps no cookies. May be made anywhere, but all its calls belong in one event loop; `aclose()` ends it. `network`
    opens the connections to addresses that have been checked. `bodies` and `bytes` count the bodies received so far,
    those of redirects and failures too, and their bytes on the wire.
    """

    def __init__(self, settings: Settings, network: httpcore.AsyncNetworkBackend | None = None) -> None:
        self.bodies = 0
        self.bytes = 0
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

    async def fetch(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        etag: str | None = None,
        last_modified: str | None = None,
    ) -> Fetched:
        """GET a URL, following up to 5 redirects. `headers` go to the URL's own origin only, not where it redirects.

        `etag` and `last_modified` are those of an earlier answer, and go to the URL itself only. If that has not
        changed, the answer has the status 304 and no body.

        Raises FlowChatError: `bad_url`, `address_not_public`, `fetch_timeout`, `fetch_too_large`,
        `fetch_too_many_redirects`, or `fetch_failed` for name look-up, connection, TLS and protocol faults.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._follow(_checked(url), headers or {}, _conditions(etag, last_modified))
        except (TimeoutError, httpcore.TimeoutException) as error:
            raise FlowChatError(
                "fetch_timeout", f"{url} took longer than {self._timeout_s:g} s (FLOWCHAT_CRAWL_TIMEOUT_S).", status=504
            ) from error
        except (httpcore.NetworkError, httpcore.ProtocolError, h2.exceptions.H2Error, OSError) as error:
            detail = str(error) or type(error).__name__
            raise FlowChatError("fetch_failed", f"{url} could not be fetched: {detail}", status=502) from error

    async def _follow(self, target: URL, headers: Mapping[str, str], conditions: Mapping[str, str]) -> Fetched:
        start = target
        redirects = 0
        while True:
            status, received, body = await self._get(target, {**headers, **conditions})
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
            target, conditions = following, {}

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
            "accept-encoding": ACCEPT_ENCODING,
        }
        extensions = {"timeout": {"connect": CONNECT_TIMEOUT_S}}
        raw = [(name.encode(), value.encode()) for name, value in sent.items()]
        async with self._pool.stream("GET", url, headers=raw, extensions=extensions) as response:
            received = _header_texts(response.headers)
            return response.status, received, await self._read(response, received.get("content-encoding", ""))

    async def _read(self, response: httpcore.Response, encodings: str) -> bytes:
        body = Body(encodings, self._max_bytes)
        try:
            async for part in response.aiter_stream():
                body.feed(part)
        finally:
            self.bytes += body.wire_bytes
            self.bodies += body.wire_bytes > 0
        return body.finish()


def _checked(url: str, base: str | None = None) -> URL:
    parsed = urls.parse(url, base)
    if parsed is None:
        raise FlowChatError(
            "bad_url",
            f"'{url[:200]}' can't be fetched: give an http or https URL of at most {urls.MAX_URL_CHARS} characters "
            "without user name and password.",
        )
    return parsed


def _conditions(etag: str | None, last_modified: str | None) -> dict[str, str]:
    named = {"if-none-match": etag, "if-modified-since": last_modified}
    return {name: value for name, value in named.items() if value}


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


def _validator(value: str | None) -> str | None:
    """None for what can't be sent back as it came: absent, too long, or with bytes that are no text."""
    if not value or len(value) > MAX_VALIDATOR_CHARS or not value.isprintable() or "\ufffd" in value:
        return None
    return value


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
