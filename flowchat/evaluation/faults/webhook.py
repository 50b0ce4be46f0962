"""Events that are recorded and delivered to two endpoints, which now and then fail at first."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from flowchat.evaluation.faults.machine import Machine
from flowchat.evaluation.faults.work import Tally, Wrong, create, sent, until_empty, until_gone
from flowchat.net.rest import Rest
from flowchat.store import present

PATHS = ("/a", "/b")
FAILS = 0.05  # of what comes for the first time
SLOWEST_S = 0.03
PINGERS = 2
SEED = 20261124


class Sink:
    """Takes webhooks, and counts the events that it has accepted."""

    def __init__(self) -> None:
        self.accepted: Counter[tuple[str, str]] = Counter()  # (path, event id)
        self.url = ""
        self._failed: set[tuple[str, str]] = set()
        self._chance = random.Random(SEED)  # noqa: S311 (no secret)

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await self._answer(reader, writer)
        except (asyncio.IncompleteReadError, OSError):
            pass  # the sender was killed
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length:")[2].partition("\r\n")[0])
        body = json.loads(await reader.readexactly(length))
        await asyncio.sleep(self._chance.uniform(0, SLOWEST_S))
        event = (head.split(" ")[1], body["id"])
        fails = event not in self._failed and not self.accepted[event] and self._chance.random() < FAILS
        if fails:
            self._failed.add(event)
        else:
            self.accepted[event] += 1
        writer.write(b"HTTP/1.1 %d Is\r\nContent-Length: 0\r\n\r\n" % (500 if fails else 200))
        await writer.drain()


class Delivering:
    """Twice is an event or a delivery that one call made twice. What is delivered again has the event's id."""

    def __init__(self, sink: Sink) -> None:
        self.tally = Tally()
        self.sink = sink
        self._endpoints: list[str] = []
        self._promised: dict[str, tuple[str, str]] = {}  # {delivery: (path, event)}
        self._asked = 0

    async def prepare(self, machine: Machine) -> None:
        async with machine.client() as client:
            for path in PATHS:
                made = await create(client, "/v1/webhooks", url=self.sink.url + path, events=["*"])
                self._endpoints.append(made["id"])

    async def labour(self, machine: Machine) -> None:
        async with machine.client() as client:
            await until_gone(*[lambda: self._ping(client)] * PINGERS)

    async def _ping(self, client: Rest) -> None:
        place = self._asked % len(PATHS)
        self._asked += 1
        made = await sent(self.tally, client.post(f"/v1/webhooks/{self._endpoints[place]}/ping"))
        if made is not None:
            delivery = made.json()
            self._promised[delivery["id"]] = (PATHS[place], delivery["event"]["id"])
            self.tally.promise("deliveries", delivery["id"])

    async def compare(self, machine: Machine) -> Wrong:
        async with machine.database() as db:
            return Wrong(lost=await present.missing(db, "deliveries", self._promised))

    async def finish(self, machine: Machine) -> Wrong:
        async with machine.client() as client:
            for endpoint in self._endpoints:
                await until_empty(client, f"/v1/webhooks/{endpoint}/deliveries", "pending")
        wrong = await self.compare(machine)
        wrong.lost += [event for path, event in self._promised.values() if not self.sink.accepted[path, event]]
        pings = len({event for _, event in self.sink.accepted})
        wrong.twice += [f"{pings} events of {self._asked} calls"] if pings > self._asked else []
        return wrong

    @property
    def repeated(self) -> int:
        return self.sink.accepted.total() - len(self.sink.accepted)


@asynccontextmanager
async def delivering() -> AsyncIterator[tuple[Delivering, dict[str, str]]]:
    sink = Sink()
    server = await asyncio.start_server(sink.connected, "127.0.0.1", 0)
    try:
        sink.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield Delivering(sink), {}
    finally:
        server.close()
