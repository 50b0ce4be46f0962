"""`flowchat crawl`: through the running appliance, or on its own where none runs."""

import asyncio
import sys
from dataclasses import asdict, dataclass, replace

import click

from flowchat import settings as settings_table
from flowchat.app import holder, holding, open_context, open_workshop, without_workers
from flowchat.cli.models import pull_missing
from flowchat.cli.options import json_option, print_json, print_table, tenant_option
from flowchat.cli.progress import Meter
from flowchat.domain import Actor, Job, JobProgress, Source, SourceWarning, Version
from flowchat.engines.generators import EXTRACTIVE
from flowchat.errors import Conflict, FlowChatError, NotFound
from flowchat.services import jobs, sources, startup, validate, versions, worker
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
@click.option("--accept-removals", is_flag=True, help="This crawl may remove more than half of the pages.")
@click.option("--wait", is_flag=True, help="Wait until it is done.  [always so where no appliance runs]")
@tenant_option
@json_option
def crawl(
    url: str,
    slug: str | None,
    name: str | None,
    max_pages: int | None,
    accept_removals: bool,
    wait: bool,
    tenant: str | None,
    as_json: bool,
) -> None:
    """Crawl a site into a source, or again into the source that has this URL."""
    settings = settings_table.load()
    given = {"url": sources.crawl_url(url), "slug": slug, "name": name, "max_pages": max_pages}
    again = RecrawlRequest(max_pages=max_pages, accept_removals=accept_removals)
    wanted = _Wanted(validate.read(given, NewSource), again, tenant)
    present = holder(settings.data_dir)
    if present is not None and present.url:
        crawled = asyncio.run(_through_appliance(settings, wanted, wait))
    else:
        crawled = _alone(settings, wanted)
    _report(crawled, as_json)


@dataclass(frozen=True)
class _Wanted:
    """A crawl: of a new source, or of the one that is there already."""

    new: NewSource
    again: RecrawlRequest
    tenant: str | None


@dataclass(frozen=True)
class _Crawled:
    """What a crawl has led to. `version` is the one that it has made live."""

    job: Job
    version: Version | None = None
    warnings: tuple[SourceWarning, ...] = ()


async def _through_appliance(settings: Settings, wanted: _Wanted, wait: bool) -> _Crawled:
    async with open_context(settings) as app:
        actor = await actor_for_cli(app.db, wanted.tenant)
        job = await _begin(app, actor, wanted)
        return await _crawled(app, actor, await _follow(app, actor, job) if wait else job)


def _alone(settings: Settings, wanted: _Wanted) -> _Crawled:
    settings = replace(settings, generator=EXTRACTIVE)  # a crawl needs none
    with holding(settings.data_dir):
        with without_workers(settings.data_dir):
            migrate(settings.database_path)
        pull_missing(settings)
        return asyncio.run(_run_here(settings, wanted))


async def _run_here(settings: Settings, wanted: _Wanted) -> _Crawled:
    async with open_workshop(settings) as (app, _):
        actor = await actor_for_cli(app.db, wanted.tenant)
        await startup.resume_jobs(app)
        job = await _begin(app, actor, wanted)
        following = asyncio.create_task(_follow(app, actor, job, is_here=True))
        await worker.run(app, job.id)
        return await _crawled(app, actor, await following)


async def _begin(app: Context, actor: Actor, wanted: _Wanted) -> Job:
    """The job that crawls this URL: a new one, or the one that is at it already. A paused one goes on."""
    new = wanted.new
    source = await _present(app, actor, new)
    if source is None:
        source, job = await sources.create(app, actor, new)
        click.echo(f"New source '{source.slug}'. Ask it with: flowchat ask --source {source.slug} QUESTION", err=True)
    elif source.url == new.url:
        job = await jobs.active(app, actor, source)
    else:
        there = source.url or "a source that is not crawled"
        raise Conflict("slug_taken", f"'{source.slug}' is {there}. Choose another --slug.")
    if job is not None and job.paused_at is not None:
        click.echo(f"{job.id} was paused. It goes on now.", err=True)
        job = await jobs.resume(app, actor, job.id)
    return job or await sources.recrawl(app, actor, source.id, wanted.again)


async def _present(app: Context, actor: Actor, new: NewSource) -> Source | None:
    if new.slug is None:
        return await sources.by_url(app, actor, new.url or "")
    try:
        return await sources.get(app, actor, new.slug)
    except NotFound:
        return None


async def _follow(app: Context, actor: Actor, job: Job, is_here: bool = False) -> Job:
    """Show the progress of a job until it ends. Raises FlowChatError if nobody is left to do it."""
    with Meter("crawl") as meter:
        while job.status in ("queued", "running"):
            if not is_here and holder(app.settings.data_dir) is None:
                raise FlowChatError("stopped", f"The appliance has stopped. {job.id} goes on when it starts again.")
            await asyncio.sleep(POLL_S)
            job = await jobs.get(app, actor, job.id)
            if job.paused_at is not None:
                meter.say(f"{job.id} is paused. It goes on with POST /v1/jobs/{job.id}/resume.")
            else:
                meter.show(job.progress.done, job.progress.total, _state(job.progress))
    return job


def _state(progress: JobProgress) -> str:
    told = []
    if progress.pages_per_s is not None and progress.remaining_s is not None:
        told = [f"{progress.pages_per_s:.1f} pages/s", f"{_duration(progress.remaining_s)} left"]
    for name, number in (
        ("found", progress.total),
        ("fetched", progress.fetched),
        ("indexed", progress.indexed),
        ("skipped", progress.skipped),
        ("failed", progress.failed),
    ):
        told.append(f"{number} {name}")
    return ", ".join(told)


def _duration(seconds: int) -> str:
    if seconds < 100:
        return f"{seconds} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.0f} h"


async def _crawled(app: Context, actor: Actor, job: Job) -> _Crawled:
    if job.status != "succeeded" or job.source_id is None or job.version_id is None:
        return _Crawled(job)
    source = await sources.get(app, actor, job.source_id)
    return _Crawled(job, await versions.get(app, actor, source.id, job.version_id), source.warnings)


def _report(crawled: _Crawled, as_json: bool) -> None:
    job = crawled.job
    if as_json:
        print_json(asdict(JobView.of(job)))
    elif job.status in ("queued", "running"):
        click.echo(f"{job.id} is {job.status}. With --wait you see it work.")
    else:
        _print_summary(crawled)
    for warning in crawled.warnings:
        click.echo(f"Note: {warning.message}", err=True)
    sys.exit(1 if job.status in ("failed", "canceled") else 0)


def _print_summary(crawled: _Crawled) -> None:
    job, version = crawled.job, crawled.version
    progress = job.progress
    chunks = f"{progress.chunks} chunks ({progress.embedded} embedded)"
    click.echo(f"{job.id} {job.status}: {progress.indexed} pages indexed, {chunks}")
    if version is not None and version.former is not None:
        added, changed, removed = version.added or 0, version.changed or 0, version.removed or 0
        unchanged = version.pages - added - changed
        click.echo(f"Pages: {added} added, {changed} changed, {removed} removed, {unchanged} unchanged")
    if job.error:
        click.echo(job.error)
    counted = [
        (number, outcome, reason) for outcome, reasons in progress.reasons.items() for reason, number in reasons.items()
    ]
    if counted:
        rows: list[tuple[str, ...]] = [(f"{number:5}", *told) for number, *told in sorted(counted, reverse=True)]
        click.echo()
        print_table(("pages", "outcome", "reason"), rows)
