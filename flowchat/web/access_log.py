"""One line of the log, and one count, for each request, when its answer has ended. No query, no address, no name."""

import logging
from time import monotonic

from hypercorn.typing import ASGIFramework, ASGIReceiveCallable, ASGISendCallable, ASGISendEvent, Scope

from flowchat import logs
from flowchat.metrics import Metrics

NO_ROUTE = "(none)"
GONE = 499  # as nginx has it: the client went before there was an answer
_PROBES = ("/health", "/metrics")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

log = logging.getLogger(__name__)


class AccessLog:
    """An ASGI application around another one. What is done for a request is `logs.Work` of its own."""

    def __init__(self, app: ASGIFramework, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        status, began = GONE, monotonic()

        async def note_status(message: ASGISendEvent) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        with logs.doing(logs.Work(route=NO_ROUTE)) as work:
            try:
                await self._app(scope, receive, note_status)
            finally:
                self._tell(scope["method"], work.route, status, monotonic() - began)

    def _tell(self, method: str, route: str, status: int, took_s: float) -> None:
        method = method if method in _METHODS else "OTHER"
        self._metrics.requests.labels(method, route, status).inc()
        self._metrics.request_s.labels(method, route).observe(took_s)
        ms = round(1000 * took_s)
        level = logging.DEBUG if route.startswith(_PROBES) else logging.INFO
        fields = {"method": method, "route": route, "status": status, "ms": ms}
        log.log(level, "%s %s %s, %s ms", method, route, status, ms, extra={"fields": fields})
