"""What crawls cost, and which events they cause: written with the deed, in its transaction."""

from dataclasses import replace
from pathlib import Path

import pytest
from appliance import operator, running
from crawling import chain, events_of_type, finished, html, site, work
from fakes import FakeEmbedder

from flowchat.domain import Job
from flowchat.ingest import pipeline
from flowchat.services import jobs, sources
from flowchat.services.context import Appliance
from flowchat.services.source_requests import NewSource
from flowchat.store import tenants


async def made(app: Appliance, url: str, slug: str) -> Job:
    _, job = await sources.create(app, await operator(app), NewSource(url + "/", slug=slug))
    assert job is not None
    return job


async def usage(app: Appliance, job: Job | None = None) -> tuple[int, int, int]:
    """(pages, billable pages, chunks embedded) in the ledger, which its sums agree with."""
    fields = "sum(pages_crawled), sum(billable_pages), sum(chunks_embedded)"
    days = await app.db.row(f"select {fields} from usage_days")
    ledger = await app.db.row(f"select {fields} from usage_ledger")
    assert days is not None and ledger is not None and tuple(days) == tuple(ledger)
    row = await app.db.row(f"select {fields} from usage_ledger where job_id = ?", (job.id,)) if job else ledger
    return tuple(int(value or 0) for value in row)  # type: ignore[return-value,union-attr]


async def types(app: Appliance) -> list[str]:
    return [row["type"] for row in await app.db.rows("select type from events order by rowid")]


async def test_the_first_crawl_that_succeeds_is_free(tmp_path: Path) -> None:
    async with site(chain(3)) as server, running(tmp_path) as app:
        server.answers = {}
        failed = await finished(app, await made(app, server.url, "a"))
        assert (failed.status, await usage(app)) == ("failed", (0, 0, 0))
        server.answers = chain(3)
        first = await finished(app, await sources.recrawl(app, await operator(app), "a"))
        assert (first.status, await usage(app, first)) == ("succeeded", (3, 0, 3))
        second = await finished(app, await sources.recrawl(app, await operator(app), "a"))
        assert await usage(app, second) == (3, 3, 0)  # nothing was embedded again
        third = await finished(app, await made(app, server.url, "b"))
        assert await usage(app, third) == (3, 3, 3)
        assert await usage(app) == (9, 6, 6)
        completed = await events_of_type(app, "source.crawl.completed")
        assert [event["job"] for event in completed] == [first.id, second.id, third.id]
        assert {name: completed[0][name] for name in ("slug", "version", "source", "indexed", "done", "failed")} == {
            "slug": "a",
            "version": first.version_id,
            "source": first.source_id,
            "indexed": 3,
            "done": 4,
            "failed": 1,
        }
        assert await types(app) == ["source.crawl.failed"] + ["version.indexed", "source.crawl.completed"] * 3


async def test_of_two_crawls_at_once_one_is_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "BATCH_PAGES", 2)
    async with site(chain(4)) as server, running(tmp_path) as app:
        embedder = app.engines.embedder
        assert isinstance(embedder, FakeEmbedder)
        slow, fast = await made(app, server.url, "slow"), await made(app, server.url, "fast")

        def stop() -> None:
            if len(embedder.embedded) == 2:
                app.stopping.set()

        embedder.before_embedding = stop
        assert (await finished(app, slow)).status == "queued"
        assert await usage(app, slow) == (2, 0, 2)
        app.stopping.clear()
        embedder.before_embedding = lambda: None
        assert (await finished(app, fast)).status == "succeeded"
        assert await usage(app, fast) == (4, 0, 4)
        assert (await finished(app, slow)).status == "succeeded"
        assert await usage(app, slow) == (4, 4, 4)


async def test_a_canceled_crawl_is_billed_if_another_was_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "BATCH_PAGES", 1)
    async with site(chain(4)) as server, running(tmp_path) as app:
        embedder, actor = app.engines.embedder, await operator(app)
        assert isinstance(embedder, FakeEmbedder)
        begun = await made(app, server.url, "begun")
        embedder.before_embedding = lambda: app.stopping.set() if len(embedder.embedded) == 1 else None
        await finished(app, begun)
        app.stopping.clear()
        embedder.before_embedding = lambda: None
        await finished(app, await made(app, server.url, "whole"))
        assert await usage(app, begun) == (1, 0, 1)
        canceled = await jobs.cancel(app, actor, begun.id)
        assert (canceled.status, await usage(app, begun)) == ("canceled", (1, 1, 1))
        told = (await events_of_type(app, "source.crawl.failed"))[-1]
        assert (told["job"], told["status"], told["indexed"]) == (begun.id, "canceled", 1)


async def test_pages_that_could_not_be_indexed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with site({"/": html("Home.")}) as server, running(tmp_path) as app:
        embedder = app.engines.embedder
        assert isinstance(embedder, FakeEmbedder)

        def break_down() -> None:
            raise ZeroDivisionError

        embedder.before_embedding = break_down
        job = await finished(app, await made(app, server.url, "a"))
        assert (job.status, await types(app), await usage(app)) == ("failed", ["version.failed"], (0, 0, 0))
        [told] = await events_of_type(app, "version.failed")
        assert (told["job"], told["slug"], told["status"]) == (job.id, "a", "failed")
        assert "ZeroDivisionError" in caplog.text


async def test_another_tenants_crawl_is_its_own(tmp_path: Path) -> None:
    async with site(chain(2)) as server, running(tmp_path) as app:
        await finished(app, await made(app, server.url, "a"))
        other = await app.db.write(lambda conn: tenants.insert(conn, "other", "Other"))
        actor = replace(await operator(app), tenant_id=other.id)
        _, job = await sources.create(app, actor, NewSource(server.url + "/", slug="a"))
        assert job is not None
        await work(app)
        assert await usage(app, job) == (2, 0, 2)
