"""Who asks: credentials and addresses as they stand in a request."""

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from quart import current_app, request

from flowchat import logs
from flowchat.domain import Actor, Key
from flowchat.errors import FlowChatError, Unauthorized
from flowchat.services import credentials
from flowchat.services.accounts import Browser
from flowchat.services.limits import Policy, visitor_of
from flowchat.web import limits
from flowchat.web.current import appliance

Networks = tuple[IPv4Network | IPv6Network, ...]


async def widget_key() -> Key:
    """The key in X-FlowChat-Key, if it may be used from the request's origin.

    Raises FlowChatError: 401, 403, and `rate_limited` for an address that was refused too often.
    """
    try:
        key = await credentials.authenticate_widget(
            appliance(), request.headers.get("X-FlowChat-Key"), request.headers.get("Origin")
        )
    except FlowChatError:
        count_by_address()
        raise
    logs.current().tenant_id = key.tenant_id
    return key


async def visitor() -> Key:
    """As `widget_key`, for a call that has no limit of its own: it counts among the visitor's."""
    key = await widget_key()
    client = f"{key.id} {visitor_of(client_address())}"
    limits.count([Policy("calls", client, appliance().settings.calls_per_minute)])
    return key


def anyone() -> Browser:
    """Whoever asks, without a credential: it counts by the address. Raises FlowChatError `rate_limited`."""
    browser = Browser(client_address(), request.headers.get("User-Agent", ""))
    limits.count([Policy("calls", browser.network, appliance().settings.calls_per_minute)])
    return browser


async def actor() -> Actor:
    """The holder of the bearer token. Raises Unauthorized, and FlowChatError `rate_limited`."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    token = token.strip() if scheme.lower() == "bearer" else ""
    try:
        found = await credentials.authenticate_bearer(appliance(), token, client_address())
    except Unauthorized:
        count_by_address()
        raise
    logs.current().tenant_id = found.tenant_id
    limits.count([Policy("calls", found.key_id, appliance().settings.calls_per_minute)])
    return found


def count_by_address() -> None:
    """One more request by nobody in particular. Raises FlowChatError `rate_limited`."""
    limits.count([_by_address()])


def follow_by_address() -> None:
    """A request that does not count as long as nobody refuses it."""
    limits.follow([_by_address()])


def _by_address() -> Policy:
    return Policy("refused", visitor_of(client_address()), appliance().settings.calls_per_minute)


def client_address() -> str:
    """The visitor's address: the last hop that none of the trusted proxies is."""
    address = request.remote_addr or ""
    hops = [hop.strip() for hop in ",".join(request.headers.getlist("X-Forwarded-For")).split(",") if hop.strip()]
    while hops and is_among(address, current_app.extensions["trusted_proxies"]):
        address = _without_port(hops.pop())
    return address


def _without_port(hop: str) -> str:
    """Some proxies add one: 203.0.113.1:5678, [2001:db8::1]:443."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop


def parse_networks(proxies: Iterable[str]) -> Networks:
    """Addresses and networks as they stand in a setting. Raises FlowChatError."""
    try:
        return tuple(ip_network(proxy, strict=False) for proxy in proxies)
    except ValueError as error:
        raise FlowChatError(
            "bad_setting", f"FLOWCHAT_TRUSTED_PROXIES must list addresses or networks: {error}."
        ) from None


def is_among(address: str, networks: Networks) -> bool:
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None  # as a socket for IPv4 and IPv6 has it
    return any((mapped or parsed) in network for network in networks)
