"""Sends webhooks: one POST to an address that a tenant chose, within bounds of where, how long and how much."""

import asyncio
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import httpcore
from ada_url import URL

from flowchat.errors import FlowChatError
from flowchat.net import urls
from flowchat.net.fetch import CONNECT_TIMEOUT_S, retry_after_s
from flowchat.net.guard import AddressPolicy, GuardedNetwork
from flowchat.settings import Settings

TIMEOUT_S = 15.0  # contract, section 5; for the whole exchange
MAX_ANSWER_BYTES = 1024  # what is read of an answer's body
RESOLVERS = 64  # threads, started as needed
USER_AGENT = "FlowChat-Webhooks"
_PORTS = {"https:": 443, "http:": 80}


@dataclass(frozen=True, slots=True)
class Answer:
    """What an endpoint said. `body` is its first kilobyte, `retry_after_s` how long it asks to wait."""

    status: int
    body: bytes
    retry_after_s: float | None


def endpoint_url(text: str, allow_private_hosts: tuple[str, ...], pattern: str) -> str:
    """The address of an endpoint in the form that it is stored in. Only a listed host may be off the `pattern`.

    Raises FlowChatError `bad_url`.
    """
    return _checked(text, AddressPolicy(allow_private_hosts), pattern).href.partition("#")[0]


def _checked(text: str, policy: AddressPolicy, pattern: str = "") -> URL:
    parsed = urls.parse(text)
    is_listed = parsed is not None and policy.is_listed(parsed.hostname, _port(parsed))
    if parsed is None or not (is_listed or re.search(pattern, text)):
        raise FlowChatError(
            "bad_url",
            f"'{text[:200]}' can't be an endpoint: give an address like https://example.com/hooks/flowchat, of at most "
            f"{urls.MAX_URL_CHARS} characters and without user name and password.",
            param="url",
        )
    if parsed.protocol != "https:" and not is_listed:
        raise FlowChatError(
            "bad_url",
            f"'{text[:200]}' is not an https address. For plain http, the operator adds "
            f"'{parsed.hostname}:{_port(parsed)}' to FLOWCHAT_ALLOW_PRIVATE_HOSTS.",
            param="url",
        )
    return parsed


def _port(url: URL) -> int:
    return int(url.port) if url.port else _PORTS[url.protocol]


class Sender:
    """Posts to endpoints over HTTP/1.1; ignores proxies of the environment. All its calls belong in one event loop.

    `timeout_s` is for a whole exchange; `network` opens the connections to addresses that have been checked.
    """

    def __init__(
        self, settings: Settings, timeout_s: float = TIMEOUT_S, network: httpcore.AsyncNetworkBackend | None = None
    ) -> None:
        self._timeout_s = timeout_s
        # Of its own: names that no server answers for must not take the threads that chats run their models in.
        self._resolvers = ThreadPoolExecutor(RESOLVERS, thread_name_prefix="webhook-names")
        self._policy = AddressPolicy(settings.allow_private_hosts, self._resolvers)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=httpcore.default_ssl_context(),
            max_connections=None,
            max_keepalive_connections=0,  # deliveries are rare, and must not race with a server that closes
            network_backend=GuardedNetwork(self._policy, network),
        )

    async def aclose(self) -> None:
        """Close all connections."""
        await self._pool.aclose()
        self._resolvers.shutdown(wait=False, cancel_futures=True)

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Exactly these bytes, as JSON. Redirects are answers like others: none is followed.

        Raises FlowChatError: `bad_url`, `address_not_public`, `webhook_timeout`, and `fetch_failed` or `webhook_failed`
        for name look-up, connection, TLS and protocol faults.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._exchange(_checked(url, self._policy), headers, body)
        except (TimeoutError, httpcore.TimeoutException) as error:
            message = f"No complete answer within {self._timeout_s:g} s."
            raise FlowChatError("webhook_timeout", message, status=504) from error
        except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:
            detail = str(error) or type(error).__name__
            raise FlowChatError("webhook_failed", f"The request failed: {detail}", status=502) from error

    async def _exchange(self, target: URL, headers: Mapping[str, str], body: bytes) -> Answer:
        url = httpcore.URL(
            scheme=target.protocol.rstrip(":"),
            host=target.hostname.strip("[]"),
            port=_port(target),
            target=target.pathname + target.search,
        )
        sent = {
            **headers,
            "Host": target.host,
            "User-Agent": USER_AGENT,
            "Content-Type": "application/json",
            "Accept-Encoding": "identity",
            "Content-Length": str(len(body)),
        }
        raw = [(name.encode(), value.encode()) for name, value in sent.items()]
        extensions = {"timeout": {"connect": CONNECT_TIMEOUT_S}}
        async with self._pool.stream("POST", url, headers=raw, content=body, extensions=extensions) as response:
            received = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
            return Answer(response.status, await _start_of(response), retry_after_s(received))


async def _start_of(response: httpcore.Response) -> bytes:
    start = b""
    async for part in response.aiter_stream():
        start += part
        if len(start) >= MAX_ANSWER_BYTES:
            break
    return start[:MAX_ANSWER_BYTES]
