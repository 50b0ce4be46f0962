"""Talks to a running appliance on this machine, as any client would."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx

from flowchat.domain import Event
from flowchat.errors import FlowChatError
from flowchat.net.lines import stream_lines

LIVE_PATH = "/health/live"
CONNECT_TIMEOUT_S = 5.0
ANSWER_TIMEOUT_S = 600.0  # the appliance has a time-out of its own (FLOWCHAT_ANSWER_TIMEOUT_S)
POLL_S = 0.05


async def wait_until_live(url: str, timeout_s: float) -> None:
    """Raises FlowChatError `not_live` if nothing answers in time."""
    async with httpx.AsyncClient(trust_env=False, timeout=timeout_s) as client:
        try:
            async with asyncio.timeout(timeout_s):
                while not await _is_live(client, url):  # noqa: ASYNC110 (another process can't set an Event)
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            raise FlowChatError("not_live", f"{url}{LIVE_PATH} doesn't answer.", status=503) from None


async def _is_live(client: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await client.get(f"{url}{LIVE_PATH}")).status_code == 200
    except httpx.TransportError:
        return False


async def gets_per_s(url: str, seconds: float) -> float:
    """Of one client that asks again as soon as it is answered."""
    async with httpx.AsyncClient(trust_env=False, timeout=CONNECT_TIMEOUT_S) as client:
        count, began = 0, time.perf_counter()
        while (took_s := time.perf_counter() - began) < seconds or not count:
            (await client.get(url)).raise_for_status()
            count += 1
        return count / took_s


class ChatClient:
    """Asks one appliance with one key; `sources` are ids or slugs, none for all. Keeps its connections, as browsers do.

    Its calls raise FlowChatError: what the appliance says, or that it can't be reached.
    """

    def __init__(self, http: httpx.AsyncClient, url: str, key: str, sources: Sequence[str]) -> None:
        self._http = http
        self._url = f"{url}/v1/chat"
        self._key = key
        self._sources = list(sources)

    async def stream(self, query: str) -> AsyncGenerator[Event, None]:
        """The events of an answer."""
        async with self._post(query, "text/event-stream") as response:
            name = ""
            async for line in stream_lines(response):
                field, _, value = line.partition(": ")
                if field == "event":
                    name = value
                elif field == "data":
                    yield Event(name, json.loads(value))

    async def ask(self, query: str) -> dict[str, Any]:
        """The finished answer, as the contract's JSON."""
        async with self._post(query, "application/json") as response:
            answer: dict[str, Any] = json.loads(await response.aread())
            return answer

    @asynccontextmanager
    async def _post(self, query: str, accept: str) -> AsyncIterator[httpx.Response]:
        body = {"query": query, **({"source": self._sources} if self._sources else {})}
        headers = {"X-FlowChat-Key": self._key, "Accept": accept}
        try:
            async with self._http.stream("POST", self._url, json=body, headers=headers) as response:
                if response.status_code != 200:
                    raise _problem(await response.aread(), response.status_code)
                yield response
        except httpx.TransportError as error:
            reason = f"The appliance at {self._url} can't be reached ({str(error) or type(error).__name__})."
            raise FlowChatError("unreachable", reason, status=503) from None


@asynccontextmanager
async def chat_client(url: str, key: str, sources: Sequence[str]) -> AsyncIterator[ChatClient]:
    timeout = httpx.Timeout(ANSWER_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
    unlimited = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(trust_env=False, timeout=timeout, limits=unlimited) as http:
        yield ChatClient(http, url, key, sources)


def _problem(body: bytes, status: int) -> FlowChatError:
    try:
        problem: dict[str, Any] = json.loads(body)
        return FlowChatError(problem["code"], problem["detail"], status=status, param=problem.get("param"))
    except (ValueError, KeyError, TypeError):
        return FlowChatError("bad_answer", f"The appliance answered {status}.", status=status)
