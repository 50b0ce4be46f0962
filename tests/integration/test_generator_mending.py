"""A generator that breaks: answers go on without it, everybody is told, and it comes back by itself."""

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from fakes import FakeGenerator
from loopback import answer
from loopback import serving as serving_answers
from web_server import serving

from flowchat.engines import watched
from flowchat.engines.generator_openai import OpenAIGenerator
from flowchat.engines.protocols import GenerationUsage
from flowchat.engines.watched import WatchedGenerator
from flowchat.errors import ModelError
from flowchat.net import openai_stream
from flowchat.net.openai_stream import stream_chat

PATH = "/v1/chat/completions"
STREAM = answer(b'data: {"choices": [{"delta": {"content": "Yes"}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n')
WARNING = "The generator is not working: answers only quote."


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watched, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(openai_stream, "RETRY_PAUSES_S", ())


class Breaking(FakeGenerator):
    """A model of this machine that fails, hangs, or refuses one question only."""

    def __init__(self, how: str = "") -> None:
        super().__init__(lambda messages: "Yes.")
        self.how = how
        self.ended = threading.Event()

    async def generate(
        self, messages: Sequence[dict[str, str]], *, max_tokens: int, usage: GenerationUsage
    ) -> AsyncIterator[str]:
        if self.how == "fails" or (self.how == "refuses" and messages[0]["content"] == "Hi"):
            raise ModelError("generation_failed", "The model could not answer.")
        if self.how == "hangs":
            await asyncio.Event().wait()
        yield "Yes."

    def close(self) -> None:
        self.ended.set()


@asynccontextmanager
async def looked_after(generator: WatchedGenerator) -> AsyncIterator[WatchedGenerator]:
    looking = asyncio.create_task(generator.look_after())
    try:
        yield generator
    finally:
        looking.cancel()
        with suppress(asyncio.CancelledError):
            await looking


async def write(generator: WatchedGenerator) -> str:
    messages = [{"role": "user", "content": "Hi"}]
    return "".join([piece async for piece in generator.generate(messages, max_tokens=9, usage=GenerationUsage())])


async def until(generator: WatchedGenerator, *, works: bool) -> None:
    while (generator.problem is None) != works:  # noqa: ASYNC110 (a test may poll)
        await asyncio.sleep(0.005)


async def test_a_model_that_fails_is_loaded_anew() -> None:
    made: list[Breaking] = []

    def make() -> Breaking:
        made.append(Breaking("fails" if len(made) < 2 else ""))
        return made[-1]

    first = Breaking()
    async with looked_after(WatchedGenerator("m", make, is_remote=False, problem=None, made=first)) as generator:
        assert await write(generator) == "Yes."
        first.how = "fails"
        with pytest.raises(ModelError):
            await write(generator)
        await until(generator, works=False)
        with pytest.raises(ModelError, match="could not answer"):
            await write(generator)
        await until(generator, works=True)
        assert await write(generator) == "Yes."
    assert [one.ended.is_set() for one in (first, *made)] == [True, True, True, False]


async def test_a_question_that_fails_alone_stops_nothing() -> None:
    model = Breaking("refuses")
    generator = WatchedGenerator("m", lambda: Breaking("fails"), is_remote=False, problem=None, made=model)
    async with looked_after(generator):
        with pytest.raises(ModelError):
            await write(generator)
        while generator._suspected.is_set():  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        await asyncio.sleep(0)
        assert generator.problem is None and not model.ended.is_set()


async def test_a_model_that_hangs_is_left_out_and_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watched, "SILENT_S", 0.0)
    monkeypatch.setattr(watched, "PROBE_TIMEOUT_S", 0.05)
    model = Breaking("hangs")
    generator = WatchedGenerator("m", lambda: Breaking("fails"), is_remote=False, problem=None, made=model)
    async with looked_after(generator):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await write(generator)
        await until(generator, works=False)
        assert generator.problem and "has not answered" in generator.problem and not model.ended.is_set()
        model.how = ""
        await until(generator, works=True)


async def test_a_server_that_is_down_is_tried_until_it_is_back() -> None:
    async with serving_answers() as server:
        made = OpenAIGenerator("m", f"{server.url}/v1", "", stream_chat)
        generator = WatchedGenerator("m", lambda: made, is_remote=True, problem=None, made=made)
        server.answers[PATH] = answer(b"", status="503 Service Unavailable")
        async with looked_after(generator):
            with pytest.raises(ModelError, match="503"):
                await write(generator)
            await until(generator, works=False)
            asked = server.connections
            with pytest.raises(ModelError):  # at once
                await write(generator)
            server.answers[PATH] = STREAM
            await until(generator, works=True)
            assert await write(generator) == "Yes" and server.connections > asked


async def test_a_model_that_was_missing_at_start_is_taken_up_when_it_is_there() -> None:
    there: list[Breaking] = []

    def make() -> Breaking:
        if not there:
            raise ModelError("model_missing", "Run `flowchat models pull m`.")
        return there[0]

    generator = WatchedGenerator("m", make, is_remote=False, problem="Run `flowchat models pull m`.", made=None)
    async with looked_after(generator):
        with pytest.raises(ModelError, match="models pull"):
            await write(generator)
        there.append(Breaking())
        await until(generator, works=True)
        assert await write(generator) == "Yes."


async def test_everybody_is_told(tmp_path: Path) -> None:
    generator = WatchedGenerator("m", Breaking, is_remote=False, problem="It is not there.", made=None)
    async with serving(tmp_path) as served:
        served.app.engines = replace(served.app.engines, generator=generator, watched=generator)
        health = await served.client.get("/health")
        assert (health.status_code, health.json()["warnings"]) == (200, [WARNING])
        async with looked_after(generator):
            await until(generator, works=True)
        served.app.engines.faults.note("embedder")
        assert (await served.client.get("/health")).json()["warnings"] == [
            "The embedder fails: answers are found by words only."
        ]
