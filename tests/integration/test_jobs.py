"""Crawls as jobs: what becomes of each page, and of a source's versions."""

import asyncio
from contextlib import closing
from pathlib import Path

import pytest
from appliance import operator, running
from crawling import chain, crawled, finished, found, html, requested, site, source_of
from fakes import FakeEmbedder, fake_engines
from loopback import answer, redirect

from flowchat.app import again_and_again
from flowchat.errors import FlowChatError
from flowchat.ingest import crawl
from flowchat.ingest import site as site_module
from flowchat.services import jobs, sources, worker
from flowchat.services.check import check
from flowchat.services.source_requests import NewSource
from flowchat.store import versions
from flowchat.store.database import connect
from flowchat.tasks import QUEUE_FILE, Queue


async def test_every_page_is_indexed_or_has_a_reason(tmp_path: Path) -> None:
    noindex = '<meta name="robots" content="noindex">'
    answers = {
        "/robots.txt": answer(b"User-agent: *\nDisallow: /private\n"),
        "/": html(
            "Home says apple.", "/a", "/twin", "/moved", "/gone", "/private", "/hidden", "/old", "/empty", "/a.png"
        ),
        "/a": html("Only this page says banana."),
        "/twin": html("Only this page says banana."),
        "/moved": redirect("/target"),
        "/target": html("The target says cherry.", "https://elsewhere.example/"),
        "/hidden": html("Nobody shall find date.", "/behind", head=noindex),
        "/behind": html("Behind it is elderberry."),
        "/old": html("Old words of fig.", head='<link rel="canonical" href="/new">'),
        "/new": html("New words of fig."),
        "/empty": answer(b"<html><body><main></main></body></html>", content_type="text/html"),
    }
    async with site(answers) as server, running(tmp_path) as app:
        job = await crawled(app, server)
        source = await source_of(app, job)
        assert (job.status, job.error, source.status) == ("succeeded", None, "ready")
        assert job.progress.reasons == {
            "skipped": {
                "duplicate": 1,
                "redirected": 1,
                "robots": 1,
                "noindex": 1,
                "canonical_elsewhere": 1,
                "no_content": 1,
            },
            "failed": {"http_404": 1},
        }
        assert (job.progress.indexed, job.progress.skipped, job.progress.failed) == (5, 6, 1)
        assert job.progress.done == job.progress.total == 12
        assert (source.pages, source.chunks, source.live_version) == (5, job.progress.chunks, job.version_id)
        assert await found(app, source, "cherry") == [f"{server.url}/target"]
        assert await found(app, source, "date") == []
        assert "/private" not in requested(server) and "/a.png" not in requested(server)
        assert await check(app.db) == []


async def test_limits_and_patterns(tmp_path: Path) -> None:
    async with site(chain()) as server, running(tmp_path) as app:
        new = NewSource(server.url + "/", slug="few", max_pages=3, exclude=("/p2",))
        job = await crawled(app, server, new)
        assert (job.progress.indexed, job.progress.done) == (2, 2)  # /p2 was the only way to the others
        new = NewSource(server.url + "/", slug="three", max_pages=3)
        job = await crawled(app, server, new)
        assert (job.progress.indexed, job.progress.reasons) == (3, {"skipped": {"max_pages": 1}})
        new = NewSource(server.url + "/", slug="flat", max_depth=1)
        assert (await crawled(app, server, new)).progress.indexed == 2


async def test_a_first_crawl_that_finds_nothing_fails(tmp_path: Path) -> None:
    async with site({}) as server, running(tmp_path) as app:
        job = await crawled(app, server)
        source = await source_of(app, job)
        assert (job.status, source.status, source.live_version) == ("failed", "failed", None)
        assert "http_404 (1)" in str(job.error)
        assert await check(app.db) == []
        server.answers = chain(2)
        again = await finished(app, await sources.recrawl(app, await operator(app), "site"))
        assert (again.status, again.progress.indexed) == ("succeeded", 2)


