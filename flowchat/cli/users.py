"""`flowchat users`: links for whoever can't sign in."""

import asyncio
from collections.abc import Awaitable, Callable

import click

from flowchat import settings as settings_table
from flowchat.app import holder, open_context, prepare_folder
from flowchat.cli.options import tenant_option
from flowchat.services import accounts
from flowchat.services.context import Context
from flowchat.services.tenants import actor_for_cli
from flowchat.settings import Settings


@click.group()
def users() -> None:
    """People who sign in to the admin."""


@users.command("reset-link")
@click.argument("email")
@click.option("--drop-second-factor", is_flag=True, help="It turns the second factor off, too.")
@tenant_option
def reset_link(email: str, drop_second_factor: bool, tenant: str | None) -> None:
    """Print a link by which a user chooses a new password, once, within a day."""

    async def make(app: Context) -> str:
        actor = await actor_for_cli(app.db, tenant)
        return await accounts.reset_link(
            app, actor, email, _origin(app.settings), drops_second_factor=drop_second_factor
        )

    _print(make)


@users.command("set-up-link")
def set_up_link() -> None:
    """Print the link by which the first user makes their account, while nobody has one."""

    async def make(app: Context) -> str:
        return await accounts.set_up_link(app, _origin(app.settings))

    _print(make)


def _print(make: Callable[[Context], Awaitable[str]]) -> None:
    async def run() -> str:
        async with open_context(settings) as app:
            return await make(app)

    settings = settings_table.load()
    prepare_folder(settings)
    click.echo(asyncio.run(run()))


def _origin(settings: Settings) -> str:
    """Where the running appliance is reached, whatever port it was started with."""
    running = holder(settings.data_dir)
    return settings.public_url.rstrip("/") or (running.url if running else "") or settings.origin
