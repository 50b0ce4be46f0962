"""The images and a container of them: how large, how soon ready, how much memory at rest and under load, how it ends.

The container has a limit on its memory, of which files that it reads are a part, and as many cores as the machine.
"""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from flowchat.errors import FlowChatError
from flowchat.evaluation import images, load
from flowchat.evaluation.containers import Container, container
from flowchat.evaluation.images import Builder
from flowchat.evaluation.load import Plan, percentile
from flowchat.evaluation.local_site import NOT_FOUND, Response, local_site, page
from flowchat.evaluation.memory import Limit, limited
from flowchat.evaluation.processes import Running
from flowchat.evaluation.report import Measure, Report
from flowchat.evaluation.served import free_port
from flowchat.evaluation.server_process import footprint
from flowchat.evaluation.shutdown import MAX_STOP_S, SETTINGS, slow_generator, stop_with_streams

LIMIT_MB = 2048
PAGES = 150
VISITORS = 4
REST_S = 10.0
MB = 10**6
MAX_READY_S = 30.0
PARTS = {"models": "models", "packages": "app/.venv", "FlowChat": "app/flowchat", "Debian": "usr"}


def run(suite: str, streams: int) -> Report:
    """Build on that release of Debian, and measure. Raises FlowChatError `no_container` where that can't be done."""
    if reason := images.why_not():
        raise FlowChatError("no_container", f"{reason[0].upper()}{reason[1:]}.")
    with images.builder(suite) as builder, TemporaryDirectory() as folder:
        return measure(builder, Path(folder), suite, streams)


def measure(builder: Builder, folder: Path, suite: str, streams: int) -> Report:
    image = builder.build("flowchat")
    with container(builder, image, folder / "container") as made:
        measures = [Measure("image, MB", _disk_mb(made.root))]
        measures += [Measure(f"of it {name}, MB", _disk_mb(made.root / path)) for name, path in PARTS.items()]
        measures.append(Measure("to download (gzip), MB", _download_mb(builder, image, folder / "pushed")))
        measures.append(Measure("Python", made.run("python3", "--version").stdout.split()[1]))
        measures += asyncio.run(_Ran(made, streams).measures())
    notes = (
        f"Debian {suite}; {os.cpu_count()} cores; {LIMIT_MB} MiB of memory without swap. The first start finds an "
        f"empty volume, and nothing of the image in memory. Under load: {VISITORS} visitors ask without a pause while "
        f"a site of {PAGES} pages is crawled.",
    )
    return Report("Container", tuple(measures), notes)


def _download_mb(builder: Builder, image: str, folder: Path) -> float:
    builder.run("push", "--quiet", "--format", "docker", image, f"dir:{folder}")
    return sum(path.stat().st_size for path in folder.iterdir()) / MB


def _disk_mb(folder: Path) -> float:
    files = (path.lstat() for path in folder.rglob("*") if not path.is_dir())
    return sum(stat.st_size for stat in files) / MB