@pytest.mark.parametrize("status", ["", "503 Service Unavailable"])
async def test_no_crawl_without_robots_txt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: str) -> None:
    monkeypatch.setattr(site_module, "RETRY_PAUSE_S", 0.0)
    robots = answer(b"", status=status, retry_after="0") if status else b"broken\r\n\r\n"
    async with site({**chain(2), "/robots.txt": robots}) as server, running(tmp_path) as app:
        job = await crawled(app, server)
        assert (job.status, job.progress.reasons) == ("failed", {"skipped": {"robots_unreachable": 1}})
        assert "robots.txt" in str(job.error)
        assert set(requested(server)) == {"/robots.txt"} and len(server.requests) == (3 if status else 2)


async def test_a_redirect_to_what_robots_txt_forbids(tmp_path: Path) -> None:
    answers = {
        "/robots.txt": answer(b"User-agent: *\nDisallow: /private\n"),
        "/": html("Home.", "/moved"),
        "/moved": redirect("/private"),
        "/private": html("Nobody shall find date."),
    }
    async with site(answers) as server, running(tmp_path) as app:
        job = await crawled(app, server)
        assert (job.progress.indexed, job.progress.reasons) == (1, {"skipped": {"robots": 1}})
        assert await found(app, await source_of(app, job), "date") == []


async def test_duplicates_are_none_of_max_pages(tmp_path: Path) -> None:
    twins = {f"/twin{n}": html("All say the same.") for n in range(5)}
    answers = {"/": html("Home.", *twins, "/a"), **twins, "/a": html("Only this page says banana.")}
    async with site(answers) as server, running(tmp_path) as app:
        job = await crawled(app, server, NewSource(server.url + "/", slug="site", max_pages=3))
        assert (job.progress.indexed, job.progress.reasons) == (3, {"skipped": {"duplicate": 4}})


async def test_a_site_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crawl, "MIN_KNOWN_URLS", 6)
    async with site({"/": html("Home.", *(f"/linked{n}" for n in range(100)))}) as server, running(tmp_path) as app:
        job = await crawled(app, server, NewSource(server.url + "/", slug="linked", max_pages=1))
        assert (job.progress.done, job.progress.total) == (6, 6)
        server.answers["/sitemap.xml"] = answer("".join(f"{server.url}/named{n}\n" for n in range(100)).encode())
        job = await crawled(app, server, NewSource(server.url + "/", slug="named", max_pages=1))
        assert (job.progress.done, job.progress.total) == (6, 6)
        rows = await app.db.rows("select version, count(*) as pages from pages group by version")
        assert [row["pages"] for row in rows] == [6, 6]


async def test_a_busy_site_is_waited_for(tmp_path: Path) -> None:
    busy = answer(status="503 Service Unavailable", retry_after="0")
    answers = {**chain(2), "/p1": busy}
    async with site(answers) as server, running(tmp_path) as app:
        job = await crawled(app, server)
        assert job.progress.reasons == {"failed": {"http_503": 1}}
        assert requested(server).count("/p1") == 3


async def test_a_site_that_is_down_does_not_replace_the_live_version(tmp_path: Path) -> None:
    broken = answer(status="500 Internal Server Error")
    answers = {"/": html("Home.", "/p1", "/p2"), "/p1": html("It says apple."), "/p2": html("It says pear.")}
    async with site(answers) as server, running(tmp_path) as app:
        first = await crawled(app, server)
        server.answers = {**answers, "/p1": broken, "/p2": broken}
        second = await finished(app, await sources.recrawl(app, await operator(app), "site"))
        assert second.status == "failed" and "2 of the 3" in str(second.error)
        assert (await source_of(app, first)).live_version == first.version_id
        server.answers = {"/": answers["/"]}
        third = await finished(app, await sources.recrawl(app, await operator(app), "site"))
        assert (third.status, third.progress.reasons) == ("succeeded", {"failed": {"http_404": 2}})


