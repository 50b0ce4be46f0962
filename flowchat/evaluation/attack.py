"""What crowds that mean ill do to an appliance, and to the few who only want to ask and read meanwhile.

Attackers and visitors come from processes of their own. Memory, descriptors and threads are those of the process that
serves: a copy of the data folder's appliance with its models, and a generator that this check plays, so that one answer
can be kept going for as long as its readers shall wait.
"""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, astuple, dataclass, field, replace
from typing import Any, TypeVar

from flowchat import settings as settings_table
from flowchat.answer.cache import AnswerCache
from flowchat.errors import FlowChatError
from flowchat.evaluation.attackers import Outcome, Plan
from flowchat.evaluation.load import percentile
from flowchat.evaluation.played_generator import PlayedGenerator
from flowchat.evaluation.report import Measure, Report
from flowchat.evaluation.served import served_copy
from flowchat.evaluation.server_process import Footprint, footprint

Pipe = TypeVar("Pipe")
VISITORS = 4
STANDING_S = 60.0  # until all connections of an attack stand
SETTLE_S = 30.0
PATIENCE_S = 900.0  # of the answer that the idle ones read
QUESTIONS = (
    "How do I give a widget key a daily cap?",
    "How does FlowChat sign its webhooks?",
    "What does a refusal look like?",
    "How do I put FlowChat behind a reverse proxy?",
    "Which documents can be uploaded?",
    "How is a source crawled again?",
)
HELD = "How do I revoke a key?"


@dataclass(frozen=True, slots=True)
class Amounts:
    """Connections of each attack; 0 leaves it out. `seconds`: how long visitors are timed beside each."""

    idle: int = 2000
    stalled: int = 200
    abort: int = 10_000
    slow_head: int = 1000
    slow_body: int = 200
    large: int = 500
    seconds: float = 45.0


@dataclass(frozen=True, slots=True)
class Targets:
    """The most with which a run passes: `slowdown` of visitors' p95, `descriptors` that are left after an attack."""

    memory_mb: float = 150.0
    slowdown: float = 3.0
    lag_ms: float = 100.0
    descriptors: int = 10


@dataclass(frozen=True, slots=True)
class Attacked:
    """An appliance that this process serves. After `hold` the next answer does not end; `go_on` is for those after."""

    port: int
    key: str
    lags_s: list[float]
    hold: Callable[[], object] = field(default=lambda: None)
    go_on: Callable[[], object] = field(default=lambda: None)
    held_question: str = HELD
    questions: tuple[str, ...] = QUESTIONS


_NAMES = {
    "idle": "idle stream readers",
    "stalled": "readers that read nothing",
    "abort": "connect/abort cycles",
    "slow_head": "slow heads (slowloris)",
    "slow_body": "slow bodies",
    "large": "large bodies by nobody",
}
_HELD = ("idle", "stalled")


def run(amounts: Amounts, targets: Targets) -> Report:
    return asyncio.run(_run(amounts, targets))


async def _run(amounts: Amounts, targets: Targets) -> Report:
    async with _attacked() as attacked:
        return await measure(attacked, amounts, targets)


@asynccontextmanager
async def _attacked() -> AsyncIterator[Attacked]:
    """A copy of the data folder's appliance, whose documentation is asked."""
    async with PlayedGenerator() as generator:
        settings = replace(
            settings_table.load(),
            generator=f"openai:played@{generator.url}",
            answer_patience_s=PATIENCE_S,
            answer_timeout_s=PATIENCE_S,
        )
        async with served_copy(settings) as served:
            served.app.cache = AnswerCache(0)
            port = served.app.settings.port
            yield Attacked(port, served.key, served.lags_s, generator.hold, generator.go_on)


async def measure(attacked: Attacked, amounts: Amounts, targets: Targets) -> Report:
    """Visitors alone first, then beside each attack."""
    check = _Check(attacked, amounts, targets)
    await check.quiet()
    for kind in _NAMES:
        if getattr(amounts, kind):
            await check.attack(kind, getattr(amounts, kind))
    return Report("Attacks", tuple(check.measures), tuple(check.notes))


def _most(one: Footprint, other: Footprint) -> Footprint:
    return Footprint(*(max(pair) for pair in zip(astuple(one), astuple(other), strict=True)))


