"""POST /v1/chat over real HTTP: what becomes of answers that wait, fail, or whose client goes."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from web_server import asking, events_of, names, serving, two_sentences

from flowchat.answer.pipeline import Answer, Question
from flowchat.domain import Event
from flowchat.errors import ModelError


async def test_waiting_answers_start_at_once_and_more_are_turned_away(tmp_path: Path) -> None:
    async with serving(tmp_path, parallel_answers=1, queued_answers=1) as served:
        go_on = served.answerer.hold_back()
        first = asyncio.create_task(served.ask())
        await served.answerer.until_running(1)
        async with asking(served) as events:
            assert (await anext(events)).event == "retrieval.started"
            turned_away = await served.ask()
            go_on.set()
            rest = [event.event async for event in events]
        assert (await first).status_code == 200
        assert (await served.ask()).status_code == 200
    assert rest[-1] == "stream.done"
    assert (turned_away.status_code, turned_away.json()["code"]) == (503, "busy")
    assert int(turned_away.headers["Retry-After"]) > 0


async def test_generation_stops_when_the_client_goes(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        served.answerer.hold_back()
        async with asking(served) as events:
            while (await anext(events)).event != "generation.token":
                pass
        async with asyncio.timeout(1):
            await served.answerer.until_running(0)
        assert await served.stored_answers() == 0


async def test_json_answer_stops_when_the_client_goes(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        served.answerer.hold_back()
        request = asyncio.create_task(served.ask(Accept="application/json"))
        await served.answerer.until_running(1)
        request.cancel()
        async with asyncio.timeout(2):
            await served.answerer.until_running(0)


async def test_an_answer_with_idempotency_key_is_resumed(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        go_on = served.answerer.hold_back()
        async with asking(served, Idempotency_Key="k1") as events:
            seen = [await anext(events) for _ in range(3)]
        go_on.set()
        rest = await events_of(served, Idempotency_Key="k1", Last_Event_ID=seen[-1].id)
        again = await events_of(served, Idempotency_Key="k1")
        other = await served.ask({"query": "Another?"}, Idempotency_Key="k1")
        fresh = await events_of(served, Idempotency_Key="k2", Last_Event_ID="3")
    assert [event.id for event in seen + rest] == [str(number) for number in range(1, 10)]
    assert names(again) == names(seen + rest)
    assert len(served.answerer.questions) == 2
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert fresh[0].id == "1"


async def test_two_equal_requests_at_once_share_one_answer(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        both = await asyncio.gather(*(served.ask(Idempotency_Key="k1") for _ in range(2)))
    assert both[0].content == both[1].content
    assert len(served.answerer.questions) == 1


async def broken_model(question: Question, answer: Answer) -> AsyncGenerator[Event, None]:
    yield Event("retrieval.started", {"query": question.query})
    raise ModelError("model_failed", "The generator is gone. Restart the appliance.")


async def bug(question: Question, answer: Answer) -> AsyncGenerator[Event, None]:
    yield Event("retrieval.started", {"query": question.query})
    raise KeyError("/secret/path")


async def endless(question: Question, answer: Answer) -> AsyncGenerator[Event, None]:
    async for event in two_sentences(question, answer):
        yield event
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("script", "code", "status"),
    [(broken_model, "model_failed", 503), (bug, "internal_error", 500), (endless, "answer_timeout", 504)],
)
async def test_failure_after_the_start_is_an_event(tmp_path: Path, script: Any, code: str, status: int) -> None:
    async with serving(tmp_path, answer_timeout_s=0.3) as served:
        served.answerer.script = script
        events = await events_of(served)
        response = await served.ask(Accept="application/json")
        assert await served.stored_answers() == 0
    assert names(events)[-2:] == ["error", "stream.done"]
    assert events[-2].json()["code"] == code
    assert events[-1].json() == {"refusal": False, "reason": code}
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert "/secret/path" not in response.text + events[-2].data


async def test_a_failed_answer_is_not_kept(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        served.answerer.script = bug
        failed = await events_of(served, Idempotency_Key="k1")
        served.answerer.script = two_sentences
        again = await events_of(served, Idempotency_Key="k1", Last_Event_ID=failed[-1].id)
    assert names(failed)[-2:] == ["error", "stream.done"]
    assert (again[0].id, len(again), "error" in names(again)) == ("1", 9, False)


async def test_who_has_the_whole_answer_gets_its_end_once_more(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        all_events = await events_of(served, Idempotency_Key="k1")
        for last in (all_events[-1].id, "4711"):
            again = await events_of(served, Idempotency_Key="k1", Last_Event_ID=last)
            assert [(event.id, event.event) for event in again] == [(all_events[-1].id, "stream.done")]
            assert again[0].data == all_events[-1].data


async def test_json_answer_at_shutdown_says_when_to_come_back(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        served.answerer.hold_back()
        request = asyncio.create_task(served.ask(Accept="application/json"))
        await served.answerer.until_running(1)
        await served.app.runs.stop_all()
        response = await request
    assert (response.status_code, response.json()["code"]) == (503, "shutting_down")
    assert int(response.headers["Retry-After"]) > 0


async def test_shutdown_ends_streams_with_an_error(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        served.answerer.hold_back()
        async with asking(served) as events:
            assert (await anext(events)).event == "retrieval.started"
            await served.app.runs.stop_all()
            rest = [event async for event in events]
    assert names(rest)[-2:] == ["error", "stream.done"]
    assert rest[-2].json()["code"] == "shutting_down"
