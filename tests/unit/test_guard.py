"""Which addresses may be connected to, and in which order. Sockets are watched in integration/test_ssrf.py."""

import asyncio
import socket
from collections.abc import Iterable, Iterator
from typing import Any

import httpcore
import pytest

from flowchat.errors import FlowChatError
from flowchat.evaluation.ssrf import NAMES, PUBLIC_V4, PUBLIC_V6, VECTORS
from flowchat.net.fetch import Fetcher
from flowchat.net.guard import AddressPolicy, GuardedNetwork, is_public
from flowchat.net.urls import normalise
from flowchat.settings import Settings

ANSWERS = {name: answers[0] for name, answers in NAMES.items()}


class TableLoop(asyncio.SelectorEventLoop):
    """Looks names up in ANSWERS; numeric addresses go to the operating system. No name server is ever asked."""

    lookups = 0

    async def getaddrinfo(self, host: Any, port: Any, **options: Any) -> list[Any]:
        self.lookups += 1
        if host in ANSWERS:
            return [(socket.AF_UNSPEC, socket.SOCK_STREAM, 6, "", (address, port)) for address in ANSWERS[host]]
        options["flags"] = socket.AI_NUMERICHOST
        return await super().getaddrinfo(host, port, **options)


class RecordingNetwork(httpcore.AsyncNetworkBackend):
    """Notes where it would have connected to, and refuses."""

    def __init__(self) -> None:
        self.connections: list[tuple[str, int]] = []

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        self.connections.append((host, port))
        raise httpcore.ConnectError("refused")


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner(loop_factory=TableLoop) as runner:
        yield runner


class Client:
    """A fetcher whose network only takes notes."""

    def __init__(self, runner: asyncio.Runner, *allowed: str) -> None:
        self._runner = runner
        self._network = RecordingNetwork()
        self._fetcher = Fetcher(Settings(allow_private_hosts=allowed), self._network)

    def fetch(self, url: str) -> tuple[str, list[tuple[str, int]]]:
        """-> error code of the fetch, connections it tried"""
        self._network.connections = []
        with pytest.raises(FlowChatError) as caught:
            self._runner.run(self._fetcher.fetch(url))
        return caught.value.code, self._network.connections


@pytest.fixture(scope="module")
def client(runner: asyncio.Runner) -> Client:
    return Client(runner)


@pytest.mark.parametrize("url", [url for urls in VECTORS.values() for url in urls])
def test_a_hostile_url_that_has_been_normalised_gets_no_connection(client: Client, url: str) -> None:
    normal = normalise(url)
    if normal is not None:
        assert client.fetch(normal) == ("address_not_public", [])


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0", "::ffff:127.0.0.1"])
def test_forms_that_only_the_resolver_understands_are_refused(runner: asyncio.Runner, host: str) -> None:
    with pytest.raises(FlowChatError, match="FLOWCHAT_ALLOW_PRIVATE_HOSTS") as caught:
        runner.run(AddressPolicy(()).addresses(host, 80))
    assert caught.value.code == "address_not_public"


def test_the_refusal_does_not_tell_the_address(runner: asyncio.Runner) -> None:
    with pytest.raises(FlowChatError) as caught:
        runner.run(AddressPolicy(()).addresses("intranet.test", 80))
    assert "10.1.2.3" not in caught.value.message


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://93.184.216.34/", [(PUBLIC_V4, 80)]),
        ("http://[64:ff9b::808:808]/", [("64:ff9b::808:808", 80)]),
        ("http://[2606:4700:4700::1111]:8443/", [("2606:4700:4700::1111", 8443)]),
        ("https://public.test/", [(PUBLIC_V4, 443), (PUBLIC_V6, 443)]),
    ],
)
def test_public_addresses_are_tried_in_turn(client: Client, url: str, expected: list[tuple[str, int]]) -> None:
    assert client.fetch(url) == ("fetch_failed", expected)


@pytest.mark.parametrize(
    ("url", "allowed", "connects"),
    [
        ("http://intranet.test/", "intranet.test", True),
        ("http://intranet.test:8080/", "intranet.test", True),
        ("http://intranet.test:8080/", "INTRANET.test:8080", True),
        ("http://intranet.test./", "intranet.test", False),  # not in the table: no such name
        ("http://intranet.test:8081/", "intranet.test:8080", False),
        ("http://other.intranet.test/", "intranet.test", False),
        ("http://[::1]:9/", "::1", True),
        ("http://[::1]:9/", "[::1]:9", True),
        ("http://[::1]:9/", "[::1]:8", False),
        ("http://2130706433/", "127.0.0.1", True),
        ("http://127.0.0.1.wildcard.test/", "127.0.0.1", False),
    ],
)
def test_listed_hosts(runner: asyncio.Runner, url: str, allowed: str, connects: bool) -> None:
    assert bool(Client(runner, allowed).fetch(url)[1]) is connects


def test_a_name_is_looked_up_once_so_that_it_cannot_change_its_mind(runner: asyncio.Runner) -> None:
    network = RecordingNetwork()

    loop = runner.get_loop()
    assert isinstance(loop, TableLoop)
    before = loop.lookups
    with pytest.raises(httpcore.ConnectError):
        runner.run(GuardedNetwork(AddressPolicy(()), network).connect_tcp("public.test", 443))
    assert loop.lookups == before + 1
    assert network.connections == [(PUBLIC_V4, 443), (PUBLIC_V6, 443)]


@pytest.mark.parametrize("host", ["nowhere.test", "a" * 70 + ".test", "a..test"])
def test_a_name_without_address_is_a_failure(client: Client, host: str) -> None:
    assert client.fetch(f"http://{host}/") == ("fetch_failed", [])


def test_text_is_not_a_public_address() -> None:
    assert not is_public("public.test")
