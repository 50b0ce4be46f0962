"""`flowchat models`: what there is, fetching it, checking it."""

import sys

import click

from flowchat import settings as settings_table
from flowchat.cli.options import json_option, print_json, print_table
from flowchat.cli.progress import Meter
from flowchat.engines.generators import EXTRACTIVE
from flowchat.engines.registry import ModelSpec, find_model, installed, load_registry, pull, verify
from flowchat.errors import ModelError
from flowchat.settings import Settings


def needed(settings: Settings) -> list[ModelSpec]:
    """The models that the settings name. Raises ModelError for an unknown one."""
    specs = [
        find_model(settings.embedder, "embedder"),
        find_model(settings.reranker, "reranker"),
        find_model(settings.verifier, "verifier"),
    ]
    if settings.generator != EXTRACTIVE and not settings.generator.startswith("openai:"):
        specs.append(find_model(settings.generator, "generator"))
    return specs


def pull_missing(settings: Settings) -> None:
    """Fetch the models that the settings name and that are not there. Raises ModelError."""
    for spec in needed(settings):
        if installed(spec, settings.models_path) is None:
            pull_one(spec, settings)


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
    settings = settings_table.load()
    used = {spec.name for spec in needed(settings)}
    rows = [
        {
            "name": spec.name,
            "role": spec.role,
            "bytes": spec.bytes,
            "licence": spec.licence,
            "installed": installed(spec, settings.models_path) is not None,
            "used": spec.name in used,
        }
        for spec in load_registry().values()
    ]
    if as_json:
        print_json(rows)
        return
    print_table(
        ("", "name", "role", "size", "installed", "licence"),
        [
            (
                "*" if row["used"] else "",
                str(row["name"]),
                str(row["role"]),
                f"{int(str(row['bytes'])) / 1e6:.0f} MB",
                "yes" if row["installed"] else "no",
                str(row["licence"]),
            )
            for row in rows
        ],
    )


@models.command("pull")
@click.argument("names", metavar="[NAME]...", nargs=-1)
def pull_models(names: tuple[str, ...]) -> None:
    """Fetch and verify models: those named, or those that the settings name."""
    settings = settings_table.load()
    for spec in [find_model(name) for name in names] or needed(settings):
        pull_one(spec, settings)
        click.echo(f"{spec.name}: ok")


@models.command("verify")
@click.argument("names", metavar="[NAME]...", nargs=-1)
def verify_models(names: tuple[str, ...]) -> None:
    """Check every byte of models: those named, or those that the settings name."""
    settings = settings_table.load()
    failed = False
    for spec in [find_model(name) for name in names] or needed(settings):
        try:
            verify(spec, settings.models_path)
            click.echo(f"{spec.name}: ok")
        except ModelError as error:
            failed = True
            click.echo(f"{spec.name}: {error.message}", err=True)
    sys.exit(1 if failed else 0)
