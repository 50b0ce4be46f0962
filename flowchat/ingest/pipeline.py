"""crawl → extract → chunk → embed → index, as one job that may be interrupted at any moment.

Outcomes come from a page source (a crawl, the built-in documents, a former version) through a bounded queue, so that
fetching goes on while the model embeds. They are embedded and stored in batches, each batch in one transaction with
the links it found and the job's progress. The version goes live in the last transaction.
"""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from flowchat.domain import EXTRACTOR, Job, JobProgress, Page, PageOutcome, Source, Version
from flowchat.engines.priority import BulkGate
from flowchat.engines.protocols import Embedder, Vectors
from flowchat.errors import FlowChatError
from flowchat.ingest import ending, page_quota
from flowchat.ingest.crawl import Crawl, Limits
from flowchat.ingest.documents import builtin_outcomes, stored_outcomes, uploaded_outcomes
from flowchat.ingest.embed import Embedded, embed, passage
from flowchat.ingest.former import Former
from flowchat.ingest.progress import Pace, count, crawled, progress_of
from flowchat.ingest.scope import Scope
from flowchat.ingest.site import ROBOTS_UNREACHABLE, Site, SiteFault
from flowchat.metrics import Metrics
from flowchat.net.fetch import Fetcher
from flowchat.net.render import Renderer
from flowchat.settings import Settings
from flowchat.store import chunks as chunk_store
from flowchat.store import documents, jobs, pages, versions
from flowchat.store.database import Connection, Database

BATCH_CHUNKS = 32  # a transaction each: about two seconds of embedding, which is what an interruption can lose
BATCH_PAGES = 64
BATCH_WAIT_S = 5.0  # a slow site's pages are stored after this long even if the batch isn't full
QUEUED_PAGES = 32
MIN_MASS_REMOVAL = 10  # fewer pages than that may come and go

TELL_S = 2.0  # how often a job tells what it has found while its first pages are still being read
ADVICE = {  # where no page could be used
    "address_not_public": "List the host in FLOWCHAT_ALLOW_PRIVATE_HOSTS and restart FlowChat to let it be crawled.",
    "robots": "Its robots.txt forbids them: allow FlowChatBot there.",
    "redirected_out_of_scope": "They lead to another site: create the source with the address that a browser shows.",
    "not_included": "The patterns of include and exclude leave out all that was found.",
    "needs_javascript": "Their text is made by scripts: FLOWCHAT_RENDERER renders them.",
    "noindex": "They ask not to be indexed.",
    "http_401": "They need a sign-in: give the source its auth.",
    "http_403": "The site refuses them: allow FlowChatBot, or give the source its auth.",
    "http_404": "Check the address.",
}

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
    metrics: Metrics
    headers: Mapping[str, str] = field(default_factory=dict)  # for the source's own origin: its sign-in
    live: Version | None = None  # the version that is live meanwhile
    renderer: Renderer | None = None
    site: Site | None = None  # that is crawled
    is_fetched: bool = False  # there were pages to index
    most_crawled: int | None = None  # pages that the tenant's plan still allows, with those that are crawled already
    progress: JobProgress = field(default_factory=JobProgress)
    pace: Pace = field(default_factory=Pace)
    hashes: dict[str, str] = field(default_factory=dict)  # {content hash: url} of what is indexed

    @property
    def former(self) -> Version | None:
        """The live version, where its vectors are of the same embedder."""
        return self.live if self.live is not None and self.live.embedder == self.embedder.name else None


async def run(build: Build) -> bool:
    """Build the version and make it live; False if documents changed meanwhile and the job has another one to build.

    Raises FlowChatError if nothing usable came (SiteFault where that is the site's), Canceled when stopped.
    """
    await build.db.write(lambda conn: chunk_store.ensure_vectors(conn, build.embedder.dims))
    known = await pages.all_of(build.db, build.version.seq)
    build.progress = progress_of(known, build.job.progress, build.version.chunks)
    build.is_fetched = build.progress.indexed > 0
    build.hashes = await pages.content_hashes(build.db, build.version.seq)
    if build.job.type == "crawl":
        build.most_crawled = await build.db.write(partial(_reserve, build=build))
    outcomes, found = await _page_source(build, known)
    async with _telling(build, found), contextlib.aclosing(_batches(outcomes)) as batches:
        async for batch in batches:
            build.check()
            build.is_fetched = build.is_fetched or any(outcome.status == "indexed" for outcome in batch)
            hashes = dict(build.hashes)
            batch = [_unless_copy(outcome, hashes) for outcome in batch]
            known_vectors = await _known_vectors(build, batch)
            stages = build.metrics.ingest_stage_s
            with stages.labels("embed").time():
                embedded = await asyncio.to_thread(embed, build.embedder, build.gate, batch, known_vectors, build.check)
            build.check()
            with stages.labels("store").time():
                await _index(build, batch, embedded, found())
            build.hashes = hashes
    return await _go_live(build)


