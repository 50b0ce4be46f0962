"""What FlowChat may not connect to: every way to write or name such an address must end without a connection."""

import asyncio
import socket
from collections.abc import Iterable, Iterator
from typing import Any

import httpcore
import pytest

from flowchat.errors import FlowChatError
from flowchat.net.fetch import Fetcher
from flowchat.net.guard import AddressPolicy, GuardedNetwork, is_public
from flowchat.net.urls import normalise
from flowchat.settings import Settings

PUBLIC_V4, PUBLIC_V6 = "93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946"
NAMES = {
    "site.test": [PUBLIC_V4, PUBLIC_V6],
    "loopback.test": ["127.0.0.1"],
    "loopback6.test": ["::1"],
    "intranet.test": ["10.1.2.3"],
    "metadata.google.internal": ["169.254.169.254"],
    "mixed.test": [PUBLIC_V4, "192.168.0.10"],
    "mixed6.test": [PUBLIC_V4, "::ffff:127.0.0.1"],
    "zone.test": ["fe80::1%eth0"],
    "localhost": ["127.0.0.1"],
}

HOSTILE_URLS = [
    # loopback, written in all the ways that a browser understands
    "http://127.0.0.1/",
    "http://127.0.0.1:6379/",
    "http://127.1/",
    "http://127.0.1/",
    "http://127.255.255.254/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0X7F.0.0.1/",
    "http://0x7f.1/",
    "http://017700000001/",
    "http://0177.0.0.1/",
    "http://0177.0x0.1/",
    "http://00000177.00.00.01/",
    "http://127.0.0.1./",
    "http://%31%32%37.0.0.1/",
    "http://１２７.0.0.1/",  # noqa: RUF001 - full-width digits
    "http://①②⑦.⓪.⓪.①/",
    "http://127。0。0。1/",
    "http:\\\\127.0.0.1\\",
    "http:127.0.0.1/",
    "  http://127.0.0.1/\n",
    "ht\ntp://127.0.\t0.1/",
    "http://localhost/",
    "http://LOCALHOST:8080/admin",
    "http://loopback.test/",
    "http://loopback6.test/",
    # this network, private networks, carrier-grade NAT
    "http://0/",
    "http://0.0.0.0:8080/",
    "http://0.1.2.3/",
    "http://10.0.0.1/",
    "http://167772161/",
    "http://172.16.0.1/",
    "http://172.31.255.255/",
    "http://192.168.1.1/",
    "http://0xc0a80101/",
    "http://100.64.0.1/",
    "http://100.100.100.200/latest/meta-data/",
    "http://intranet.test/",
    # link-local and metadata services
    "http://169.254.169.254/latest/meta-data/",
    "http://2852039166/",
    "http://0xa9fea9fe/",
    "http://0251.0376.0251.0376/",
    "http://169.254.170.2/v2/credentials",
    "http://168.63.129.16/metadata",
    "http://192.0.0.192/opc/v1/",
    "http://metadata.google.internal/computeMetadata/v1/",
    # documentation, benchmarks, multicast, reserved
    "http://192.0.2.1/",
    "http://192.88.99.1/",
    "http://198.18.0.1/",
    "http://198.51.100.7/",
    "http://203.0.113.7/",
    "http://224.0.0.1/",
    "http://239.255.255.250:1900/",
    "http://240.0.0.1/",
    "http://255.255.255.255/",
    # IPv6
    "http://[::1]/",
    "http://[0:0:0:0:0:0:0:1]:5432/",
    "http://[::]/",
    "http://[fe80::1]/",
    "http://[fe80::1%25eth0]/",
    "http://[febf::1]/",
    "http://[fec0::1]/",
    "http://[fc00::1]/",
    "http://[fd00:ec2::254]/latest/meta-data/",
    "http://[ff02::1]/",
    "http://[ff0e::1]/",
    "http://[100::1]/",
    "http://[2001:db8::1]/",
    "http://[3fff::1]/",
    "http://[5f00::1]/",
    # IPv4 inside IPv6
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[::ffff:169.254.169.254]/",
    "http://[::ffff:0:127.0.0.1]/",
    "http://[::127.0.0.1]/",
    "http://[::8.8.8.8]/",
    "http://[64:ff9b::127.0.0.1]/",
    "http://[64:ff9b::a9fe:a9fe]/",
    "http://[64:ff9b:1::1]/",
    "http://[2002:7f00:1::]/",
    "http://[2002:808:808::1]/",
    "http://[2001:0:53aa:64c::1]/",
    # one bad address among good ones
    "http://mixed.test/",
    "http://mixed6.test/",
    "http://zone.test/",
    # not for fetching at all
    "http://site.test@127.0.0.1/",
    "http://127.0.0.1#@site.test/",
    "http://127.0.0.1\\@site.test/",
    "http://user:secret@site.test/",
    "http://127.0.0.1%00.site.test/",
    "http://[::1/",
    "http:///",
    "//127.0.0.1/",
    "file:///etc/passwd",
    "ftp://site.test/",
    "gopher://127.0.0.1:6379/_INFO",
    "data:text/html,hi",
    "javascript:alert(1)",
    "ws://site.test/",
    "",
]


class TableLoop(asyncio.SelectorEventLoop):
    """Looks names up in NAMES; numeric addresses go to the operating system. No name server is ever asked."""

    lookups = 0

    async def getaddrinfo(self, host: Any, port: Any, **options: Any) -> list[Any]:
        self.lookups += 1
        if host in NAMES:
            return [(socket.AF_UNSPEC, socket.SOCK_STREAM, 6, "", (address, port)) for address in NAMES[host]]
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


def test_there_are_enough_hostile_urls() -> None:
    assert len(set(HOSTILE_URLS)) >= 60


@pytest.mark.parametrize("url", HOSTILE_URLS)
def test_hostile_url_gets_no_connection(client: Client, url: str) -> None:
    code, connections = client.fetch(url)
    assert code in ("address_not_public", "bad_url")
    assert connections == []


@pytest.mark.parametrize("url", HOSTILE_URLS)
def test_hostile_url_gets_no_connection_after_normalising(client: Client, url: str) -> None:
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
        ("https://site.test/", [(PUBLIC_V4, 443), (PUBLIC_V6, 443)]),
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
        ("http://loopback.test/", "127.0.0.1", False),
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
        runner.run(GuardedNetwork(AddressPolicy(()), network).connect_tcp("site.test", 443))
    assert loop.lookups == before + 1
    assert network.connections == [(PUBLIC_V4, 443), (PUBLIC_V6, 443)]


@pytest.mark.parametrize("host", ["nowhere.test", "a" * 70 + ".test", "a..test"])
def test_a_name_without_address_is_a_failure(client: Client, host: str) -> None:
    assert client.fetch(f"http://{host}/") == ("fetch_failed", [])


def test_text_is_not_a_public_address() -> None:
    assert not is_public("site.test")
