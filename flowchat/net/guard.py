"""Which addresses a fetch of a URL from outside may connect to.

A name is resolved once, every address it has is checked, and the connection goes to a checked address: there is no
second look-up that a hostile name server could answer differently.
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Iterable
from concurrent.futures import Executor
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

import httpcore

from flowchat.errors import FlowChatError

# IANA special-purpose registries, and what clouds serve machine credentials from. Listed here although
# ipaddress.is_global knows many of them, because its tables differ between releases of Python.
_REFUSED_V4 = tuple(
    ipaddress.IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT
        "127.0.0.0/8",
        "168.63.129.16/32",  # Azure's metadata service
        "169.254.0.0/16",  # link-local, metadata services
        "172.16.0.0/12",
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
)
_UNICAST_V6 = ipaddress.IPv6Network("2000::/3")
_REFUSED_V6 = tuple(
    ipaddress.IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments, among them Teredo
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4
        "3fff::/20",  # documentation
    )
)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class AddressPolicy:
    """Public addresses only, except for the hosts that the operator listed.

    `allow_private_hosts`: hosts as "host" or "host:port" (IPv6 as "::1" or "[::1]:8080"), in ASCII form.
    `resolvers` are threads for looking names up; without them, those of the event loop, which others need too.
    """

    def __init__(self, allow_private_hosts: tuple[str, ...], resolvers: Executor | None = None) -> None:
        self._allowed = frozenset(entry.lower().rstrip(".") for entry in allow_private_hosts)
        self._resolvers = resolvers

    async def addresses(self, host: str, port: int) -> list[str]:
        """Resolve a host and return the addresses to connect to, in the resolver's order of preference.

        Raises FlowChatError `address_not_public` if any address of a host that is not listed is not public, and
        `fetch_failed` if the host has no address.
        """
        addresses = await self._resolve(host, port)
        # The message keeps the address to itself: whoever asked may not be the operator.
        if not self.is_listed(host, port) and not all(is_public(address) for address in addresses):
            raise FlowChatError(
                "address_not_public",
                f"'{host}' is not at a public address. If FlowChat may reach it, the operator adds '{host}:{port}' to "
                "FLOWCHAT_ALLOW_PRIVATE_HOSTS.",
            )
        return addresses

    def is_listed(self, host: str, port: int) -> bool:
        """Whether the operator lets this host be reached although it may be private."""
        name = host.lower().strip("[]").rstrip(".")
        forms = {name, f"[{name}]", f"[{name}]:{port}"} if ":" in name else {name, f"{name}:{port}"}
        return not forms.isdisjoint(self._allowed)

    async def _resolve(self, host: str, port: int) -> list[str]:
        loop = asyncio.get_running_loop()
        try:
            if self._resolvers is None:
                found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            else:
                look_up = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
                found = await loop.run_in_executor(self._resolvers, look_up)
        except (OSError, UnicodeError) as error:
            message = f"No address found for '{host}'. Check the name."
            raise FlowChatError("fetch_failed", message, status=502) from error
        return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))


def is_public(address: str) -> bool:
    """Whether a numeric address is one that anybody on the internet could reach.

    IPv4 inside IPv6 counts as the IPv4 address where it is mapped (::ffff:0:0/96) or behind NAT64 (64:ff9b::/96);
    6to4, Teredo and IPv4-compatible addresses are refused. Text that is no address is not public.
    """
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is None and ip not in _NAT64:
            return _is_public_v6(ip)
        ip = ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)
    return ip.is_global and not any(ip in network for network in _REFUSED_V4)


def _is_public_v6(ip: ipaddress.IPv6Address) -> bool:
    return (
        ip.is_global and ip.scope_id is None and ip in _UNICAST_V6 and not any(ip in network for network in _REFUSED_V6)
    )


class GuardedNetwork(httpcore.AsyncNetworkBackend):
    """Opens TCP connections for httpcore, and only to addresses that the policy returns.

    httpcore keeps the host of the URL for the Host header and the TLS name. `inner` makes the connections.
    """

    def __init__(self, policy: AddressPolicy, inner: httpcore.AsyncNetworkBackend | None = None) -> None:
        self._policy = policy
        self._inner = inner or httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address that answers; `timeout` (seconds) is for each of them.

        Raises what AddressPolicy.addresses raises, and httpcore.ConnectError or ConnectTimeout of the last address.
        """
        failure: Exception = httpcore.ConnectError("no address")
        for address in await self._policy.addresses(host, port):
            try:
                return _Stream(await self._inner.connect_tcp(address, port, timeout, local_address, socket_options))
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure


class _Stream(httpcore.AsyncNetworkStream):
    """A connection that closes when its TLS handshake is cancelled: httpcore's own would stay open with the loop."""

    def __init__(self, inner: httpcore.AsyncNetworkStream) -> None:
        self._inner = inner

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return await self._inner.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        await self._inner.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        async with AsyncExitStack() as on_failure:
            on_failure.push_async_callback(self._inner.aclose)
            secured = await self._inner.start_tls(ssl_context, server_hostname, timeout)
            on_failure.pop_all()
        return secured

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)
