"""The server: beside a bare Quart, at rest beside while it crawls, and what it holds."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from flowchat.app import open_context
from flowchat.domain import Actor
from flowchat.evaluation import load
from flowchat.evaluation.bare_server import bare_server
from flowchat.evaluation.bench.row import Row
from flowchat.evaluation.load import Load, Plan, percentile
from flowchat.evaluation.local_site import local_site
from flowchat.evaluation.scale import GeneratedSite
from flowchat.evaluation.server_process import Server, footprint, server_process
from flowchat.net.appliance import gets_per_s
from flowchat.services import keys, sources
from flowchat.services.context import Context
from flowchat.services.key_requests import NewWidgetKey
from flowchat.services.source_requests import NewSource
from flowchat.services.tenants import DOCS_SLUG, actor_for_cli
from flowchat.settings import Settings
from flowchat.store.migrate import migrate

PAGES = 20_000  # more than are crawled meanwhile
PROBE_S = 3.0
QUESTIONS = (
    "How do I crawl my site?",
    "Which models does FlowChat use?",
    "How is a sentence verified?",
    "How are webhooks signed?",
    "How do I revoke a key?",
    "What is billed by Stripe?",
)
READY_S = 300.0


async def rows(settings: Settings) -> list[Row]:
    with TemporaryDirectory() as folder:
        settings = replace(
            settings,
            data_dir=Path(folder),
            models_dir=settings.models_path.resolve(),
            host="127.0.0.1",
            port=0,
            public_url="",
            questions_per_minute=0,
            calls_per_minute=0,
            answer_cache_mb=0,
            allow_private_hosts=("127.0.0.1",),
        )
        migrate(settings.database_path)
        began = time.perf_counter()
        async with open_context(settings) as app, server_process(settings, Path(folder) / "log") as server:
            started_s = time.perf_counter() - began
            return [
                Row("start to ready, with models and a new folder", "s", started_s, "", 0),
                *await _measured(app, server),
            ]


async def _measured(app: Context, server: Server) -> list[Row]:
    actor = await actor_for_cli(app.db, None)
    await _docs_ready(app, actor)
    rest_mb = footprint(server.process.pid).memory_mb
    async with bare_server() as bare:
        theirs = await gets_per_s(bare, PROBE_S)
        ours = await gets_per_s(f"{server.url}/health/live", PROBE_S)
    _, key = await keys.create(app, actor, NewWidgetKey(name="bench", sources=(DOCS_SLUG,)))
    plan = Plan(server.url, key, [DOCS_SLUG], list(QUESTIONS))
    await load.apply(replace(plan, questions=list(QUESTIONS[:1])))
    alone = await load.apply(plan)
    async with _crawl(app, actor):
        beside = await load.apply(plan)
        live = await gets_per_s(f"{server.url}/health/live", PROBE_S)
    busy_mb = footprint(server.process.pid).memory_mb
    return [
        Row("GET /health/live, one client", "requests/s", ours, "a bare Quart on Hypercorn", theirs),
        Row("GET /health/live while it crawls", "requests/s", live, "at rest", ours),
        Row("first text of an answer while it crawls", "s", _first_text_s(beside), "at rest", _first_text_s(alone)),
        Row("memory, crawling and answering", "MB", busy_mb, "at rest, models loaded", rest_mb),
    ]


async def _docs_ready(app: Context, actor: Actor) -> None:
    async with asyncio.timeout(READY_S):
        while (await sources.get(app, actor, DOCS_SLUG)).status != "ready":  # noqa: ASYNC110 (another process's doing)
            await asyncio.sleep(0.5)


@asynccontextmanager
async def _crawl(app: Context, actor: Actor) -> AsyncIterator[None]:
    """Of a large site, for as long as the block takes."""
    async with local_site(GeneratedSite(PAGES).respond) as url:
        await sources.create(app, actor, NewSource(url=url, slug="bench"))
        async with asyncio.timeout(READY_S):
            while (await sources.get(app, actor, "bench")).status != "crawling":  # noqa: ASYNC110 (another process)
                await asyncio.sleep(0.2)
        await asyncio.sleep(PROBE_S)  # until it embeds
        yield


def _first_text_s(done: Load) -> float:
    return percentile([timed.first_text_s for timed in done.answers if timed.first_text_s is not None], 0.5)
