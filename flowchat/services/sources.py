"""Sources: sites that are crawled into versions, and sets of uploaded documents."""

from dataclasses import replace
from typing import TypeVar
from urllib.parse import urlsplit

from msgspec import UNSET, UnsetType

from flowchat.domain import Actor, CrawlConfig, Job, Source, new_id, now
from flowchat.errors import Conflict, FlowChatError, Forbidden, NotFound
from flowchat.ingest import ending, page_quota
from flowchat.net import urls
from flowchat.services import disk, source_auth
from flowchat.services.access import require
from flowchat.services.context import Context
from flowchat.services.lists import Listed, ListRequest, read_page
from flowchat.services.operations import operation
from flowchat.services.queueing import next_crawl, queue
from flowchat.services.slugs import default_slug, free_slug
from flowchat.services.source_requests import Auth, NewSource, RecrawlRequest, SourceChange
from flowchat.services.source_warnings import warned
from flowchat.store import audit_log, events, jobs, sources, subscriptions
from flowchat.store.database import Connection

T = TypeVar("T")
_WHOLE = RecrawlRequest()


@operation("sources.list", "read")
async def list_page(app: Context, actor: Actor, request: ListRequest) -> Listed[Source]:
    """List the sources, newest first."""
    listed = await read_page(request, lambda cursor: sources.page(app.db, actor.tenant_id, cursor))
    return replace(listed, items=[warned(app.settings, source) for source in listed.items])


@operation("sources.get", "read")
async def get(app: Context, actor: Actor, id_or_slug: str) -> Source:
    """Show a source, by its id or slug. Raises NotFound."""
    source = await sources.get(app.db, actor.tenant_id, id_or_slug)
    if source is None:
        raise NotFound("source", id_or_slug)
    return warned(app.settings, source)


async def find(app: Context, actor: Actor, id_or_slug: str) -> Source:
    """The source that a call about its pages, versions or documents names, uncounted. Raises NotFound."""
    require(actor, "read")
    source = await sources.get(app.db, actor.tenant_id, id_or_slug, is_counted=False)
    if source is None:
        raise NotFound("source", id_or_slug)
    return source


async def list_answering(app: Context, actor: Actor) -> list[Source]:
    """All the tenant's sources that are not revoked, oldest first, uncounted."""
    require(actor, "read")
    return await sources.answering(app.db, actor.tenant_id)


async def by_url(app: Context, actor: Actor, url: str) -> Source | None:
    """The tenant's oldest source that crawls this address (as `crawl_url` returns it)."""
    require(actor, "read")
    found = [source for source in await sources.answering(app.db, actor.tenant_id) if source.url == url]
    return await sources.get(app.db, actor.tenant_id, found[0].id) if found else None


@operation("sources.create", "write")
async def create(app: Context, actor: Actor, new: NewSource) -> tuple[Source, Job | None]:
    """Create a source and start its first crawl. Without `url` and `sitemap` it waits for documents to be uploaded.

    Raises FlowChatError naming the field at fault, Conflict `slug_taken` or `no_url`, Forbidden `plan_limit_reached`,
    and FlowChatError `quota_exceeded` where the plan has no pages left for its crawl, or `disk_low`.
    """
    source = draft(app, actor, new)
    disk.require_room(app)

    def transaction(conn: Connection) -> tuple[Source, str | None]:
        taken = sources.slugs(conn, actor.tenant_id)
        if new.slug is not None and new.slug in taken:
            raise _slug_taken(new.slug)
        _require_room(conn, actor.tenant_id)
        named = replace(source, slug=free_slug(source.slug, taken))
        sources.insert(conn, named)
        audit_log.insert(conn, actor, "sources.create", named.id, slug=named.slug, url=named.url)
        job_id = _queue_crawl(app, conn, named, _WHOLE) if named.url else None
        return _find(conn, actor, named.id), job_id

    created, job_id = await app.db.write(transaction)
    if job_id is None:
        return created, None
    app.wake(job_id)
    return created, await _job(app, job_id)


def _require_room(conn: Connection, tenant_id: str) -> None:
    """Raises Forbidden `plan_limit_reached` where the tenant has as many sources as its plan allows."""
    plan = subscriptions.plan_now(conn, tenant_id)
    most = plan.max_sources if plan else None
    if plan is not None and most is not None and sources.count_now(conn, tenant_id) >= most:
        many = "1 source" if most == 1 else f"{most} sources"
        message = f"The plan {plan.name} has room for {many}. Delete one, or choose a larger plan."
        raise Forbidden("plan_limit_reached", message)


