"""Everything at once for hours, on an appliance of its own: questions, crawls, webhooks and billing.

The server is a process of its own, watched from outside. What its last quarter needs is compared with its first.
"""

import asyncio
import json
import random
import statistics
import time
import zlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from flowchat import settings as settings_table
from flowchat.app import open_context
from flowchat.domain import Actor, Job
from flowchat.evaluation.billing_process import API_KEY
from flowchat.evaluation.load import Timed, ask, percentile
from flowchat.evaluation.local_site import NOT_FOUND, Response, local_site, page
from flowchat.evaluation.report import Measure, Report
from flowchat.evaluation.server_process import Server, footprint, server_process
from flowchat.evaluation.soak_questions import QUESTIONS
from flowchat.evaluation.stripe_bench import Bench, add_meters, add_tenant, compared, stripe_fake, until_reported
from flowchat.ingest.documents import builtin_documents
from flowchat.net.appliance import chat_client
from flowchat.net.stripe_api.client import Stripe, connect
from flowchat.net.stripe_api.fake import FakeControl
from flowchat.services import jobs, keys, sources, webhooks
from flowchat.services.check import check
from flowchat.services.context import Context
from flowchat.services.key_requests import NewWidgetKey
from flowchat.services.source_requests import NewSource
from flowchat.services.webhooks import NewWebhook
from flowchat.store import deliveries
from flowchat.store.migrate import migrate

SLUG = "manual"
SEED = 9
SAMPLE_S = 10.0
LEAST_SAMPLES = 40
PING_S = 5.0
LOOK_S = 1.0
CRAWL_TIMEOUT_S = 1800.0
LAST_DELIVERIES_S = 30.0  # what failed is sent again after five seconds
REFUSED_DELIVERIES = 0.1  # at the first attempt; the next one is taken
REVISED_PAGES = 3  # of each crawl
REFERENCE = random.Random(SEED).randbytes(1_000_000)  # noqa: S311 (no secret)

MAX_MEMORY_GROWTH = 1.10
MAX_MORE_DESCRIPTORS = 10
MAX_WAL_GROWTH = 1.25
MAX_SLOWDOWN = 1.25


@dataclass(frozen=True, slots=True)
class Amounts:
    minutes: float
    questions_per_minute: float
    crawl_every_s: float


@dataclass(frozen=True, slots=True)
class Sample:
    """How things stood `at_s` after the beginning. `reference_ms`: of work that has nothing to do with the server."""

    at_s: float
    memory_mb: float
    descriptors: int
    threads: int
    wal_mb: float
    database_mb: float
    reference_ms: float


@dataclass(frozen=True, slots=True)
class Asked:
    at_s: float
    answer: Timed


@dataclass(frozen=True, slots=True)
class Soaked:
    """What came of it."""

    samples: list[Sample]
    asked: list[Asked]
    crawls: Counter[str]
    deliveries: Counter[str]
    received: int
    billed: list[Measure]
    problems: list[str]
    logged: list[str]
    exit_code: int


def run(amounts: Amounts, out: Path | None = None) -> Report:
    """With `out`, every sample and answer is written there, as JSONL."""
    soaked = asyncio.run(_soak(amounts))
    if out is not None:
        rows = [asdict(sample) for sample in soaked.samples] + [asdict(asked) for asked in soaked.asked]
        out.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return _report(amounts, soaked)


async def _soak(amounts: Amounts) -> Soaked:
    settings = settings_table.load()
    with TemporaryDirectory() as folder:
        async with stripe_fake() as fake, _world() as world:
            settings = replace(
                settings,
                data_dir=Path(folder),
                models_dir=settings.models_path.resolve(),
                host="127.0.0.1",
                port=0,
                public_url="",
                questions_per_minute=0,
                allow_private_hosts=("127.0.0.1",),
                stripe_api_key=API_KEY,
                stripe_api_base=fake.url,
            )
            migrate(settings.database_path)
            async with open_context(settings) as app, connect(settings) as stripe:
                await add_meters(stripe)
                return await _Soak(amounts, app, stripe, fake, world).run()


class _World:
    """The site that is crawled, which changes, and the endpoint that webhooks are sent to."""

    def __init__(self) -> None:
        self.revision = 0
        self.received: set[str] = set()
        self.url = ""
        self._refused: set[str] = set()
        self._chance = random.Random(SEED)  # noqa: S311 (no secret)
        self._pages = builtin_documents()

    def revise(self) -> None:
        self.revision += 1

    def respond(self, path: str, headers: Mapping[str, str]) -> Response:
        if path == "/hook":
            return self._receive(headers)
        name = path.removeprefix("/").removesuffix(".md")
        if not name:
            return page("The manual", "".join(f'<p><a href="/{name}.md">{name}</a></p>' for name in self._pages))
        if name not in self._pages:
            return NOT_FOUND
        revised = list(self._pages).index(name) % len(self._pages)
        is_revised = (revised + self.revision) % len(self._pages) < REVISED_PAGES
        note = f"\n\nThis page was revised for edition {self.revision} of the manual.\n" if is_revised else ""
        return _markdown(self._pages[name] + note)

    def _receive(self, headers: Mapping[str, str]) -> Response:
        event = headers.get("webhook-id", "")
        if event not in self.received | self._refused and self._chance.random() < REFUSED_DELIVERIES:
            self._refused.add(event)
            return Response(b"busy", 503)
        self.received.add(event)
        return Response(b"", 204)


