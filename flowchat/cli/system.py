"""`flowchat serve`, `worker`, `check` and `settings`."""

import asyncio
import logging
import sys
from dataclasses import asdict, replace

import click

from flowchat import app, logs, worker_process
from flowchat import settings as settings_table
from flowchat.cli.models import pull_missing
from flowchat.cli.options import json_option, print_json, print_table
from flowchat.errors import FlowChatError
from flowchat.services import check as check_service
from flowchat.settings import Settings


@click.command()
@click.option("--host", help="Address to listen on.  [default: FLOWCHAT_HOST]")
@click.option("--port", type=click.IntRange(0, 65535), help="Port; 0 takes any free one.  [default: FLOWCHAT_PORT]")
def serve(host: str | None, port: int | None) -> None:
    """Run the appliance until it is told to stop (Ctrl-C, SIGTERM)."""
    settings = settings_table.load()
    settings = replace(
        settings, host=settings.host if host is None else host, port=settings.port if port is None else port
    )
    log_to_stderr(settings)
    app.serve(settings, pull_missing, click.echo)


@click.command()
@click.option("--jobs", default=1, show_default=True, type=click.IntRange(1, 32), help="Jobs at the same time.")
def worker(jobs: int) -> None:
    """Crawl and index for the FlowChat that serves this data folder, until it stops, or Ctrl-C or SIGTERM."""
    settings = settings_table.load()
    log_to_stderr(settings)
    worker_process.work(settings, jobs, click.echo)


def log_to_stderr(settings: Settings) -> None:
    """As the settings say. Raises FlowChatError for a level that is none."""
    level = logging.getLevelNamesMapping().get(settings.log_level.upper())
    if level is None:
        raise FlowChatError(
            "bad_setting", f"FLOWCHAT_LOG_LEVEL must be DEBUG, INFO, WARNING or ERROR, not '{settings.log_level}'."
        )
    logs.set_up(level, "json" if settings.log_format == "json" else "text", settings.secrets)


@click.command()
def check() -> None:
    """Cross-check database, full-text index, vectors and model files. Exit code 1 if something is wrong."""

    async def run() -> list[str]:
        async with app.open_context(settings) as context:
            return await check_service.check(context.db)

    settings = settings_table.load()
    app.prepare_folder(settings)
    problems = asyncio.run(run()) + check_service.check_models(settings)
    for problem in problems:
        click.echo(problem)
    click.echo(f"{len(problems)} problems found." if problems else "All is well.", err=bool(problems))
    sys.exit(1 if problems else 0)


@click.command("settings")
@json_option
def show_settings(as_json: bool) -> None:
    """Every setting with its present value."""
    rows = settings_table.describe(settings_table.load())
    if as_json:
        print_json([asdict(row) for row in rows])
        return
    print_table(
        ("variable", "value", "what it is"),
        [
            (row.variable, row.value, row.help + (f" [default: {row.default}]" if row.default != row.value else ""))
            for row in rows
        ],
    )
