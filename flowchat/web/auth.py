"""Who asks: credentials and addresses as they stand in a request."""

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from quart import current_app, request

from flowchat.domain import Actor, Key
from flowchat.errors import FlowChatError
from flowchat.services import keys
from flowchat.web.current import appliance

Networks = tuple[IPv4Network | IPv6Network, ...]


async def widget_key() -> Key:
    """The key in X-FlowChat-Key, if it may be used from the request's origin. Raises FlowChatError: 401, 403."""
    return await keys.authenticate_widget(
        appliance(), request.headers.get("X-FlowChat-Key"), request.headers.get("Origin")
    )


async def actor() -> Actor:
    """The holder of the bearer token. Raises Unauthorized."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    token = token.strip() if scheme.lower() == "bearer" else ""
    return await keys.authenticate_bearer(appliance(), token, client_address())


def client_address() -> str:
    """The visitor's address: the last hop that none of the trusted proxies is."""
    address = request.remote_addr or ""
    hops = [hop.strip() for hop in ",".join(request.headers.getlist("X-Forwarded-For")).split(",") if hop.strip()]
    while hops and _is_trusted(address):
        address = hops.pop()
    return address


def parse_networks(proxies: Iterable[str]) -> Networks:
    """Addresses and networks as they stand in a setting. Raises FlowChatError."""
    try:
        return tuple(ip_network(proxy, strict=False) for proxy in proxies)
    except ValueError as error:
        raise FlowChatError(
            "bad_setting", f"FLOWCHAT_TRUSTED_PROXIES must list addresses or networks: {error}."
        ) from None


def _is_trusted(address: str) -> bool:
    networks: Networks = current_app.extensions["trusted_proxies"]
    try:
        return any(ip_address(address) in network for network in networks)
    except ValueError:
        return False