def _reserve(conn: Connection, build: Build) -> int | None:
    """The most pages that the version may have of this crawl, by the tenant's plan; None: any number."""
    _hold(conn, build)
    job = replace(build.job, progress=build.progress)
    reserved = page_quota.reserve(conn, job, _max_pages(build))
    return None if reserved is None else crawled(build.progress) + reserved


async def _page_source(build: Build, known: list[Page]) -> tuple[AsyncGenerator[PageOutcome, None], Callable[[], int]]:
    """The outcomes still to come, and a function that counts the pages known so far."""
    done = {page.url for page in known if page.status != "queued"}
    if build.job.type == "crawl":
        crawl = _crawl(build, known)
        return crawl.outcomes(), lambda: crawl.found
    if build.job.type == "index_docs":
        return builtin_outcomes(done, build.embedder.count_tokens), lambda: 0
    if build.job.type == "index_documents":
        is_same_reader = build.former is not None and build.former.extractor == EXTRACTOR
        unchanged = await pages.all_of(build.db, build.former.seq) if build.former and is_same_reader else []
        total = len(await documents.all_of(build.db, build.source.id))
        outcomes = uploaded_outcomes(build.db, build.source.id, unchanged, done, build.embedder.count_tokens)
        return outcomes, lambda: total
    former = await versions.get(build.db, build.source.live_version or "")
    if former is None:
        raise FlowChatError("no_live_version", "There is nothing to index anew: recrawl the source instead.")
    stored = await pages.all_of(build.db, former.seq)
    return stored_outcomes(build.db, former.seq, stored, done), lambda: former.pages


def _crawl(build: Build, known: list[Page]) -> Crawl:
    settings, source = build.settings, build.source
    build.site = Site(source.url or "", build.fetcher, build.headers, settings.crawl_delay_s)
    return Crawl(
        source,
        build.site,
        known,
        build.hashes,
        Former(build.db, build.live, build.version.content_hash),
        build.embedder.count_tokens,
        Limits(_max_pages(build), settings.crawl_concurrency, build.most_crawled),
        build.renderer,
        build.metrics,
    )


def _max_pages(build: Build) -> int:
    return build.job.max_pages or build.source.config.max_pages or build.settings.crawl_max_pages


@contextlib.asynccontextmanager
async def _telling(build: Build, found: Callable[[], int]) -> AsyncIterator[None]:
    task = asyncio.create_task(_tell(build, found))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _tell(build: Build, found: Callable[[], int]) -> None:
    """Show that pages are found while the first ones, or long ones, are still being read and embedded."""
    told = 0
    while True:
        await asyncio.sleep(TELL_S)
        if found() > max(told, build.progress.total):
            told = found()
            await build.db.write(partial(jobs.set_total, job_id=build.job.id, owner=build.owner, total=told))


async def _batches(outcomes: AsyncGenerator[PageOutcome, None]) -> AsyncGenerator[list[PageOutcome], None]:
    """Outcomes in their order, in batches of about BATCH_CHUNKS chunks, fetched ahead of the embedding."""
    queue: asyncio.Queue[PageOutcome | None] = asyncio.Queue(QUEUED_PAGES)

    async def produce() -> None:
        async with contextlib.aclosing(outcomes):
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


def _unless_copy(outcome: PageOutcome, hashes: dict[str, str]) -> PageOutcome:
    """The page, skipped where another one says the same. `hashes` ({content hash: url}) learns of it otherwise."""
    if outcome.status != "indexed" or outcome.content_hash is None:
        return outcome
    twin = hashes.setdefault(outcome.content_hash, outcome.url)
    if twin == outcome.url:
        return outcome
    facts = replace(outcome.facts, duplicate_of=twin)
    return replace(outcome, status="skipped", reason="duplicate", facts=facts, chunks=())


async def _known_vectors(build: Build, batch: list[PageOutcome]) -> dict[str, Vectors]:
    """{passage: its vector} of what these pages say in the live version: the same text needs no model again."""
    if build.former is None:
        return {}
    urls = [outcome.url for outcome in batch if outcome.chunks]
    stored = await chunk_store.embedded(build.db, build.former.seq, urls, build.embedder.dims)
    return {passage(title, chunk.headings, chunk.text): vector for title, chunk, vector in stored}


async def _index(build: Build, batch: list[PageOutcome], embedded: Embedded, found: int) -> None:
    """Store a batch: pages, chunks, both indexes, links, usage and progress, in one transaction."""
    progress = build.progress

    def transaction(conn: Connection) -> JobProgress:
        _hold(conn, build)
        counted = progress
        for outcome, page_vectors in zip(batch, embedded.vectors, strict=True):
            _store_page(conn, build.version.seq, outcome, page_vectors)
            counted = count(counted, outcome, len(outcome.chunks))
        embedded_so_far = progress.embedded + embedded.fresh
        counted = replace(counted, total=max(found, counted.done), embedded=embedded_so_far)
        counted = build.pace.timed(counted, _max_pages(build))
        jobs.set_progress(conn, build.job.id, counted)
        page_quota.bill(conn, build.job, crawled(counted) - crawled(progress), embedded.fresh)
        return counted

    build.progress = await build.db.write(transaction)
    build.metrics.chunks_embedded.inc(embedded.fresh)
    for outcome in batch:
        build.metrics.pages.labels(outcome.status).inc()


