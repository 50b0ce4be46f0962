"""Visitors who ask, and keys that come and go."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

from flowchat.evaluation.faults.machine import Machine
from flowchat.evaluation.faults.work import Tally, Wrong, create, sent, until_gone, until_idle
from flowchat.net.rest import Rest
from flowchat.services.revocations import LOG_FILE
from flowchat.store import keys, present

VISITORS = 3
QUESTIONS = (
    "What is a widget key?",
    "Where does FlowChat keep its data?",
    "How do I check the database?",
    "Which planet has the tallest volcano?",  # not covered
)


class Chatting:
    """Every other answer is streamed; every third one gets feedback."""

    def __init__(self) -> None:
        self.tally = Tally()
        self._numbers = count()
        self._widget = ""
        self._messages: set[str] = set()
        self._feedback: set[str] = set()
        self._made: set[str] = set()
        self._revoked: dict[str, str] = {}  # {id: key}
        self._tenant = ""

    async def prepare(self, machine: Machine) -> None:
        async with machine.client() as client:
            await until_idle(client)  # FlowChat's own documentation is what they ask about
            self._widget = (await create(client, "/v1/keys", type="widget"))["key"]
            self._tenant = (await client.get("/v1/tenant")).json()["id"]

    async def labour(self, machine: Machine) -> None:
        async with machine.client(self._widget) as visitor, machine.client() as admin:
            await until_gone(*[lambda: self._ask(visitor)] * VISITORS, lambda: self._make_and_revoke(admin))

    async def _ask(self, client: Rest) -> None:
        number = next(self._numbers)
        accept = "text/event-stream" if number % 2 else "application/json"
        body = {"query": f"{QUESTIONS[number % len(QUESTIONS)]} ({number % 50})"}
        response = await sent(self.tally, client.post("/v1/chat", json=body, headers={"Accept": accept}))
        answer = response and (done_of(response.text, self.tally) if number % 2 else response.json())
        if not answer:
            return
        self._messages.add(answer["message_id"])
        self.tally.promise("messages", answer["message_id"])
        if number % 3 == 0:
            told = {
                "message_id": answer["message_id"],
                "conversation_token": answer["conversation_token"],
                "rating": "up",
            }
            given = await sent(self.tally, client.post("/v1/feedback", json=told))
            if given is not None:
                self._feedback.add(given.json()["id"])
                self.tally.promise("feedback", given.json()["id"])

    async def _make_and_revoke(self, client: Rest) -> None:
        made = await sent(self.tally, client.post("/v1/keys", json={"type": "widget"}))
        if made is None:
            return
        key = made.json()
        self._made.add(key["id"])
        self.tally.promise("keys", key["id"])
        if await sent(self.tally, client.post(f"/v1/keys/{key['id']}/revoke")) is not None:
            self._revoked[key["id"]] = key["key"]
            self.tally.promise("revoked_keys", key["id"])

    async def compare(self, machine: Machine) -> Wrong:
        wrong = Wrong()
        async with machine.database() as db:
            wrong.lost += await present.missing(db, "messages", self._messages)
            wrong.lost += await present.missing(db, "feedback", self._feedback)
            wrong.lost += await present.missing(db, "keys", self._made)
            revoked = {key.id for key in await keys.list_all(db, self._tenant) if key.revoked_at is not None}
        logged = (machine.folder / LOG_FILE).read_text() if self._revoked else ""
        wrong.lost += [f"{ident} was revoked" for ident in self._revoked if ident not in revoked or ident not in logged]
        return wrong

    async def finish(self, machine: Machine) -> Wrong:
        wrong = await self.compare(machine)
        for ident, key in list(self._revoked.items())[-10:]:
            async with machine.client(key) as client:
                if (await client.get("/v1/widget")).status != 401:
                    wrong.lost.append(f"{ident} was revoked, and is taken")
        return wrong


def done_of(stream: str, tally: Tally) -> dict[str, Any] | None:
    """What `stream.done` says; None where the answer failed."""
    before, _, rest = stream.partition("event: stream.done\ndata: ")
    if "event: error\ndata: " in before:
        code = json.loads(before.partition("event: error\ndata: ")[2].partition("\n")[0])["code"]
        (tally.refused if code == "disk_full" else tally.unclean)[code] += 1
        return None
    return dict(json.loads(rest))


@asynccontextmanager
async def chatting() -> AsyncIterator[tuple[Chatting, dict[str, str]]]:
    yield Chatting(), {}
