"""Sources, and the jobs that work on them."""

from dataclasses import asdict, dataclass, replace
from typing import Annotated, Literal, Self, cast

from msgspec import Meta

from flowchat.domain import Job, JobStatus, JobType, PageOutcome, PageStatus, Schedule, Source, SourceStatus
from flowchat.ingest.preview import Preview, RobotsVerdict

AuthType = Literal["basic", "header"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthView:
    """How a crawl signs in. What it signs in with is never shown."""

    type: AuthType


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceWarningView:
    """What its operator should know. `code` is for programs."""

    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceView:
    """A crawled site, or a set of uploaded documents."""

    id: str
    slug: str
    name: str
    url: str | None
    status: SourceStatus
    locale: str
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    max_pages: int | None
    max_depth: int | None
    live_version: str | None
    pages: int
    chunks: int
    last_crawl: str | None
    next_crawl: str | None
    schedule: Schedule | None
    sitemap: str | None
    auth: AuthView | None
    created_at: str
    revoked_at: str | None
    warnings: tuple[SourceWarningView, ...]

    @classmethod
    def of(cls, source: Source) -> Self:
        auth_type = cast(AuthType, source.auth.partition(":")[0]) if source.auth else None
        return cls(
            id=source.id,
            slug=source.slug,
            name=source.name,
            url=source.url,
            status=source.status,
            locale=source.locale,
            **asdict(source.config),
            live_version=source.live_version,
            pages=source.pages,
            chunks=source.chunks,
            last_crawl=source.last_crawl,
            next_crawl=source.next_crawl,
            schedule=source.schedule,
            sitemap=source.sitemap,
            auth=AuthView(type=auth_type) if auth_type else None,
            created_at=source.created_at,
            revoked_at=source.revoked_at,
            warnings=tuple(
                SourceWarningView(code=warning.code, message=warning.message) for warning in source.warnings
            ),
        )


Count = Annotated[int, Meta(ge=0)]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobProgressView:
    """How far a job is."""

    done: Annotated[Count, Meta(description="Pages that something has become of: indexed, skipped or failed.")]
    total: Annotated[Count, Meta(description="Pages known so far. A crawl finds more as it goes.")]
    fetched: Annotated[Count, Meta(description="Pages that the site was asked for and answered.")]
    unchanged: Annotated[Count, Meta(description="Of the fetched pages, those that the site said are as they were.")]
    indexed: Annotated[Count, Meta(description="Pages that are in the new version.")]
    skipped: Annotated[Count, Meta(description="Pages that are left out, by rules or for what they are.")]
    failed: Annotated[Count, Meta(description="Pages that could not be fetched or read.")]
    chunks: Annotated[Count, Meta(description="Passages of the indexed pages.")]
    embedded: Annotated[Count, Meta(description="Passages that went through the model: new and changed ones.")]
    pages_per_s: Annotated[float | None, Meta(description="Pages done in a second, over the last minute.")]
    remaining_s: Annotated[int | None, Meta(description="Seconds left at that rate, for the pages known so far.")]
    reasons: Annotated[
        dict[str, dict[str, Count]],
        Meta(
            description="Pages by reason, under `skipped`, `failed` and `kept` (as they were, not fetched).",
            examples=[{"skipped": {"robots": 3}, "failed": {"http_404": 2}}],
        ),
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView:
    """A piece of background work and how far it is. A paused one is `queued` and has `paused_at`."""

    id: str
    type: JobType
    status: JobStatus
    source: str | None
    version: str | None
    progress: JobProgressView
    max_pages: int | None
    accept_removals: bool
    error: str | None
    created_at: str
    started_at: str | None
    paused_at: str | None
    finished_at: str | None

    @classmethod
    def of(cls, job: Job) -> Self:
        progress = job.progress
        if job.status != "running":
            progress = replace(progress, pages_per_s=None, remaining_s=None)
        return cls(
            id=job.id,
            type=job.type,
            status=job.status,
            source=job.source_id,
            version=job.version_id,
            progress=JobProgressView(**asdict(progress)),
            max_pages=job.max_pages,
            accept_removals=job.accept_removals,
            error=job.error,
            created_at=job.created_at,
            started_at=job.started_at,
            paused_at=job.paused_at,
            finished_at=job.finished_at,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatedSourceView(SourceView):
    """A new source with its first crawl."""

    job: JobView | None

    @classmethod
    def of(cls, created: tuple[Source, Job | None]) -> Self:  # type: ignore[override]
        source, job = created
        view = SourceView.of(source)
        fields = {name: getattr(view, name) for name in SourceView.__dataclass_fields__}
        return cls(**fields, job=JobView.of(job) if job else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewPageView:
    """One of the first pages. An `indexed` one would be; `reason` says why another would not."""

    url: str
    title: str
    status: PageStatus
    reason: str | None
    passages: int

    @classmethod
    def of(cls, page: PageOutcome) -> Self:
        return cls(url=page.url, title=page.title, status=page.status, reason=page.reason, passages=len(page.chunks))


@dataclass(frozen=True, slots=True, kw_only=True)
class SourcePreviewView:
    """What a crawl would find first. `start` is where it begins: the site may have moved.

    `robots` is what the site's robots.txt says about that. `in_sitemaps` and `found` count addresses known by now: a
    crawl finds more as it goes. `problem` says why nothing can be used; null where something can. `cut_short`: the
    site was too slow for all five pages.
    """

    start: str
    robots: RobotsVerdict
    in_sitemaps: int
    found: int
    pages: tuple[PreviewPageView, ...]
    problem: str | None
    cut_short: bool

    @classmethod
    def of(cls, preview: Preview) -> Self:
        return cls(
            start=preview.start,
            robots=preview.robots,
            in_sitemaps=preview.in_sitemaps,
            found=preview.found,
            pages=tuple(PreviewPageView.of(page) for page in preview.pages),
            problem=preview.problem or None,
            cut_short=preview.is_cut_short,
        )
