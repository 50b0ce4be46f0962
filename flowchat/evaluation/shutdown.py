"""SIGTERM while answers are being streamed: does the appliance end with exit code 0, how soon, and what is told?

The generator is one that never ends its answer. Each answer has many readers, by its Idempotency-Key; some stopped
reading.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from flowchat import settings as settings_table
from flowchat.domain import new_id
from flowchat.errors import FlowChatError
from flowchat.evaluation.local_site import NOT_FOUND, Response, local_site, page
from flowchat.evaluation.processes import SERVE, Running, starting, telling
from flowchat.evaluation.report import Measure, Report

ANSWERS = 4  # each with its share of the streams
STALLED = 0.2  # of the clients
TOKEN_PAUSE_S = 0.2
OPEN_TIMEOUT_S = 60.0
MAX_STOP_S = 8.0
QUESTION = "How many days do I have to return a lamp?"
SITE = {
    "/": page("Returns", "<h1>Returns</h1><p>You can return an unused lamp within 30 days of delivery.</p>"),
    "/robots.txt": NOT_FOUND,
}
# Answers last until the process ends, and any number of clients may ask.
SETTINGS = {
    "answer_patience_s": "600",
    "answer_timeout_s": "600",
    "questions_per_minute": "0",
    "allow_private_hosts": "127.0.0.1",
    "host": "127.0.0.1",
}


@dataclass(frozen=True, slots=True)
class Stopped:
    """`ended` is how many of the clients that read got the end of their stream."""

    seconds: float
    exit_code: int
    reading: int
    ended: int


@dataclass(frozen=True, slots=True)
class Asking:
    url: str
    key: str
    question: str


def run(streams: int, times: int) -> Report:
    """Stop an appliance with so many open streams, so many times."""
    stopped = asyncio.run(_stop_again_and_again(streams, times))
    slowest = max(each.seconds for each in stopped)
    codes = sorted({each.exit_code for each in stopped})
    read, ended = sum(each.reading for each in stopped), sum(each.ended for each in stopped)
    measures = (
        Measure("Python", ".".join(map(str, sys.version_info[:3]))),
        Measure("streams open at SIGTERM", float(streams)),
        Measure("times", float(times)),
        Measure("exit codes", ", ".join(map(str, codes)), "0", codes == [0]),
        Measure("slowest to end, s", slowest, f"<= {MAX_STOP_S:g}", slowest <= MAX_STOP_S),
        Measure("readers that got the end of their stream", f"{ended} of {read}", "all", ended == read),
    )
    return Report("SIGTERM with open streams", measures, (f"{STALLED:.0%} of the clients had stopped reading.",))


async def _stop_again_and_again(streams: int, times: int) -> list[Stopped]:
    with TemporaryDirectory() as folder:
        async with slow_generator() as generator:
            environ = _environ(Path(folder), generator)
            key = await _crawled(environ)
            stopped = []
            for _ in range(times):
                with _serving(environ, Path(folder) / "log.txt") as running:
                    stopped.append(await stop_with_streams(running, key, streams))
            return stopped


def _environ(folder: Path, generator: str) -> dict[str, str]:
    models = settings_table.load().models_path.resolve()
    told = {
        **SETTINGS,
        "port": "0",
        "generator": generator,
        "data_dir": str(folder / "data"),
        "models_dir": str(models),
    }
    return {**os.environ, **{f"FLOWCHAT_{name.upper()}": value for name, value in told.items()}}


async def _crawled(environ: Mapping[str, str]) -> str:
    """A widget key of an appliance that has read a small site."""
    async with small_site() as url:
        await asyncio.to_thread(_flowchat, environ, "crawl", f"{url}/", "--slug", "lamps", "--wait")
    made = await asyncio.to_thread(
        _flowchat, environ, "keys", "create", "--type", "widget", "--source", "lamps", "--json"
    )
    return str(json.loads(made)["key"])


def _flowchat(environ: Mapping[str, str], *arguments: str) -> str:
    done = subprocess.run([*SERVE[:-1], *arguments], env=environ, capture_output=True, text=True, check=False)
    if done.returncode:
        raise FlowChatError("shutdown_failed", f"flowchat {arguments[0]}: {done.stderr.strip()[-500:]}")
    return done.stdout


@contextmanager
def _serving(environ: Mapping[str, str], log_path: Path) -> Iterator[Running]:
    with log_path.open("a") as log, starting(telling(SERVE), log, environ) as running:
        running.read_until_ready()
        yield running


@asynccontextmanager
async def small_site() -> AsyncIterator[str]:
    """One page, which answers QUESTION."""
    async with local_site(lambda path, headers: SITE.get(path, NOT_FOUND)) as url:
        yield url


@asynccontextmanager
async def slow_generator() -> AsyncIterator[str]:
    """The setting that names a server whose answers are one sentence without an end."""

    async def words() -> AsyncIterator[bytes]:
        while True:
            yield b'data: {"choices": [{"delta": {"content": " and"}}]}\n\n'
            await asyncio.sleep(TOKEN_PAUSE_S)

    async with local_site(
        lambda path, headers: Response(words(), headers={"content-type": "text/event-stream"})
    ) as url:
        yield f"openai:slow@{url}/v1"


async def stop_with_streams(running: Running, key: str, streams: int, question: str = QUESTION) -> Stopped:
    """SIGTERM once so many streams are open. Raises FlowChatError if they can't be opened."""
    async with AsyncExitStack() as closing:
        clients = await _open(Asking(running.url, key, question), streams, closing)
        stalled = int(streams * STALLED)
        reading = [asyncio.create_task(client.read_on()) for client in clients[: streams - stalled]]
        began = time.monotonic()
        running.send(signal.SIGTERM)
        code = await asyncio.to_thread(running.ended_with)
        seconds = time.monotonic() - began
        texts = await asyncio.gather(*reading)
    return Stopped(seconds, code, len(texts), sum(b"event: stream.done" in text for text in texts))


