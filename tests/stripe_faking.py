"""The fake of Stripe on a free port of loopback."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from flowchat.stripe_fake import create_fake
from flowchat.stripe_fake.serving import serve

KEY = "sk_test_fake"
WEBHOOK_SECRET = "whsec_fake"
TIMEOUT_S = 60  # of a busy machine


class StripeFake:
    """What a test does to it. Its API is for FlowChat, or for the library's client at `url` with KEY."""

    def __init__(self, url: str, client: httpx.AsyncClient) -> None:
        self.url = url
        self.client = client

    async def post(self, path: str, **given: Any) -> Any:
        answer = await self.client.post(f"/_fake{path}", json=given)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def state(self) -> Any:
        return (await self.client.get("/_fake/state")).json()

    async def advance(self, *, days: float = 0, hours: float = 0, seconds: float = 0) -> None:
        """Move its clock on, through all that happens meanwhile."""
        await self.post("/clock", advance_s=days * 86400 + hours * 3600 + seconds)

    async def set_time(self, moment: float) -> None:
        """Where nothing happens meanwhile."""
        await self.post("/clock", now=moment)

    async def fail(self, rate: float, *kinds: str, **more: Any) -> None:
        """That part of the calls gets a fault, of all kinds unless some are named. Of 0: none any more."""
        await self.post("/faults", rate=rate, **({"kinds": kinds} if kinds else {}), **more)

    async def outage(self, on: bool, **more: Any) -> None:
        await self.post("/outage", on=on, **more)

    async def decline(self, customer: str, fail: bool = True) -> None:
        """The customer's payments."""
        await self.post(f"/customers/{customer}/payments", fail=fail)

    async def objects(self, kind: str) -> list[Any]:
        found: list[Any] = (await self.state())["objects"].get(kind, [])
        return found

    async def press(self, url: str, button: str) -> httpx.Response:
        """A button of a hosted page, by its name; the answer is a redirect that nobody follows."""
        return await self.client.post(url, data={"do": button})

    async def until_delivered(self) -> None:
        """All webhooks that are due have been answered, with whatever status."""
        while True:
            state = await self.state()
            if not state["undelivered"]:
                return
            await asyncio.sleep(0.02)


@asynccontextmanager
async def stripe_fake(*, webhook_url: str = "", webhook_secret: str = WEBHOOK_SECRET) -> AsyncIterator[StripeFake]:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    stop = asyncio.Event()
    application = create_fake(webhook_url=webhook_url, webhook_secret=webhook_secret)
    server = asyncio.create_task(serve(application, listener, stop))
    try:
        async with httpx.AsyncClient(base_url=url, timeout=TIMEOUT_S) as client:
            yield StripeFake(url, client)
    finally:
        stop.set()
        await server
