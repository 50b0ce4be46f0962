"""Receivers of webhooks on loopback, and an appliance that delivers to them."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from appliance import operator, running
from delivering import delivering as delivery_loop
from loopback import Reader, Writer, answer, serving

from flowchat.domain import Delivery, Webhook
from flowchat.services import signatures, webhooks
from flowchat.services.context import Appliance
from flowchat.services.webhooks import NewWebhook
from flowchat.store import events

OK = answer(b"thanks")
FAILURE = answer(b"no", status="500 Internal Server Error")
Behaviour: TypeAlias = bytes | Callable[[Writer], Awaitable[None]]


@dataclass(frozen=True)
class Request:
    """A request as it arrived; header names are in lower case."""

    line: str
    headers: dict[str, str]
    body: bytes

    @property
    def event_id(self) -> str:
        return str(json.loads(self.body)["id"])


class Receiver:
    """Takes webhooks. `behaviour` is what it answers: bytes, or a function that does it in its own way."""

    def __init__(self) -> None:
        self.behaviour: Behaviour = OK
        self.requests: list[Request] = []
        self.url = ""

    async def connected(self, reader: Reader, writer: Writer) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        line, *fields = head.strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}
        body = await reader.readexactly(int(headers["content-length"]))
        self.requests.append(Request(line, headers, body))
        if isinstance(self.behaviour, bytes):
            writer.write(self.behaviour)
            await writer.drain()
        else:
            await self.behaviour(writer)


@asynccontextmanager
async def receiver(behaviour: Behaviour = OK) -> AsyncIterator[Receiver]:
    made = Receiver()
    made.behaviour = behaviour
    async with serving(made.connected) as server:
        made.url = server.url + "/hook"
        yield made


async def hang(writer: Writer) -> None:
    await asyncio.Event().wait()


async def reset(writer: Writer) -> None:
    writer.transport.abort()


async def drip(writer: Writer) -> None:
    """An answer that begins well and never ends."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n")
    while True:
        writer.write(b".")
        await writer.drain()
        await asyncio.sleep(0.05)


@asynccontextmanager
async def delivering(folder: Path, *, timeout_s: float = 15, **settings: Any) -> AsyncIterator[Appliance]:
    """An appliance whose delivery loop runs."""
    async with running(folder, **settings) as app, delivery_loop(app, timeout_s=timeout_s):
        yield app


async def endpoint(app: Appliance, url: str, *wanted: Any) -> tuple[Webhook, str]:
    """A new endpoint (for all events unless told otherwise) and its secret."""
    return await webhooks.create(app, await operator(app), NewWebhook(url=url, events=wanted or ("*",)))


async def emit(app: Appliance, event_type: Any = "version.indexed", **data: Any) -> str:
    """Record an event as the services do; returns its id."""
    actor = await operator(app)
    event_id = await app.db.write(lambda conn: events.record(conn, actor.tenant_id, event_type, data))
    app.wake_delivery()
    return event_id


async def deliveries_of(app: Appliance, webhook: Webhook) -> list[Delivery]:
    """Newest first."""
    listed = await webhooks.list_deliveries(app, await operator(app), webhook.id, webhooks.DeliveryList(limit=100))
    return listed.items


async def attempted(app: Appliance, webhook: Webhook, attempts: int = 1) -> Delivery:
    """The newest delivery, once it has had so many attempts."""
    while True:
        newest = (await deliveries_of(app, webhook))[0]
        if len(newest.attempts) >= attempts:
            return newest
        await asyncio.sleep(0.01)


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 (a test may poll)
        await asyncio.sleep(0.01)


async def make_due(app: Appliance) -> None:
    """As if every pause between attempts had gone by."""
    await app.db.write(
        lambda conn: conn.execute(
            "update deliveries set next_attempt_at = '2026-01-01T00:00:00.000Z' where next_attempt_at is not null"
        )
    )
    app.wake_delivery()


async def audited(app: Appliance) -> list[tuple[str, str]]:
    """(actor, operation) of what was done to webhooks."""
    rows = await app.db.rows(
        "select actor, operation from audit_log where operation like 'webhooks.%' or operation like 'deliveries.%'"
        " order by id"
    )
    return [(row["actor"], row["operation"]) for row in rows]


async def reread(app: Appliance, webhook: Webhook) -> Webhook:
    return await webhooks.get(app, await operator(app), webhook.id)


def assert_signed(request: Request, secret: str) -> None:
    timestamp = int(request.headers["x-flowchat-timestamp"])
    expected = signatures.headers(request.headers["webhook-id"], timestamp, request.body, secret, None)
    assert {name.lower() for name in expected} <= set(request.headers)
    for name, value in expected.items():
        assert request.headers[name.lower()] == value
