"""`flowchat keys`: making, listing and revoking them."""

import asyncio
from typing import Any

import click

from flowchat import settings as settings_table
from flowchat.app import open_context, prepare_folder
from flowchat.cli.options import json_option, print_json, print_table, tenant_option
from flowchat.domain import KeyType
from flowchat.services import keys as service
from flowchat.services import sources
from flowchat.services.tenants import actor_for_cli
from flowchat.services.views import key_json


@click.group()
def keys() -> None:
    """API keys and widget keys."""


@keys.command()
@click.option("--type", "key_type", type=click.Choice(["admin", "widget", "operator"]), required=True)
@click.option(
    "--origin", "origins", multiple=True, help="Where a widget may stand: https://example.com, *.example.com, *."
)
@click.option("--source", "sources", multiple=True, metavar="SLUG", help="Only this source.  [default: all]")
@click.option("--name", default="", help="What you know it by.")
@click.option(
    "--mode", type=click.Choice(["gate", "annotate"]), default="gate", help="What visitors see of unverified text."
)
@click.option("--daily-cap", type=int, help="Answers a day.")
@click.option("--test", is_flag=True, help="An unmetered key (kbk_test_), at most 100 answers a day.")
@tenant_option
@json_option
def create(key_type: KeyType, tenant: str | None, as_json: bool, **given: Any) -> None:
    """Make a key. It is shown only this once."""

    async def run() -> dict[str, Any]:
        async with open_context(settings) as app:
            actor = await actor_for_cli(app.db, tenant)
            key, secret = await service.create(app, actor, service.NewKey(key_type, **given))
            return {"id": key.id, "key": secret, **key_json(key, await sources.slugs(app, actor))}

    settings = settings_table.load()
    prepare_folder(settings)
    made = asyncio.run(run())
    if as_json:
        print_json(made)
    else:
        click.echo(made["key"])
        click.echo(f"This is {made['id']}. Keep the key: it can't be shown again.", err=True)


@keys.command("list")
@tenant_option
@json_option
def list_keys(tenant: str | None, as_json: bool) -> None:
    """All keys, without their secrets."""

    async def run() -> list[dict[str, Any]]:
        async with open_context(settings) as app:
            actor = await actor_for_cli(app.db, tenant)
            slugs = await sources.slugs(app, actor)
            return [key_json(key, slugs) for key in await service.list_all(app, actor)]

    settings = settings_table.load()
    prepare_folder(settings)
    found = asyncio.run(run())
    if as_json:
        print_json(found)
        return
    print_table(
        ("id", "type", "key", "state", "name", "origins", "sources"),
        [
            (
                key["id"],
                key["type"],
                f"{key['prefix']}…{key['last_four']}",
                "revoked" if key["revoked_at"] else "active",
                key["name"],
                ",".join(key["origins"]),
                ",".join(key["sources"]) or ("all" if key["type"] == "widget" else ""),
            )
            for key in found
        ],
    )


@keys.command()
@click.argument("key_id", metavar="ID")
@tenant_option
def revoke(key_id: str, tenant: str | None) -> None:
    """Refuse a key from now on. It can't be undone."""

    async def run() -> None:
        async with open_context(settings) as app:
            await service.revoke(app, await actor_for_cli(app.db, tenant), key_id)

    settings = settings_table.load()
    prepare_folder(settings)
    asyncio.run(run())
    click.echo(f"{key_id} is revoked.")
