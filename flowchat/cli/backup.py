"""`flowchat backup`, `restore` and `release`."""

import asyncio
from pathlib import Path
from typing import cast

import click

from flowchat import app
from flowchat import settings as settings_table
from flowchat.cli.options import json_option, print_json, print_table
from flowchat.cli.progress import Meter
from flowchat.domain import OlderOutbox
from flowchat.services import backup_archive, backup_files, backup_making, backup_uploads, outboxes, restoring
from flowchat.services.backup_archive import Manifest
from flowchat.services.tenants import actor_for_cli
from flowchat.settings import Settings


@click.command()
@click.argument("path", required=False, type=click.Path(path_type=Path))
@click.option("--list", "is_list", is_flag=True, help="Only list the backups on the disk and at S3.")
@json_option
def backup(path: Path | None, is_list: bool, as_json: bool) -> None:
    """Back the database up, beside a running FlowChat, too.

    PATH is a file, or a folder that exists. Without it the backup goes to the folder of backups, and to S3 where a
    bucket is set, and stays until somebody deletes it. The file secret.key is not in it: keep that elsewhere.
    """
    settings = settings_table.load()
    if is_list:
        _list(settings, as_json)
        return
    if path is not None and path.is_dir():
        path = path / f"{backup_files.new_name(settings, is_kept=True)}{backup_files.SUFFIX}"
    with Meter("backup", "B") as meter:
        made = backup_making.make(settings, lambda step, done, total: meter.show(done, total), target=path)
    if path is None and settings.backup_s3_bucket:
        backup_uploads.upload_missing(settings)
    _tell(made, as_json)


def _tell(made: Path, as_json: bool) -> None:
    manifest = backup_archive.read_manifest(made)
    told = {
        "path": str(made),
        "bytes": made.stat().st_size,
        "created_at": manifest.created_at,
        "schema": manifest.schema,
        "database_bytes": manifest.database.bytes,
        "sha256": manifest.database.sha256,
    }
    if as_json:
        print_json(told)
    else:
        click.echo(f"{made}: {told['bytes']:,} bytes, verified.")


def _list(settings: Settings, as_json: bool) -> None:
    here = {found.name: found for found in backup_files.stored(settings)}
    there = set(backup_uploads.names(settings)) if settings.backup_s3_bucket else set()
    names = sorted(here.keys() | there, reverse=True)
    rows = [
        {
            "name": name,
            "bytes": here[name].bytes if name in here else None,
            "on_disk": name in here,
            "at_s3": name in there,
            "error": here[name].error if name in here else None,
        }
        for name in names
    ]
    if as_json:
        print_json(rows)
        return
    print_table(
        ("name", "MB", "on disk", "at S3"),
        [
            (
                str(row["name"]),
                f"{cast(int, row['bytes']) / 1e6:.1f}" if row["on_disk"] else "",
                "damaged" if row["error"] else "yes" if row["on_disk"] else "no",
                "yes" if row["at_s3"] else "no",
            )
            for row in rows
        ],
    )


@click.command()
@click.argument("path")
@click.option("--yes", is_flag=True, help="Don't ask.")
@click.option("--without-key", is_flag=True, help="Restore although secret.key is missing or another one.")
def restore(path: str, yes: bool, without_key: bool) -> None:
    """Put a backup in the place of the database. FlowChat must not be running.

    PATH is a file, the name of one in the folder of backups, or s3:NAME. All of it is checked first. The former
    database is kept beside the new one; keys that were revoked stay revoked; webhooks, e-mails and usage for Stripe are
    held back until `flowchat release`.
    """
    settings = settings_table.load()
    with app.holding(settings.data_dir), app.without_workers(settings.data_dir):
        found = _found(settings, path)
        manifest = restoring.read(found)
        if (problem := restoring.key_problem(settings, manifest)) is not None and without_key:
            click.echo(f"Warning: {problem}", err=True)
        if not yes:
            click.confirm(_question(settings, manifest), abort=True, err=True)
        restored = asyncio.run(
            restoring.restore(settings, found, lambda text: click.echo(f"{text} …", err=True), without_key=without_key)
        )
    click.echo(f"Restored {found.name} of {restored.manifest.created_at}.")
    if restored.former is not None:
        click.echo(f"The former database is {restored.former}: delete it once all is well.")
    click.echo("Webhooks, e-mails and usage for Stripe are held back until `flowchat release`, or the page Backups.")


def _found(settings: Settings, path: str) -> Path:
    if path.startswith(backup_uploads.SCHEME):
        with Meter("fetch", "B") as meter:
            name = path.removeprefix(backup_uploads.SCHEME)
            return backup_uploads.fetch(settings, name, lambda step, done, total: meter.show(done, total))
    file = Path(path)
    named = backup_files.path_of(settings, path.removesuffix(backup_files.SUFFIX))
    return named if not file.exists() and named.exists() else file


def _question(settings: Settings, manifest: Manifest) -> str:
    rows = ", ".join(f"{count:,} {table.replace('_', ' ')}" for table, count in manifest.rows.items() if count)
    told = f"A backup of {manifest.created_at}, {manifest.database.bytes / 1e6:,.1f} MB: {rows}."
    if not settings.database_path.exists():
        return f"{told}\nRestore it into {settings.data_dir}?"
    return (
        f"{told}\nIt replaces the database in {settings.data_dir}. What was written since then is not in it. Restore?"
    )


@click.command()
@click.option(
    "--older",
    type=click.Choice(["send", "drop"]),
    required=True,
    help="What becomes of webhooks and e-mails that were waiting when the backup was made.",
)
def release(older: str) -> None:
    """Send again what is held back since a backup was restored.

    The replaced database may have sent what is older than the backup: receivers of webhooks know it by the event's id.
    """

    async def run() -> outboxes.Outboxes:
        async with app.open_context(settings) as context:
            actor = await actor_for_cli(context.db, None)
            return await outboxes.release(context, actor, outboxes.Releasing(older=cast(OlderOutbox, older)))

    settings = settings_table.load()
    app.prepare_folder(settings)
    found = asyncio.run(run())
    click.echo(f"Released: {found.webhooks.newer} webhooks and {found.emails.newer} e-mails are on their way.")
    if found.parked:
        click.echo(f"{found.parked} hours of usage wait for `flowchat billing reconcile --apply`, which asks Stripe.")