def _queue_crawl(app: Context, conn: Connection, source: Source, request: RecrawlRequest) -> str:
    """The id of its job. Raises FlowChatError `quota_exceeded`, and Conflict `job_active`."""
    job_id = queue(
        conn,
        source,
        "crawl",
        app.settings.embedder,
        max_pages=request.max_pages,
        accept_removals=request.accept_removals,
    )
    page_quota.require_any(conn, source.tenant_id)
    return job_id


def draft(app: Context, actor: Actor, new: NewSource) -> Source:
    """The source that a request describes, before it is stored. Raises FlowChatError naming the field at fault."""
    url = _root(new)
    if url is None:
        for field in ("schedule", "auth"):
            if getattr(new, field) is not None:
                raise _no_url(field)
    name = (new.name or "").strip() or (urlsplit(url).netloc if url else "Documents")
    return Source(
        id=new_id("src"),
        tenant_id=actor.tenant_id,
        slug=new.slug or default_slug(url, name),
        name=name,
        url=url,
        status="pending",
        locale=new.locale,
        config=CrawlConfig(new.include, new.exclude, new.max_pages, new.max_depth),
        live_version=None,
        pages=0,
        chunks=0,
        last_crawl=None,
        created_at=now(),
        schedule=new.schedule,
        sitemap=crawl_url(new.sitemap, "sitemap") if new.sitemap else None,
        auth=source_auth.seal(app.settings.data_dir, new.auth) if new.auth else None,
    )


def _root(new: NewSource) -> str | None:
    if new.url is not None:
        return crawl_url(new.url)
    if new.sitemap is not None:
        parts = urlsplit(crawl_url(new.sitemap, "sitemap"))
        return f"{parts.scheme}://{parts.netloc}/"
    return None


def crawl_url(text: str, param: str = "url") -> str:
    """The normalised URL of a site. Raises FlowChatError `bad_url`."""
    url = urls.normalise(text.strip())
    if url is None:
        raise FlowChatError(
            "bad_url", f"'{text[:200]}' can't be crawled: give an address like https://example.com/docs/.", param=param
        )
    return url


@operation("sources.update", "write")
async def update(app: Context, actor: Actor, id_or_slug: str, change: SourceChange) -> Source:
    """Change a source. Raises NotFound, and Conflict `slug_taken`, `no_url`, `source_revoked` or `builtin_source`."""
    auth = source_auth.seal(app.settings.data_dir, change.auth) if isinstance(change.auth, Auth) else change.auth

    def transaction(conn: Connection) -> str:
        source = _find(conn, actor, id_or_slug)
        changed = _changed(source, change, auth)
        if changed.slug != source.slug and changed.slug in sources.slugs(conn, actor.tenant_id):
            raise _slug_taken(changed.slug)
        sources.update(conn, changed)
        fields = [name for name in change.__struct_fields__ if getattr(change, name) is not UNSET]
        audit_log.insert(conn, actor, "sources.update", source.id, fields=fields)
        return source.id

    return await get(app, actor, await app.db.write(transaction))


def _changed(source: Source, change: SourceChange, auth: str | UnsetType | None) -> Source:
    """The source as it is to be. `auth` is sealed."""
    require_answering(source)
    if source.is_builtin and change.slug not in (UNSET, source.slug):
        raise Conflict("builtin_source", "The homepage asks FlowChat's own documentation by its slug.", param="slug")
    if source.url is None:
        for field in ("url", "sitemap", "schedule", "auth"):
            if getattr(change, field) not in (UNSET, None):
                raise _no_url(field)
    url = crawl_url(change.url) if change.url is not UNSET else source.url
    if auth is UNSET:
        auth = source.auth if _origin(url) == _origin(source.url) else None
    schedule = _given(change.schedule, source.schedule)
    due = source.next_crawl
    if schedule != source.schedule:
        due = next_crawl(schedule) if schedule else None
    return replace(
        source,
        slug=_given(change.slug, source.slug),
        name=_given(change.name, "").strip() or source.name,
        url=url,
        locale=_given(change.locale, source.locale),
        config=CrawlConfig(
            _given(change.include, source.config.include),
            _given(change.exclude, source.config.exclude),
            _given(change.max_pages, source.config.max_pages),
            _given(change.max_depth, source.config.max_depth),
        ),
        schedule=schedule,
        next_crawl=due,
        sitemap=crawl_url(change.sitemap, "sitemap") if change.sitemap else _given(change.sitemap, source.sitemap),
        auth=auth,
    )