def _markdown(text: str) -> Response:
    return Response(text.encode(), headers={"content-type": "text/markdown; charset=utf-8"})


@asynccontextmanager
async def _world() -> AsyncIterator[_World]:
    world = _World()
    async with local_site(world.respond) as url:
        world.url = url
        yield world


class _Soak:
    def __init__(self, amounts: Amounts, app: Context, stripe: Stripe, fake: FakeControl, world: _World) -> None:
        self._amounts = amounts
        self._app = app
        self._stripe = stripe
        self._fake = fake
        self._world = world
        self._crawls: Counter[str] = Counter()
        self._samples: list[Sample] = []
        self._asked: list[Asked] = []
        self._webhook_id = ""
        self._began = 0.0

    async def run(self) -> Soaked:
        log = self._app.settings.data_dir / "server.log"
        async with server_process(self._app.settings, log) as server:
            actor = await add_tenant(self._app, self._stripe, "soaked")
            key, job = await self._set_up(actor)
            await self._ended(actor, job)
            self._began = time.monotonic()
            await self._load(server, actor, key)
            await asyncio.sleep(LAST_DELIVERIES_S)
            states = Counter(await deliveries.counts(self._app.db, actor.tenant_id))
            exit_code = await server.stop()
        bench = Bench(self._app, self._stripe, self._fake)
        await until_reported(bench)
        return Soaked(
            self._samples,
            self._asked,
            self._crawls,
            states,
            len(self._world.received),
            await compared(bench, "billed"),
            await check(self._app.db),
            [line for line in log.read_text().splitlines() if " ERROR " in line or line.startswith("Traceback")],
            exit_code,
        )

    async def _set_up(self, actor: Actor) -> tuple[str, Job]:
        webhook, _ = await webhooks.create(self._app, actor, NewWebhook(url=f"{self._world.url}/hook", events=("*",)))
        self._webhook_id = webhook.id
        _, secret = await keys.create(self._app, actor, NewWidgetKey(name="visitors"))
        _, job = await sources.create(self._app, actor, NewSource(url=self._world.url, slug=SLUG))
        if job is None:
            raise RuntimeError("the source has no crawl")
        return secret, job

    async def _load(self, server: Server, actor: Actor, key: str) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._until_the_end(partial(self._watch, server)))
            group.create_task(self._until_the_end(partial(self._visit, server, key)))
            group.create_task(self._until_the_end(partial(self._crawl, actor)))
            group.create_task(self._until_the_end(partial(self._ping, actor)))

    async def _until_the_end(self, work: Callable[[], Awaitable[None]]) -> None:
        while self._at_s() < self._amounts.minutes * 60:
            await work()

    def _at_s(self) -> float:
        return time.monotonic() - self._began

    async def _watch(self, server: Server) -> None:
        held = footprint(server.process.pid)
        path = self._app.settings.database_path
        wal = path.with_name(f"{path.name}-wal")
        self._samples.append(
            Sample(
                self._at_s(),
                memory_mb=held.memory_mb,
                descriptors=held.descriptors,
                threads=held.threads,
                wal_mb=wal.stat().st_size / 1e6,
                database_mb=path.stat().st_size / 1e6,
                reference_ms=await asyncio.to_thread(_reference_ms),
            )
        )
        await asyncio.sleep(min(SAMPLE_S, self._amounts.minutes * 60 / LEAST_SAMPLES))

    async def _visit(self, server: Server, key: str) -> None:
        """One question after the other, at about the asked pace."""
        question = QUESTIONS[len(self._asked) % len(QUESTIONS)]
        began = self._at_s()
        async with chat_client(server.url, key, [SLUG]) as client:
            self._asked.append(Asked(began, await ask(client, question)))
        await asyncio.sleep(max(0.0, began + 60 / self._amounts.questions_per_minute - self._at_s()))

    async def _crawl(self, actor: Actor) -> None:
        """Of a site that has changed; what was answered from the former version is asked of models again."""
        began = self._at_s()
        self._world.revise()
        await self._ended(actor, await sources.recrawl(self._app, actor, SLUG))
        await asyncio.sleep(max(0.0, began + self._amounts.crawl_every_s - self._at_s()))

    async def _ping(self, actor: Actor) -> None:
        await webhooks.ping(self._app, actor, self._webhook_id)
        await asyncio.sleep(PING_S)

    async def _ended(self, actor: Actor, job: Job) -> None:
        deadline = time.monotonic() + CRAWL_TIMEOUT_S
        while job.status in ("queued", "running") and time.monotonic() < deadline:
            await asyncio.sleep(LOOK_S)
            job = await jobs.get(self._app, actor, job.id)
        self._crawls[job.status] += 1


def _reference_ms() -> float:
    began = time.perf_counter()
    zlib.compress(REFERENCE)
    return (time.perf_counter() - began) * 1000


