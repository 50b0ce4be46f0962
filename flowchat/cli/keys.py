"""`flowchat keys`: making, listing, rotating and revoking them."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any, TypeVar, cast

import click

from flowchat import settings as settings_table
from flowchat.app import open_context, prepare_folder
from flowchat.cli.options import json_option, print_json, print_table, tenant_option
from flowchat.domain import Actor, Key, now
from flowchat.services import keys as service
from flowchat.services import sources, validate
from flowchat.services.context import Context
from flowchat.services.key_requests import MAX_GRACE_S, TENANT_SCOPES, NewKey, Rotation
from flowchat.services.tenants import actor_for_cli
from flowchat.services.views.keys import CreatedKeyView, KeyView

T = TypeVar("T")


@click.group()
def keys() -> None:
    """API keys and widget keys."""


@keys.command()
@click.option("--type", "type", type=click.Choice(["admin", "widget", "operator"]), required=True)
@click.option("--name", help="What you know it by.")
@click.option(
    "--scope", "scopes", multiple=True, type=click.Choice(TENANT_SCOPES), help="An admin key's.  [default: all]"
)
@click.option(
    "--origin", "origins", multiple=True, help="Where a widget may stand: https://example.com, *.example.com, *."
)
@click.option("--source", "sources", multiple=True, metavar="SLUG", help="Only this source.  [default: all]")
@click.option("--mode", type=click.Choice(["gate", "annotate"]), help="What visitors see of unverified text.")
@click.option("--daily-cap", type=int, help="Answers a day.")
@click.option("--monthly-cap", type=int, help="Answers a month.")
@click.option("--test", is_flag=True, help="An unmetered key (kbk_test_), at most 100 answers a day.")
@click.option("--expires-at", metavar="TIME", help="When it ends, as 2030-01-31T12:00:00Z.  [default: never]")
@tenant_option
@json_option
def create(tenant: str | None, as_json: bool, daily_cap: int | None, monthly_cap: int | None, **given: Any) -> None:
    """Make a key. It is shown only this once."""
    caps = {"daily": daily_cap, "monthly": monthly_cap}
    given["caps"] = {name: cap for name, cap in caps.items() if cap is not None}
    # mypy knows no type for "one of these classes".
    new = validate.read({name: value for name, value in given.items() if value}, cast("type[NewKey]", NewKey))
    _make(tenant, as_json, lambda app, actor: service.create(app, actor, new))


@keys.command()
@click.argument("key_id", metavar="ID")
@click.option(
    "--grace",
    "grace_s",
    type=click.IntRange(0, MAX_GRACE_S),
    default=0,
    metavar="SECONDS",
    help="How long the old key stays good.  [default: 0]",
)
@tenant_option
@json_option
def rotate(key_id: str, grace_s: int, tenant: str | None, as_json: bool) -> None:
    """Make a key with the same settings in place of one."""
    request = Rotation(grace_s=grace_s)
    _make(tenant, as_json, lambda app, actor: service.rotate(app, actor, key_id, request))


@keys.command()
@click.argument("key_id", metavar="ID")
@tenant_option
def revoke(key_id: str, tenant: str | None) -> None:
    """Refuse a key from now on. It can't be undone."""
    _with_context(tenant, lambda app, actor: service.revoke(app, actor, key_id))
    click.echo(f"{key_id} is revoked.")


@keys.command("list")
@tenant_option
@json_option
def list_keys(tenant: str | None, as_json: bool) -> None:
    """All keys, without their secrets."""
    found = _with_context(tenant, _listed)
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
                _state(key),
                key["name"],
                ",".join(key["origins"]),
                ",".join(key["sources"]) or ("all" if key["type"] == "widget" else ""),
            )
            for key in found
        ],
    )


async def _listed(app: Context, actor: Actor) -> list[dict[str, Any]]:
    return [await _shown(app, actor, KeyView.of(key)) for key in await service.list_all(app, actor)]


async def _shown(app: Context, actor: Actor, key: KeyView) -> dict[str, Any]:
    """With slugs in place of the ids of sources."""
    slugs = {source.id: source.slug for source in await sources.list_answering(app, actor)}
    return {**asdict(key), "sources": [slugs.get(source, source) for source in key.sources]}


def _state(key: dict[str, Any]) -> str:
    if key["revoked_at"]:
        return "revoked"
    return "expired" if key["expires_at"] and key["expires_at"] <= now() else "active"


def _with_context(tenant: str | None, work: Callable[[Context, Actor], Awaitable[T]]) -> T:
    """Do that for a tenant of the data folder, beside a running appliance or without one."""

    async def run() -> T:
        async with open_context(settings) as app:
            return await work(app, await actor_for_cli(app.db, tenant))

    settings = settings_table.load()
    prepare_folder(settings)
    return asyncio.run(run())


def _make(tenant: str | None, as_json: bool, making: Callable[[Context, Actor], Awaitable[tuple[Key, str]]]) -> None:
    async def make(app: Context, actor: Actor) -> dict[str, Any]:
        return await _shown(app, actor, CreatedKeyView.of(await making(app, actor)))

    made = _with_context(tenant, make)
    if as_json:
        print_json(made)
    else:
        click.echo(made["key"])
        click.echo(f"This is {made['id']}. Keep the key: it can't be shown again.", err=True)
