"""An appliance's HTTP surface on a free port of loopback, with answers from a script in place of models."""

import asyncio
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeAlias

import httpx
from appliance import operator, running
from httpx_sse import ServerSentEvent, aconnect_sse
from hypercorn.asyncio import serve

from flowchat.answer.pipeline import Answer, Question
from flowchat.domain import Citation, CrawlConfig, Event, Source, new_id, now
from flowchat.services import homepage, keys, tenants
from flowchat.services.context import Appliance
from flowchat.settings import Settings
from flowchat.store import sources, versions
from flowchat.store.database import Connection
from flowchat.web import connections, create_web
from flowchat.web.admission import Connections

ORIGIN = "https://shop.example"
TIMEOUT_S = 60  # of a busy machine
QUESTION = {"query": "May I return it?"}
CHUNKS = [
    {"id": "chk_1", "url": "https://shop.example/returns#time", "title": "Returns", "score": 0.97},
    {"id": "chk_2", "url": "https://shop.example/delivery", "title": "Delivery", "score": 0.31},
]
Script: TypeAlias = Callable[[Question, Answer], AsyncGenerator[Event, None]]


async def two_sentences(question: Question, answer: Answer) -> AsyncGenerator[Event, None]:
    """An answer as the gate lets it through."""
    yield Event("retrieval.started", {"query": question.query})
    yield Event("retrieval.reranked", {"chunks": CHUNKS})
    for ref, sentence in enumerate(("You may return it within 30 days.", " Sending it back is free."), start=1):
        yield Event("generation.token", {"text": sentence})
        yield Event("generation.cited", {"ref": ref, "chunkId": "chk_1"})
        yield Event("nli.verified", {"ref": ref, "ok": True, "score": 0.99})
        answer.text += sentence
        url = str(CHUNKS[0]["url"])
        answer.citations.append(Citation(ref, "chk_1", url, "Returns", sentence.strip(), True, 0.99))
    answer.tokens_in, answer.tokens_out = 120, 17


async def refusal(question: Question, answer: Answer) -> AsyncGenerator[Event, None]:
    yield Event("retrieval.started", {"query": question.query})
    yield Event("retrieval.reranked", {"chunks": []})
    answer.text, answer.refusal, answer.reason = "I don't know.", True, "no_match"
    answer.suggestions = [{"url": "https://shop.example/help", "title": "Help"}]
    yield Event("generation.token", {"text": answer.text})


class ScriptedAnswerer:
    """Answers by its `script`, and remembers what it was asked and how many answers it is at."""

    def __init__(self) -> None:
        self.script: Script = two_sentences
        self.questions: list[Question] = []
        self.running = 0

    async def answer(self, question: Question, answer: Answer) -> AsyncIterator[Event]:
        self.questions.append(question)
        self.running += 1
        try:
            async for event in self.script(question, answer):
                yield event
        finally:
            self.running -= 1

    def with_settings(self, settings: Settings) -> Self:
        return self

    def hold_back(self) -> asyncio.Event:
        """From now on answers wait for this event, after their first token."""
        go_on = asyncio.Event()

        async def script(question: Question, answer: Answer) -> AsyncGenerator[Event, None]:
            async for event in two_sentences(question, answer):
                yield event
                if event.name == "generation.token":
                    await go_on.wait()

        self.script = script
        return go_on

    async def until_running(self, count: int) -> None:
        while self.running != count:  # noqa: ASYNC110 (a test may poll)
            await asyncio.sleep(0.005)


@dataclass
class Served:
    """A running appliance with a source `shop` that has a live version, a widget key and an admin key."""

    app: Appliance
    answerer: ScriptedAnswerer
    url: str
    key_id: str
    key: str
    admin: str
    client: httpx.AsyncClient
    connections: Connections

    def headers(self, **more: str) -> dict[str, str]:
        named = {name.replace("_", "-"): value for name, value in more.items()}
        return {"X-FlowChat-Key": self.key, "Accept": "text/event-stream", **named}

    async def ask(self, body: Any = None, **headers: str) -> httpx.Response:
        """The whole response to one question."""
        return await self.client.post(
            "/v1/chat", json=QUESTION if body is None else body, headers=self.headers(**headers)
        )

    async def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        """A REST call with the admin key."""
        return await self.client.request(method, path, headers={"Authorization": f"Bearer {self.admin}"}, **options)

    async def stored_answers(self) -> int:
        row = await self.app.db.row("select count(*) from messages where key_id = ?", (self.key_id,))
        return int(row[0]) if row else 0

    async def widget_key(self, **fields: Any) -> None:
        """Ask with a new widget key from now on."""
        key, self.key = await keys.create(self.app, await operator(self.app), keys.NewWidgetKey(**fields))
        self.key_id = key.id


