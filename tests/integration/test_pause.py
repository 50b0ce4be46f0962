"""Jobs that are paused, resumed, and canceled meanwhile."""

import asyncio
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from appliance import operator, running
from crawling import PAGES, chain, crawled_over_http, finished, refused_to_others, requested, site, source_of, work
from fakes import FakeEmbedder, fake_engines
from web_server import Served, serving

from flowchat.domain import Job, now
from flowchat.ingest import pipeline
from flowchat.services import jobs, queueing, sources, startup, worker
from flowchat.services.check import check
from flowchat.services.context import Appliance
from flowchat.services.source_requests import NewSource
from flowchat.store import jobs as job_store
from flowchat.store import sources as source_store
from flowchat.tasks import Queue


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "BATCH_CHUNKS", 2)
    monkeypatch.setattr(pipeline, "BATCH_PAGES", 2)


class Held:
    """An embedder that waits, before its n-th call, until it is let go."""

    def __init__(self, embedder: FakeEmbedder, when: int) -> None:
        self.reached = threading.Event()
        self.go_on = threading.Event()
        self._calls = 0
        self._when = when
        embedder.before_embedding = self._before

    def _before(self) -> None:
        self._calls += 1
        if self._calls == self._when:
            self.reached.set()
            assert self.go_on.wait(30)


async def paused_in_the_middle(app: Appliance, job: Job, when: int) -> Job:
    """The job, paused while a worker was embedding its n-th batch, which is lost."""
    embedder = app.engines.embedder
    assert isinstance(embedder, FakeEmbedder)
    held = Held(embedder, when)
    task = asyncio.create_task(worker.run(app, job.id))
    await asyncio.to_thread(held.reached.wait, 30)
    paused = await jobs.pause(app, await operator(app), job.id)
    held.go_on.set()
    async with asyncio.timeout(30):
        await task
    return paused


async def test_a_paused_crawl_goes_on_where_it_was(tmp_path: Path, small_batches: None) -> None:
    embedder = FakeEmbedder()
    async with site(chain()) as server:
        async with running(tmp_path, fake_engines(embedder=embedder)) as app:
            actor = await operator(app)
            _, job = await sources.create(app, actor, NewSource(server.url + "/", slug="site"))
            assert job is not None
            paused = await paused_in_the_middle(app, job, 3)
            assert (paused.status, paused.paused_at is None) == ("queued", False)
            left = await jobs.get(app, actor, job.id)
            assert (left.status, left.paused_at, left.progress.indexed) == ("queued", paused.paused_at, 4)
            assert (await source_of(app, job)).status == "pending"
            await work(app)  # nobody takes it
            assert (await finished(app, job)).status == "queued"
        async with running(tmp_path, fake_engines(embedder=embedder)) as app:
            await startup.resume_jobs(app)
            assert await job_store.waiting(app.db) == [] and await check(app.db) == []
            woken: list[str] = []
            app.wake = woken.append
            resumed = await jobs.resume(app, actor, job.id)
            assert (resumed.status, resumed.paused_at, woken) == ("queued", None, [job.id])
            server.requests.clear()
            embedder.embedded.clear()
            job = await finished(app, job)
            assert (job.status, job.paused_at, job.progress.indexed) == ("succeeded", None, PAGES)
            assert len(embedder.embedded) == PAGES - 4
            assert not {"/", "/p1", "/p2", "/p3"} & set(requested(server))
            assert await check(app.db) == []


async def test_pausing_is_no_interruption_that_counts(tmp_path: Path, small_batches: None) -> None:
    async with site(chain()) as server, running(tmp_path) as app:
        actor = await operator(app)
        _, job = await sources.create(app, actor, NewSource(server.url + "/", slug="site"))
        assert job is not None
        for _ in range(3):
            await paused_in_the_middle(app, job, 1)
            assert (await jobs.get(app, actor, job.id)).attempts == 0
            await jobs.resume(app, actor, job.id)
        assert (await finished(app, job)).status == "succeeded"


async def test_a_worker_lets_go_of_a_paused_crawl_by_itself(tmp_path: Path) -> None:
    """Also where nothing comes that could be stored."""
    async with site(chain()) as server, running(tmp_path, crawl_delay_s=600.0) as app:
        actor = await operator(app)
        _, job = await sources.create(app, actor, NewSource(server.url + "/", slug="site"))
        assert job is not None
        with closing(Queue(tmp_path)) as queue:
            app.wake = queue.wake
            queue.start(app, 1)
            app.wake(job.id)
            while (await jobs.get(app, actor, job.id)).status != "running":  # noqa: ASYNC110 (a test may poll)
                await asyncio.sleep(0.02)
            await jobs.pause(app, actor, job.id)
            other, second = await sources.create(app, actor, NewSource(server.url + "/", slug="other"))
            assert second is not None
            async with asyncio.timeout(30):  # the only worker is free again
                while (await jobs.get(app, actor, second.id)).status != "running":  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            assert (await sources.get(app, actor, other.id)).status == "crawling"
            assert (await source_of(app, job)).status == "pending"
            app.stopping.set()
            await asyncio.to_thread(queue.stop)


