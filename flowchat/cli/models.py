"""`flowchat models`: what there is, fetching it, checking it."""

import sys
from dataclasses import asdict

import click

from flowchat import settings as settings_table
from flowchat.cli.options import json_option, print_json, print_table
from flowchat.cli.progress import Meter
from flowchat.engines.pulling import pull
from flowchat.engines.registry import ModelSpec, find_model, installed, verify
from flowchat.errors import ModelError
from flowchat.services.models import needed, states
from flowchat.services.views.machine import ModelView
from flowchat.settings import Settings


def pull_missing(settings: Settings) -> None:
    """Fetch the models that the settings name and that are not there.

    Raises ModelError, but not for the generator, without which answers are quotes.
    """
    for spec in needed(settings):
        if installed(spec, settings.models_path) is not None:
            continue
        try:
            pull_one(spec, settings)
        except ModelError as error:
            if spec.role != "generator":
                raise
            click.echo(f"{error.message} Until then, answers only quote.", err=True)


def pull_one(spec: ModelSpec, settings: Settings) -> None:
    with Meter(spec.name, "B") as meter:
        pull(spec, settings.models_path, settings.hf_endpoint, lambda _, done, total: meter.show(done, total))


@click.group()
def models() -> None:
    """The models on this machine."""


@models.command("list")
@json_option
def list_models(as_json: bool) -> None:
    """All known models; * marks those that the settings name."""
    rows = [ModelView.of(state) for state in states(settings_table.load())]
    if as_json:
        print_json([asdict(row) for row in rows])
        return
    print_table(
        ("", "name", "role", "size", "installed", "licence"),
        [
            (
                "*" if row.used else "",
                row.name,
                row.role,
                f"{row.bytes / 1e6:.0f} MB",
                "yes" if row.installed else "no",
                row.licence,
            )
            for row in rows
        ],
    )


@models.command("pull")
@click.argument("names", metavar="[NAME]...", nargs=-1)
def pull_models(names: tuple[str, ...]) -> None:
    """Fetch and verify models: those named, or those that the settings name."""
    settings = settings_table.load()
    for spec in [find_model(name, models_path=settings.models_path) for name in names] or needed(settings):
        pull_one(spec, settings)
        click.echo(f"{spec.name}: ok")


@models.command("verify")
@click.argument("names", metavar="[NAME]...", nargs=-1)
def verify_models(names: tuple[str, ...]) -> None:
    """Check every byte of models: those named, or those that the settings name."""
    settings = settings_table.load()
    failed = False
    for spec in [find_model(name, models_path=settings.models_path) for name in names] or needed(settings):
        try:
            verify(spec, settings.models_path)
            click.echo(f"{spec.name}: ok")
        except ModelError as error:
            failed = True
            click.echo(f"{spec.name}: {error.message}", err=True)
    sys.exit(1 if failed else 0)
