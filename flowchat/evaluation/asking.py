"""Asks an appliance as a visitor would: one that runs, by HTTP, or else the models in this process."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager

from flowchat import settings as settings_table
from flowchat.app import holder, holding, open_appliance, open_context
from flowchat.domain import Event
from flowchat.net.appliance import chat_client
from flowchat.services import chat, validate
from flowchat.services.context import Appliance
from flowchat.services.derived_keys import command_line_key
from flowchat.services.tenants import actor_for_cli
from flowchat.settings import Settings
from flowchat.store.migrate import migrate

Ask = Callable[[str], AsyncGenerator[Event, None]]


@asynccontextmanager
async def asking(sources: Sequence[str], url: str = "", key: str = "") -> AsyncIterator[Ask]:
    """How to ask those sources: at `url` with a key; or on the data folder of the settings, whether one runs or not."""
    settings = settings_table.load()
    running = holder(settings.data_dir)
    if not url and running is not None and running.url:
        async with open_context(settings) as context:
            _, key = await command_line_key(context, await actor_for_cli(context.db, None))
        url = running.url
    if url:
        async with chat_client(url.rstrip("/"), key, sources) as client:
            yield client.stream
    else:
        with holding(settings.data_dir):
            async with _alone(settings, sources) as ask:
                yield ask


@asynccontextmanager
async def _alone(settings: Settings, sources: Sequence[str]) -> AsyncIterator[Ask]:
    migrate(settings.database_path)
    async with open_appliance(settings) as (app, _):
        yield lambda query: _events(app, sources, query)


async def _events(app: Appliance, sources: Sequence[str], query: str) -> AsyncGenerator[Event, None]:
    key, _ = await command_line_key(app, await actor_for_cli(app.db, None))
    request = validate.read({"query": query, "source": list(sources)}, chat.ChatRequest)
    run, _ = await chat.open_chat(app, key, request)
    async with aclosing(run.events()) as numbered:
        async for item in numbered:
            if item is not None:
                yield item[1]
