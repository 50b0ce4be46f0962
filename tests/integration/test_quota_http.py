"""The hard stop of a plan's answers: reserved before the answer, over real HTTP, at any moment of the calendar."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx
import pytest
from appliance import operator
from clock import Clock
from subscribing import plan_of, subscribe, used
from web_server import Served, asking, refusal, serving, two_sentences

from flowchat.answer.pipeline import Answer, Question
from flowchat.domain import Event, now
from flowchat.errors import ModelError
from flowchat.services import caps, homepage
from flowchat.services.check import check
from flowchat.services.key_requests import CapsFields
from flowchat.store import subscriptions


async def broken(question: Question, answer: Answer) -> AsyncGenerator[Event, None]:
    yield Event("retrieval.started", {"query": question.query})
    raise ModelError("model_failed", "The generator is gone. Restart the appliance.")


async def broken_after_text(question: Question, answer: Answer) -> AsyncGenerator[Event, None]:
    yield Event("retrieval.started", {"query": question.query})
    yield Event("generation.token", {"text": "You may."})
    raise ModelError("model_failed", "The generator is gone. Restart the appliance.")


async def begun(served: Served) -> int:
    """Answers that are under way."""
    row = await served.app.db.row("select coalesce(sum(answers), 0) from answers_begun")
    return int(row[0]) if row else 0


async def with_plan(served: Served, **fields: Any) -> str:
    """The first tenant has a plan with that, and a hard stop; returns its id."""
    tenant_id = (await operator(served.app)).tenant_id
    await subscribe(served.app.db, tenant_id, plan_of("small", **fields))
    return tenant_id


async def statuses(served: Served, count: int) -> list[int]:
    """Of questions one after the other."""
    return [(await served.ask()).status_code for _ in range(count)]


async def test_200_parallel_questions_do_not_overshoot_a_quota_of_50(tmp_path: Path) -> None:
    async with serving(tmp_path, parallel_answers=200, queued_answers=200, questions_per_minute=0) as served:
        tenant_id = await with_plan(served, included_queries=50)
        keys = [served.key]
        for _ in range(3):
            await served.widget_key(sources=("shop",))
            keys.append(served.key)

        async def ask(number: int) -> httpx.Response:
            return await served.ask(X_FlowChat_Key=keys[number % len(keys)])

        responses = await asyncio.gather(*(ask(number) for number in range(200)))
        told = [response.status_code for response in responses]
        assert (told.count(200), told.count(429)) == (50, 150)
        assert await used(served.app.db, tenant_id) == [(now()[:7], 50, 0)]
        assert (await begun(served), await check(served.app.db)) == (0, [])


async def test_what_is_told_when_the_quota_is_used_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Clock(monkeypatch, "2028-02-29T23:59:30.500Z")
    async with serving(tmp_path) as served:
        await with_plan(served, included_queries=1)
        assert await statuses(served, 1) == [200]
        refused = await served.ask()
    assert (refused.status_code, refused.json()["code"]) == (429, "quota_exceeded")
    assert refused.headers["Retry-After"] == "30"
    assert "2028-03-01" in refused.json()["detail"]


@pytest.mark.parametrize("script", [refusal, broken, broken_after_text])
async def test_what_is_not_billed_is_no_part_of_the_quota(tmp_path: Path, script: Any) -> None:
    async with serving(tmp_path) as served:
        tenant_id = await with_plan(served, included_queries=1)
        served.answerer.script = script
        await statuses(served, 3)
        assert (await begun(served), await used(served.app.db, tenant_id)) == (0, [])
        served.answerer.script = two_sentences
        assert await statuses(served, 2) == [200, 429]


async def test_an_answer_counts_from_its_question_on(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        await with_plan(served, included_queries=1)
        go_on = served.answerer.hold_back()
        async with asking(served) as events:
            await anext(events)
            assert (await begun(served), await statuses(served, 1)) == (1, [429])
        await served.answerer.until_running(0)  # its client has gone
        while await begun(served):  # noqa: ASYNC110 (a test may poll)
            await asyncio.sleep(0.01)
        go_on.set()
        assert await statuses(served, 2) == [200, 429]


async def test_a_cap_that_is_full_takes_nothing_from_the_quota(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        await with_plan(served, included_queries=2)
        await served.widget_key(sources=("shop",), caps=CapsFields(daily=1))
        assert await statuses(served, 3) == [200, 429, 429]
        await served.widget_key(sources=("shop",), caps=CapsFields(daily=9))
        assert await statuses(served, 2) == [200, 429]
        row = await served.app.db.row("select reserved from key_answers where key_id = ?", (served.key_id,))
        assert row and row["reserved"] == 1, "what the quota refuses is no answer of the key"


async def test_keys_that_are_not_billed_go_on(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        tenant_id = await with_plan(served, included_queries=0)
        assert await statuses(served, 1) == [429]
        await served.widget_key(sources=("shop",), test=True)
        assert await statuses(served, 2) == [200, 200]
        served.key = homepage.homepage_key(served.app)
        assert (await served.ask({"query": "Who?", "source": "docs"}, Origin=served.url)).status_code == 200
        assert await used(served.app.db, tenant_id) == []


async def test_without_a_plan_and_with_metered_overage_nothing_stops(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        assert await statuses(served, 2) == [200, 200]
        tenant_id = await with_plan(served, included_queries=1, overage="metered")
        assert await statuses(served, 3) == [200, 200, 200]
        assert [queries for _, queries, _ in await used(served.app.db, tenant_id)] == [5]


async def test_reservations_of_a_killed_process_are_free_again(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        await with_plan(served, included_queries=3)
        await statuses(served, 1)
        await served.app.db.write(lambda conn: conn.execute("update answers_begun set answers = 9") and None)
        assert await statuses(served, 1) == [429]
        await caps.recount(served.app)  # as at the next start
        assert await statuses(served, 3) == [200, 200, 429]


@pytest.mark.parametrize(
    ("last", "first"),
    [
        ("2026-12-31T23:59:59.999Z", "2027-01-01T00:00:00.000Z"),
        ("2028-02-29T23:59:59.999Z", "2028-03-01T00:00:00.000Z"),
        ("2027-02-28T23:59:59.999Z", "2027-03-01T00:00:00.000Z"),
    ],
)
async def test_the_quota_begins_anew_with_the_month(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, last: str, first: str
) -> None:
    clock = Clock(monkeypatch, last)
    async with serving(tmp_path) as served:
        tenant_id = await with_plan(served, included_queries=2)
        assert await statuses(served, 3) == [200, 200, 429]
        clock.go_on(milliseconds=1)
        assert now() == first
        assert await statuses(served, 3) == [200, 200, 429]
        assert await used(served.app.db, tenant_id) == [(last[:7], 2, 0), (first[:7], 2, 0)]
        assert await check(served.app.db) == []


async def test_a_new_day_or_a_leap_day_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch, "2028-02-28T23:59:59.999Z")
    async with serving(tmp_path) as served:
        await with_plan(served, included_queries=2)
        assert await statuses(served, 1) == [200]
        clock.go_on(milliseconds=1)
        assert now()[:10] == "2028-02-29"
        assert await statuses(served, 2) == [200, 429]


async def test_an_answer_from_one_month_to_the_next_counts_in_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was asked in the old one, and is billed in the new one: neither is overshot, whatever is asked meanwhile."""
    clock = Clock(monkeypatch, "2026-11-30T23:59:59.000Z")
    async with serving(tmp_path) as served:
        tenant_id = await with_plan(served, included_queries=2)
        assert await statuses(served, 1) == [200]
        go_on = served.answerer.hold_back()
        asked = asyncio.create_task(served.ask())
        await served.answerer.until_running(1)
        served.answerer.script = two_sentences
        assert await statuses(served, 1) == [429]
        clock.set("2026-12-01T00:00:01.000Z")
        assert await statuses(served, 2) == [200, 429]
        go_on.set()
        assert (await asked).status_code == 200
        assert await statuses(served, 1) == [429]
        assert await used(served.app.db, tenant_id) == [("2026-11", 1, 0), ("2026-12", 2, 0)]


async def test_plans_that_change_in_mid_month(tmp_path: Path) -> None:
    """What the month has seen counts for each plan in turn."""
    async with serving(tmp_path) as served:
        tenant_id = await with_plan(served, included_queries=1)
        assert await statuses(served, 2) == [200, 429]
        await subscribe(served.app.db, tenant_id, plan_of("large", included_queries=3))
        assert await statuses(served, 3) == [200, 200, 429]
        await subscribe(served.app.db, tenant_id, plan_of("metered", included_queries=1, overage="metered"))
        assert await statuses(served, 2) == [200, 200]
        await subscribe(served.app.db, tenant_id, plan_of("larger", included_queries=5))
        assert await statuses(served, 1) == [429]
        await served.app.db.write(lambda conn: subscriptions.delete(conn, tenant_id))
        assert await statuses(served, 1) == [200]
