"""What a source consists of: pages, versions, documents."""

from quart import Response

from flowchat.domain import Source, Version
from flowchat.errors import Conflict
from flowchat.services import documents, pages, sources, validate, versions
from flowchat.services.documents import NewDocuments
from flowchat.services.lists import MAX_LIMIT, Listed, ListRequest
from flowchat.services.pages import PagesRequest
from flowchat.services.versions import ChangeRequest, ChangesRequest
from flowchat.services.views.content import ChangedTextView, DocumentView, PageChangeView, PageView
from flowchat.web import uploads
from flowchat.web.admin import shell, words
from flowchat.web.admin.blueprint import blueprint, performs
from flowchat.web.admin.forms import Form
from flowchat.web.admin.sources import render_of
from flowchat.web.current import appliance

_OF_SOURCE = ("sources.get", "jobs.list")


@blueprint.get("/sources/<source>/pages")
@performs("pages.list", "versions.list", *_OF_SOURCE)
async def pages_list(source: str) -> Response:
    asked = shell.query(PagesRequest)
    shown = await _source(source)
    found = await pages.list_page(appliance(), shell.actor(), shown.id, asked)
    occurring = {*await pages.list_reasons(appliance(), shell.actor(), shown.id, asked.version)}
    listed = Listed([PageView.of(page) for page in found.items], found.has_more)
    return await render_of(
        shown,
        "pages",
        pages=listed.items,
        paging=shell.paging(listed, asked),
        reasons=_reasons(occurring | ({asked.reason} if asked.reason else set())),
        version_choices=[(version.id, _title(version)) for version in await _versions(shown)],
        form=Form({name: getattr(asked, name) for name in ("q", "status", "reason", "version", "sort")}),
    )


def _reasons(codes: set[str]) -> list[tuple[str, str]]:
    return sorted(((code, words.reason_text(code)) for code in codes), key=lambda reason: reason[1])


async def _source(source: str) -> Source:
    return await sources.get(appliance(), shell.actor(), source)


async def _versions(source: Source) -> list[Version]:
    """The newest ones, to choose from."""
    return (await versions.list_page(appliance(), shell.actor(), source.id, ListRequest(limit=MAX_LIMIT))).items


def _title(version: Version) -> str:
    return f"Version {version.number} ({version.status})"


@blueprint.get("/sources/<source>/versions")
@performs("versions.list", *_OF_SOURCE)
async def versions_list(source: str) -> Response:
    asked = shell.query(ListRequest)
    shown = await _source(source)
    listed = await versions.list_page(appliance(), shell.actor(), shown.id, asked)
    return await render_of(shown, "versions", versions=listed.items, paging=shell.paging(listed, asked))


@blueprint.get("/sources/<source>/versions/<version>")
@performs("versions.get", "versions.list", "versions.changes", *_OF_SOURCE)
async def versions_show(source: str, version: str) -> Response:
    app, actor, asked = appliance(), shell.actor(), shell.query(ChangesRequest)
    shown = await _source(source)
    one = await versions.get(app, actor, shown.id, version)
    problem = ""
    found: Listed[PageChangeView] = Listed([], False)
    try:
        listed = await versions.list_changes(app, actor, shown.id, version, asked)
        found = Listed([PageChangeView.of(change) for change in listed.items], listed.has_more)
    except Conflict as error:
        problem = error.message
    others = await _versions(shown)
    return await render_of(
        shown,
        "version",
        version=one,
        versions=others,
        against=[("", "The one before it"), *((other.id, _title(other)) for other in others if other.id != one.id)],
        changes=found.items,
        paging=shell.paging(found, asked),
        problem=problem,
        form=Form({"against": asked.against, "change": asked.change}),
    )


@blueprint.get("/sources/<source>/versions/<version>/changes/<page>")
@performs("versions.diff", "versions.get", *_OF_SOURCE)
async def versions_diff(source: str, version: str, page: str) -> Response:
    """The list of changes loads this page's part when one of them is opened; without JavaScript it is a page."""
    app, actor, asked = appliance(), shell.actor(), shell.query(ChangeRequest)
    shown = await _source(source)
    one = await versions.get(app, actor, shown.id, version)
    changed = ChangedTextView.of(await versions.diff(app, actor, shown.id, version, page, asked))
    return await render_of(shown, "diff", version=one, changed=changed)


@blueprint.post("/sources/<source>/versions/<version>/activate")
@performs("versions.activate")
async def versions_activate(source: str, version: str) -> Response:
    work = versions.activate(appliance(), shell.actor(), source, version)
    return await shell.act(work, to=f"/admin/sources/{source}/versions", text="That version answers now.")


@blueprint.get("/sources/<source>/documents")
@performs("documents.list", *_OF_SOURCE)
async def documents_list(source: str) -> Response:
    return await _documents(source, Form())


async def _documents(source: str, form: Form, status: int = 200) -> Response:
    asked = shell.query(ListRequest)
    shown = await _source(source)
    listed = await documents.list_page(appliance(), shell.actor(), shown.id, asked)
    return await render_of(
        shown,
        "documents",
        status,
        form=form,
        documents=[DocumentView.of(document) for document in listed.items],
        paging=shell.paging(listed, asked),
    )


@blueprint.post("/sources/<source>/documents")
@performs("documents.create", "documents.list", *_OF_SOURCE)
async def documents_create(source: str) -> Response:
    form = await Form.entered()
    with form:
        sent = await uploads.read_form()
        fields = {name: value for name, value in sent.items() if value and name in ("file", "url")}
        new = validate.read(fields, NewDocuments)
        uploaded = await documents.create(appliance(), shell.actor(), source, new)
        names = ", ".join(document.name for document in uploaded.documents)
        return await shell.done(f"Uploaded: {names}.", f"/admin/sources/{source}/documents")
    return await _documents(source, form, 422)


@blueprint.post("/sources/<source>/documents/<document>/delete")
@performs("documents.delete", "documents.get")
async def documents_delete(source: str, document: str) -> Response:
    app, actor = appliance(), shell.actor()
    name = (await documents.get(app, actor, source, document)).name
    work = documents.delete(app, actor, source, document)
    return await shell.act(work, to=f"/admin/sources/{source}/documents", text=f"{name} is deleted.")
