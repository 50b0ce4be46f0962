"""What a crawl does to those who ask: by the server itself, and by worker processes beside it, with the real models.

The appliance and its workers are processes on a temporary folder; FLOWCHAT_QUEUE_URL says what wakes them. Questions
are about FlowChat's own documentation, and come from a process of their own. All share the machine, so ratios tell.
"""

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from flowchat import settings as settings_table
from flowchat.app import open_context
from flowchat.domain import Job
from flowchat.errors import FlowChatError
from flowchat.evaluation import load
from flowchat.evaluation.load import Load, Plan, percentile
from flowchat.evaluation.local_site import NOT_FOUND, Response, local_site, page
from flowchat.evaluation.report import Measure, Report
from flowchat.evaluation.served import free_port
from flowchat.evaluation.server_process import footprint
from flowchat.services import jobs, sources
from flowchat.services.context import Context
from flowchat.services.derived_keys import command_line_key
from flowchat.services.source_requests import NewSource
from flowchat.services.tenants import DOCS_SLUG, actor_for_cli

QUESTIONS = (
    "Where does FlowChat keep its data?",
    "How do I verify a webhook?",
    "What is a test key?",
    "How do I change the port?",
    "How often is a failed webhook tried again?",
    "How do I put FlowChat on the internet?",
    "How is a revoked key refused?",
    "Which file types can I upload?",
    "How do I delete the conversations of a visitor?",
    "What does a refusal look like?",
    "How do I add the widget to my site?",
    "What happens when a payment fails?",
)
PAGES = 5000  # more than are crawled
SENTENCES = 40  # of a page: about five passages
LOOK_S = 0.1
TIMEOUT_S = 900.0
CALLS_PER_S = 20.0
STOP_S = 30.0


@dataclass(frozen=True, slots=True)
class Amounts:
    """`seconds`: how long calls that need no model are made; crawls that nobody disturbs are watched twice as long.

    `idle_s`: how long a worker has nothing to do before it is woken; it then looks into the file ever more rarely.
    """

    questions: int
    seconds: float
    wake_ups: int
    idle_s: float = 8.0


@dataclass(frozen=True, slots=True)
class Commands:
    """What is started."""

    serve: tuple[str, ...] = (sys.executable, "-m", "flowchat", "serve")
    worker: tuple[str, ...] = (sys.executable, "-m", "flowchat", "worker")


def run(amounts: Amounts, commands: Commands | None = None) -> Report:
    return asyncio.run(_run(amounts, commands or Commands()))


async def _run(amounts: Amounts, commands: Commands) -> Report:
    present = settings_table.load()
    with TemporaryDirectory() as folder:
        environ = {
            **os.environ,
            "FLOWCHAT_DATA_DIR": folder,
            "FLOWCHAT_MODELS_DIR": str(present.models_path.resolve()),
            "FLOWCHAT_HOST": "127.0.0.1",
            "FLOWCHAT_PORT": str(free_port()),
            "FLOWCHAT_PUBLIC_URL": "",
            "FLOWCHAT_QUESTIONS_PER_MINUTE": "0",
            "FLOWCHAT_ANSWER_CACHE_MB": "0",
            "FLOWCHAT_ALLOW_PRIVATE_HOSTS": "127.0.0.1",
            "FLOWCHAT_LOG_LEVEL": "ERROR",
        }
        check = _Check(environ, amounts, commands)
        async with local_site(_answer) as site:
            await check.measure(site)
    return Report("Workers", tuple(check.measures), tuple(check.notes))


def _answer(path: str, asked: Mapping[str, str]) -> Response:
    """A site of many pages, which its sitemap names: else they would look like a trap for crawlers. `/one` is alone."""
    if path == "/sitemap.xml":
        entries = "".join(f"<url><loc>http://{asked['host']}/{number}</loc></url>" for number in range(1, PAGES))
        return Response(f"<urlset>{entries}</urlset>".encode(), headers={"content-type": "application/xml"})
    if path in ("/robots.txt", "/llms.txt"):
        return NOT_FOUND
    is_alone, number = path == "/one", int(path.strip("/") or 0) if path.strip("/").isdigit() else 0
    sentences = (
        f"Item {number}-{part} is kept in drawer {number * part % 977} of hall {part}, where it stays dry and cool."
        for part in range(1, 2 if is_alone else SENTENCES)
    )
    return page(f"Item {number}", f"<h1>Item {number}</h1><p>{' '.join(sentences)}</p>")


