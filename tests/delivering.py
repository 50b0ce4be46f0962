"""The delivery loop of an appliance that a test runs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from flowchat.net.webhook import Sender
from flowchat.services.context import Appliance
from flowchat.services.delivery import Deliverer


@asynccontextmanager
async def delivering(app: Appliance, *, timeout_s: float = 15) -> AsyncIterator[None]:
    """Its webhooks are delivered meanwhile."""
    deliverer = Deliverer(app, Sender(app.settings, timeout_s))
    app.wake_delivery = deliverer.wake
    loop = asyncio.create_task(deliverer.run())
    try:
        yield
    finally:
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)