def _given(sent: T | UnsetType, present: T) -> T:
    return present if isinstance(sent, UnsetType) else sent


def _origin(url: str | None) -> tuple[str, str]:
    parts = urlsplit(url or "")
    return parts.scheme, parts.netloc


@operation("sources.recrawl", "write")
async def recrawl(app: Context, actor: Actor, id_or_slug: str, request: RecrawlRequest = _WHOLE) -> Job:
    """Queue a crawl into a new version. The live version answers until that is indexed.

    The documents of a source that is not crawled are indexed anew. Raises NotFound, Conflict `job_active` or
    `source_revoked`, and FlowChatError `quota_exceeded` where the plan has no pages left, or `disk_low`.
    """
    disk.require_room(app)

    def transaction(conn: Connection) -> str:
        source = _find(conn, actor, id_or_slug)
        require_answering(source)
        audit_log.insert(conn, actor, "sources.recrawl", source.id)
        if source.url is not None:
            return _queue_crawl(app, conn, source, request)
        if source.is_builtin:
            return queue(conn, source, "index_docs", app.settings.embedder)
        return queue(conn, source, "index_documents", app.settings.embedder)

    job_id = await app.db.write(transaction)
    app.wake(job_id)
    return await _job(app, job_id)


@operation("sources.revoke", "write", while_read_only=True)
async def revoke(app: Context, actor: Actor, id_or_slug: str) -> Source:
    """Stop a source from answering, at once and for good; its content is deleted in the background.

    Answers in the making that use it end with an error, its job is canceled. Doing it again changes nothing.
    Raises NotFound.
    """

    def transaction(conn: Connection) -> str:
        source = _find(conn, actor, id_or_slug)
        revoke_within(conn, actor, source)
        return source.id

    source_id = await app.db.write(transaction)
    await app.revocations.add("source", source_id)
    return await get(app, actor, source_id)


@operation("sources.delete", "write", while_read_only=True)
async def delete(app: Context, actor: Actor, id_or_slug: str) -> None:
    """Revoke a source and remove it from every list. Its slug is free at once. Raises NotFound."""

    def transaction(conn: Connection) -> str:
        source = _find(conn, actor, id_or_slug)
        revoke_within(conn, actor, source)
        sources.hide(conn, source.id)
        audit_log.insert(conn, actor, "sources.delete", source.id, slug=source.slug)
        return source.id

    await app.revocations.add("source", await app.db.write(transaction))


def revoke_within(conn: Connection, actor: Actor, source: Source) -> None:
    """Revoke it in the caller's transaction. Tell `app.revocations` after that."""
    if source.status == "revoked":
        return
    sources.revoke(conn, source.id)
    ending.retire(conn, source)
    events.record(conn, source.tenant_id, "source.revoked", {"source": source.id, "slug": source.slug})
    audit_log.insert(conn, actor, "sources.revoke", source.id)


def _find(conn: Connection, actor: Actor, id_or_slug: str) -> Source:
    source = sources.find(conn, actor.tenant_id, id_or_slug)
    if source is None:
        raise NotFound("source", id_or_slug)
    return source


def require_answering(source: Source, param: str | None = None) -> None:
    """Raises Conflict `source_revoked`, naming the field that named the source."""
    if source.status == "revoked":
        message = f"The source '{source.slug}' is revoked for good. Create another one."
        raise Conflict("source_revoked", message, param=param)


def _slug_taken(slug: str) -> Conflict:
    return Conflict("slug_taken", f"There is a source '{slug}' already. Choose another slug.", param="slug")


def _no_url(field: str) -> Conflict:
    return Conflict("no_url", f"A source without an address, which is not crawled, has no {field}.", param=field)


async def _job(app: Context, job_id: str) -> Job:
    job = await jobs.get(app.db, job_id)
    if job is None:
        raise NotFound("job", job_id)
    return job