async def test_a_bug_fails_the_job_and_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    embedder = FakeEmbedder()

    def break_down() -> None:
        raise ZeroDivisionError

    embedder.before_embedding = break_down
    async with site(chain(2)) as server, running(tmp_path, fake_engines(embedder=embedder)) as app:
        job = await crawled(app, server)
        assert (job.status, (await source_of(app, job)).status) == ("failed", "failed")
        assert "log" in str(job.error) and "ZeroDivisionError" in caplog.text
        assert await check(app.db) == []


async def test_a_recrawl_keeps_the_old_version_live_until_the_new_one_is(tmp_path: Path) -> None:
    async with site(chain(2)) as server, running(tmp_path) as app:
        first = await crawled(app, server)
        server.answers = {"/": html("Now it is about mango.")}
        embedder = app.engines.embedder
        assert isinstance(embedder, FakeEmbedder)
        seen: list[str] = []

        def look() -> None:
            with closing(connect(app.db.path)) as beside:
                seen.extend(row[0] for row in beside.execute("select live_version from sources where slug = 'site'"))

        embedder.before_embedding = look
        source = await source_of(app, first)
        second = await finished(app, await sources.recrawl(app, await operator(app), "site"))
        assert seen == [first.version_id]
        assert await found(app, source, "mango") == [f"{server.url}/"] and await found(app, source, "word1") == []
        server.answers = {}
        third = await finished(app, await sources.recrawl(app, await operator(app), "site"))
        source = await source_of(app, third)
        assert (third.status, source.status, source.live_version) == ("failed", "ready", second.version_id)
        assert await found(app, source, "mango") == [f"{server.url}/"]


async def test_old_versions_are_disposed_of(tmp_path: Path) -> None:
    async with site(chain(2)) as server, running(tmp_path) as app:
        first = await crawled(app, server)
        for _ in range(versions.KEEP_FORMER):
            await finished(app, await sources.recrawl(app, await operator(app), "site"))
        assert await versions.get(app.db, first.version_id or "") is not None
        last = await finished(app, await sources.recrawl(app, await operator(app), "site"))
        assert await versions.get(app.db, first.version_id or "") is None
        assert (await jobs.get(app, await operator(app), first.id)).version_id is None
        rows = await app.db.rows("select distinct version from chunks")
        assert len(rows) == versions.KEEP_FORMER + 1 and last.status == "succeeded"
        assert await check(app.db) == []


async def test_disposing_stops_with_the_appliance(tmp_path: Path) -> None:
    async with site({}) as server, running(tmp_path) as app:
        failed = await crawled(app, server)
        await app.db.write(lambda conn: conn.execute("delete from jobs"))
        version_id = failed.version_id or ""
        await app.db.write(lambda conn: versions.insert(conn, failed.source_id or "", "fake-embedder"))
        app.stopping.set()
        await worker.dispose(app)
        assert await versions.get(app.db, version_id) is not None
        app.stopping.clear()
        await worker.dispose(app)
        assert await versions.get(app.db, version_id) is None


async def test_a_lost_wake_up_fails_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    queue = Queue(tmp_path)
    with closing(connect(tmp_path / QUEUE_FILE)) as beside:
        beside.execute("begin immediate")
        queue.wake("job_1")
        queue.close()
        beside.execute("rollback")
    assert "job_1 was lost" in caplog.text
    with closing(Queue(tmp_path)) as queue:
        assert queue.is_empty
        queue.wake("job_1")
    with closing(Queue(tmp_path)) as queue:
        assert not queue.is_empty
        queue.wake("job_2")
    queue.wake("job_3")  # too late, and no error


async def test_work_in_the_background_goes_on_after_an_error(caplog: pytest.LogCaptureFixture) -> None:
    outcomes = iter([ZeroDivisionError(), FlowChatError("busy", "Busy.")])
    done = asyncio.Event()

    async def work() -> None:
        if error := next(outcomes, None):
            raise error
        done.set()

    task = asyncio.create_task(again_and_again(0, work))
    async with asyncio.timeout(5):
        await done.wait()
    task.cancel()
    await asyncio.wait({task})
    assert "ZeroDivisionError" in caplog.text and "Busy." in caplog.text
