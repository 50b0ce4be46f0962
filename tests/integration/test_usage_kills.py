"""Usage under SIGKILL: the ledger, its sums, what is stored and what clients got agree.

The real appliance with fake models, asked in parallel over HTTP while it is killed and started again at random
moments. FLOWCHAT_TEST_KILLS sets how many kills (5 by default; releases are tried with 50: 10,000 answers).
"""

import asyncio
import itertools
import json
import os
import random
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from flowchat import app, settings
from flowchat.services import keys
from flowchat.services.check import check
from flowchat.services.key_requests import CapsFields, NewAdminKey, NewWidgetKey
from flowchat.services.tenants import actor_for_cli
from flowchat.store.database import Database
from flowchat.store.usage import COUNTS

pytestmark = pytest.mark.slow
KILLS = int(os.environ.get("FLOWCHAT_TEST_KILLS", "5"))
ANSWERS = 200 * KILLS
CLIENTS = 16
LEAVE_EVERY = 7  # questions: then a client hangs up after the first words
QUESTIONS = (
    "What is a widget key?",
    "What is a test key?",
    "Where does FlowChat keep its data?",
    "How do I check the database?",
    "Which planet has the tallest volcano?",  # not covered
)
ROOT = Path(__file__).resolve().parents[2]
CAP = 1_000_000  # never reached: what counts is that it is counted


@dataclass
class Server:
    """The appliance as a process that may be killed; `is_up` while it answers."""

    url: str
    environ: dict[str, str]
    is_up: asyncio.Event = field(default_factory=asyncio.Event)
    process: subprocess.Popen[str] | None = None

    async def start(self) -> None:
        await asyncio.to_thread(self._start)
        self.is_up.set()

    def _start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(ROOT / "tests" / "serve_fakes.py")],
            env=self.environ,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout
        for line in self.process.stdout:
            if line.startswith("ready "):
                return
        raise AssertionError(f"the appliance ended with {self.process.wait()} instead of getting ready")

    async def kill(self) -> None:
        assert self.process and self.process.stdout
        self.is_up.clear()
        self.process.send_signal(signal.SIGKILL)
        await asyncio.to_thread(self.process.wait)
        self.process.stdout.close()


@dataclass
class Got:
    """What clients know: each answer's `usage` and `refusal` by its message, and how many broke off or were left."""

    answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    broken: int = 0
    left: int = 0


@asynccontextmanager
async def killable(folder: Path) -> AsyncIterator[Server]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environ = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "FLOWCHAT_LOG_LEVEL": "ERROR",
        "FLOWCHAT_DATA_DIR": str(folder),
        "FLOWCHAT_PORT": str(port),
        "FLOWCHAT_EMBEDDER": "fake-embedder",
        "FLOWCHAT_QUESTIONS_PER_MINUTE": "0",
        "FLOWCHAT_CALLS_PER_MINUTE": "0",
        "FLOWCHAT_PARALLEL_ANSWERS": str(4 * CLIENTS),  # those who hang up leave answers behind that end later
        "FLOWCHAT_QUEUED_ANSWERS": str(CLIENTS),
    }
    server = Server(f"http://127.0.0.1:{port}", environ)
    await server.start()
    try:
        yield server
    finally:
        await server.kill()


async def make_keys(server: Server) -> tuple[str, list[str]]:
    """An admin key and two widget keys, one of them with caps, made beside the running appliance."""
    async with app.open_context(settings.load(server.environ)) as context:
        actor = await actor_for_cli(context.db, None)
        _, admin = await keys.create(context, actor, NewAdminKey())
        widgets = [NewWidgetKey(caps=CapsFields(daily=CAP, monthly=CAP)), NewWidgetKey()]
        return admin, [(await keys.create(context, actor, new))[1] for new in widgets]


async def until_docs_answer(server: Server, admin: str) -> None:
    """The built-in documentation is indexed: it is what the questions are about."""
    async with httpx.AsyncClient(base_url=server.url, headers={"Authorization": f"Bearer {admin}"}) as client:
        while (await client.get("/v1/sources/docs")).json()["live_version"] is None:  # noqa: ASYNC110 (it may poll)
            await asyncio.sleep(0.2)


async def ask_and_ask(server: Server, key: str, got: Got, numbers: "itertools.count[int]") -> None:
    """One client: every other answer as a stream."""
    async with httpx.AsyncClient(base_url=server.url, headers={"X-FlowChat-Key": key}, timeout=60) as client:
        while len(got.answers) < ANSWERS:
            await server.is_up.wait()
            number = next(numbers)
            body = {"query": QUESTIONS[number % len(QUESTIONS)], "visitor_id": f"v{number % 100}"}
            accept = "text/event-stream" if number % 2 else "application/json"
            try:
                if number % LEAVE_EVERY == 0:
                    await leave_after_some_text(client, body)
                    got.left += 1
                    continue
                response = await client.post("/v1/chat", json=body, headers={"Accept": accept})
            except httpx.TransportError:
                got.broken += 1
                continue
            assert response.status_code == 200, response.text
            answer = done_of(response.text) if number % 2 else response.json()
            if answer is None:
                got.broken += 1
            else:
                got.answers[answer["message_id"]] = answer


