"""`flowchat worker`: processes that do the jobs of an appliance whose server does none."""

import asyncio
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
from crawling import PAGES, chain, html, requested, site
from loopback import Server
from processes import appliance, end, redis_server

from flowchat import worker_process
from flowchat.app import has_workers, holding, prepare_folder, without_workers, working_beside
from flowchat.errors import Conflict
from flowchat.settings import Settings
from flowchat.store.database import connect


@asynccontextmanager
async def queue_on(kind: str) -> AsyncIterator[str]:
    """FLOWCHAT_QUEUE_URL."""
    if kind == "file":
        yield ""
        return
    async with redis_server() as redis:
        yield redis.url


@asynccontextmanager
async def half_a_site() -> AsyncIterator[tuple[Server, asyncio.Event]]:
    """One whose second half is answered once the event is set."""
    async with site(chain()) as server:
        server.held[f"/p{PAGES // 2}"] = asyncio.Event()
        yield server, server.held[f"/p{PAGES // 2}"]


@pytest.mark.parametrize("kind", ["file", "redis"])
async def test_a_worker_crawls_and_the_server_answers(tmp_path: Path, kind: str) -> None:
    async with queue_on(kind) as url, site(chain()) as server, appliance(tmp_path, queue_url=url) as running:
        worker = await running.worker()
        job = await running.until(await running.new_crawl(server.url + "/"), "succeeded", "failed")
        assert (job["status"], job["progress"]["indexed"]) == ("succeeded", PAGES)
        source = await running.call("GET", "/v1/sources/site")
        assert source["status"] == "ready"
        answer = await running.ask("What is this page about word3 good for?")
        assert answer["citations"][0]["url"] == f"{server.url}/p3"

        # What another process makes live is answered from at once, although the same was asked before.
        server.answers["/p3"] = html("This page is about word3 and what it is good for: plums.", "/p4", title="Page 3")
        again = await running.call("POST", f"/v1/sources/{source['id']}/recrawl")
        await running.until(again["id"], "succeeded")
        answer = await running.ask("What is this page about word3 good for?")
        assert "plums" in answer["answer"]
        assert await end(worker) == 0


async def test_the_server_pauses_resumes_and_cancels_what_a_worker_does(tmp_path: Path) -> None:
    async with half_a_site() as (server, _), appliance(tmp_path) as running:
        worker = await running.worker()
        job_id = await running.new_crawl(server.url + "/")
        await running.until(job_id, "running", done=1)
        paused = await running.call("POST", f"/v1/jobs/{job_id}/pause")
        assert paused["status"] == "queued" and paused["paused_at"]
        await running.call("POST", f"/v1/jobs/{job_id}/resume")
        await running.until(job_id, "running")
        await running.call("POST", f"/v1/jobs/{job_id}/cancel")
        await running.until(job_id, "canceled")
        assert await end(worker) == 0


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
async def test_what_a_worker_leaves_another_one_finishes(tmp_path: Path, how: signal.Signals) -> None:
    async with half_a_site() as (server, go_on), appliance(tmp_path) as running:
        worker = await running.worker()
        job_id = await running.new_crawl(server.url + "/")
        await running.until(job_id, "running", done=PAGES // 2)
        server.requests.clear()
        assert await end(worker, how) == (0 if how == signal.SIGTERM else -9)
        with closing(connect(tmp_path / "flowchat.db")) as beside:
            [left] = beside.execute("select status, lease_owner from jobs where id = ?", (job_id,)).fetchall()
            assert left["status"] == ("queued" if how == signal.SIGTERM else "running")
            assert (left["lease_owner"] is None) == (how == signal.SIGTERM)
            beside.execute("update jobs set lease_until = created_at where lease_until is not null")  # it has run out
        go_on.set()
        other = await running.worker()
        job = await running.until(job_id, "succeeded", "failed")
        assert (job["status"], job["progress"]["indexed"]) == ("succeeded", PAGES)
        assert not {"/", "/p1", "/p2", "/p3"} & set(requested(server))
        assert await end(other) == 0


async def test_two_workers_crawl_side_by_side(tmp_path: Path) -> None:
    async with half_a_site() as (one, go), half_a_site() as (two, go_too), appliance(tmp_path) as running:
        workers = [await running.worker() for _ in range(2)]
        first = await running.new_crawl(one.url + "/", "one")
        second = await running.new_crawl(two.url + "/", "two")
        await running.until(first, "running", done=1)
        await running.until(second, "running", done=1)
        with closing(connect(tmp_path / "flowchat.db")) as beside:
            rows = beside.execute("select lease_owner from jobs where status = 'running'").fetchall()
        assert {row[0].partition("-")[0] for row in rows} == {str(worker.pid) for worker in workers}
        go.set()
        go_too.set()
        for job_id in (first, second):
            assert (await running.until(job_id, "succeeded", "failed"))["status"] == "succeeded"
        assert [await end(worker) for worker in workers] == [0, 0]


async def test_a_worker_ends_with_its_server(tmp_path: Path) -> None:
    async with half_a_site() as (server, _):
        async with appliance(tmp_path) as running:
            worker = await running.worker()
            job_id = await running.new_crawl(server.url + "/")
            await running.until(job_id, "running", done=1)
            assert has_workers(tmp_path)
        assert worker.returncode == 1
        assert not has_workers(tmp_path)
        with closing(connect(tmp_path / "flowchat.db")) as beside:
            left = beside.execute("select status, lease_owner from jobs where id = ?", (job_id,)).fetchone()
        assert tuple(left) == ("queued", None)


def test_where_a_worker_refuses_to_work(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data", embedder="one")
    with pytest.raises(Conflict, match="Start it first") as caught:
        worker_process.work(settings, 1, print)
    assert caught.value.code == "not_served"
    prepare_folder(settings)
    with (
        holding(settings.data_dir),
        pytest.raises(Conflict, match="not ready") as caught,
    ):  # a command that serves nobody
        worker_process.work(settings, 1, print)
    assert caught.value.code == "not_ready_for_workers"
    with holding(settings.data_dir, "http://127.0.0.1:1", "another"):
        with pytest.raises(Conflict, match="FLOWCHAT_EMBEDDER is one here and another") as caught:
            worker_process.work(settings, 1, print)
        assert caught.value.code == "other_embedder"
    with closing(connect(settings.database_path)) as beside:
        beside.execute("pragma user_version = 5")
    with holding(settings.data_dir, "http://127.0.0.1:1", "one"), pytest.raises(Conflict, match="another version"):
        worker_process.work(settings, 1, print)
    shutil.rmtree(settings.data_dir)


def test_nothing_is_migrated_under_a_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowchat.app.WORKERS_WAIT_S", 0.1)
    settings = Settings(data_dir=tmp_path, embedder="one")
    prepare_folder(settings)
    with holding(tmp_path, "http://127.0.0.1:1", "one"):
        with working_beside(settings):
            assert has_workers(tmp_path)
            with pytest.raises(Conflict, match="Stop them"), without_workers(tmp_path):
                pass
        with without_workers(tmp_path), pytest.raises(Conflict, match="not ready"), working_beside(settings):
            pass
