"""Sources: list, look at a site, add, change, crawl again, stop."""

from typing import Any

from quart import Response, request

from flowchat.domain import Job, Source
from flowchat.services import jobs, source_preview, sources
from flowchat.services.jobs import JobsRequest
from flowchat.services.lists import ListRequest
from flowchat.services.source_requests import NewSource, RecrawlRequest, SourceChange
from flowchat.services.views.sources import SourcePreviewView
from flowchat.web.admin import shell
from flowchat.web.admin.blueprint import blueprint, performs
from flowchat.web.admin.forms import Form
from flowchat.web.current import appliance

LIST = "/admin/sources"
_LINES = ("include", "exclude")
_NUMBERS = ("max_pages", "max_depth")
_OPTIONAL = ("url", "slug", "name", "sitemap", "max_pages", "max_depth", "schedule", "locale")
_AUTH = {"basic": ("auth.username", "auth.password"), "header": ("auth.name", "auth.value")}


@blueprint.get("/sources")
@performs("sources.list")
async def sources_list() -> Response:
    asked = shell.query(ListRequest)
    listed = await sources.list_page(appliance(), shell.actor(), asked)
    return await shell.render("admin/sources/list.html", sources=listed.items, paging=shell.paging(listed, asked))


@blueprint.get("/sources/new")
@performs("sources.create")
async def sources_new() -> Response:
    is_site = request.args.get("kind") != "files"
    return await _new(Form({"kind": "site" if is_site else "files", "locale": "en", "url": request.args.get("url")}))


async def _new(form: Form, status: int = 200, **values: Any) -> Response:
    return await shell.render("admin/sources/new.html", status, form=form, **values)


@blueprint.post("/sources/preview")
@performs("sources.preview")
async def sources_preview() -> Response:
    form = await Form.entered()
    with form:
        seen = await source_preview.show(appliance(), shell.actor(), _new_source(form))
        return await _new(form, preview=SourcePreviewView.of(seen), max_pages=appliance().settings.crawl_max_pages)
    return await _new(form, 422)


@blueprint.post("/sources")
@performs("sources.create")
async def sources_create() -> Response:
    form = await Form.entered()
    with form:
        source, job = await sources.create(appliance(), shell.actor(), _new_source(form))
        if job is None:
            return await shell.done(f"{source.name} is made. Now upload its files.", f"{LIST}/{source.slug}/documents")
        return await shell.done(f"{source.name} is being crawled.", f"{LIST}/{source.slug}")
    return await _new(form, 422)


def _new_source(form: Form) -> NewSource:
    kept_out = ("kind", *_unused_auth(form))
    return form.to(NewSource, optional=_OPTIONAL, numbers=_NUMBERS, lines=_LINES, without=kept_out, **_address(form))


def _address(form: Form) -> dict[str, str]:
    """The site's, with the scheme that people leave out."""
    url = form.value("url").strip()
    return {"url": url if "://" in url else f"https://{url}"} if url else {}


def _unused_auth(form: Form) -> tuple[str, ...]:
    """The fields of sign-ins that are not chosen."""
    chosen = form.value("auth.type")
    others = [name for kind, names in _AUTH.items() if kind != chosen for name in names]
    return (*others,) if chosen in _AUTH else (*others, "auth.type")


@blueprint.get("/sources/<source>")
@performs("sources.get", "jobs.list")
async def sources_show(source: str) -> Response:
    shown = await sources.get(appliance(), shell.actor(), source)
    return await render_of(shown, "show")


async def render_of(source: Source, template: str, status: int = 200, **values: Any) -> Response:
    """A page of a source, under its tabs."""
    job = await newest_job(source)
    return await shell.render(f"admin/sources/{template}.html", status, source=source, job=job, **values)


async def newest_job(source: Source) -> Job | None:
    """The one at work, or else the one before."""
    listed = await jobs.list_page(appliance(), shell.actor(), JobsRequest(source=source.id, limit=1))
    return listed.items[0] if listed.items else None


@blueprint.get("/sources/<source>/settings")
@performs("sources.get", "jobs.list")
async def sources_edit(source: str) -> Response:
    shown = await sources.get(appliance(), shell.actor(), source)
    fields = {name: getattr(shown, name) for name in ("url", "slug", "name", "sitemap", "schedule", "locale")}
    config = {name: getattr(shown.config, name) for name in (*_LINES, *_NUMBERS)}
    return await render_of(shown, "edit", form=Form({**fields, **config, "auth.type": "keep" if shown.auth else ""}))


@blueprint.post("/sources/<source>")
@performs("sources.update", "sources.get", "jobs.list")
async def sources_update(source: str) -> Response:
    app, actor, form = appliance(), shell.actor(), await Form.entered()
    with form:
        changed = await sources.update(app, actor, source, _change(form))
        return await shell.done(f"{changed.name} is changed.", f"{LIST}/{changed.slug}/settings")
    return await render_of(await sources.get(app, actor, source), "edit", 422, form=form)


def _change(form: Form) -> SourceChange:
    no_auth: dict[str, Any] = {"auth": None} if form.value("auth.type") == "none" else {}
    return form.to(
        SourceChange,
        optional=("url", "slug", "name", "locale"),
        nullable=("sitemap", "max_pages", "max_depth", "schedule"),
        numbers=_NUMBERS,
        lines=_LINES,
        without=_unused_auth(form),
        **_address(form),
        **no_auth,
    )


@blueprint.post("/sources/<source>/recrawl")
@performs("sources.recrawl")
async def sources_recrawl(source: str) -> Response:
    form = await Form.entered()
    asked = form.to(RecrawlRequest, flags=("accept_removals",))
    work = sources.recrawl(appliance(), shell.actor(), source, asked)
    return await shell.act(work, to=f"{LIST}/{source}", text="It is queued.")


@blueprint.post("/sources/<source>/revoke")
@performs("sources.revoke")
async def sources_revoke(source: str) -> Response:
    work = sources.revoke(appliance(), shell.actor(), source)
    return await shell.act(work, to=f"{LIST}/{source}", text="It answers no more.")


@blueprint.post("/sources/<source>/delete")
@performs("sources.delete")
async def sources_delete(source: str) -> Response:
    return await shell.act(sources.delete(appliance(), shell.actor(), source), to=LIST, text="The source is deleted.")
