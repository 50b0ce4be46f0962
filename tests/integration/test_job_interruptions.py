"""What is left when a job is interrupted at any moment, and how it goes on."""

import asyncio
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from appliance import operator, running
from crawling import PAGES, chain, finished, found, html, requested, site, source_of
from fakes import FakeEmbedder, fake_engines
from loopback import redirect

from flowchat.errors import FlowChatError
from flowchat.ingest import pipeline
from flowchat.services import jobs, sources, startup, worker
from flowchat.services.check import check
from flowchat.services.source_requests import NewSource
from flowchat.store import jobs as job_store
from flowchat.store import pages as page_store
from flowchat.store import versions
from flowchat.store.database import connect
from flowchat.tasks import Queue


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "BATCH_CHUNKS", 2)
    monkeypatch.setattr(pipeline, "BATCH_PAGES", 2)


class Interrupter:
    """Calls a function just before the embedder is called for the n-th time."""

    def __init__(self, when: int, what: Callable[[], object]) -> None:
        self.calls = 0
        self._when = when
        self._what = what

    def __call__(self) -> None:
        self.calls += 1
        if self.calls == self._when:
            self._what()


@pytest.mark.parametrize("how", ["stopped", "cancelled", "killed"])
@pytest.mark.parametrize("when", [1, 2, 3])
async def test_an_interrupted_crawl_resumes_without_double_work(
    tmp_path: Path, small_batches: None, how: str, when: int
) -> None:
    embedder = FakeEmbedder()
    async with site(chain()) as server:
        async with running(tmp_path / "first", fake_engines(embedder=embedder)) as app:
            _, job = await sources.create(app, await operator(app), NewSource(server.url + "/", slug="site"))
            work = asyncio.create_task(worker.run(app, job.id))
            loop = asyncio.get_running_loop()
            interrupt: dict[str, Callable[[], object]] = {
                "stopped": app.stopping.set,
                "cancelled": lambda: loop.call_soon_threadsafe(work.cancel),
                "killed": lambda: snapshot(app.db.path, tmp_path / "second"),
            }
            embedder.before_embedding = Interrupter(when, interrupt[how])
            await asyncio.wait({work})
            assert work.cancelled() == (how == "cancelled")
            state = (await jobs.get(app, await operator(app), job.id)).status
            assert state == ("succeeded" if how == "killed" else "queued")
        embedder.before_embedding = lambda: None
        folder = tmp_path / ("second" if how == "killed" else "first")
        async with running(folder, fake_engines(embedder=embedder)) as app:
            await startup.resume_jobs(app)
            left = await jobs.get(app, await operator(app), job.id)
            assert left.status == "queued" and await check(app.db) == []
            assert (await source_of(app, job)).live_version is None
            version = await versions.get(app.db, job.version_id or "")
            assert version is not None
            done = {page.url for page in await page_store.all_of(app.db, version.seq) if page.status != "queued"}
            assert len(done) == left.progress.done < PAGES
            server.requests.clear()
            embedder.embedded.clear()
            job = await finished(app, job)
            assert (job.status, job.progress.indexed, job.attempts) == ("succeeded", PAGES, 1)
            assert not done & {server.url + path for path in requested(server)}
            assert len(embedder.embedded) == PAGES - len(done)
            assert (await source_of(app, job)).chunks == job.progress.chunks == PAGES
            assert await check(app.db) == []


def snapshot(database: Path, folder: Path) -> None:
    """What a kill at this moment would leave behind: the committed transactions."""
    folder.mkdir()
    with closing(connect(database)) as connection:
        connection.execute("vacuum into ?", (str(folder / database.name),))


async def test_a_redirect_cut_in_two_loses_no_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "BATCH_PAGES", 1)
    answers = {"/": html("Home.", "/moved"), "/moved": redirect("/target"), "/target": html("Here is cherry.")}
    embedder = FakeEmbedder()
    async with site(answers) as server, running(tmp_path, fake_engines(embedder=embedder)) as app:
        embedder.before_embedding = Interrupter(2, app.stopping.set)
        _, job = await sources.create(app, await operator(app), NewSource(server.url + "/", slug="site"))
        await worker.run(app, job.id)
        app.stopping.clear()
        job = await finished(app, job)
        assert (job.status, job.progress.indexed) == ("succeeded", 2)
        assert await found(app, await source_of(app, job), "cherry") == [f"{server.url}/target"]


async def test_cancel(tmp_path: Path, small_batches: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "RENEW_S", 0.0)
    embedder = FakeEmbedder()
    async with site(chain()) as server, running(tmp_path, fake_engines(embedder=embedder)) as app:
        actor = await operator(app)
        _, waiting = await sources.create(app, actor, NewSource(server.url + "/", slug="waiting"))
        waiting = await jobs.cancel(app, actor, waiting.id)
        assert (waiting.status, (await source_of(app, waiting)).status) == ("canceled", "failed")
        await worker.run(app, waiting.id)
        assert (await jobs.get(app, actor, waiting.id)).attempts == 0

        _, job = await sources.create(app, actor, NewSource(server.url + "/", slug="site"))
        loop = asyncio.get_running_loop()

        def cancel() -> None:
            asyncio.run_coroutine_threadsafe(jobs.cancel(app, actor, job.id), loop).result()
            while asyncio.run_coroutine_threadsafe(jobs.get(app, actor, job.id), loop).result().status == "running":
                time.sleep(0.01)

        embedder.before_embedding = Interrupter(2, cancel)
        ended = await finished(app, job)
        assert (ended.status, ended.error, (await source_of(app, job)).status) == ("canceled", None, "failed")
        assert await check(app.db) == []
        with pytest.raises(FlowChatError, match="is over"):
            await jobs.cancel(app, actor, job.id)