def _hold(conn: Connection, build: Build) -> None:
    """Nothing is written for a job that another worker has taken over."""
    if not jobs.renew(conn, build.job.id, build.owner):
        raise Canceled("another worker has this job")


def _store_page(conn: Connection, version: int, outcome: PageOutcome, vectors: Vectors) -> None:
    page_id = pages.finish(conn, version, outcome)
    pages.enqueue(conn, version, [(link, outcome.depth + 1) for link in outcome.links])
    chunk_store.insert(conn, version, page_id, outcome.title, outcome.chunks, vectors)


async def _go_live(build: Build) -> bool:
    # Counted anew: some pages were looked at twice.
    known = await pages.all_of(build.db, build.version.seq)
    build.progress = progress_of(known, build.progress, build.progress.chunks)
    await _check_usable(build)

    def transaction(conn: Connection) -> bool:
        _hold(conn, build)
        if jobs.is_to_be_canceled(conn, build.job.id):
            raise Canceled("asked for just before it was done")
        job = replace(build.job, version_id=build.version.id)
        jobs.set_progress(conn, job.id, build.progress)
        ending.go_live(conn, build.version, job, build.source, build.progress)
        if job.type == "index_documents" and not _is_current(conn, build):
            _begin_next(conn, build)
            return False
        ending.succeed(conn, job, build.source, build.progress)
        return True

    is_done = await build.db.write(transaction)
    log.info("version %s of %s is live: %s", build.version.number, build.source.slug, build.progress)
    return is_done


def _is_current(conn: Connection, build: Build) -> bool:
    return documents.digest(conn, build.source.id) == build.version.content_hash


def _begin_next(conn: Connection, build: Build) -> None:
    """Documents came or went while the version was built: the same job goes on with another one."""
    digest = documents.digest(conn, build.source.id)
    version_id = versions.insert(conn, build.source.id, build.version.embedder, digest)
    jobs.set_version(conn, build.job.id, version_id)
    jobs.set_progress(conn, build.job.id, JobProgress())


async def _check_usable(build: Build) -> None:
    """Raise SiteFault where a fault of the site, rather than its content, has made the version what it is."""
    reasons = build.progress.reasons
    site = build.source.url or build.source.slug
    if ROBOTS_UNREACHABLE in reasons.get("skipped", {}):
        fault = build.site.robots_fault if build.site else ""
        raise SiteFault(
            ROBOTS_UNREACHABLE,
            f"The robots.txt of {site} could not be fetched, so nothing may be crawled there (RFC 9309). {fault} It "
            "must answer with rules or with 404. Check the address and that the site is up, then recrawl.",
        )
    if build.progress.indexed == 0 and not (build.job.type == "index_documents" and build.progress.done == 0):
        counts = Counter(reasons.get("failed", {})) + Counter(reasons.get("skipped", {}))
        told = ", ".join(f"{reason} ({number})" for reason, number in counts.most_common(3)) or "no pages"
        advice = "".join(f" {ADVICE[reason]}" for reason, _ in counts.most_common(3) if reason in ADVICE)
        raise SiteFault("nothing_indexed", f"No page of {site} was usable: {told}.{advice}")
    await _check_not_emptied(build)
    live, unavailable = await pages.count_unavailable(build.db, build.source.live_version or "", build.version.seq)
    if unavailable * 2 > live:
        raise SiteFault(
            "site_unavailable",
            f"{site} was out of order: {unavailable} of the {live} pages that were indexed before could not be "
            "fetched. They stay as they were. Recrawl when the site is up again.",
        )


async def _check_not_emptied(build: Build) -> None:
    """Raise SiteFault where a source would lose most of its pages, other than those its owner has left out."""
    if build.job.type != "crawl" or build.job.accept_removals or build.live is None:
        return
    if "max_pages" in build.progress.reasons.get("skipped", {}) and build.job.max_pages is None:
        return  # it is as full as its owner wants it
    missing = await pages.missing(build.db, build.live.seq, build.version.seq)
    gone = Counter(reason or "no_longer_linked" for url, depth, reason in missing if _is_wanted(build, url, depth))
    wanted = build.live.pages - len(missing) + gone.total()
    if gone.total() >= MIN_MASS_REMOVAL and build.progress.indexed * 2 < wanted:
        told = ", ".join(f"{reason} ({number})" for reason, number in gone.most_common(3))
        raise SiteFault(
            "mass_removal",
            f"{gone.total()} of the {build.live.pages} pages of {build.source.url} would be removed: {told}. They stay "
            "as they were. If that is how the site is now, recrawl with accept_removals.",
        )


def _is_wanted(build: Build, url: str, depth: int) -> bool:
    """Whether the owner's limits take in a page of the live version, wherever the site has moved since."""
    roots = {build.source.url or "", build.site.root if build.site else ""}
    max_depth = build.source.config.max_depth
    is_near = max_depth is None or depth <= max_depth
    return is_near and any(Scope(root, build.source.config).wants(url) for root in roots)