@dataclass
class _Ran:
    """One container from its first start to its last end."""

    made: Container
    streams: int
    found: list[Measure] = field(default_factory=list)

    async def measures(self) -> list[Measure]:
        for path in self.made.root.rglob("*"):
            _forget(path)
        with limited(LIMIT_MB << 20) as limit:
            with self._started("first start to ready, s", limit, MAX_READY_S) as running:
                await self._work(running, limit)
            with self._started("second start to ready, s", limit, MAX_READY_S):
                pass
            await self._end(limit)
        return self.found

    async def _work(self, running: Running, limit: Limit) -> None:
        async with _site() as url:
            await self._flowchat("crawl", f"{url}/", "--slug", "warm", "--max-pages", "3", "--wait")
            await asyncio.sleep(REST_S)
            self._add("at rest: process, MB", footprint(running.pid).memory_mb)
            self._add("at rest: not of files, MB", limit.own() / MB)
            key = json.loads(await self._flowchat("keys", "create", "--type", "widget", "--json"))["key"]
            crawl = asyncio.create_task(self._flowchat("crawl", f"{url}/", "--slug", "site", "--wait"))
            plan = Plan(running.url, key, ["docs", "warm"], _questions(), at_once=VISITORS)
            asked = await load.apply(plan)
            await crawl
        failed = [answer.code for answer in asked.answers if answer.code]
        texts = [answer.first_text_s for answer in asked.answers if answer.first_text_s is not None]
        self._add("under load: first text p50, s", percentile(texts, 0.5))
        self._add("under load: answers", float(len(asked.answers)))
        self._add("under load: not answered", float(len(failed)), most=0)
        self._add("under load: process at its peak, MB", footprint(running.pid).peak_mb)
        self._add("under load: all of it, files included, at its peak, MB", limit.peak() / MB)
        self._add("killed for want of memory", float(limit.kills()), most=0)

    async def _end(self, limit: Limit) -> None:
        key = json.loads(await self._flowchat("keys", "create", "--type", "widget", "--source", "warm", "--json"))[
            "key"
        ]
        async with slow_generator() as generator:
            with self._started("", limit, 0, generator=generator) as running:
                stopped = await stop_with_streams(running, key, self.streams, QUESTION)
        self._add(f"SIGTERM with {self.streams} open streams: exit code", float(stopped.exit_code), most=0)
        self._add(f"SIGTERM with {self.streams} open streams, s", stopped.seconds, most=MAX_STOP_S)
        self._add("readers that were not told of the end", float(stopped.reading - stopped.ended), most=0)

    @contextmanager
    def _started(self, name: str, limit: Limit, most_s: float, **settings: str) -> Iterator[Running]:
        began = time.monotonic()
        with self.made.serving(limit, **{**SETTINGS, "port": str(free_port()), **settings}) as running:
            if name:
                self._add(name, time.monotonic() - began, most=most_s)
            yield running

    async def _flowchat(self, *arguments: str) -> str:
        done = await asyncio.to_thread(self.made.run, "flowchat", *arguments, allow_private_hosts="127.0.0.1")
        if done.returncode:
            raise FlowChatError("container_failed", f"flowchat {arguments[0]}: {done.stderr.strip()[-500:]}")
        return done.stdout

    def _add(self, name: str, value: float, most: float | None = None) -> None:
        wanted = (f"<= {most:g}", value <= most) if most is not None else ("", None)
        self.found.append(Measure(name, value, *wanted))


QUESTION = "What does the lamp number 2 cost?"
_QUESTIONS = (
    "How do I crawl my site?",
    "Which models does FlowChat use?",
    "How is a sentence verified?",
    "Where does FlowChat keep its data?",
    "How do I stop FlowChat?",
    "What is a curated answer?",
    "How do I sign webhooks?",
    "Who may sign up?",
)


def _questions() -> list[str]:
    """No two alike, so that none is answered from memory."""
    return [question for number in range(3) for question in (f"{q[:-1]} (case {number})?" for q in _QUESTIONS)]


@asynccontextmanager
async def _site() -> AsyncIterator[str]:
    """A shop of lamps, each page with prose and a price of its own, linked in a row."""

    def respond(path: str, headers: object) -> Response:
        number = int(path[1:] or 0) if path[1:].isdigit() or path == "/" else PAGES
        if number >= PAGES:
            return NOT_FOUND
        prose = "".join(
            f"<p>The lamp number {number} costs {number * 7 + part} euros in size {part}, and has {part} bulbs. "
            f"It is made of oak from forest {number * part} and is delivered within {part} days.</p>"
            for part in range(1, 12)
        )
        return page(f"Lamp {number}", f"<h1>Lamp {number}</h1>{prose}<a href='/{number + 1}'>next</a>")

    async with local_site(respond) as url:
        yield url


def _forget(path: Path) -> None:
    """Its pages leave the kernel's memory."""
    if path.is_file() and not path.is_symlink():
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
