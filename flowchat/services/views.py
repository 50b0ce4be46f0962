"""Resources as JSON, the same in the API and on the command line."""

from dataclasses import asdict
from typing import Any

from flowchat.domain import Job, Key, Source


def source_json(source: Source) -> dict[str, Any]:
    return {
        "id": source.id,
        "slug": source.slug,
        "name": source.name,
        "url": source.url,
        "status": source.status,
        "locale": source.locale,
        **asdict(source.config),
        "live_version": source.live_version,
        "pages": source.pages,
        "chunks": source.chunks,
        "last_crawl": source.last_crawl,
        "next_crawl": None,
        "created_at": source.created_at,
    }


def job_json(job: Job) -> dict[str, Any]:
    return {
        "id": job.id,
        "type": job.type,
        "status": job.status,
        "source": job.source_id,
        "version": job.version_id,
        "progress": asdict(job.progress),
        "error": job.error,
        "created_at": job.created_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
    }


def key_json(key: Key, sources: dict[str, str]) -> dict[str, Any]:
    """`sources` maps ids to slugs. The secret itself is stored nowhere."""
    return {
        "id": key.id,
        "type": key.type,
        "name": key.name,
        "prefix": key.prefix,
        "last_four": key.last_four,
        "mode": key.mode,
        "scopes": list(key.scopes),
        "origins": list(key.origins),
        "sources": [sources.get(source, source) for source in key.sources],
        "daily_cap": key.daily_cap,
        "created_at": key.created_at,
        "revoked_at": key.revoked_at,
    }
