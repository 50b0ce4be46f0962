"""Serves the fake over HTTP."""

import asyncio
import socket

from hypercorn.asyncio import serve as hypercorn_serve
from hypercorn.config import Config
from quart import Quart

_GRACE_S = 1.0
_KEEP_ALIVE_S = 75.0


async def serve(fake: Quart, listener: socket.socket, stop: asyncio.Event) -> None:
    """Until `stop` is set. The listener is closed then."""
    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.graceful_timeout = _GRACE_S
    config.keep_alive_timeout = _KEEP_ALIVE_S
    config.loglevel = "WARNING"
    await hypercorn_serve(fake, config, shutdown_trigger=stop.wait)
