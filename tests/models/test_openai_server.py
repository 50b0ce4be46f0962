"""The default generator behind llama.cpp's own HTTP server, asked as any OpenAI-compatible server is."""

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from crawling import finished, html, site

from flowchat.app import open_appliance, prepare_folder, serve_web
from flowchat.domain import Event
from flowchat.engines.registry import find_model, require
from flowchat.evaluation.served import free_port
from flowchat.net.appliance import ChatClient, chat_client, wait_until_live
from flowchat.services import keys, sources
from flowchat.services.context import Appliance
from flowchat.services.key_requests import NewWidgetKey
from flowchat.services.source_requests import NewSource
from flowchat.services.tenants import actor_for_cli
from flowchat.settings import Settings

pytestmark = [pytest.mark.models, pytest.mark.slow]
THREADS = 2
TIMEOUT_S = 120
PAGE = html(
    "Parcels are sent from our warehouse in Utrecht. You may return a parcel within 30 days. "
    "Sending a parcel back is free of charge.",
    title="Returns",
)
QUESTION = "Within how many days may I return a parcel?"


@dataclass
class LlamaServer:
    """On a port of its own, which it keeps when it is started again."""

    model: Path
    port: int
    process: Process | None = None

    async def start(self) -> None:
        command = [sys.executable, "-m", "flowchat.engines.llama_server", str(self.model), str(THREADS), str(self.port)]
        self.process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL)
        assert self.process.stdout
        assert await asyncio.wait_for(self.process.stdout.readline(), TIMEOUT_S)

    async def kill(self) -> None:
        assert self.process
        if self.process.returncode is None:
            self.process.kill()
        await self.process.communicate()


@asynccontextmanager
async def llama_server(models_dir: Path) -> AsyncIterator[LlamaServer]:
    spec = find_model(Settings().generator, "generator", models_dir)
    server = LlamaServer(require(spec, models_dir) / "model.gguf", free_port())
    await server.start()
    try:
        yield server
    finally:
        await server.kill()


@asynccontextmanager
async def asked(folder: Path, models_dir: Path, llama: LlamaServer) -> AsyncIterator[tuple[Appliance, str]]:
    """An appliance over HTTP, with a crawled page, and a widget key whose answers are the generator's own words."""
    settings = Settings(
        data_dir=folder,
        models_dir=models_dir,
        port=free_port(),
        generator=f"openai:qwen@http://127.0.0.1:{llama.port}/v1",
        allow_private_hosts=("127.0.0.1",),
        answer_patience_s=60.0,
        lead_quotes=0,
        threads=THREADS,
    )
    prepare_folder(settings)
    async with site({"/": PAGE}) as shop, open_appliance(settings) as (app, _), serve_web(app):
        actor = await actor_for_cli(app.db, None)
        _, job = await sources.create(app, actor, NewSource(shop.url + "/", slug="shop"))
        assert job and (await finished(app, job)).status == "succeeded"
        _, key = await keys.create(app, actor, NewWidgetKey(sources=("shop",), mode="annotate"))
        yield app, key


async def events_of(client: ChatClient, question: str) -> list[Event]:
    return [event async for event in client.stream(question)]


def text_of(events: list[Event]) -> str:
    return "".join(event.data["text"] for event in events if event.name == "generation.token")


async def test_an_answer_through_an_openai_compatible_server(tmp_path: Path, models_dir: Path) -> None:
    async with (
        llama_server(models_dir) as llama,
        asked(tmp_path, models_dir, llama) as (app, key),
        chat_client(app.settings.origin, key, []) as client,
    ):
        await wait_until_live(app.settings.origin, TIMEOUT_S)
        events = await events_of(client, QUESTION)
        done = events[-1].data
        assert done["usage"]["tokens_out"] > 0 and not done["refusal"]
        assert "30" in text_of(events)
        cited = {event.data["ref"] for event in events if event.name == "generation.cited"}
        verdicts = {event.data["ref"]: event.data["ok"] for event in events if event.name == "nli.verified"}
        assert cited and cited == set(verdicts) and any(verdicts.values())

        # It dies while it answers: what the visitor gets is quotes, no error, and it isn't remembered.
        stream = client.stream("May I return a parcel, and is sending it back free?")
        events = []
        async for event in stream:
            events.append(event)
            if event.name == "retrieval.reranked":
                await llama.kill()
        assert events[-1].name == "stream.done" and not events[-1].data["refusal"]
        assert "error" not in {event.name for event in events} and "30 days" in text_of(events)
        assert all(event.data["ok"] for event in events if event.name == "nli.verified")

        events = await events_of(client, "Is sending a parcel back free?")
        assert "free of charge" in text_of(events) and events[-1].data["usage"]["tokens_out"] == 0

        await llama.start()
        events = await events_of(client, "Is sending a parcel back free?")
        assert events[-1].data["usage"]["tokens_out"] > 0