async def test_cancel_in_the_last_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The job is done before anybody looks whether it is to be canceled: its version must not go live."""
    monkeypatch.setattr(worker, "LOOK_AT_JOB_S", 600.0)
    embedder = FakeEmbedder()
    async with site(chain(3)) as server, running(tmp_path, fake_engines(embedder=embedder)) as app:
        actor = await operator(app)
        _, job = await sources.create(app, actor, NewSource(server.url + "/", slug="site"))
        loop = asyncio.get_running_loop()

        def cancel() -> None:
            asyncio.run_coroutine_threadsafe(jobs.cancel(app, actor, job.id), loop).result()

        embedder.before_embedding = cancel
        ended = await finished(app, job)
        assert (ended.status, (await source_of(app, job)).live_version) == ("canceled", None)
        assert await check(app.db) == []


async def test_what_another_extractor_began_is_begun_anew(tmp_path: Path, small_batches: None) -> None:
    embedder = FakeEmbedder()
    async with site(chain()) as server, running(tmp_path, fake_engines(embedder=embedder)) as app:
        _, job = await sources.create(app, await operator(app), NewSource(server.url + "/", slug="site"))
        embedder.before_embedding = Interrupter(3, app.stopping.set)
        job = await finished(app, job)
        assert (job.status, job.progress.indexed) == ("queued", 4)
        app.stopping.clear()
        await app.db.write(lambda conn: conn.execute("update versions set extractor = extractor - 1"))
        server.requests.clear()
        ended = await finished(app, job)
        assert (ended.status, ended.progress.indexed) == ("succeeded", PAGES) and ended.version_id != job.version_id
        assert {"/", "/p1"} <= set(requested(server))
        assert await versions.get(app.db, job.version_id or "") is None and await check(app.db) == []


async def test_what_is_embedded_anew_stays_as_it_was_read(tmp_path: Path) -> None:
    async with site(chain(2)) as server:
        async with running(tmp_path) as app:
            _, job = await sources.create(app, await operator(app), NewSource(server.url + "/", slug="site"))
            await finished(app, job)
            await app.db.write(lambda conn: conn.execute("update versions set extractor = 1"))
        other = fake_engines(embedder=FakeEmbedder("other-embedder"))
        async with running(tmp_path, other, embedder="other-embedder") as app:
            await startup.queue_missing_work(app)
            reindex = await job_store.active_of(app.db, job.source_id)
            assert reindex is not None and (await finished(app, reindex)).status == "succeeded"
            version = await versions.get(app.db, reindex.version_id or "")
            assert version is not None
            assert (version.status, version.extractor, version.embedder) == ("live", 1, "other-embedder")
            assert (version.former, version.added, version.changed, version.removed) == (job.version_id, 0, 0, 0)


async def test_one_job_at_a_time(tmp_path: Path) -> None:
    async with site(chain(2)) as server, running(tmp_path) as app:
        actor = await operator(app)
        _, job = await sources.create(app, actor, NewSource(server.url + "/", slug="site"))
        with pytest.raises(FlowChatError, match=job.id) as caught:
            await sources.recrawl(app, actor, "site")
        assert (caught.value.code, caught.value.status) == ("job_active", 409)
        await asyncio.gather(*(worker.run(app, job.id) for _ in range(3)))
        assert (await jobs.get(app, actor, job.id)).attempts == 1
        assert requested(server).count("/p1") == 1


async def test_a_worker_that_lost_its_lease_writes_nothing_more(tmp_path: Path, small_batches: None) -> None:
    embedder = FakeEmbedder()
    async with site(chain()) as server, running(tmp_path, fake_engines(embedder=embedder)) as app:
        _, job = await sources.create(app, await operator(app), NewSource(server.url + "/", slug="site"))

        def take_over() -> None:
            with closing(connect(app.db.path)) as beside:
                beside.execute("update jobs set lease_owner = 'another worker'")

        embedder.before_embedding = Interrupter(2, take_over)
        job = await finished(app, job)
        assert (job.status, job.progress.done) == ("running", 2)
        assert await check(app.db) == []


async def test_the_queue_runs_jobs_in_its_own_threads(tmp_path: Path) -> None:
    async with site(chain()) as server, running(tmp_path) as app:
        beside = Queue(tmp_path)  # the command line's
        app.wake = beside.wake
        actor = await operator(app)
        _, job = await sources.create(app, actor, NewSource(server.url + "/", slug="site"))
        beside.close()
        with closing(Queue(tmp_path)) as queue:
            assert not queue.is_empty
            queue.start(app, 1)
            while (job := await jobs.get(app, actor, job.id)).status in ("queued", "running"):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
            app.stopping.set()
            await asyncio.to_thread(queue.stop)
        assert (job.status, job.progress.indexed) == ("succeeded", PAGES)


async def test_a_job_given_up_after_too_many_interruptions(tmp_path: Path) -> None:
    async with site(chain(2)) as server, running(tmp_path) as app:
        _, job = await sources.create(app, await operator(app), NewSource(server.url + "/", slug="site"))
        await app.db.write(lambda conn: conn.execute(f"update jobs set attempts = {job_store.MAX_ATTEMPTS}"))
        job = await finished(app, job)
        assert job.status == "failed" and f"{job_store.MAX_ATTEMPTS} interruptions" in str(job.error)
