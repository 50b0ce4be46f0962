"""Sources: sites that are crawled into versions."""

import re
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from flowchat.domain import Actor, CrawlConfig, Job, JobType, Source, new_id, now
from flowchat.errors import Conflict, FlowChatError, NotFound
from flowchat.net import urls
from flowchat.services import validate
from flowchat.services.access import require
from flowchat.services.context import Context
from flowchat.services.lists import DEFAULT_LIMIT, read_page
from flowchat.store import audit_log, jobs, sources, versions
from flowchat.store.database import Connection

MAX_NAME_CHARS = 200
MAX_PATTERNS = 100
_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")
_NOT_YET = ("sitemap", "schedule", "auth")  # fields of the contract


@dataclass(frozen=True, slots=True)
class NewSource:
    """A site to be crawled. Without a slug it gets one from its host; without a name, the host's."""

    url: str
    slug: str | None = None
    name: str | None = None
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    max_pages: int | None = None
    max_depth: int | None = None
    locale: str = "en"


def read_new(payload: Any) -> NewSource:
    """A source as its client sent it. Raises FlowChatError that names the field, also for what can't be done yet."""
    if isinstance(payload, dict):
        for field in _NOT_YET:
            if payload.get(field) is not None:
                raise validate.invalid(field, f"{field} is not supported yet. Leave it out.")
        if payload.get("url") is None:
            raise validate.invalid("url", "url is missing; a source that is not crawled is not supported yet.")
    return validate.read(payload, NewSource)


async def create(app: Context, actor: Actor, new: NewSource) -> tuple[Source, Job]:
    """Make a source and queue its first crawl.

    Raises FlowChatError naming the field at fault, and Conflict `slug_taken`.
    """
    require(actor, "write")
    url = crawl_url(new.url)
    host = urlsplit(url).netloc
    source = Source(
        id=new_id("src"),
        tenant_id=actor.tenant_id,
        slug=_slug(new.slug) if new.slug is not None else slug_of(url),
        name=validate.name(new.name or host, MAX_NAME_CHARS),
        url=url,
        status="pending",
        locale=validate.locale(new.locale),
        config=_config(new),
        live_version=None,
        pages=0,
        chunks=0,
        last_crawl=None,
        created_at=now(),
    )

    def transaction(conn: Connection) -> tuple[Source, str]:
        taken = sources.slugs(conn, actor.tenant_id)
        if new.slug is not None and source.slug in taken:
            raise Conflict(
                "slug_taken", f"There is a source '{source.slug}' already. Choose another slug.", param="slug"
            )
        named = replace(source, slug=_free_slug(source.slug, taken))
        sources.insert(conn, named)
        audit_log.insert(conn, actor, "sources.create", named.id, slug=named.slug, url=url)
        return named, queue(app, conn, named, "crawl")

    created, job_id = await app.db.write(transaction)
    app.wake(job_id)
    return created, await _job(app, job_id)


def crawl_url(text: str) -> str:
    """The normalised URL of a site. Raises FlowChatError `bad_url`."""
    url = urls.normalise(text.strip())
    if url is None:
        raise FlowChatError(
            "bad_url", f"'{text[:200]}' can't be crawled: give an address like https://example.com/docs/.", param="url"
        )
    return url


def slug_of(url: str) -> str:
    """The slug of a source that was given none, before it is made unique."""
    host = urlsplit(url).netloc.removeprefix("www.")
    return re.sub("[^a-z0-9]+", "-", host).strip("-")[:60] or "source"


def _slug(slug: str) -> str:
    if not _SLUG.fullmatch(slug):
        raise FlowChatError(
            "bad_slug", "A slug has 1 to 64 lower-case letters, digits and hyphens (not at its ends).", param="slug"
        )
    return slug


def _free_slug(slug: str, taken: set[str]) -> str:
    number, free = 1, slug
    while free in taken:
        number += 1
        free = f"{slug}-{number}"
    return free


