"""The generator's speed beside llama.cpp's own server, fed the same prompts in turn."""

import asyncio
import os
import shutil
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from flowchat.engines.generator_openai import OpenAIGenerator
from flowchat.engines.protocols import GenerationUsage, Generator
from flowchat.engines.registry import find_model, require
from flowchat.errors import ModelError
from flowchat.evaluation.served import free_port
from flowchat.net.openai_stream import stream_chat
from flowchat.settings import Settings

PROGRAM = "llama-server"
START_S = 90.0
POLL_S = 0.5
STOP_S = 10.0


@dataclass(frozen=True, slots=True)
class Prompt:
    messages: Sequence[dict[str, str]]
    max_tokens: int


class RecordingGenerator:
    """A `Generator` that keeps the prompts it was given."""

    def __init__(self, generator: Generator) -> None:
        self.name = generator.name
        self.is_remote = generator.is_remote
        self.prompts: list[Prompt] = []
        self._generator = generator

    def generate(
        self, messages: Sequence[dict[str, str]], *, max_tokens: int, usage: GenerationUsage
    ) -> AsyncIterator[str]:
        self.prompts.append(Prompt(list(messages), max_tokens))
        return self._generator.generate(messages, max_tokens=max_tokens, usage=usage)

    def close(self) -> None:
        self._generator.close()


@dataclass(slots=True)
class Speed:
    """`writing_s` is from the first piece of each text to its last, `whole_s` includes the reading of the prompt."""

    tokens: int = 0
    writing_s: float = 0.0
    whole_s: float = 0.0

    @property
    def tokens_per_s(self) -> float:
        return self.tokens / self.writing_s if self.writing_s else float("nan")

    @property
    def tokens_per_whole_s(self) -> float:
        return self.tokens / self.whole_s if self.whole_s else float("nan")


async def compare(settings: Settings, ours: Generator, prompts: Sequence[Prompt]) -> tuple[Speed, Speed, str]:
    """(ours, the reference's, what the reference is). Raises ModelError where that does not start."""
    speeds = Speed(), Speed()
    async with _reference(settings) as (theirs, what):
        for prompt in prompts:
            for generator, speed in zip((ours, theirs), speeds, strict=True):
                await _write(generator, prompt, speed)
    return *speeds, what


async def _write(generator: Generator, prompt: Prompt, speed: Speed) -> None:
    usage = GenerationUsage()
    began = time.perf_counter()
    first = last = began
    pieces = generator.generate(prompt.messages, max_tokens=prompt.max_tokens, usage=usage)
    async for piece in pieces:
        if piece:
            last = time.perf_counter()
            first = last if first == began else first
    speed.tokens += max(0, usage.tokens_out - 1)
    speed.writing_s += last - first
    speed.whole_s += last - began


@asynccontextmanager
async def _reference(settings: Settings) -> AsyncIterator[tuple[Generator, str]]:
    spec = find_model(settings.generator, "generator", settings.models_path)
    model = str(require(spec, settings.models_path) / "model.gguf")
    threads, port = str(settings.threads or len(os.sched_getaffinity(0))), str(free_port())
    program = shutil.which(PROGRAM)
    if program:
        command = [program, "-m", model, "-t", threads, "-c", "8192", "-np", "4", "--port", port]
    else:
        command = [sys.executable, "-m", "flowchat.engines.llama_server", model, threads, port]
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        generator = OpenAIGenerator(spec.name, f"http://127.0.0.1:{port}/v1", "", stream_chat)
        await _until_ready(generator)
        yield generator, f"{PROGRAM} ({program})" if program else "the server of the xllamacpp package, over HTTP"
    finally:
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_S)
        except TimeoutError:
            process.kill()


async def _until_ready(generator: Generator) -> None:
    deadline = time.monotonic() + START_S
    while True:
        try:
            hello = generator.generate([{"role": "user", "content": "Hi"}], max_tokens=1, usage=GenerationUsage())
            async for _ in hello:
                pass
            return
        except ModelError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(POLL_S)