async def _open(asking: Asking, streams: int, closing: AsyncExitStack) -> list["_Client"]:
    clients = []
    for answer in range(ANSWERS):
        name = new_id("answer")
        # The first asks; the others find its answer in the making.
        clients.append(await _Client.opened(asking, name, closing, until=b"generation.token"))
        share = streams // ANSWERS + (answer < streams % ANSWERS)
        clients += await asyncio.gather(*(_Client.opened(asking, name, closing) for _ in range(share - 1)))
    return clients


@dataclass
class _Client:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    text: bytes = b""

    @classmethod
    async def opened(
        cls, asking: Asking, idempotency_key: str, closing: AsyncExitStack, until: bytes = b"retrieval.started"
    ) -> "_Client":
        """A stream, up to the event that is waited for."""
        address = urlsplit(asking.url)
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        closing.callback(writer.close)
        client = cls(reader, writer)
        body = json.dumps({"query": asking.question}).encode()
        head = (
            f"POST /v1/chat HTTP/1.1\r\nHost: {address.netloc}\r\nX-FlowChat-Key: {asking.key}\r\n"
            f"Accept: text/event-stream\r\nIdempotency-Key: {idempotency_key}\r\nLast-Event-ID: 0\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body)
        async with asyncio.timeout(OPEN_TIMEOUT_S):
            while until not in client.text:
                piece = await reader.read(65536)
                if not piece or not (client.text + piece).startswith(b"HTTP/1.1 200"):
                    client.text += piece
                    raise FlowChatError("shutdown_failed", f"No stream: {client.text[:500].decode('utf-8', 'replace')}")
                client.text += piece
        return client

    async def read_on(self) -> bytes:
        """All of it, to its end."""
        try:
            while piece := await self.reader.read(65536):
                self.text += piece
        except ConnectionError:
            pass  # what came before it counts
        return self.text
