"""The hard stop of a plan's pages: crawls reserve them at their start, and never bill more than there is."""

import asyncio
from pathlib import Path

import pytest
from appliance import operator, running
from clock import Clock
from crawling import chain, events_of_type, finished, found, html, site, source_of
from fakes import FakeEmbedder
from subscribing import plan_of, subscribe, used

from flowchat.domain import Job, now
from flowchat.errors import FlowChatError
from flowchat.ingest import pipeline
from flowchat.services import documents, jobs, queueing, sources, worker
from flowchat.services.check import check
from flowchat.services.context import Appliance
from flowchat.services.documents import NewDocuments
from flowchat.services.source_requests import NewSource, RecrawlRequest, SourceChange
from flowchat.services.uploads import UploadedFile


async def made(app: Appliance, url: str, slug: str, **fields: int) -> Job:
    _, job = await sources.create(app, await operator(app), NewSource(f"{url}/", slug=slug, **fields))  # type: ignore[arg-type]
    assert job
    return job


async def with_plan(app: Appliance, pages: int, slug: str = "small") -> str:
    tenant_id = (await operator(app)).tenant_id
    await subscribe(app.db, tenant_id, plan_of(slug, included_pages=pages))
    return tenant_id


async def recrawled(app: Appliance, slug: str, request: RecrawlRequest | None = None) -> Job:
    return await finished(app, await sources.recrawl(app, await operator(app), slug, request or RecrawlRequest()))


async def billed(app: Appliance, tenant_id: str) -> int:
    return sum(pages for _, _, pages in await used(app.db, tenant_id))


async def held(app: Appliance) -> int:
    rows = await app.db.rows("select reserved_pages from jobs where reserved_pages is not null")
    return len(rows)


async def test_the_first_crawl_is_free_and_the_next_ones_stop_at_the_quota(tmp_path: Path) -> None:
    async with site(chain(6)) as server, running(tmp_path) as app:
        tenant_id = await with_plan(app, 10)
        first = await finished(app, await made(app, server.url, "a"))
        assert (first.progress.indexed, await billed(app, tenant_id)) == (6, 0)
        second = await recrawled(app, "a")
        assert (second.status, second.progress.indexed, await billed(app, tenant_id)) == ("succeeded", 6, 6)
        third = await finished(app, await made(app, server.url, "b"))
        assert (third.status, third.progress.indexed, await billed(app, tenant_id)) == ("succeeded", 4, 10)
        assert third.progress.reasons == {"skipped": {"quota": 1}}
        assert (await held(app), await check(app.db)) == (0, [])


async def test_a_recrawl_that_the_quota_cuts_short_loses_no_page(tmp_path: Path) -> None:
    async with site(chain(6)) as server, running(tmp_path) as app:
        tenant_id = await with_plan(app, 2)
        first = await finished(app, await made(app, server.url, "a"))
        server.answers = {path: answer.replace(b"word", b"worm") for path, answer in chain(6).items()}
        second = await recrawled(app, "a")
        source = await source_of(app, first)
        assert (second.status, source.pages, await billed(app, tenant_id)) == ("succeeded", 6, 2)
        assert second.progress.reasons == {"kept": {"quota": 4}, "skipped": {"quota": 1}}
        assert await found(app, source, "worm1") == [f"{server.url}/p1"]
        assert await found(app, source, "word4") == [f"{server.url}/p4"], "it is as it was"
        assert [await found(app, source, word) for word in ("word1", "worm4")] == [[], []]


async def test_pages_that_no_link_leads_to_any_more_stay_while_there_is_no_room(tmp_path: Path) -> None:
    async with site(chain(5)) as server, running(tmp_path) as app:
        await with_plan(app, 1)
        first = await finished(app, await made(app, server.url, "a"))
        server.answers = {**chain(5), "/": html("The new home page leads nowhere at all, but it says word0.")}
        second = await recrawled(app, "a")
        source = await source_of(app, first)
        assert (second.status, source.pages) == ("succeeded", 5)


