"""Documents: files that are uploaded to a source which is not crawled."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import PureWindowsPath
from typing import Annotated
from urllib.parse import quote

from msgspec import Meta

from flowchat.domain import Actor, Job, Source, StoredDocument, new_id, now
from flowchat.errors import Conflict, FlowChatError, NotFound
from flowchat.ingest.files import content_type_of, read_file
from flowchat.services import disk, sources, validate
from flowchat.services.context import Context
from flowchat.services.fields import HttpUrl
from flowchat.services.lists import Listed, ListRequest, read_page
from flowchat.services.operations import operation
from flowchat.services.queueing import queue
from flowchat.services.uploads import Upload, UploadedFile
from flowchat.store import audit_log, documents, jobs
from flowchat.store import sources as source_store
from flowchat.store.database import Connection

MAX_NAME_CHARS = 200
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]")


class NewDocuments(Upload, frozen=True, kw_only=True):
    """One or several files: Markdown, HTML, plain text, PDF or DOCX. A name that the source has already is replaced."""

    url: (
        Annotated[
            HttpUrl, Meta(description="Where visitors can read the document; for a single file. Answers link it.")
        ]
        | None
    ) = None


@dataclass(frozen=True, slots=True)
class Uploaded:
    """Documents as they are stored, and the job after which answers know them."""

    source_id: str
    documents: list[StoredDocument]
    job: Job


@operation("documents.create", "write")
async def create(app: Context, actor: Actor, source_name: str, request: NewDocuments) -> Uploaded:
    """Upload documents to a source that is not crawled. They are stored when this returns, and indexed by the job.

    Either all files are taken or none. Raises NotFound, Conflict `source_is_crawled`, `source_revoked`,
    `builtin_source`, `url_taken` or `url_of_several`, and FlowChatError `bad_document` for a file that
    can't be read, or `disk_low`.
    """
    disk.require_room(app)
    source = await sources.find(app, actor, source_name)
    _require_documents(source)
    if request.url is not None and len(request.file) > 1:
        raise Conflict("url_of_several", "One url can't be that of several files. Upload them one by one.", param="url")
    files = [await _checked(source, file, request.url) for file in request.file]

    def transaction(conn: Connection) -> tuple[list[str], str]:
        present = _find_source(conn, actor, source.id)
        ids = [_put(conn, document, content) for document, content in files]
        names = [document.name for document, _ in files]
        audit_log.insert(conn, actor, "documents.create", present.id, names=names)
        return ids, _index(app, conn, present)

    ids, job_id = await app.db.write(transaction)
    app.wake(job_id)
    job = await jobs.get(app.db, job_id)
    stored = [await documents.get(app.db, source.id, document_id) for document_id in dict.fromkeys(ids)]
    if job is None:
        raise NotFound("job", job_id)
    return Uploaded(source.id, [document for document in stored if document is not None], job)


async def _checked(source: Source, file: UploadedFile, url: str | None) -> tuple[StoredDocument, bytes]:
    """The document that a file makes, with its content. Raises FlowChatError `bad_document`."""
    name = _name(file.name)
    content_type = content_type_of(name, file.content_type)
    if not content_type:
        message = f"'{name}' can't be read: upload Markdown (.md), HTML, plain text (.txt), PDF or Word (.docx)."
        raise FlowChatError("bad_document", message, param="file")
    await read_file(name, content_type, file.content)
    document = StoredDocument(
        id=new_id("doc"),
        source_id=source.id,
        name=name,
        url=sources.crawl_url(url) if url else f"#{quote(name)}",
        content_type=content_type,
        bytes=len(file.content),
        content_hash=hashlib.sha256(file.content).hexdigest(),
        created_at=now(),
    )
    return document, file.content


def _name(name: str) -> str:
    """The file's own name: some senders put its folder before it."""
    own = _UNPRINTABLE.sub("", PureWindowsPath(name).name).strip()
    if not own or len(own) > MAX_NAME_CHARS:
        raise validate.invalid("file", f"A file needs a name of at most {MAX_NAME_CHARS} characters.")
    return own


def _put(conn: Connection, document: StoredDocument, content: bytes) -> str:
    """Store a document; returns its id."""
    other = documents.name_at(conn, document.source_id, document.url)
    if other not in (None, document.name):
        raise Conflict("url_taken", f"The document '{other}' has the address {document.url} already.", param="url")
    documents.put(conn, document, content)
    return documents.id_of(conn, document.source_id, document.name) or document.id


def _index(app: Context, conn: Connection, source: Source) -> str:
    """The job that indexes the documents as they are now: a new one, or the present one, which looks once more."""
    active = jobs.active_id(conn, source.id)
    if active is not None:
        return active
    return queue(conn, source, "index_documents", app.settings.embedder)


@operation("documents.list", "read")
async def list_page(app: Context, actor: Actor, source_name: str, request: ListRequest) -> Listed[StoredDocument]:
    """List the documents of a source, newest first. Raises NotFound."""
    source = await sources.find(app, actor, source_name)
    return await read_page(request, lambda cursor: documents.page(app.db, source.id, cursor))


@operation("documents.get", "read")
async def get(app: Context, actor: Actor, source_name: str, document_id: str) -> StoredDocument:
    """Show a document, and whether answers know it already. Raises NotFound."""
    source = await sources.find(app, actor, source_name)
    document = await documents.get(app.db, source.id, document_id)
    if document is None:
        raise NotFound("document", document_id)
    return document


@operation("documents.delete", "write", while_read_only=True)
async def delete(app: Context, actor: Actor, source_name: str, document_id: str) -> None:
    """Delete a document. Answers use it until the job that this queues has indexed the others.

    Raises NotFound, and Conflict `source_revoked`.
    """

    def transaction(conn: Connection) -> str:
        source = _find_source(conn, actor, source_name)
        if not documents.delete(conn, source.id, document_id):
            raise NotFound("document", document_id)
        audit_log.insert(conn, actor, "documents.delete", document_id, source=source.id)
        return _index(app, conn, source)

    app.wake(await app.db.write(transaction))


def _find_source(conn: Connection, actor: Actor, source_name: str) -> Source:
    source = source_store.find(conn, actor.tenant_id, source_name)
    if source is None:
        raise NotFound("source", source_name)
    sources.require_answering(source)
    return source


def _require_documents(source: Source) -> None:
    sources.require_answering(source)
    if source.is_builtin:
        raise Conflict("builtin_source", "FlowChat's own documentation takes no documents. Create another source.")
    if source.url is not None:
        raise Conflict(
            "source_is_crawled", f"'{source.slug}' is crawled from {source.url}. Create a source without url."
        )
