"""Sources, and the jobs that work on them."""

from dataclasses import asdict, dataclass
from typing import Literal, Self, cast

from flowchat.domain import Job, JobProgress, JobStatus, JobType, Schedule, Source, SourceStatus

AuthType = Literal["basic", "header"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthView:
    """How a crawl signs in. What it signs in with is never shown."""

    type: AuthType


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
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView:
    """A piece of background work and how far it is."""

    id: str
    type: JobType
    status: JobStatus
    source: str | None
    version: str | None
    progress: JobProgress
    max_pages: int | None
    error: str | None
    created_at: str
    started_at: str | None
    finished_at: str | None

    @classmethod
    def of(cls, job: Job) -> Self:
        return cls(
            id=job.id,
            type=job.type,
            status=job.status,
            source=job.source_id,
            version=job.version_id,
            progress=job.progress,
            max_pages=job.max_pages,
            error=job.error,
            created_at=job.created_at,
            started_at=job.started_at,
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