def _config(new: NewSource) -> CrawlConfig:
    for field in ("include", "exclude"):
        if len(getattr(new, field)) > MAX_PATTERNS:
            raise FlowChatError("too_many_patterns", f"Give at most {MAX_PATTERNS} patterns.", param=field)
    if new.max_depth is not None and new.max_depth < 0:
        raise FlowChatError("bad_max_depth", "max_depth must be 0 (only the first page) or more.", param="max_depth")
    return CrawlConfig(new.include, new.exclude, _max_pages(new.max_pages), new.max_depth)


def _max_pages(max_pages: int | None) -> int | None:
    if max_pages is not None and max_pages < 1:
        raise FlowChatError("bad_max_pages", "max_pages must be 1 or more.", param="max_pages")
    return max_pages


def queue(app: Context, conn: Connection, source: Source, job_type: JobType, content_hash: str | None = None) -> str:
    """A new version of the source and the job that builds it, in the caller's transaction. Raises Conflict."""
    active = jobs.active_id(conn, source.id)
    if active is not None:
        raise Conflict("job_active", f"The job {active} is at work on '{source.slug}'. Wait for it, or cancel it.")
    version_id = versions.insert(conn, source.id, app.settings.embedder, content_hash)
    return jobs.insert(conn, source.tenant_id, job_type, source.id, version_id)


async def _job(app: Context, job_id: str) -> Job:
    job = await jobs.get(app.db, job_id)
    if job is None:
        raise NotFound("job", job_id)
    return job


async def get(app: Context, actor: Actor, id_or_slug: str) -> Source:
    """Raises NotFound."""
    require(actor, "read")
    source = await sources.get(app.db, actor.tenant_id, id_or_slug)
    if source is None:
        raise NotFound("source", id_or_slug)
    return source


async def list_page(
    app: Context, actor: Actor, limit: int = DEFAULT_LIMIT, starting_after: str = "", ending_before: str = ""
) -> tuple[list[Source], bool]:
    """Newest first, and whether there are more. Raises FlowChatError for a bad limit or cursor."""
    require(actor, "read")

    async def fetch(count: int) -> list[Source]:
        return await sources.page(
            app.db, actor.tenant_id, limit=count, starting_after=starting_after, ending_before=ending_before
        )

    return await read_page(fetch, limit, starting_after, ending_before)


async def slugs(app: Context, actor: Actor) -> dict[str, str]:
    """{id: slug} of all the tenant's sources that answer."""
    require(actor, "read")
    return {source.id: source.slug for source in await sources.answering(app.db, actor.tenant_id)}


async def by_url(app: Context, actor: Actor, url: str) -> Source | None:
    """The tenant's oldest source that crawls this address (as `crawl_url` returns it)."""
    require(actor, "read")
    found = [source for source in await sources.answering(app.db, actor.tenant_id) if source.url == url]
    return await sources.get(app.db, actor.tenant_id, found[0].id) if found else None


async def recrawl(app: Context, actor: Actor, id_or_slug: str, max_pages: int | None = None) -> Job:
    """Queue a crawl into a new version; `max_pages` also becomes the source's. The live version stays until then.

    Raises NotFound, Conflict `job_active`, and FlowChatError `no_url` for a source that is not crawled.
    """
    require(actor, "write")
    source = await get(app, actor, id_or_slug)
    if source.url is None:
        raise FlowChatError("no_url", f"The source '{source.slug}' has no address to crawl.")
    config = replace(source.config, max_pages=_max_pages(max_pages) or source.config.max_pages)

    def transaction(conn: Connection) -> str:
        sources.set_config(conn, source.id, config)
        audit_log.insert(conn, actor, "sources.recrawl", source.id)
        return queue(app, conn, source, "crawl")

    job_id = await app.db.write(transaction)
    app.wake(job_id)
    return await _job(app, job_id)
