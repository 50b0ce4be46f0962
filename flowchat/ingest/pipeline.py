"""crawl → extract → chunk → embed → index, as one job that may be interrupted at any moment.

Outcomes come from a page source (a crawl, the built-in documents, a former version) through a bounded queue, so that
fetching goes on while the model embeds. They are embedded and stored in batches, each batch in one transaction with
the links it found and the job's progress. The version goes live in the last transaction.
"""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass, field, replace

import numpy as np

from flowchat.domain import Job, JobProgress, Page, PageOutcome, PageStatus, Source, Version, place
from flowchat.engines.priority import BulkGate
from flowchat.engines.protocols import Embedder
from flowchat.errors import FlowChatError
from flowchat.ingest.crawl import ROBOTS_UNREACHABLE, Crawl
from flowchat.ingest.documents import builtin_outcomes, stored_outcomes
from flowchat.net.fetch import Fetcher
from flowchat.settings import Settings
from flowchat.store import chunks as chunk_store
from flowchat.store import jobs, pages, sources, versions
from flowchat.store.database import Connection, Database

BATCH_CHUNKS = 32  # a transaction each: about two seconds of embedding, which is what an interruption can lose
BATCH_PAGES = 64
BATCH_WAIT_S = 5.0  # a slow site's pages are stored after this long even if the batch isn't full
QUEUED_PAGES = 32
EMBED_CHUNKS = 16
MAX_YIELD_S = 2.0  # embedding waits at most this long for a chat to end, per EMBED_CHUNKS chunks

log = logging.getLogger(__name__)


class Canceled(Exception):
    """The job was asked to stop, or is no longer this worker's."""


@dataclass(slots=True)
class Build:
    """One job's work on one version: what it needs, and how far it is."""

    settings: Settings
    db: Database
    embedder: Embedder
    gate: BulkGate
    fetcher: Fetcher
    job: Job
    owner: str  # of the job's lease
    source: Source
    version: Version
    check: Callable[[], None]  # raises Canceled when the job should stop
    progress: JobProgress = field(default_factory=JobProgress)
    hashes: dict[str, str] = field(default_factory=dict)  # {content hash: url} of what is indexed


async def run(build: Build) -> None:
    """Build the version and make it live. Raises FlowChatError if nothing usable came, Canceled when stopped."""
    await build.db.write(lambda conn: chunk_store.ensure_vectors(conn, build.embedder.dims))
    known = await pages.all_of(build.db, build.version.seq)
    build.progress = _progress_of(known, build.version.chunks)
    build.hashes = await pages.content_hashes(build.db, build.version.seq)
    outcomes, found = await _page_source(build, known)
    async with contextlib.aclosing(_batches(outcomes)) as batches:
        async for batch in batches:
            build.check()
            vectors = await asyncio.to_thread(_embed, build, batch)
            build.check()
            await _index(build, batch, vectors, found())
    await _go_live(build)


async def _page_source(build: Build, known: list[Page]) -> tuple[AsyncIterator[PageOutcome], Callable[[], int]]:
    """The outcomes still to come, and a function that counts the pages known so far."""
    done = {page.url for page in known if page.status != "queued"}
    if build.job.type == "crawl":
        crawl = Crawl(
            build.source,
            known,
            build.hashes,
            build.fetcher,
            build.embedder.count_tokens,
            build.settings.crawl_max_pages,
            build.settings.crawl_delay_s,
        )
        return crawl.outcomes(), lambda: crawl.found
    if build.job.type == "index_docs":
        return builtin_outcomes(done, build.embedder.count_tokens), lambda: 0
    former = await versions.get(build.db, build.source.live_version or "")
    if former is None:
        raise FlowChatError("no_live_version", "There is nothing to index anew: recrawl the source instead.")
    stored = await pages.all_of(build.db, former.seq)
    return stored_outcomes(build.db, stored, done), lambda: former.pages