async def leave_after_some_text(client: httpx.AsyncClient, body: dict[str, Any]) -> None:
    async with client.stream("POST", "/v1/chat", json=body) as response:
        async for line in response.aiter_lines():
            if line == "event: generation.token":
                return


def done_of(stream: str) -> dict[str, Any] | None:
    """The data of `stream.done`; None where the stream broke off."""
    _, found, rest = stream.partition("event: stream.done\ndata: ")
    return dict(json.loads(rest)) if found and rest.endswith("\n\n") else None


async def kill_and_start(server: Server, got: Got) -> int:
    """KILLS times, spread over the answers; returns how many there were."""
    chance = random.Random(20261123)
    for number in range(1, KILLS + 1):
        while len(got.answers) < ANSWERS * (number - 0.5) / KILLS:  # noqa: ASYNC110 (it may poll)
            await asyncio.sleep(0.01)
        await asyncio.sleep(chance.uniform(0, 0.3))
        await server.kill()
        await server.start()
    return KILLS


async def summed(db: Database, table: str) -> dict[str, int]:
    row = await db.row(f"select {', '.join(f'sum({name}) as {name}' for name in COUNTS)} from {table}")
    assert row
    return {name: int(row[name] or 0) for name in COUNTS}


async def by_key(db: Database, sql: str) -> dict[str, int]:
    return {row[0]: row[1] for row in await db.rows(sql)}


async def test_what_is_counted_is_what_was_done(tmp_path: Path) -> None:
    got = Got()
    async with killable(tmp_path) as server:
        admin, widgets = await make_keys(server)
        await until_docs_answer(server, admin)
        numbers = itertools.count()
        killing = asyncio.create_task(kill_and_start(server, got))
        clients = [ask_and_ask(server, key, got, numbers) for key, _ in zip(itertools.cycle(widgets), range(CLIENTS))]
        await asyncio.gather(*clients)
        kills = await killing
        await server.kill()
        await server.start()  # takes back what was reserved for answers that broke off
        async with httpx.AsyncClient(base_url=server.url, headers={"Authorization": f"Bearer {admin}"}) as client:
            listed = (await client.get("/v1/usage?limit=100")).json()["data"]
    async with app.open_context(settings.load(server.environ)) as context:
        await compare(context.db, got, listed, kills)


async def compare(db: Database, got: Got, listed: list[dict[str, Any]], kills: int) -> None:
    assert await check(db) == []
    lines = await db.rows("select * from usage_ledger where message_id is not null")
    ledger = {line["message_id"]: line for line in lines}
    assert len(ledger) == len(lines)
    lost = [message_id for message_id in got.answers if message_id not in ledger]
    assert lost == [], "answers that reached a client are missing in the ledger"
    for message_id, answer in got.answers.items():
        line = ledger[message_id]
        told = (int(answer["refusal"]), answer["usage"]["tokens_in"], answer["usage"]["tokens_out"])
        assert (line["queries"], line["refusals"], line["tokens_in"], line["tokens_out"]) == (1, *told)
    stored = {row["id"]: row["refusal"] for row in await db.rows("select id, refusal from messages")}
    assert stored == {message_id: line["refusals"] for message_id, line in ledger.items()}
    broken_off = await db.rows("select * from usage_ledger where message_id is null and job_id is null")
    assert {(line["queries"], line["refusals"], line["billable_queries"]) for line in broken_off} <= {(1, 0, 0)}

    sums = await summed(db, "usage_ledger")
    assert sums == await summed(db, "usage_days")
    answered = len(stored) - sums["refusals"]
    assert (sums["queries"], sums["billable_queries"]) == (len(stored) + len(broken_off), answered)
    assert sum(day["queries"] for day in listed) == sums["queries"]
    assert sum(day["billable"]["queries"] for day in listed) == answered
    assert 0 < sums["refusals"] < sums["queries"]

    reserved = await by_key(db, "select key_id, reserved from key_answers where length(period) = 7")
    given = Counter(await by_key(db, "select key_id, count(*) from messages where not refusal group by key_id"))
    given.update(line["key_id"] for line in broken_off)
    assert reserved == given and len(given) == 2
    print(
        f"{kills} kills: {len(got.answers)} answers reached a client, {got.broken} broke off, {got.left} were left;"
        f" ledger = sums = {len(stored)} messages ({sums['refusals']} refusals) + {len(broken_off)} begun;"
        f" {answered} billable, {given.total()} reserved"
    )
