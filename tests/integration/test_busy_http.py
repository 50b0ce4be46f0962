"""POST /v1/chat over real HTTP while the machine has more to do than it can."""

import asyncio
from dataclasses import replace
from pathlib import Path

from conversing import RETURNS, answered, with_pipeline
from fakes import FakeGenerator
from web_server import Served, events_of, names, serving

from flowchat.answer.pipeline import Answerer
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
    assert again["answer"] in RETURNS
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
        assert second["answer"] in RETURNS
        await first
    assert len(slow.prompts) == 1