async def test_where_nothing_is_left_a_crawl_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch, "2026-11-20T12:00:00.000Z")
    async with site(chain(3)) as server, running(tmp_path) as app:
        tenant_id = await with_plan(app, 3)
        first = await finished(app, await made(app, server.url, "a"))
        await recrawled(app, "a")
        for refused in (recrawled(app, "a"), made(app, server.url, "b")):
            with pytest.raises(FlowChatError, match="2026-12-01") as caught:
                await refused
            assert (caught.value.code, caught.value.status) == ("quota_exceeded", 429)
            assert caught.value.retry_after_s == 10.5 * 86_400
        listed = await app.db.rows("select slug from sources where not is_builtin")
        assert [row["slug"] for row in listed] == ["a"], "nothing of a refused source is left"
        assert (await source_of(app, first)).pages == 3
        clock.set("2026-12-01T00:00:00.000Z")
        assert (await recrawled(app, "a")).status == "succeeded"
        assert await used(app.db, tenant_id) == [("2026-11", 0, 3), ("2026-12", 0, 3)]


async def test_a_scheduled_crawl_without_room_fails_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch, "2026-11-20T12:00:00.000Z")
    async with site(chain(3)) as server, running(tmp_path) as app:
        await with_plan(app, 0)
        first = await finished(app, await made(app, server.url, "a"))
        await sources.update(app, await operator(app), "a", SourceChange(schedule="daily"))
        clock.go_on(days=2)
        asked = len(server.requests)
        await queueing.queue_due(app)
        [job_id] = [row["id"] for row in await app.db.rows("select id from jobs where status = 'queued'")]
        await worker.run(app, job_id)
        job = await jobs.get(app, await operator(app), job_id)
        assert job.status == "failed" and "2026-12-01" in (job.error or "")
        assert (await source_of(app, first)).pages == 3
        assert [event["job"] for event in await events_of_type(app, "source.crawl.failed")] == [job_id]
        assert len(server.requests) == asked, "the site was not asked for anything"


async def test_parallel_crawls_do_not_overshoot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "BATCH_PAGES", 2)
    async with site(chain(12)) as server, running(tmp_path) as app:
        await finished(app, await made(app, server.url, "free"))
        tenant_id = await with_plan(app, 25)
        begun = [await made(app, server.url, f"s{number}", max_pages=9) for number in range(6)]
        await asyncio.gather(*(worker.run(app, job.id) for job in begun))
        ended = [await jobs.get(app, await operator(app), job.id) for job in begun]
        told = sorted((job.status, job.progress.indexed) for job in ended)
        assert told == [("failed", 0)] * 3 + [("succeeded", 7), ("succeeded", 9), ("succeeded", 9)]
        assert (await billed(app, tenant_id), await held(app), await check(app.db)) == (25, 0, [])


async def test_of_two_first_crawls_the_later_one_is_billed_what_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "BATCH_PAGES", 2)
    async with site(chain(6)) as server, running(tmp_path) as app:
        tenant_id = await with_plan(app, 3)
        embedder = app.engines.embedder
        assert isinstance(embedder, FakeEmbedder)
        slow, fast = await made(app, server.url, "slow"), await made(app, server.url, "fast")
        embedder.before_embedding = lambda: app.stopping.set() if len(embedder.embedded) == 2 else None
        assert (await finished(app, slow)).status == "queued"
        app.stopping.clear()
        embedder.before_embedding = lambda: None
        assert (await finished(app, fast)).status == "succeeded"
        assert await billed(app, tenant_id) == 0
        ended = await finished(app, slow)
        assert (ended.status, ended.progress.indexed, await billed(app, tenant_id)) == ("succeeded", 5, 3)
        row = await app.db.row(
            "select sum(billable_pages), sum(free_pages), sum(pages_crawled) from usage_ledger where job_id = ?",
            (slow.id,),
        )
        assert row and tuple(row) == (3, 2, 5)


