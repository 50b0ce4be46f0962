"""POST /v1/chat over real HTTP while the machine has more to do than it can."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path

import pytest
from conversing import RETURNS, answered, with_pipeline
from fakes import FakeGenerator
from web_server import Served, events_of, names, serving, two_sentences

from flowchat.answer.pipeline import Answer, Answerer, Question
from flowchat.domain import Event
from flowchat.engines.protocols import Generator

QUERY = "May I return it?"


async def with_generator(served: Served, generator: Generator) -> None:
    """Answers come from the real pipeline, which opens with a quote; this generator goes on."""
    await with_pipeline(served)
    app = served.app
    app.answerer = Answerer(app.settings, app.db, replace(app.engines, generator=generator), app.gate)


async def test_a_slow_generator_is_not_waited_for(tmp_path: Path) -> None:
    slow = FakeGenerator(lambda messages: "word " * 90 + ".", pause_s=0.1)
    async with serving(tmp_path, answer_patience_s=0.3, answer_cache_mb=8, refuse_below=0.5) as served:
        await with_generator(served, slow)
        events = await events_of(served)
        again = await answered(served, QUERY)
    assert "error" not in names(events)
    assert events[-1].json()["refusal"] is False
    assert again["answer"].split("\n\n")[0] in RETURNS
    assert slow.closed == len(slow.prompts) == 2  # it was not kept: another time there may be more


async def test_who_finds_the_generator_busy_gets_quotes_at_once(tmp_path: Path) -> None:
    slow = FakeGenerator(lambda messages: "word " * 90 + ".", pause_s=0.1)
    async with serving(tmp_path, parallel_answers=1, answer_patience_s=2, refuse_below=0.5) as served:
        await with_generator(served, slow)
        first = asyncio.create_task(events_of(served))
        while not slow.prompts:  # noqa: ASYNC110 (a test may poll)
            await asyncio.sleep(0.005)
        second = await answered(served, QUERY)
        assert not first.done()
        assert second["answer"].split("\n\n")[0] in RETURNS
        await first
    assert len(slow.prompts) == 1


@pytest.mark.parametrize("lead_quotes", [0, 3])
async def test_without_leading_quotes_generation_is_no_part_of_the_search(tmp_path: Path, lead_quotes: int) -> None:
    generations, go_on = asyncio.Barrier(3), asyncio.Event()

    async def script(question: Question, answer: Answer) -> AsyncGenerator[Event, None]:
        async for event in two_sentences(question, answer):
            if event.name == "generation.token" and not answer.text:
                await generations.wait()
                await go_on.wait()
            yield event

    async with serving(tmp_path, lead_quotes=lead_quotes, parallel_answers=2) as served:
        served.answerer.script = script
        asking = [asyncio.create_task(events_of(served)) for _ in range(2)]
        await generations.wait()
        assert (served.app.slots.expected_wait_s > 0) == (lead_quotes > 0)
        go_on.set()
        await asyncio.gather(*asking)
