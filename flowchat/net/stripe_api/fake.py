"""Moves the clock of `flowchat billing fake`, makes its calls fail, and looks at what it knows."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

TIMEOUT_S = 30.0


class FakeControl:
    def __init__(self, http: httpx.AsyncClient, url: str) -> None:
        self._http = http
        self.url = url

    async def state(self) -> dict[str, Any]:
        """All that it knows."""
        answer = await self._http.get(f"{self.url}/_fake/state")
        answer.raise_for_status()
        return dict(answer.json())

    async def tell(self, what: str, **fields: Any) -> None:
        """`what` is a path under /_fake, such as clock, faults, outage, settings."""
        answer = await self._http.post(f"{self.url}/_fake/{what}", json=fields)
        answer.raise_for_status()


@asynccontextmanager
async def fake_control(url: str) -> AsyncIterator[FakeControl]:
    async with httpx.AsyncClient(trust_env=False, timeout=TIMEOUT_S) as http:
        yield FakeControl(http, url)
