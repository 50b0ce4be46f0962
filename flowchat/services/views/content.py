"""What a source consists of: versions, pages, documents."""

from dataclasses import dataclass, fields
from typing import Annotated, Literal, Self

from msgspec import Meta

from flowchat.domain import ChangeType, Page, PageChange, PageStatus, StoredDocument, Version, VersionStatus
from flowchat.services.documents import Uploaded
from flowchat.services.text_diff import LineChange
from flowchat.services.versions import ChangedText
from flowchat.services.views.sources import JobView

DocumentStatus = Literal["pending", "indexed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionView:
    """One immutable state of a source's content. `pages` and `chunks` count what it has.

    `former` is the version that was live before it; `added`, `changed` and `removed` count pages against that one. They
    are null for a first version, and for one that never was live.
    """

    id: str
    number: int
    status: VersionStatus
    embedder: str
    pages: int
    chunks: int
    created_at: str
    live_at: str | None
    former: str | None
    added: int | None
    changed: int | None
    removed: int | None

    @classmethod
    def of(cls, version: Version) -> Self:
        return cls(**{field.name: getattr(version, field.name) for field in fields(VersionView)})


@dataclass(frozen=True, slots=True, kw_only=True)
class PageView:
    """One address of a version. `reason` says why it was skipped, failed or kept; `depth` counts links from the start.

    `language`, `published` and `modified` are what the page says of itself; null where it does not.
    """

    id: str
    url: str
    title: str
    status: PageStatus
    reason: str | None
    http_status: int | None
    depth: int
    description: str | None
    language: str | None
    published: str | None
    modified: str | None
    duplicate_of: str | None
    fetched_at: str | None

    @classmethod
    def of(cls, page: Page) -> Self:
        facts = page.facts
        return cls(
            id=f"pag_{page.id:016}",
            url=page.url,
            title=page.title,
            status=page.status,
            reason=page.reason,
            http_status=page.http_status,
            depth=page.depth,
            description=facts.description or None,
            language=facts.language or None,
            published=facts.published or None,
            modified=facts.modified or None,
            duplicate_of=facts.duplicate_of if page.status == "skipped" else None,
            fetched_at=page.fetched_at,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PageChangeView:
    """A page that one version has otherwise than another. `reason` says why a removed one is not indexed any more.

    A removed page without `reason` was not found again: nothing links to it.
    """

    id: str
    url: str
    title: str
    change: ChangeType
    reason: str | None

    @classmethod
    def of(cls, change: PageChange) -> Self:
        return cls(
            id=f"pag_{change.id:016}", url=change.url, title=change.title, change=change.change, reason=change.reason
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedLineView:
    """A sentence, heading, list item, table row or line of code."""

    change: LineChange
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedPassageView:
    """Lines that stand together in the page, under these headings; unchanged ones are there to find the place."""

    headings: tuple[str, ...]
    lines: tuple[ChangedLineView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedTextView:
    """How the text of a page has changed. A page that is new or gone has all of its lines here."""

    id: str
    url: str
    title: str
    former_title: Annotated[str | None, Meta(description="Its title in the other version; null for an added page.")]
    change: ChangeType
    reason: Annotated[str | None, Meta(description="Why a removed page is not indexed any more.")]
    lines_added: int
    lines_removed: int
    cut_short: Annotated[bool, Meta(description="More lines differ than are shown: 400 are.")]
    passages: tuple[ChangedPassageView, ...]

    @classmethod
    def of(cls, changed: ChangedText) -> Self:
        return cls(
            id=f"pag_{changed.page.id:016}",
            url=changed.page.url,
            title=changed.page.title,
            former_title=changed.former_title,
            change=changed.page.change,
            reason=changed.page.reason,
            lines_added=changed.diff.added,
            lines_removed=changed.diff.removed,
            cut_short=changed.diff.is_cut,
            passages=tuple(
                ChangedPassageView(
                    headings=hunk.headings,
                    lines=tuple(ChangedLineView(change=line.change, text=line.text) for line in hunk.lines),
                )
                for hunk in changed.diff.hunks
            ),
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
