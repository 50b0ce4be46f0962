"""llama.cpp's own server as the generator, killed and started again under a running appliance's eyes."""

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from flowchat.engines import watched
from flowchat.engines.generator_openai import OpenAIGenerator
from flowchat.engines.protocols import GenerationUsage
from flowchat.engines.registry import find_model, require
from flowchat.engines.watched import WatchedGenerator
from flowchat.errors import ModelError
from flowchat.evaluation.served import free_port
from flowchat.net.openai_stream import stream_chat
from flowchat.settings import Settings

MODEL = Settings().generator


def start(model: Path, port: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "flowchat.engines.llama_server", str(model), "2", str(port)]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert server.stdout and server.stdout.readline()
    return server


def kill(server: "subprocess.Popen[str]") -> None:
    server.send_signal(signal.SIGKILL)
    server.communicate()


async def write(generator: WatchedGenerator) -> str:
    messages = [{"role": "user", "content": "Say yes."}]
    pieces = generator.generate(messages, max_tokens=4, usage=GenerationUsage())
    return "".join([piece async for piece in pieces])


async def until(generator: WatchedGenerator, *, works: bool) -> None:
    while (generator.problem is None) != works:  # noqa: ASYNC110 (a test may poll)
        await asyncio.sleep(0.01)


async def test_it_is_missed_and_comes_back(models_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watched, "FIRST_PAUSE_S", 0.1)
    model, port = require(find_model(MODEL), models_dir) / "model.gguf", free_port()
    server = await asyncio.to_thread(start, model, port)
    made = OpenAIGenerator("any", f"http://127.0.0.1:{port}/v1", "", stream_chat)
    generator = WatchedGenerator("any", lambda: made, is_remote=True, problem=None, made=made)
    looking = asyncio.create_task(generator.look_after())
    try:
        assert await write(generator)
        await asyncio.to_thread(kill, server)
        with pytest.raises(ModelError):
            await write(generator)
        await until(generator, works=False)
        server = await asyncio.to_thread(start, model, port)
        await until(generator, works=True)
        assert await write(generator)
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
        kill(server)