async def _batches(outcomes: AsyncIterator[PageOutcome]) -> AsyncGenerator[list[PageOutcome], None]:
    """Outcomes in their order, in batches of about BATCH_CHUNKS chunks, fetched ahead of the embedding."""
    queue: asyncio.Queue[PageOutcome | None] = asyncio.Queue(QUEUED_PAGES)

    async def produce() -> None:
        async for outcome in outcomes:
            await queue.put(outcome)
        await queue.put(None)

    producer = asyncio.create_task(produce())
    try:
        while batch := await _next_batch(queue, producer):
            yield batch
        await producer
    finally:
        producer.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await producer


async def _next_batch(queue: asyncio.Queue[PageOutcome | None], producer: asyncio.Task[None]) -> list[PageOutcome]:
    """The next batch; empty at the end. Raises what the producer raised."""
    batch: list[PageOutcome] = []
    chunks = 0
    deadline = asyncio.get_running_loop().time() + BATCH_WAIT_S
    while chunks < BATCH_CHUNKS and len(batch) < BATCH_PAGES:
        getter = asyncio.ensure_future(queue.get())
        timeout_s = max(0.0, deadline - asyncio.get_running_loop().time()) if batch else None
        await asyncio.wait({getter, producer}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        if not getter.done() and producer.done():
            producer.result()
            await asyncio.sleep(0)
        if not getter.done():
            getter.cancel()
            if batch:
                break
            continue
        outcome = getter.result()
        if outcome is None:
            queue.put_nowait(None)
            break
        batch.append(outcome)
        chunks += len(outcome.chunks)
    return batch


def _embed(build: Build, batch: list[PageOutcome]) -> list[np.ndarray]:
    """-> (chunks, dims) for each outcome, in their order. Chats go first: see BulkGate."""
    texts = [passage(outcome.title, chunk.headings, chunk.text) for outcome in batch for chunk in outcome.chunks]
    by_length = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    vectors = np.zeros((len(texts), build.embedder.dims), np.float32)
    for start in range(0, len(texts), EMBED_CHUNKS):
        build.check()
        build.gate.wait_turn(MAX_YIELD_S)
        part = by_length[start : start + EMBED_CHUNKS]
        vectors[part] = build.embedder.embed_passages([texts[i] for i in part])
    ends = np.cumsum([len(outcome.chunks) for outcome in batch])
    return np.split(vectors, ends[:-1])


def passage(title: str, headings: tuple[str, ...], text: str) -> str:
    """A chunk as the models read it: where it stands, then what it says."""
    return f"{place(title, headings)}\n{text}"


async def _index(build: Build, batch: list[PageOutcome], vectors: list[np.ndarray], found: int) -> None:
    """Store a batch: pages, chunks, both indexes, links and progress, in one transaction."""
    hashes = dict(build.hashes)
    progress = build.progress

    def transaction(conn: Connection) -> JobProgress:
        _hold(conn, build)
        counted = progress
        for outcome, page_vectors in zip(batch, vectors, strict=True):
            counted = _count(counted, *_store_page(conn, build.version.seq, outcome, page_vectors, hashes))
        counted = replace(counted, total=max(found, counted.done))
        jobs.set_progress(conn, build.job.id, counted)
        return counted

    build.progress = await build.db.write(transaction)
    build.hashes = hashes


def _hold(conn: Connection, build: Build) -> None:
    """Nothing is written for a job that another worker has taken over."""
    if not jobs.renew(conn, build.job.id, build.owner):
        raise Canceled("another worker has this job")


def _store_page(
    conn: Connection, version: int, outcome: PageOutcome, vectors: np.ndarray, hashes: dict[str, str]
) -> tuple[PageStatus, str | None, int]:
    """Store one page; returns its status, the reason, and its chunks. One that says what another says is skipped."""
    twin = hashes.get(outcome.content_hash) if outcome.content_hash else None
    indexed = outcome.status == "indexed" and twin in (None, outcome.url)
    status, reason = outcome.status, outcome.reason
    if outcome.status == "indexed" and not indexed:
        status, reason = "skipped", "duplicate"
    page_id = pages.finish(
        conn,
        version,
        outcome.url,
        outcome.depth,
        status,
        reason=reason,
        http_status=outcome.http_status,
        title=outcome.title,
        content_hash=outcome.content_hash,
    )
    pages.enqueue(conn, version, [(link, outcome.depth + 1) for link in outcome.links])
    if not indexed:
        return status, reason, 0
    chunk_store.insert(conn, version, page_id, outcome.title, outcome.chunks, vectors)
    if outcome.content_hash:
        hashes[outcome.content_hash] = outcome.url
    return status, reason, len(outcome.chunks)


def _count(progress: JobProgress, status: PageStatus, reason: str | None, chunks: int) -> JobProgress:
    reasons = progress.reasons
    if status in ("skipped", "failed"):
        counted = Counter(reasons.get(status, {}))
        counted[reason or "unknown"] += 1
        reasons = {**reasons, status: dict(counted)}
    return replace(
        progress,
        done=progress.done + 1,
        indexed=progress.indexed + (status == "indexed"),
        skipped=progress.skipped + (status == "skipped"),
        failed=progress.failed + (status == "failed"),
        chunks=progress.chunks + chunks,
        reasons=reasons,
    )


def _progress_of(known: list[Page], chunks: int) -> JobProgress:
    progress = JobProgress(total=len(known), chunks=chunks)
    for page in known:
        if page.status != "queued":
            progress = _count(progress, page.status, page.reason, 0)
    return progress


async def _go_live(build: Build) -> None:
    await _check_usable(build)

    def transaction(conn: Connection) -> None:
        _hold(conn, build)
        versions.make_live(conn, build.version)
        sources.end_crawl(conn, build.source.id)
        jobs.finish(conn, build.job.id, "succeeded")

    await build.db.write(transaction)
    log.info("version %s of %s is live: %s", build.version.number, build.source.slug, build.progress)


async def _check_usable(build: Build) -> None:
    """Raise FlowChatError where a fault of the site, rather than its content, has made the version what it is."""
    reasons = build.progress.reasons
    site = build.source.url or build.source.slug
    if ROBOTS_UNREACHABLE in reasons.get("skipped", {}):
        raise FlowChatError(
            ROBOTS_UNREACHABLE,
            f"The robots.txt of {site} could not be fetched, so nothing may be crawled there (RFC 9309): it must "
            "answer with rules or with 404. Check that the site is up, then recrawl.",
        )
    if build.progress.indexed == 0:
        counts = Counter(reasons.get("failed", {})) + Counter(reasons.get("skipped", {}))
        told = ", ".join(f"{reason} ({number})" for reason, number in counts.most_common(3)) or "no pages"
        advice = " FLOWCHAT_ALLOW_PRIVATE_HOSTS lets it be crawled." if "address_not_public" in counts else ""
        raise FlowChatError("nothing_indexed", f"No page of {site} was usable: {told}.{advice}")
    live, unavailable = await pages.count_unavailable(build.db, build.source.live_version or "", build.version.seq)
    if unavailable * 2 > live:
        raise FlowChatError(
            "site_unavailable",
            f"{site} was out of order: {unavailable} of the {live} pages that were indexed before could not be "
            "fetched. They stay as they were. Recrawl when the site is up again.",
        )


async def dispose(db: Database, should_stop: Callable[[], bool], batch: int = 500) -> None:
    """Delete the content of versions that nothing needs any more, a little at a time, until `should_stop()`."""
    for seq in await versions.disposable(db):
        for store in (chunk_store, pages):
            while not should_stop():
                if not await db.write(lambda conn, store=store, seq=seq: store.delete_batch(conn, seq, batch)):  # type: ignore[misc]
                    break
        if should_stop():
            return
        await db.write(lambda conn, seq=seq: versions.delete_if_empty(conn, seq))  # type: ignore[misc]
