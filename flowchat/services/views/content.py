"""What a source consists of: versions, pages, documents."""

from dataclasses import dataclass, fields
from typing import Literal, Self

from flowchat.domain import Page, PageStatus, StoredDocument, Version, VersionStatus
from flowchat.services.documents import Uploaded
from flowchat.services.views.sources import JobView

DocumentStatus = Literal["pending", "indexed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionView:
    """One immutable state of a source's content. `pages` and `chunks` count what it has."""

    id: str
    number: int
    status: VersionStatus
    embedder: str
    pages: int
    chunks: int
    created_at: str
    live_at: str | None

    @classmethod
    def of(cls, version: Version) -> Self:
        return cls(**{field.name: getattr(version, field.name) for field in fields(VersionView)})


@dataclass(frozen=True, slots=True, kw_only=True)
class PageView:
    """One address of a version. `reason` says why it was skipped or failed; `depth` counts links from the start."""

    id: str
    url: str
    title: str
    status: PageStatus
    reason: str | None
    http_status: int | None
    depth: int

    @classmethod
    def of(cls, page: Page) -> Self:
        return cls(
            id=f"pag_{page.id:016}",
            url=page.url,
            title=page.title,
            status=page.status,
            reason=page.reason,
            http_status=page.http_status,
            depth=page.depth,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentView:
    """An uploaded file. It is `indexed` once answers know it as it is."""

    id: str
    source: str
    name: str
    url: str | None
    content_type: str
    bytes: int
    status: DocumentStatus
    created_at: str

    @classmethod
    def of(cls, document: StoredDocument) -> Self:
        return cls(
            id=document.id,
            source=document.source_id,
            name=document.name,
            url=None if document.url.startswith("#") else document.url,
            content_type=document.content_type,
            bytes=document.bytes,
            status="indexed" if document.is_indexed else "pending",
            created_at=document.created_at,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadedView:
    """The documents of one upload, and the job that indexes them."""

    source: str
    documents: tuple[DocumentView, ...]
    job: JobView

    @classmethod
    def of(cls, uploaded: Uploaded) -> Self:
        return cls(
            source=uploaded.source_id,
            documents=tuple(DocumentView.of(document) for document in uploaded.documents),
            job=JobView.of(uploaded.job),
        )