async def test_a_paused_recrawl_leaves_the_source_answering(tmp_path: Path, small_batches: None) -> None:
    async with site(chain(4)) as server, serving(tmp_path) as served:
        source, _ = await crawled_over_http(served, server, schedule="hourly")
        server.answers = chain(6)
        job = (await served.call("POST", "/v1/sources/site/recrawl")).json()
        stored = await job_store.get(served.app.db, job["id"])
        assert stored is not None
        await paused_in_the_middle(served.app, stored, 1)
        after = (await served.call("GET", "/v1/sources/site")).json()
        assert (after["status"], after["live_version"]) == ("ready", source["live_version"])
        busy = await served.call("POST", "/v1/sources/site/recrawl")
        assert (busy.status_code, busy.json()["code"]) == (409, "job_active")
        assert "paused" in busy.json()["detail"] and job["id"] in busy.json()["detail"]
        await served.app.db.write(lambda conn: source_store.set_next_crawl(conn, source["id"], now(-1)))
        await queueing.queue_due(served.app)
        assert len(await jobs_of(served)) == 2


async def jobs_of(served: Served) -> list[dict[str, Any]]:
    return list((await served.call("GET", "/v1/jobs", params={"source": "site"})).json()["data"])


async def test_pause_and_resume_over_http(tmp_path: Path) -> None:
    async with site(chain(2)) as server, serving(tmp_path) as served:
        created = await served.call("POST", "/v1/sources", json={"url": server.url + "/", "slug": "site"})
        path = f"/v1/jobs/{created.json()['job']['id']}"
        paused = await served.call("POST", f"{path}/pause")
        again = await served.call("POST", f"{path}/pause")
        assert (paused.status_code, paused.json()["status"]) == (200, "queued")
        assert paused.json()["paused_at"] is not None and again.json() == paused.json()
        await work(served.app)
        assert (await served.call("GET", path)).json() == paused.json()
        resumed = await served.call("POST", f"{path}/resume")
        twice = await served.call("POST", f"{path}/resume")
        assert (resumed.status_code, twice.status_code, resumed.json()["paused_at"]) == (200, 200, None)
        await work(served.app)
        assert (await served.call("GET", path)).json()["status"] == "succeeded"
        for what in ("pause", "resume"):
            over = await served.call("POST", f"{path}/{what}")
            assert (over.status_code, over.json()["code"]) == (409, "job_finished")
        log = await served.app.db.rows("select operation from audit_log where operation like 'jobs.%' order by id")
        assert [row["operation"] for row in log] == ["jobs.pause", "jobs.resume"]


async def test_pausing_what_is_being_canceled_changes_nothing(tmp_path: Path, small_batches: None) -> None:
    embedder = FakeEmbedder()
    async with site(chain()) as server, running(tmp_path, fake_engines(embedder=embedder)) as app:
        actor = await operator(app)
        _, job = await sources.create(app, actor, NewSource(server.url + "/", slug="site"))
        assert job is not None
        held = Held(embedder, 2)
        task = asyncio.create_task(worker.run(app, job.id))
        await asyncio.to_thread(held.reached.wait, 30)
        await jobs.cancel(app, actor, job.id)
        paused = await jobs.pause(app, actor, job.id)
        assert (paused.status, paused.paused_at, paused.cancel_requested) == ("running", None, True)
        held.go_on.set()
        async with asyncio.timeout(30):
            await task


async def test_cancel_a_paused_job(tmp_path: Path) -> None:
    async with site(chain(2)) as server, serving(tmp_path) as served:
        created = (await served.call("POST", "/v1/sources", json={"url": server.url + "/", "slug": "site"})).json()
        path = f"/v1/jobs/{created['job']['id']}"
        await served.call("POST", f"{path}/pause")
        canceled = (await served.call("POST", f"{path}/cancel")).json()
        assert (canceled["status"], canceled["paused_at"]) == ("canceled", None)
        assert (await served.call("GET", "/v1/sources/site")).json()["status"] == "failed"
        assert await check(served.app.db) == []


async def test_who_may_pause(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        made = await served.call("POST", "/v1/sources", json={"url": "https://shop.example/"})
        path = f"/v1/jobs/{made.json()['job']['id']}"
        for what in ("pause", "resume"):
            assert await refused_to_others(served, "POST", f"{path}/{what}") == (404, 403)
            assert (await served.call("POST", f"/v1/jobs/job_none/{what}")).status_code == 404
            assert (await served.call("POST", f"{path}/{what}", params={"now": "1"})).status_code == 400