def _report(amounts: Amounts, soaked: Soaked) -> Report:
    first, last = _quarter(amounts, soaked.samples, 0), _quarter(amounts, soaked.samples, 3)
    measures = [
        _growth("memory, MB", [s.memory_mb for s in first], [s.memory_mb for s in last], MAX_MEMORY_GROWTH),
        _growth("write-ahead log, MB", [s.wal_mb for s in first], [s.wal_mb for s in last], MAX_WAL_GROWTH),
        _more("descriptors", [s.descriptors for s in first], [s.descriptors for s in last], MAX_MORE_DESCRIPTORS),
        _more("threads", [s.threads for s in first], [s.threads for s in last], MAX_MORE_DESCRIPTORS),
        Measure("memory at its peak, MB", max(s.memory_mb for s in soaked.samples)),
        Measure("write-ahead log at its peak, MB", max(s.wal_mb for s in soaked.samples)),
        Measure("database at the end, MB", soaked.samples[-1].database_mb),
        *_latencies(amounts, soaked),
    ]
    crawls, delivered = soaked.crawls.total(), soaked.deliveries["succeeded"]
    failed = Counter(asked.answer.code for asked in soaked.asked if asked.answer.code)
    sent, received = soaked.deliveries.total(), soaked.received
    measures += [
        Measure("questions asked", len(soaked.asked)),
        Measure("questions without an answer", failed.total(), "0", not failed),
        Measure("refused", sum(asked.answer.refusal for asked in soaked.asked)),
        Measure("crawls that succeeded", soaked.crawls["succeeded"], f"{crawls}", soaked.crawls["succeeded"] == crawls),
        Measure("webhooks delivered", delivered, f"{sent}", delivered == sent),
        Measure("webhooks that arrived", received, f"{sent}", received == sent),
        *soaked.billed,
        Measure("errors in the log", len(soaked.logged), "0", not soaked.logged),
        Measure("problems that `flowchat check` finds", len(soaked.problems), "0", not soaked.problems),
        Measure("exit code after SIGTERM", soaked.exit_code, "0", soaked.exit_code == 0),
    ]
    notes = (
        f"{amounts.minutes:g} minutes; figures are medians of the first and of the last quarter.",
        "First texts are divided by the time that the same piece of work (zlib) took beside them, so that a machine "
        "that others use, too, does not count. Whole answers end after FLOWCHAT_ANSWER_PATIENCE_S at the latest.",
        *(f"Not answered: {code}, {number} times." for code, number in failed.items()),
        *soaked.logged[:3],
        *soaked.problems[:3],
    )
    return Report("Soak", tuple(measures), notes)


def _quarter(amounts: Amounts, samples: list[Sample], number: int) -> list[Sample]:
    quarter_s = amounts.minutes * 60 / 4
    return [sample for sample in samples if number * quarter_s <= sample.at_s < (number + 1) * quarter_s]


def _growth(name: str, first: list[float], last: list[float], most: float) -> Measure:
    before, after = statistics.median(first), statistics.median(last)
    return Measure(f"{name}: {before:.1f} -> {after:.1f}, times", after / before, f"<= {most}", after / before <= most)


def _more(name: str, first: list[int], last: list[int], most: int) -> Measure:
    before, after = statistics.median(first), statistics.median(last)
    return Measure(f"{name}: {before:g} -> {after:g}, more", after - before, f"<= {most}", after - before <= most)


def _latencies(amounts: Amounts, soaked: Soaked) -> list[Measure]:
    quarter_s = amounts.minutes * 60 / 4
    first = [asked.answer for asked in soaked.asked if asked.at_s < quarter_s]
    last = [asked.answer for asked in soaked.asked if asked.at_s >= 3 * quarter_s]
    reference = [
        statistics.median(sample.reference_ms for sample in _quarter(amounts, soaked.samples, number))
        for number in (0, 3)
    ]
    measures = [Measure(f"reference: {reference[0]:.1f} -> {reference[1]:.1f} ms, times", reference[1] / reference[0])]
    for share in (0.5, 0.95):
        before, after = (percentile(_first_text_s(answers), share) for answers in (first, last))
        slowdown = (after / reference[1]) / (before / reference[0])
        name = f"first text p{share * 100:.0f}: {before:.2f} -> {after:.2f} s, times by the reference"
        target = f"<= {MAX_SLOWDOWN}" if share == 0.5 else ""
        measures.append(Measure(name, slowdown, target, slowdown <= MAX_SLOWDOWN if target else None))
    for share in (0.5, 0.95):
        before, after = (percentile(_done_s(answers), share) for answers in (first, last))
        measures.append(
            Measure(f"whole answer p{share * 100:.0f}: {before:.2f} -> {after:.2f} s, times", after / before)
        )
    return measures


def _first_text_s(answers: list[Timed]) -> list[float]:
    return [answer.first_text_s for answer in answers if answer.first_text_s is not None and not answer.refusal]


def _done_s(answers: list[Timed]) -> list[float]:
    return [answer.done_s for answer in answers if not answer.code and not answer.refusal]
