"""What is indexed without a crawl: the built-in documents, and versions of another embedder."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from appliance import operator, running
from crawling import chain, crawled, found, site, source_of
from fakes import FakeEmbedder, fake_engines

from flowchat.domain import Job
from flowchat.engines.protocols import Engines
from flowchat.services import jobs, sources, startup, worker
from flowchat.services.check import check
from flowchat.services.context import Appliance
from flowchat.store import jobs as job_store
from flowchat.store import versions


@pytest.fixture
def fake_docs(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    documents = {"start": "# Start\n\nRun it with papaya.\n", "keys": "# Keys\n\nA key opens quince.\n"}
    monkeypatch.setattr("flowchat.ingest.documents.builtin_documents", lambda: documents)
    yield documents


async def run_waiting(app: Appliance) -> list[Job]:
    actor = await operator(app)
    await startup.queue_missing_work(app)
    waiting = await job_store.waiting(app.db)
    for job_id in waiting:
        await worker.run(app, job_id)
    return [await jobs.get(app, actor, job_id) for job_id in waiting]


async def test_documents_are_indexed_when_they_change(tmp_path: Path, fake_docs: dict[str, str]) -> None:
    async with running(tmp_path) as app:
        [job] = await run_waiting(app)
        docs = await source_of(app, job)
        assert (job.type, job.status, docs.slug, docs.pages) == ("index_docs", "succeeded", "docs", 2)
        assert await found(app, docs, "quince") == ["/docs/keys#keys"]
        assert await run_waiting(app) == []
        fake_docs["more"] = "# More\n\nAll about rhubarb.\n"
        [job] = await run_waiting(app)
        assert await found(app, docs, "rhubarb") == ["/docs/more#more"]
        again = await sources.recrawl(app, await operator(app), "docs")
        await worker.run(app, again.id)
        embedder = app.engines.embedder
        assert isinstance(embedder, FakeEmbedder)
        assert again.type == "index_docs" and len(embedder.embedded) == 3  # the unchanged ones only once


async def test_documents_that_change_while_they_are_indexed(tmp_path: Path, fake_docs: dict[str, str]) -> None:
    async with running(tmp_path) as app:
        await startup.queue_missing_work(app)
        fake_docs["start"] = "# Start\n\nRun it with lychee.\n"
        [job] = await run_waiting(app)
        assert await found(app, await source_of(app, job), "lychee") == ["/docs/start#start"]
        assert await run_waiting(app) == [] and await check(app.db) == []


async def test_another_embedder_indexes_anew(tmp_path: Path, fake_docs: dict[str, str]) -> None:
    async with site(chain(3)) as server:
        async with running(tmp_path) as app:
            await run_waiting(app)
            first = await crawled(app, server)
            waiting = await sources.recrawl(app, await operator(app), "site")
        server.requests.clear()
        other: Engines = fake_engines(embedder=FakeEmbedder("other-embedder"))
        async with running(tmp_path, other, embedder="other-embedder") as app:
            done = await run_waiting(app)
            assert {(job.type, job.status) for job in done} == {("crawl", "succeeded"), ("index_docs", "succeeded")}
            crawl = await jobs.get(app, await operator(app), waiting.id)
            assert crawl.version_id not in (first.version_id, waiting.version_id)  # begun for the former embedder
            assert await versions.get(app.db, waiting.version_id or "") is None
        async with running(tmp_path) as app:
            server.requests.clear()
            done = await run_waiting(app)
            assert {(job.type, job.status) for job in done} == {("reindex", "succeeded"), ("index_docs", "succeeded")}
            assert server.requests == []
            source = await sources.get(app, await operator(app), "site")
            assert (source.pages, source.chunks) == (3, 3) and await found(app, source, "word2")
            assert await run_waiting(app) == [] and await check(app.db) == []
