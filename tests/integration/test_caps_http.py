"""Caps: reserved before the answer, kept by answers, given back by everything else; and what an answer counts as."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from web_server import QUESTION, Served, asking, events_of, refusal, serving, two_sentences

from flowchat.answer.pipeline import Answer, Question
from flowchat.domain import Event
from flowchat.errors import ModelError
from flowchat.services import caps, homepage
from flowchat.services.key_requests import CapsFields


async def broken(question: Question, answer: Answer) -> AsyncGenerator[Event, None]:
    yield Event("retrieval.started", {"query": question.query})
    raise ModelError("model_failed", "The generator is gone. Restart the appliance.")


async def reserved(served: Served) -> list[int]:
    """Of the present day and month."""
    rows = await served.app.db.rows("select reserved from key_answers where key_id = ?", (served.key_id,))
    return [row["reserved"] for row in rows]


async def usage(served: Served) -> dict[str, Any]:
    row = await served.app.db.row(
        "select count(*) as lines, sum(queries) as queries, sum(refusals) as refusals, sum(tokens_in) as tokens_in,"
        " sum(tokens_out) as tokens_out, sum(billable_queries) as billable from usage_ledger where key_id = ?",
        (served.key_id,),
    )
    assert row
    return dict(row)


async def test_answers_up_to_the_daily_cap(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        await served.widget_key(sources=("shop",), caps=CapsFields(daily=2, monthly=90))
        statuses = [(await served.ask()).status_code for _ in range(2)]
        refused = await served.ask()
        midnight_s = 86_400 - (datetime.now(UTC) - datetime.now(UTC).replace(hour=0, minute=0, second=0)).seconds
        assert await reserved(served) == [2, 2]
    assert (statuses, refused.status_code, refused.json()["code"]) == ([200, 200], 429, "quota_exceeded")
    assert "RateLimit" in refused.headers and "midnight" in refused.json()["detail"]
    assert abs(int(refused.headers["Retry-After"]) - midnight_s) < 60


async def test_answers_up_to_the_monthly_cap(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        await served.widget_key(sources=("shop",), caps=CapsFields(monthly=1))
        first, second = await served.ask(), await served.ask()
        await served.widget_key(sources=("shop",), caps=CapsFields(monthly=0))
        never = await served.ask()
    assert (first.status_code, second.status_code, never.status_code) == (200, 429, 429)
    assert "month" in second.json()["detail"]
    assert 1 <= int(second.headers["Retry-After"]) <= 31 * 86_400


async def test_parallel_answers_do_not_overshoot(tmp_path: Path) -> None:
    async with serving(tmp_path, parallel_answers=50, queued_answers=50) as served:
        await served.widget_key(sources=("shop",), caps=CapsFields(daily=7))
        responses = await asyncio.gather(*(served.ask() for _ in range(40)))
        statuses = [response.status_code for response in responses]
        assert (statuses.count(200), statuses.count(429)) == (7, 33)
        assert await reserved(served) == [7, 7]


@pytest.mark.parametrize("script", [refusal, broken])
async def test_what_is_no_answer_is_given_back(tmp_path: Path, script: Any) -> None:
    async with serving(tmp_path) as served:
        await served.widget_key(sources=("shop",), caps=CapsFields(daily=1))
        served.answerer.script = script
        for _ in range(3):
            assert (await events_of(served))[-1].event == "stream.done"
        served.answerer.script = two_sentences
        assert [(await served.ask()).status_code for _ in range(2)] == [200, 429]


async def before_any_text(question: Question, answer: Answer) -> AsyncGenerator[Event, None]:
    yield Event("retrieval.started", {"query": question.query})
    await asyncio.Event().wait()


async def one_sentence(question: Question, answer: Answer) -> AsyncGenerator[Event, None]:
    yield Event("retrieval.started", {"query": question.query})
    yield Event("generation.token", {"text": "You may."})
    answer.text, answer.tokens_in, answer.tokens_out = "You may.", 120, 3


async def endless(question: Question, answer: Answer) -> AsyncGenerator[Event, None]:
    async for event in one_sentence(question, answer):
        yield event
    await asyncio.Event().wait()


async def broken_after_text(question: Question, answer: Answer) -> AsyncGenerator[Event, None]:
    async for event in one_sentence(question, answer):
        yield event
    raise ModelError("model_failed", "The generator is gone. Restart the appliance.")


async def test_an_abandoned_answer_is_given_back(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        await served.widget_key(sources=("shop",), caps=CapsFields(daily=1))
        served.answerer.script = before_any_text
        async with asking(served) as events:
            await anext(events)
            assert await reserved(served) == [1, 1]
            assert (await served.ask()).status_code == 429
        await served.answerer.until_running(0)
        while await reserved(served) != [0, 0]:  # noqa: ASYNC110 (a test may poll)
            await asyncio.sleep(0.01)
        assert await usage(served) == {"lines": 0} | dict.fromkeys(
            ("queries", "refusals", "tokens_in", "tokens_out", "billable")
        )


async def until_counted(served: Served) -> dict[str, Any]:
    while not (counted := await usage(served))["lines"]:  # noqa: ASYNC110 (a test may poll)
        await asyncio.sleep(0.01)
    return counted


BROKEN_OFF = {"lines": 1, "queries": 1, "refusals": 0, "tokens_in": 120, "tokens_out": 3, "billable": 0}


async def test_an_answer_abandoned_after_some_text_counts_against_the_caps(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        await served.widget_key(sources=("shop",), caps=CapsFields(daily=1))
        served.answerer.script = endless
        async with asking(served) as events:
            while (await anext(events)).event != "generation.token":
                pass
        assert await until_counted(served) == BROKEN_OFF
        assert await reserved(served) == [1, 1]
        assert (await served.ask()).status_code == 429
        await caps.recount(served.app)  # as at the next start
        assert await reserved(served) == [1, 1]
        [line] = await served.app.db.rows("select * from usage_ledger")
        [source] = await served.app.db.rows("select id from sources where slug = 'shop'")
        assert (line["message_id"], line["source_id"]) == (None, source["id"])
        assert await served.stored_answers() == 0


@pytest.mark.parametrize("ended_by", ["time-out", "revocation", "error", "erased conversation"])
async def test_an_answer_counts_however_it_ends_after_some_text(tmp_path: Path, ended_by: str) -> None:
    async with serving(tmp_path, answer_timeout_s=0.3 if ended_by == "time-out" else 60) as served:
        await served.widget_key(sources=("shop",), caps=CapsFields(daily=1))
        served.answerer.script = broken_after_text if ended_by == "error" else endless
        async with asking(served, {**QUESTION, "visitor_id": "v1"}) as events:
            while (await anext(events)).event != "generation.token":
                pass
            if ended_by == "revocation":
                await served.call("POST", f"/v1/keys/{served.key_id}/revoke")
            if ended_by == "erased conversation":
                await served.call("DELETE", "/v1/conversations?visitor_id=v1")
            rest = [event.event async for event in events]
        assert rest == ["error", "stream.done"]
        assert await until_counted(served) == BROKEN_OFF
        assert await reserved(served) == [1, 1]


async def test_one_answer_for_equal_requests_counts_once(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        await asyncio.gather(*(served.ask(Idempotency_Key="k1") for _ in range(5)))
        assert await reserved(served) == [1, 1]
        assert (await usage(served))["queries"] == 1


async def test_a_question_that_finds_no_place_is_given_back(tmp_path: Path) -> None:
    async with serving(tmp_path, parallel_answers=1, queued_answers=0) as served:
        go_on = served.answerer.hold_back()
        asked = [asyncio.create_task(served.ask()) for _ in range(4)]
        await served.answerer.until_running(1)
        while sum(task.done() for task in asked) < 3:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert await reserved(served) == [1, 1]
        go_on.set()
        assert sorted([(await task).status_code for task in asked]) == [200, 503, 503, 503]


async def test_what_an_answer_counts_as(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        await events_of(served)
        served.answerer.script = refusal
        await events_of(served)
        counted = await usage(served)
        lines = await served.app.db.rows("select * from usage_ledger order by id")
        messages = await served.app.db.rows("select id from messages order by id")
        sources = await served.app.db.rows("select id from sources where slug = 'shop'")
    assert counted == {
        "lines": 2,
        "queries": 2,
        "refusals": 1,
        "tokens_in": 120,
        "tokens_out": 17,
        "billable": 1,
    }
    assert [line["message_id"] for line in lines] == [message["id"] for message in messages]
    assert {line["source_id"] for line in lines} == {sources[0]["id"]}


async def test_test_keys_and_flowchats_own_are_not_billed(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        await served.widget_key(sources=("shop",), test=True)
        await served.ask()
        test_key = await usage(served)
        served.key = homepage.homepage_key(served.app)
        await served.ask({**QUESTION, "source": "docs"}, Origin=served.url)
        own = await served.app.db.rows("select queries, billable_queries from usage_ledger order by id")
    assert (test_key["queries"], test_key["billable"]) == (1, 0)
    assert [tuple(row) for row in own] == [(1, 0), (1, 0)]


async def test_reservations_of_a_killed_process_are_forgotten_at_start(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        await served.ask()
        served.answerer.script = refusal
        await served.ask()
        await served.app.db.write(lambda conn: conn.execute("update key_answers set reserved = 50"))
        old = ("insert into key_answers values (?, '2020-01-01', 9)", (served.key_id,))
        await served.app.db.write(lambda conn: conn.execute(*old))
        await caps.recount(served.app)
        rows = await served.app.db.rows("select period, reserved from key_answers order by period")
    today = datetime.now(UTC).date().isoformat()
    assert [tuple(row) for row in rows] == [(today[:7], 1), (today, 1)]
