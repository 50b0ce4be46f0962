"""A disk that gets full: nothing large begins any more, answers go on, and all is well once there is room again."""

import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from appliance import operator, running
from crawling import chain, crawled, finished, site, source_of
from signing_in import signed_in
from web_server import Served, add_source, serving

from flowchat.domain import now
from flowchat.services import disk, queueing, sources
from flowchat.services.source_requests import NewSource
from flowchat.store import jobs as job_store
from flowchat.store import sources as source_store

MORE_THAN_THERE_IS = 10**9
TMPFS_MB = 24


@pytest.fixture
async def low(tmp_path: Path) -> AsyncIterator[Served]:
    async with serving(tmp_path, min_free_mb=MORE_THAN_THERE_IS) as served:
        yield served


def make_room(served: Served) -> None:
    served.app.settings = replace(served.app.settings, min_free_mb=0)


async def test_nothing_large_begins(low: Served) -> None:
    await add_source(low.app, "papers", is_live=False)
    files = {"file": ("guide.md", b"# Guide\n\nIt is open on Mondays.", "text/markdown")}
    for answer in (
        await low.call("POST", "/v1/sources", json={"url": "https://shop.example/"}),
        await low.call("POST", "/v1/sources/papers/recrawl"),
        await low.call("POST", "/v1/sources/papers/documents", files=files),
    ):
        assert (answer.status_code, answer.json()["code"]) == (507, "disk_low")
        assert "FLOWCHAT_MIN_FREE_MB" in answer.json()["detail"]
        assert answer.headers["Retry-After"] == "300"
    make_room(low)
    assert (await low.call("POST", "/v1/sources/papers/documents", files=files)).status_code == 201


async def test_answers_go_on_and_everybody_is_told(low: Served) -> None:
    assert (await low.ask(Accept="application/json")).status_code == 200
    health = await low.client.get("/health")
    assert (health.status_code, health.json()["status"]) == (200, "ready")
    assert health.json()["warnings"] == ["The disk is nearly full: nothing new is crawled or uploaded."]
    async with signed_in(low, operator=True) as me:
        assert "The disk is nearly full." in (await me.get("/admin")).text
        make_room(low)
        assert "The disk is nearly full." not in (await me.get("/admin")).text
    assert (await low.client.get("/health")).json()["warnings"] == []


async def test_what_is_due_and_what_is_queued_waits(tmp_path: Path) -> None:
    async with running(tmp_path) as app, site(chain(3)) as server:
        actor = await operator(app)
        _, job = await sources.create(app, actor, NewSource(server.url + "/", slug="site", schedule="daily"))
        assert job
        app.settings = replace(app.settings, min_free_mb=MORE_THAN_THERE_IS)
        assert (await finished(app, job)).status == "queued"
        app.settings = replace(app.settings, min_free_mb=0)
        assert (await finished(app, job)).status == "succeeded"
        await app.db.write(lambda conn: source_store.set_next_crawl(conn, job.source_id or "", now(-60)))
        app.settings = replace(app.settings, min_free_mb=MORE_THAN_THERE_IS)
        await queueing.queue_due(app)
        assert await job_store.waiting(app.db) == []
        app.settings = replace(app.settings, min_free_mb=0)
        await queueing.queue_due(app)
        assert len(await job_store.waiting(app.db)) == 1


async def test_a_crawl_under_way_fails_and_the_live_version_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path) as app, site(chain(3)) as server:
        first = await crawled(app, server)
        live = (await source_of(app, first)).live_version
        again = await sources.recrawl(app, await operator(app), "site")
        monkeypatch.setattr(disk, "is_nearly_full", lambda settings: True)
        failed = await finished(app, again)
        assert failed.status == "failed" and failed.error and failed.error.startswith("The disk is nearly full")
        assert (await source_of(app, first)).live_version == live


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={TMPFS_MB}m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no tmpfs can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


async def test_on_a_disk_that_is_full_questions_are_refused_and_later_answered(small_disk: Path) -> None:
    async with serving(small_disk, min_free_mb=1) as served:
        assert (await served.ask(Accept="application/json")).status_code == 200
        filler = small_disk / "filler"
        with filler.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"\0" * 4096)
            except OSError:
                pass
        answers = [await served.ask(Accept="application/json") for _ in range(30)]
        refused = [answer for answer in answers if answer.status_code != 200]
        assert refused, "the database found room all the same"
        assert {(answer.status_code, answer.json()["code"]) for answer in refused} == {(503, "disk_full")}
        assert all(answer.headers["Retry-After"] == "60" for answer in refused)
        stored = await served.stored_answers()
        assert stored == 1 + len(answers) - len(refused)
        low = await served.call("POST", "/v1/sources", json={"url": "https://shop.example/"})
        assert (low.status_code, low.json()["code"]) == (507, "disk_low")
        filler.unlink()
        assert (await served.ask(Accept="application/json")).status_code == 200
        assert await served.stored_answers() == stored + 1
