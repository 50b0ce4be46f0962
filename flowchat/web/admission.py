"""How many connections there may be, and what those are told that are turned away."""

import logging
from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec
from hypercorn.config import Config

from flowchat.services.limits import visitor_of

MOST_LINGERING = 100  # connections that are turned away but still open
RETRY_AFTER_S = 10
WAITING_PARTS = 1  # of a body, beside the one that is read
BACKLOG = 1024


class Connections:
    """Those that are open: at most `most`, and of one address (IPv6: of a /64) at most `most_of_one`. 0: no limit.

    Proxies that are trusted bring the connections of many, so they have no limit of their own.
    """

    def __init__(
        self, most: int, most_of_one: int = 0, is_proxy: Callable[[str], bool] = lambda address: False
    ) -> None:
        self._most = most
        self._most_of_one = most_of_one
        self._is_proxy = is_proxy
        self._of: Counter[str] = Counter()
        self.open = 0
        self.lingering = 0

    def enter(self, address: str) -> tuple[int, str, str] | None:
        """Count one more; or (status, code, message) why it is turned away, which counts nothing."""
        name = visitor_of(address)
        if self._most and self.open >= self._most:
            return 503, "too_many_connections", "FlowChat has as many connections as it takes. Try again in a moment."
        if self._most_of_one and self._of[name] >= self._most_of_one and not self._is_proxy(address):
            return 429, "too_many_connections", "Your address has as many connections open as it may. Close some."
        self.open += 1
        self._of[name] += 1
        return None

    def leave(self, address: str) -> None:
        name = visitor_of(address)
        self.open -= 1
        self._of[name] -= 1
        if not self._of[name]:
            del self._of[name]


class BoundedConfig(Config):
    """Hypercorn's configuration, with the connections that its servers share."""

    def __init__(self, connections: Connections) -> None:
        super().__init__()
        self.connections = connections
        self.backlog = BACKLOG
        self.max_app_queue_size = WAITING_PARTS
        self.include_server_header = False
        self.errorlog = logging.getLogger("hypercorn.error")  # else it would write to standard error by itself


def problem(status: int, code: str, message: str) -> bytes:
    """A whole response."""
    title = {429: "Too Many Requests", 503: "Service Unavailable"}[status]
    body: dict[str, Any] = {"type": "about:blank", "title": title, "status": status, "detail": message, "code": code}
    content = msgspec.json.encode({**body, "param": None})
    head = (
        f"HTTP/1.1 {status} {title}\r\nContent-Type: application/problem+json\r\nContent-Length: {len(content)}\r\n"
        f"Retry-After: {RETRY_AFTER_S}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + content
