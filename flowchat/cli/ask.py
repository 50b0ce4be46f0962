"""`flowchat ask`: a question to the running appliance, or to the models where none runs."""

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import click

from flowchat import settings as settings_table
from flowchat.app import holder, holding, open_appliance, open_context
from flowchat.cli.models import pull_missing
from flowchat.cli.options import json_option, print_json, tenant_option
from flowchat.domain import Event
from flowchat.net.appliance import chat_client
from flowchat.services import chat, validate
from flowchat.services.derived_keys import command_line_key
from flowchat.services.runs import Run
from flowchat.services.tenants import actor_for_cli
from flowchat.settings import Settings
from flowchat.store.migrate import migrate


@click.command()
@click.argument("question")
@click.option("--source", "sources", multiple=True, metavar="SLUG", help="Ask only this source.  [default: all]")
@tenant_option
@json_option
def ask(question: str, sources: tuple[str, ...], tenant: str | None, as_json: bool) -> None:
    """Ask a question, and see the answer with its sources."""
    settings = settings_table.load()
    present = holder(settings.data_dir)
    if present is not None and present.url:
        answered = asyncio.run(_through_appliance(settings, present.url, question, sources, tenant, as_json))
    else:
        with holding(settings.data_dir):
            migrate(settings.database_path)
            pull_missing(settings)
            answered = asyncio.run(_alone(settings, question, sources, tenant, as_json))
    sys.exit(0 if answered else 1)


async def _through_appliance(
    settings: Settings, url: str, question: str, sources: tuple[str, ...], tenant: str | None, as_json: bool
) -> bool:
    async with open_context(settings) as app:
        actor = await actor_for_cli(app.db, tenant)
        _, secret = await command_line_key(app, actor)
        async with chat_client(url, secret, sources) as client:
            if as_json:
                return _show_whole(await client.ask(question))
            return await _show_live(client.stream(question))


async def _alone(
    settings: Settings, question: str, sources: tuple[str, ...], tenant: str | None, as_json: bool
) -> bool:
    async with open_appliance(settings) as (app, _):
        actor = await actor_for_cli(app.db, tenant)
        key, _ = await command_line_key(app, actor)
        request = validate.read({"query": question, "source": list(sources)}, chat.ChatRequest)
        run, _ = await chat.open_chat(app, key, request)
        if as_json:
            return _show_whole(await chat.collect(run))
        return await _show_live(_events(run))


async def _events(run: Run) -> AsyncGenerator[Event, None]:
    async with aclosing(run.events()) as numbered:
        async for item in numbered:
            if item is not None:
                yield item[1]


def _show_whole(answer: dict[str, Any]) -> bool:
    print_json(answer)
    return True


async def _show_live(events: AsyncGenerator[Event, None]) -> bool:
    """Print an answer as it comes, then where it stands. False if it broke off."""
    chunks: dict[str, dict[str, Any]] = {}
    cited: dict[int, str] = {}
    failed = False
    async with aclosing(events):
        async for event in events:
            data = event.data
            match event.name:
                case "retrieval.reranked":
                    chunks = {chunk["id"]: chunk for chunk in data["chunks"]}
                case "generation.token":
                    click.echo(data["text"], nl=False)
                case "generation.cited":
                    cited[data["ref"]] = data["chunkId"]
                    click.echo(f" [{data['ref']}]", nl=False)
                case "error":
                    failed = True
                    click.echo(f"\nflowchat: {data['message']}", err=True)
                case "stream.done":
                    _show_end(data, chunks, cited)
    return not failed


def _show_end(done: dict[str, Any], chunks: dict[str, dict[str, Any]], cited: dict[int, str]) -> None:
    click.echo("\n")
    if done["refusal"]:
        click.echo(f"Not answered ({done.get('reason') or 'refused'}).")
    for ref, chunk_id in cited.items():
        chunk = chunks[chunk_id]
        click.echo(f"[{ref}] {_place(chunk)}")
    for page in done.get("suggestions") or []:
        click.echo(f"See also: {_place(page)}")


def _place(page: dict[str, Any]) -> str:
    return f"{page['title']}: {page['url']}" if page.get("title") else str(page["url"])