class _Check:
    def __init__(self, environ: dict[str, str], amounts: Amounts, commands: Commands) -> None:
        self.measures: list[Measure] = []
        self.notes = ["Everything ran on this machine at once, the questions and the crawled site too."]
        self._environ = environ
        self._settings = settings_table.load(environ)
        self._amounts = amounts
        self._commands = commands
        self._plan = Plan(self._settings.origin, "", [DOCS_SLUG], list(QUESTIONS[: amounts.questions]))

    async def measure(self, site: str) -> None:
        async with self._served(workers=0, own=1) as context:
            await self._prepare(context)
            idle = await self._asked("nobody crawls")
            async with _crawling(context, site, "first"):
                beside = await self._asked("the server crawls")
        self._compare("the server crawls", idle, beside)
        async with self._served(workers=1, own=0) as context:
            async with _crawling(context, site, "second"):
                apart = await self._asked("a worker process crawls")
            self._compare("a worker process crawls", idle, apart)
            one = await self._speed(context, {"third": site})
            await self._woken(context, site)
        async with self._served(workers=2, own=0) as context:
            two = await self._speed(context, {"fourth": site, "fifth": site})
        self._add("pages/s, one worker, nobody asks", one)
        self._add("pages/s, two workers, nobody asks", two)
        self._add("two workers / one", two / one)

    async def _prepare(self, context: Context) -> None:
        """The documentation is indexed, and a first answer was made."""
        actor = await actor_for_cli(context.db, None)
        async with asyncio.timeout(TIMEOUT_S):
            while not (await sources.get(context, actor, DOCS_SLUG)).live_version:  # noqa: ASYNC110 (it may poll)
                await asyncio.sleep(1)
        _, key = await command_line_key(context, actor)
        self._plan = replace(self._plan, key=key)
        await load.apply(replace(self._plan, questions=self._plan.questions[:2]))

    async def _asked(self, name: str) -> Load:
        done = await load.apply(self._plan)
        failed = [answer.code for answer in done.answers if answer.code]
        calls = replace(self._plan, key="kbk_live_unknown", rate_per_s=CALLS_PER_S, seconds=self._amounts.seconds)
        refused = await load.apply(calls)
        texts = _first_texts_s(done)
        self._add(f"{name}: first text p50, s", percentile(texts, 0.5))
        self._add(f"{name}: first text p95, s", percentile(texts, 0.95))
        self._add(f"{name}: not answered", float(len(failed)))
        waited_ms = [call.done_s * 1000 for call in refused.answers]
        self._add(f"{name}: a call that needs no model p50, ms", percentile(waited_ms, 0.5))
        self._add(f"{name}: a call that needs no model p99, ms", percentile(waited_ms, 0.99))
        return done

    def _compare(self, name: str, idle: Load, busy: Load) -> None:
        ratio = percentile(_first_texts_s(busy), 0.5) / percentile(_first_texts_s(idle), 0.5)
        self._add(f"{name}: first text p50 / nobody crawls", ratio)

    async def _speed(self, context: Context, sites: Mapping[str, str]) -> float:
        """Pages a second, of all these crawls together."""
        async with asyncio.TaskGroup() as group:
            crawls = [group.create_task(_pages_per_s(context, *each, self._amounts.seconds)) for each in sites.items()]
        return sum(crawl.result() for crawl in crawls)

    async def _woken(self, context: Context, site: str) -> None:
        """How long jobs wait for a worker that has nothing to do."""
        waits_s = []
        actor = await actor_for_cli(context.db, None)
        source, job = await sources.create(context, actor, NewSource(f"{site}/one", slug="one", max_pages=1))
        for _ in range(self._amounts.wake_ups):
            if job is not None:
                await _until(context, job, "succeeded")
            await asyncio.sleep(self._amounts.idle_s)
            job = await sources.recrawl(context, actor, source.id)
            begun = await _until(context, job, "succeeded")
            waits_s.append(_seconds(begun.created_at, begun.started_at or ""))
        by = "Redis" if self._settings.queue_url else "the file"
        self._add(f"a job waits for an idle worker, woken by {by}, p50, ms", percentile(waits_s, 0.5) * 1000)
        self._add(f"a job waits for an idle worker, woken by {by}, max, ms", max(waits_s) * 1000)

    @asynccontextmanager
    async def _served(self, *, workers: int, own: int) -> AsyncIterator[Context]:
        environ = {**self._environ, "FLOWCHAT_CRAWL_WORKERS": str(own)}
        processes = [await _start(self._commands.serve, environ, "ready ")]
        try:
            for _ in range(workers):
                processes.append(await _start(self._commands.worker, environ, "working for "))
            if workers:
                await self._cost(processes)
            async with open_context(self._settings) as context:
                yield context
        finally:
            for process in reversed(processes):
                await _end(process)

    async def _cost(self, processes: list[Process]) -> None:
        server, worker = processes[0].pid, processes[1].pid
        if len(processes) == 2:
            await asyncio.sleep(self._amounts.idle_s)
            before = _cpu_s(worker)
            await asyncio.sleep(self._amounts.idle_s)
            used_ms = (_cpu_s(worker) - before) * 1000
            self._add("an idle worker's CPU, ms a second", used_ms / self._amounts.idle_s)
            self._add("memory of the server, MB", footprint(server).memory_mb)
            self._add("memory of a worker, MB", footprint(worker).memory_mb)

    def _add(self, name: str, value: float) -> None:
        self.measures.append(Measure(name, value))