class _Check:
    def __init__(self, attacked: Attacked, amounts: Amounts, targets: Targets) -> None:
        self.measures: list[Measure] = []
        self.notes: list[str] = []
        self._attacked = attacked
        self._seconds = amounts.seconds
        self._targets = targets
        self._quiet = Outcome()

    async def quiet(self) -> None:
        await self._visited(2.0)  # so that all is loaded
        self._quiet = await self._visited(self._seconds)
        self._tell("visitors alone", self._quiet, [])

    async def _visited(self, seconds: float) -> Outcome:
        visitors = await _start(self._plan("visitors", VISITORS))
        await asyncio.sleep(seconds)
        return await _end(visitors)

    async def attack(self, kind: str, count: int) -> None:
        name = f"{count:,} {_NAMES[kind]}"
        before = footprint(os.getpid())
        if kind in _HELD:
            self._attacked.hold()
        attackers = await _start(self._plan(kind, count))
        await self._until_standing(attackers, name)
        self._attacked.go_on()
        self._attacked.lags_s.clear()
        visitors = await _start(self._plan("visitors", VISITORS))
        during = before
        for _ in range(max(1, int(self._seconds))):
            await asyncio.sleep(1.0)
            during = _most(during, footprint(os.getpid()))
        beside = await _end(visitors)
        lags_s = list(self._attacked.lags_s)
        outcome = await _end(attackers)
        after = await self._settled(before)
        self._tell(name, beside, lags_s)
        more_mb = during.memory_mb - before.memory_mb
        self._add(f"{name}: memory before, during, after, MB", _three("memory_mb", before, during, after))
        self._add(f"{name}: memory more, MB", more_mb, self._targets.memory_mb)
        self._add(f"{name}: descriptors before, during, after", _three("descriptors", before, during, after))
        left = float(after.descriptors - before.descriptors)
        self._add(f"{name}: descriptors left", left, float(self._targets.descriptors))
        self._add(f"{name}: threads before, during, after", _three("threads", before, during, after))
        told = ", ".join(f"{what}: {times:,}" for what, times in sorted(outcome.told.items()))
        cut = f"; the last one cut after {outcome.longest_s:.0f} s" if outcome.longest_s else ""
        self.notes.append(f"{name}: {told}{cut}.")

    async def _until_standing(self, attackers: asyncio.subprocess.Process, name: str) -> None:
        try:
            async with asyncio.timeout(STANDING_S):
                await _pipe(attackers.stdout).readline()
        except TimeoutError:
            self.notes.append(f"{name}: not all of them stood after {STANDING_S:.0f} s.")

    async def _settled(self, before: Footprint) -> Footprint:
        """After an attack, once the descriptors are as few as before, or have not become so for SETTLE_S."""
        for _ in range(int(SETTLE_S)):
            after = footprint(os.getpid())
            if after.descriptors <= before.descriptors:
                break
            await asyncio.sleep(1.0)
        return after

    def _plan(self, kind: str, count: int) -> Plan:
        attacked = self._attacked
        return Plan(kind, "127.0.0.1", attacked.port, attacked.key, attacked.held_question, count, attacked.questions)

    def _tell(self, name: str, beside: Outcome, lags_s: Sequence[float]) -> None:
        is_quiet = beside is self._quiet
        for what, times, quiet in (
            ("pages", beside.pages_s, self._quiet.pages_s),
            ("first texts", beside.first_texts_s, self._quiet.first_texts_s),
        ):
            self._add(f"{name}: {what} p50, ms", percentile(times, 0.5) * 1000)
            self._add(f"{name}: {what} p95, ms", percentile(times, 0.95) * 1000)
            if not is_quiet:
                slowdown = percentile(times, 0.95) / percentile(quiet, 0.95)
                self._add(f"{name}: {what} p95 / alone", slowdown, self._targets.slowdown)
        if lags_s:
            self._add(f"{name}: event loop late p99, ms", percentile(lags_s, 0.99) * 1000, self._targets.lag_ms)
        self._add(f"{name}: errors of visitors", float(len(beside.errors)), 0.0)
        if beside.errors:
            self.notes.append(f"{name}: visitors got {', '.join(sorted(set(beside.errors))[:5])}.")

    def _add(self, name: str, value: float | str, most: float | None = None) -> None:
        if most is None or isinstance(value, str):
            self.measures.append(Measure(name, value))
        else:
            self.measures.append(Measure(name, value, f"<= {most:g}", value <= most))


def _three(name: str, *taken: Footprint) -> str:
    return " / ".join(f"{getattr(one, name):.0f}" for one in taken)


async def _start(plan: Plan) -> asyncio.subprocess.Process:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "flowchat.evaluation.attackers"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    _pipe(process.stdin).write(json.dumps(asdict(plan)).encode() + b"\n")
    await _pipe(process.stdin).drain()
    return process


def _pipe(end: Pipe | None) -> Pipe:
    """The parent's end of a pipe that was asked for."""
    if end is None:
        raise RuntimeError("the process has no such pipe")
    return end


async def _end(process: asyncio.subprocess.Process) -> Outcome:
    """Let them go, and hear what became of them. Raises FlowChatError."""
    _pipe(process.stdin).close()
    told, _ = await process.communicate()
    lines = told.decode().splitlines()
    if process.returncode or not lines:
        raise FlowChatError("attack_failed", "The attackers' process has failed; its errors are above.")
    outcome: dict[str, Any] = json.loads(lines[-1])
    return Outcome(**outcome)
