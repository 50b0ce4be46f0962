"""`GET /metrics`: who may read it, what it counts, and that nobody outside can choose its labels."""

import asyncio
import os
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from appliance import operator, running
from conversing import with_pipeline
from crawling import chain, crawled, site
from fakes import FakeGenerator, fake_engines
from metrics_reading import Figures, figures_of, operator_key
from receiving import FAILURE, attempted, delivering, emit, endpoint, receiver
from web_server import Served, refusal, serving, two_sentences

from flowchat.answer.pipeline import Answer, Answerer, Question
from flowchat.domain import Event
from flowchat.errors import ModelError
from flowchat.metrics import ANSWER_STAGES, INGEST_STAGES
from flowchat.services import scraping

QUESTION = "May I return it within thirty days?"


async def scraped(served: Served) -> Figures:
    answer = await served.client.get("/metrics", headers={"Authorization": f"Bearer {await operator_key(served.app)}"})
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    return figures_of(answer.text)


async def test_only_the_operator_may_read_them(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        assert (await served.client.get("/metrics")).status_code == 401
        refused = await served.call("GET", "/metrics")
        assert (refused.status_code, refused.json()["code"]) == (403, "scope_missing")
        assert (await served.client.get("/metrics", headers={"X-FlowChat-Key": served.key})).status_code == 401
        assert (await scraped(served))["flowchat_build_info"]


async def test_requests_are_counted_by_route(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        for path in ("/v1/sources/shop", "/v1/sources/other", "/v1/x1", "/x2", "/static/nothing.js?x=3"):
            await served.call("GET", path)
        figures = await scraped(served)
    counted = figures.by("flowchat_http_requests_total", "route", "status")
    assert counted["/v1/sources/<source>", "200"] == counted["/v1/sources/<source>", "404"] == 1
    assert counted["(none)", "404"] == 2
    assert counted["/static/<path:filename>", "404"] == 1
    assert figures.value("flowchat_http_request_seconds_count", route="/v1/sources/<source>") == 2


async def test_refused_requests_are_counted_by_code(tmp_path: Path) -> None:
    async with serving(tmp_path, questions_per_minute=1) as served:
        assert [(await served.ask()).status_code for _ in range(3)] == [200, 429, 429]
        assert (await scraped(served)).value("flowchat_turned_away_total", code="rate_limited") == 2


async def test_answers_by_outcome(tmp_path: Path) -> None:
    async def failing(question: Question, answer: Answer) -> AsyncGenerator[Event, None]:
        async for event in two_sentences(question, answer):
            yield event
        raise ModelError("out_of_order", "Out of order.")

    async with serving(tmp_path, answer_cache_mb=1) as served:
        served.answerer.script = refusal
        await served.ask({"query": "What is the weather?"})
        served.answerer.script = failing
        await served.ask({"query": "Does it fail?"})
        served.answerer.script = two_sentences
        await served.ask()
        await served.ask()
        figures = await scraped(served)
    assert figures.by("flowchat_answers_total", "outcome") == {
        ("answered",): 0, ("quoted",): 1, ("refused",): 1, ("cached",): 1, ("stopped",): 0, ("failed",): 1,
    }  # fmt: skip
    assert figures.by("flowchat_answer_cache_total", "result") == {("hit",): 1, ("miss",): 3}
    assert figures.value("flowchat_answer_seconds_count") == 4
    assert figures.value("flowchat_tokens_total", direction="out") == 34, "a cached answer has none"


async def test_every_stage_of_an_answer_is_timed(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        await with_pipeline(served)
        app = served.app
        text = "You may return it thirty days after. It costs nine dollars. We also"
        app.engines = fake_engines(FakeGenerator(lambda messages: text))
        app.answerer = Answerer(app.settings, app.db, app.engines, app.gate)
        assert (await served.ask({"query": QUESTION})).status_code == 200
        figures = await scraped(served)
    stages = figures.by("flowchat_answer_stage_seconds_count", "stage")
    assert stages == {(stage,): 1 for stage in ANSWER_STAGES}
    verdicts = figures.by("flowchat_sentences_total", "verdict")
    assert verdicts["not_supported",] >= 1 and verdicts["unfinished",] == 1 and verdicts["quoted",] >= 1
    assert figures.value("flowchat_generation_tokens_per_second_count") == 1
    assert figures.value("flowchat_answer_first_text_seconds_count") == 1
    seconds = figures.by("flowchat_answer_stage_seconds_sum", "stage")
    assert sum(seconds.values()) <= figures.value("flowchat_answer_seconds_sum")


async def test_crawls_are_counted(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, site(chain(4)) as server:
        await crawled(served.app, server)
        await scraping.look_closely(served.app)
        figures = await scraped(served)
    stages = figures.by("flowchat_ingest_stage_seconds_count", "stage")
    assert all(stages[stage,] for stage in INGEST_STAGES) and stages["read",] == 5
    assert figures.by("flowchat_pages_total", "status") == {("indexed",): 4, ("skipped",): 0, ("failed",): 1}
    assert figures.value("flowchat_jobs_ended_total", type="crawl", status="succeeded") == 1
    assert figures.by("flowchat_live_content", "of")["pages",] == 4
    assert (
        figures.value("flowchat_index_bytes", index="words")
        > 0
        < figures.value("flowchat_index_bytes", index="vectors")
    )


async def test_what_waits_is_shown(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, site(chain(4)) as server:
        held = served.answerer.hold_back()
        asking = asyncio.create_task(served.ask())
        await served.answerer.until_running(1)
        created = await served.call("POST", "/v1/sources", json={"url": server.url, "slug": "s"})
        assert created.status_code == 201
        figures = await scraped(served)
        held.set()
        await asking
    assert figures.value("flowchat_answers_active") == 1
    assert figures.value("flowchat_answer_places") == 12
    assert figures.by("flowchat_jobs", "type", "status")["crawl", "queued"] == 1
    assert figures.value("flowchat_oldest_queued_job_seconds") >= 0
    assert figures.value("flowchat_generator_up") == 0, "there is none"


async def test_webhooks_are_counted(tmp_path: Path) -> None:
    async with receiver(FAILURE) as gets, delivering(tmp_path) as app:
        webhook, _ = await endpoint(app, gets.url)
        await emit(app)
        await attempted(app, webhook)
        figures = figures_of((await scraping.scrape(app, await operator(app))).decode())
    assert figures.by("flowchat_webhook_attempts_total", "result") == {("succeeded",): 0, ("failed",): 1}
    assert figures.value("flowchat_outbox", of="webhooks", status="pending") == 1
    assert figures.value("flowchat_outbox_overdue_seconds", of="webhooks") == 0, "its next attempt is still to come"


async def test_the_machine_is_shown(tmp_path: Path) -> None:
    async with running(tmp_path) as app:
        before = figures_of((await scraping.scrape(app, await operator(app))).decode())
        backup = tmp_path / "backups" / "flowchat-20261124-100000.zip"
        backup.parent.mkdir()
        backup.touch()
        os.utime(backup, (1_000, 1_000_000))
        after = figures_of((await scraping.scrape(app, await operator(app))).decode())
    assert (before.value("flowchat_last_backup_timestamp_seconds"), 1_000_000) == (
        0,
        after.value("flowchat_last_backup_timestamp_seconds"),
    )
    files = after.by("flowchat_file_bytes", "file")
    assert files["flowchat.db",] > 0 and files["flowchat.db-wal",] > 0
    assert 0 < after.value("flowchat_disk_free_bytes") < after.value("flowchat_disk_bytes")
    assert after.value("process_open_fds") > 0 and after.value("process_resident_memory_bytes") > 0
    assert after.value("flowchat_scrape_seconds") > 0


async def test_each_appliance_has_its_own(tmp_path: Path) -> None:
    async with running(tmp_path / "a") as one, running(tmp_path / "b") as other:
        one.metrics.model_failures.inc()
        figures = figures_of((await scraping.scrape(other, await operator(other))).decode())
    assert figures.value("flowchat_model_failures_total") == 0


async def test_a_loop_that_is_late_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scraping, "LAG_PAUSE_S", 0.0)
    async with running(tmp_path) as app:
        watching = asyncio.create_task(scraping.watch_loop(app))
        await asyncio.sleep(0.01)
        watching.cancel()
        figures = figures_of(app.metrics.rendered().decode())
    assert figures.value("flowchat_event_loop_lag_seconds_count") > 0