@asynccontextmanager
async def _crawling(context: Context, site: str, slug: str) -> AsyncIterator[None]:
    """While the block runs a crawl is under way; afterwards it is canceled."""
    actor = await actor_for_cli(context.db, None)
    _, job = await sources.create(context, actor, NewSource(f"{site}/", slug=slug, max_pages=PAGES))
    if job is None:
        raise FlowChatError("no_job", "The crawl was not begun.")
    await _until(context, job, "running", done=1)
    try:
        yield
        if (await jobs.get(context, actor, job.id)).status != "running":
            raise FlowChatError("crawl_ended", "The crawl ended before the questions did.")
    finally:
        await jobs.cancel(context, actor, job.id)
        await _until(context, job, "canceled")


async def _pages_per_s(context: Context, slug: str, site: str, seconds: float) -> float:
    actor = await actor_for_cli(context.db, None)
    async with _crawling(context, site, slug):
        job = (await jobs.list_page(context, actor, jobs.JobsRequest(source=slug))).items[0]
        loop = asyncio.get_running_loop()
        began, before = loop.time(), job.progress.done
        await asyncio.sleep(2 * seconds)
        after = (await jobs.get(context, actor, job.id)).progress.done
        return (after - before) / (loop.time() - began)


async def _until(context: Context, job: Job, status: str, done: int = 0) -> Job:
    actor = await actor_for_cli(context.db, None)
    async with asyncio.timeout(TIMEOUT_S):
        while job.status != status or job.progress.done < done:
            await asyncio.sleep(LOOK_S)
            job = await jobs.get(context, actor, job.id)
    return job


async def _start(command: Sequence[str], environ: dict[str, str], ready: str) -> Process:
    process = await asyncio.create_subprocess_exec(*command, env=environ, stdout=PIPE, stderr=DEVNULL)
    async with asyncio.timeout(TIMEOUT_S):
        while process.stdout and (line := await process.stdout.readline()):
            if line.startswith(ready.encode()):
                return process
    raise FlowChatError("not_started", f"`{' '.join(command)}` has ended with {await process.wait()}.")


async def _end(process: Process) -> None:
    if process.returncode is None:
        process.terminate()
    try:
        await asyncio.wait_for(process.communicate(), STOP_S)
    except TimeoutError:
        process.kill()
        await process.communicate()


def _first_texts_s(done: Load) -> list[float]:
    return [answer.first_text_s for answer in done.answers if answer.first_text_s is not None]


def _seconds(earlier: str, later: str) -> float:
    return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()


def _cpu_s(pid: int) -> float:
    """Of a process, since it began."""
    numbers = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(numbers[11]) + int(numbers[12])) / os.sysconf("SC_CLK_TCK")