async def test_an_interrupted_crawl_goes_on_with_what_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that was left is crawled when it is interrupted: what it has goes live."""
    monkeypatch.setattr(pipeline, "BATCH_PAGES", 1)
    async with site(chain(6)) as server, running(tmp_path) as app:
        await finished(app, await made(app, server.url, "free"))
        tenant_id = await with_plan(app, 3)
        embedder = app.engines.embedder
        assert isinstance(embedder, FakeEmbedder)
        embedder.embedded.clear()
        job = await made(app, server.url, "a")
        embedder.before_embedding = lambda: app.stopping.set() if len(embedder.embedded) == 2 else None
        assert (await finished(app, job)).status == "queued"
        assert (await held(app), 0 < await billed(app, tenant_id) <= 3) == (0, True)
        app.stopping.clear()
        embedder.before_embedding = lambda: None
        ended = await finished(app, job)
        assert (ended.status, ended.progress.indexed, await billed(app, tenant_id)) == ("succeeded", 3, 3)


async def test_a_paused_crawl_holds_nothing(tmp_path: Path) -> None:
    async with site(chain(3)) as server, running(tmp_path) as app:
        await finished(app, await made(app, server.url, "free"))
        await with_plan(app, 3)
        job = await made(app, server.url, "a")
        await app.db.write(
            lambda conn: (
                conn.execute(
                    "update jobs set status = 'running', reserved_pages = 3, lease_owner = 'w', lease_until = ?"
                    " where id = ?",
                    (now(60), job.id),
                )
                and None
            )
        )
        with pytest.raises(FlowChatError, match="reserved by crawls that are at work"):
            await made(app, server.url, "b")
        await jobs.pause(app, await operator(app), job.id)
        assert (await finished(app, await made(app, server.url, "b"))).status == "succeeded"


async def test_pages_count_in_the_month_they_are_crawled_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A crawl across the end of a month: what it still holds is taken from the new month."""
    monkeypatch.setattr(pipeline, "BATCH_PAGES", 1)
    clock = Clock(monkeypatch, "2026-11-30T23:59:50.000Z")
    async with site(chain(6)) as server, running(tmp_path) as app:
        await finished(app, await made(app, server.url, "free"))
        tenant_id = await with_plan(app, 4)
        embedder = app.engines.embedder
        assert isinstance(embedder, FakeEmbedder)
        embedder.embedded.clear()
        embedder.before_embedding = lambda: clock.set("2026-12-01T00:00:05.000Z") if embedder.embedded else None
        ended = await finished(app, await made(app, server.url, "a"))
        assert (ended.status, ended.progress.indexed) == ("succeeded", 4)
        assert await used(app.db, tenant_id) == [("2026-11", 0, 1), ("2026-12", 0, 3)]
        assert (await finished(app, await made(app, server.url, "b"))).progress.indexed == 1


async def test_uploaded_documents_are_no_crawled_pages(tmp_path: Path) -> None:
    async with running(tmp_path) as app:
        tenant_id = await with_plan(app, 0)
        actor = await operator(app)
        await sources.create(app, actor, NewSource(slug="files"))
        file = UploadedFile(name="otters.md", content_type="text/markdown", content=b"# Otters\n\nOtters swim.")
        uploaded = await documents.create(app, actor, "files", NewDocuments(file=(file,)))
        assert (await finished(app, uploaded.job)).status == "succeeded"
        assert (await recrawled(app, "files")).status == "succeeded"
        assert await used(app.db, tenant_id) == []


async def test_sources_stop_at_what_the_plan_has_room_for(tmp_path: Path) -> None:
    async with site(chain(1)) as server, running(tmp_path) as app:
        actor = await operator(app)
        await sources.create(app, actor, NewSource(slug="files"))
        await subscribe(app.db, actor.tenant_id, plan_of("small", max_sources=2))
        await made(app, server.url, "a")
        with pytest.raises(FlowChatError, match="room for 2 sources") as caught:
            await made(app, server.url, "b")
        assert (caught.value.code, caught.value.status) == ("plan_limit_reached", 403)
        await sources.revoke(app, actor, "files")
        await made(app, server.url, "b")
