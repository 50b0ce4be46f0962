"""`flowchat crawl`: through the running appliance, or on its own where none runs."""

import asyncio
import sys
from dataclasses import asdict, replace

import click

from flowchat import settings as settings_table
from flowchat.app import holder, holding, open_appliance, open_context
from flowchat.cli.models import pull_missing
from flowchat.cli.options import json_option, print_json, tenant_option
from flowchat.cli.progress import Meter
from flowchat.domain import Actor, Job, Source
from flowchat.engines.generators import EXTRACTIVE
from flowchat.errors import Conflict, FlowChatError, NotFound
from flowchat.services import jobs, sources, startup, validate, worker
from flowchat.services.context import Context
from flowchat.services.source_requests import MAX_PAGES, NewSource, RecrawlRequest
from flowchat.services.tenants import actor_for_cli
from flowchat.services.views.sources import JobView
from flowchat.settings import Settings
from flowchat.store.migrate import migrate

POLL_S = 0.3


@click.command()
@click.argument("url")
@click.option("--slug", help="Name of the source in addresses and options.  [default: from the host]")
@click.option("--name", help="Name of the source for people.")
@click.option(
    "--max-pages",
    type=click.IntRange(1, MAX_PAGES),
    help="Index at most so many pages. A new source keeps this; for one that exists it counts this once.",
)
@click.option("--wait", is_flag=True, help="Wait until it is done.  [always so where no appliance runs]")
@tenant_option
@json_option
def crawl(
    url: str, slug: str | None, name: str | None, max_pages: int | None, wait: bool, tenant: str | None, as_json: bool
) -> None:
    """Crawl a site into a source, or again into the source that has this URL."""
    settings = settings_table.load()
    given = {"url": sources.crawl_url(url), "slug": slug, "name": name, "max_pages": max_pages}
    new = validate.read(given, NewSource)
    present = holder(settings.data_dir)
    if present is not None and present.url:
        job = asyncio.run(_through_appliance(settings, new, tenant, wait))
    else:
        job = _alone(settings, new, tenant)
    _report(job, as_json)


async def _through_appliance(settings: Settings, new: NewSource, tenant: str | None, wait: bool) -> Job:
    async with open_context(settings) as app:
        actor = await actor_for_cli(app.db, tenant)
        job = await _begin(app, actor, new)
        return await _follow(app, actor, job) if wait else job


def _alone(settings: Settings, new: NewSource, tenant: str | None) -> Job:
    settings = replace(settings, generator=EXTRACTIVE)  # a crawl doesn't need that much memory
    with holding(settings.data_dir):
        migrate(settings.database_path)
        pull_missing(settings)
        return asyncio.run(_run_here(settings, new, tenant))


async def _run_here(settings: Settings, new: NewSource, tenant: str | None) -> Job:
    async with open_appliance(settings) as (app, _):
        actor = await actor_for_cli(app.db, tenant)
        await startup.resume_jobs(app)
        job = await _begin(app, actor, new)
        following = asyncio.create_task(_follow(app, actor, job, is_here=True))
        await worker.run(app, job.id)
        return await following


async def _begin(app: Context, actor: Actor, new: NewSource) -> Job:
    """The job that crawls this URL: a new one, or the one that is at it already."""
    source = await _present(app, actor, new)
    if source is None:
        source, job = await sources.create(app, actor, new)
        click.echo(f"New source '{source.slug}'. Ask it with: flowchat ask --source {source.slug} QUESTION", err=True)
    elif source.url == new.url:
        job = await jobs.active(app, actor, source)
    else:
        there = source.url or "a source that is not crawled"
        raise Conflict("slug_taken", f"'{source.slug}' is {there}. Choose another --slug.")
    return job or await sources.recrawl(app, actor, source.id, RecrawlRequest(max_pages=new.max_pages))


async def _present(app: Context, actor: Actor, new: NewSource) -> Source | None:
    if new.slug is None:
        return await sources.by_url(app, actor, new.url or "")
    try:
        return await sources.get(app, actor, new.slug)
    except NotFound:
        return None


async def _follow(app: Context, actor: Actor, job: Job, is_here: bool = False) -> Job:
    """Show the progress of a job until it ends. Raises FlowChatError if nobody is left to do it."""
    with Meter("crawl", "pages") as meter:
        while job.status in ("queued", "running"):
            if not is_here and holder(app.settings.data_dir) is None:
                raise FlowChatError("stopped", f"The appliance has stopped. {job.id} goes on when it starts again.")
            await asyncio.sleep(POLL_S)
            job = await jobs.get(app, actor, job.id)
            progress = job.progress
            meter.show(progress.done, progress.total, f"{progress.chunks} chunks, {progress.failed} failed")
    return job


def _report(job: Job, as_json: bool) -> None:
    if as_json:
        print_json(asdict(JobView.of(job)))
    elif job.status in ("queued", "running"):
        click.echo(f"{job.id} is {job.status}. With --wait you see it work.")
    else:
        click.echo(_summary(job))
    sys.exit(1 if job.status in ("failed", "canceled") else 0)


def _summary(job: Job) -> str:
    progress = job.progress
    lines = [f"{job.id} {job.status}: {progress.indexed} pages indexed, {progress.chunks} chunks"]
    for state, reasons in progress.reasons.items():
        told = ", ".join(f"{reason} {pages}" for reason, pages in sorted(reasons.items()))
        lines.append(f"  {sum(reasons.values())} {state}: {told}")
    return "\n".join(lines + ([job.error] if job.error else []))
