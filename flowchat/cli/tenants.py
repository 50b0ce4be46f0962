"""`flowchat tenants`: moving them to another machine."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

import click

from flowchat import settings as settings_table
from flowchat.app import holder, open_context, prepare_folder
from flowchat.cli.options import json_option, print_json, print_table
from flowchat.domain import Actor, now
from flowchat.errors import FlowChatError
from flowchat.services import moving, tenant_files
from flowchat.services import tenants as service
from flowchat.services.context import Context
from flowchat.services.lists import ListRequest
from flowchat.services.views.tenants import ImportedTenantView, TenantView

T = TypeVar("T")
_TOLD = {"chunks": "passages", "conversations": "conversations", "keys": "keys", "usage_ledger": "lines of usage"}

passphrase_option = click.option(
    "--passphrase-file",
    type=click.Path(dir_okay=False, path_type=Path, allow_dash=True),
    help="A file whose first line is the passphrase; - is standard input.  [default: ask]",
)


@click.group()
def tenants() -> None:
    """Tenants, and how to move one to another machine."""


@tenants.command("list")
@json_option
def list_tenants(as_json: bool) -> None:
    """The newest 100 tenants of this machine."""
    listed = _with_context(lambda app, actor: service.list_page(app, actor, ListRequest(limit=100)))
    if as_json:
        print_json([asdict(TenantView.of(tenant)) for tenant in listed.items])
        return
    rows: list[tuple[str, ...]] = [
        (tenant.slug, tenant.name, "closed" if tenant.closed_at else "moved" if tenant.moved_at else "", tenant.id)
        for tenant in listed.items
    ]
    print_table(("slug", "name", "state", "id"), rows)


@tenants.command("export")
@click.argument("slug")
@click.argument("path", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--copy", is_flag=True, help="Make a copy: the tenant goes on here, too.")
@passphrase_option
def export_tenant(slug: str, path: Path | None, copy: bool, passphrase_file: Path | None) -> None:
    """Write the tenant SLUG to a file, to move it to another machine. It is read-only here from then on.

    Secrets in the file are encrypted with a passphrase. Pages, conversations and e-mail addresses are not: guard it.
    """
    target = path or Path(f"flowchat-{slug}-{now()[:10]}.zip")
    if target.exists():
        raise FlowChatError("file_exists", f"There is a file {target} already. Give another path.")
    settings = settings_table.load()
    settle_s = moving.SETTLE_S if holder(settings.data_dir) is not None else 0
    passphrase = _passphrase(passphrase_file, confirm=True)
    if settle_s and not copy:
        click.echo(f"The server is running: what is in flight gets {settle_s:.0f} s to end.", err=True)
    request = moving.Export(passphrase=passphrase, copy=copy)
    manifest = _with_context(lambda app, actor: moving.export_to(app, actor, slug, request, target, settle_s=settle_s))
    click.echo(f"{target}: {target.stat().st_size / 1e6:.1f} MB, {_counted(manifest.rows)}.")
    if copy:
        click.echo("This is a copy: the tenant goes on here.")
        return
    click.echo(
        f"Here, '{slug}' is read-only from now on, and nothing of it is sent. On the other machine:\n"
        f"  flowchat tenants import {target.name}\n"
        f"To let it go on here after all: flowchat tenants resume {slug}"
    )


@tenants.command("import")
@click.argument("path", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--slug", help="In place of the tenant's own, where that is taken here.")
@click.option("--plan", metavar="SLUG", help="In place of the tenant's own, where that has other terms here.")
@passphrase_option
@json_option
def import_tenant(path: Path, slug: str | None, plan: str | None, passphrase_file: Path | None, as_json: bool) -> None:
    """Take in the tenant of an exported file: all of it, or nothing. Right beside a running server, too."""
    tenant_files.read_manifest(path)  # before a passphrase is asked for
    request = moving.Importing(passphrase=_passphrase(passphrase_file, confirm=False), slug=slug, plan=plan)
    imported = _with_context(lambda app, actor: moving.bring_in(app, actor, path, request))
    if as_json:
        print_json(asdict(ImportedTenantView.of(imported)))
        return
    click.echo(f"'{imported.tenant.slug}' is on this machine: {_counted(imported.rows)}.")
    for note in imported.notes:
        click.echo(f"Note: {note}")


@tenants.command()
@click.argument("slug")
@click.option("--yes", is_flag=True, help="Do it without asking.")
def resume(slug: str, yes: bool) -> None:
    """Let a tenant that was exported go on here after all."""
    if not yes:
        click.confirm("Is it certain that no other machine has imported it? Both would send and bill", abort=True)
    _with_context(lambda app, actor: moving.resume(app, actor, slug))
    click.echo(f"'{slug}' goes on here.")


def _passphrase(file: Path | None, *, confirm: bool) -> str:
    if file is None:
        return str(click.prompt("Passphrase of the file", hide_input=True, confirmation_prompt=confirm))
    try:
        with click.open_file(str(file), encoding="utf-8") as lines:
            return str(lines.readline()).rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise FlowChatError("no_passphrase", f"The passphrase can't be read from {file}: {error}") from None


def _counted(rows: dict[str, int]) -> str:
    return ", ".join(f"{rows.get(table, 0):,} {noun}" for table, noun in _TOLD.items())


def _with_context(work: Callable[[Context, Actor], Awaitable[T]]) -> T:
    """Do that in the data folder, as its operator; beside a running appliance or without one."""

    async def run() -> T:
        async with open_context(settings) as app:
            return await work(app, await service.actor_for_cli(app.db, None))

    settings = settings_table.load()
    prepare_folder(settings)
    return asyncio.run(run())