@asynccontextmanager
async def asking(served: Served, body: Any = None, **headers: str) -> AsyncIterator[AsyncIterator[ServerSentEvent]]:
    """The events of one answer, as they come; leaving the block closes the connection."""
    async with (
        httpx.AsyncClient(base_url=served.url) as client,
        aconnect_sse(client, "POST", "/v1/chat", json=body or QUESTION, headers=served.headers(**headers)) as source,
    ):
        source.response.raise_for_status()
        yield source.aiter_sse()


async def events_of(served: Served, body: Any = None, **headers: str) -> list[ServerSentEvent]:
    async with asking(served, body, **headers) as events:
        return [event async for event in events]


def names(events: list[ServerSentEvent]) -> list[str]:
    return [event.event for event in events]


@asynccontextmanager
async def serving(
    folder: Path, *, heartbeat_s: float = 10, answer_cache_mb: int = 0, **settings: Any
) -> AsyncIterator[Served]:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    port = listener.getsockname()[1]
    settings |= {"host": "127.0.0.1", "port": port, "answer_cache_mb": answer_cache_mb}
    async with running(folder, **settings) as app:
        answerer = ScriptedAnswerer()
        app.answerer = answerer  # type: ignore[assignment]
        url = app.settings.origin
        async with (
            _listening(app, listener, heartbeat_s) as open_connections,
            httpx.AsyncClient(base_url=url, timeout=TIMEOUT_S) as client,
        ):
            actor = await operator(app)
            await add_source(app, "shop", is_live=True)
            await homepage.ensure(app)
            key, secret = await keys.create(app, actor, keys.NewWidgetKey(origins=(ORIGIN,), sources=("shop",)))
            _, admin = await keys.create(app, actor, keys.NewAdminKey())
            yield Served(app, answerer, url, key.id, secret, admin, client, open_connections)


async def add_source(app: Appliance, slug: str, *, is_live: bool, tenant_id: str = "") -> Source:
    """A source, of the first tenant unless told otherwise, with a live (empty) version or none."""
    owner = tenant_id or (await operator(app)).tenant_id
    source = Source(new_id("src"), owner, slug, slug, None, "ready", "en", CrawlConfig(), None, 0, 0, None, now())
    await app.db.write(lambda conn: sources.insert(conn, source))
    if is_live:
        await make_live(app, source)
    return source


async def add_docs_version(app: Appliance) -> None:
    """What the home page asks is indexed."""
    docs = await sources.get(app.db, (await operator(app)).tenant_id, tenants.DOCS_SLUG)
    assert docs
    await make_live(app, docs)


async def make_live(app: Appliance, source: Source) -> str:
    """A new (empty) version of the source; returns its id."""
    version_id = await app.db.write(lambda conn: versions.insert(conn, source.id, app.settings.embedder))
    version = await versions.get(app.db, version_id)
    assert version

    def transaction(conn: Connection) -> None:
        versions.make_live(conn, version)

    await app.db.write(transaction)
    return version_id


@asynccontextmanager
async def _listening(app: Appliance, listener: socket.socket, heartbeat_s: float) -> AsyncIterator[Connections]:
    config = connections.config(listener, app.settings, 1000)
    config.graceful_timeout = 1
    stop = asyncio.Event()
    server = asyncio.create_task(serve(create_web(app, heartbeat_s=heartbeat_s), config, shutdown_trigger=stop.wait))
    try:
        yield config.connections
    finally:
        await app.runs.stop_all()
        stop.set()
        await server
