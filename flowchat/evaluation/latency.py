"""How long answers take over HTTP: one at a time, several at once, asked again, and many more than the machine can.

First texts are those of answers: refusals come sooner, and are only counted. Questions come from a process of its own.
Without a URL, a copy of the data folder's appliance is served in this one.
"""

import asyncio
import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from flowchat import settings as settings_table
from flowchat.answer.cache import AnswerCache
from flowchat.answer.pipeline import Answerer
from flowchat.errors import FlowChatError, ModelError
from flowchat.evaluation import load
from flowchat.evaluation.answers import read_questions
from flowchat.evaluation.load import Load, Plan, percentile
from flowchat.evaluation.reference import RecordingGenerator, compare
from flowchat.evaluation.report import Measure, Report
from flowchat.evaluation.served import Served, served_copy

WARM_UP = 2
REPEATED = 10
COMPARED_PROMPTS = 8
CACHE_BYTES = 16_000_000
BUSY = "busy"


@dataclass(frozen=True, slots=True)
class Amounts:
    """`overload` is a multiple of what `at_once` clients got answered in a minute; 0 leaves it out."""

    questions: int
    at_once: int
    overload: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Targets:
    """The most, or the least, with which a run passes. `slowdown`: of the first text under overload, at p99."""

    first_text_s: float
    done_s: float
    per_minute: float
    repeated_ms: float
    slowdown: float
    busy_ms: float
    lag_ms: float
    speed: float


def run(
    questions: Path, sources: Sequence[str], amounts: Amounts, targets: Targets, *, url: str = "", key: str = ""
) -> Report:
    every = [asked.question for asked in read_questions(questions)]
    asked = every[:: max(1, len(every) // amounts.questions)][: amounts.questions]
    if not asked:
        raise FlowChatError("no_questions", f"There is no question in {questions}.")
    check = _Check(list(sources), asked, amounts, targets)
    asyncio.run(check.elsewhere(url.rstrip("/"), key) if url else check.here())
    return Report("Latency", tuple(check.measures), tuple(check.notes))


class _Check:
    def __init__(self, sources: list[str], questions: list[str], amounts: Amounts, targets: Targets) -> None:
        self.measures: list[Measure] = []
        self.notes: list[str] = []
        self._plan = Plan("", "", sources, questions)
        self._amounts = amounts
        self._targets = targets

    async def elsewhere(self, url: str, key: str) -> None:
        """One that runs already. Its loop and its generator can't be looked into."""
        self._plan = replace(self._plan, url=url, key=key)
        self.notes.append(
            "The appliance may know some of the answers from its cache, and limits questions a minute: set "
            "FLOWCHAT_ANSWER_CACHE_MB=0 and FLOWCHAT_QUESTIONS_PER_MINUTE=0 there to measure its models."
        )
        await self._warm_up()
        alone, at_once = await self._unloaded()
        await self._repeated()
        if self._amounts.overload:
            await self._overload(alone, at_once)

    async def here(self) -> None:
        async with _recorded() as (served, recorder):
            self._plan = replace(self._plan, url=served.app.settings.origin, key=served.key)
            served.app.cache = AnswerCache(0)
            await self._warm_up()
            alone, at_once = await self._unloaded()
            if self._amounts.overload:
                served.lags_s.clear()
                await self._overload(alone, at_once)
                lag_ms = percentile(served.lags_s, 0.99) * 1000
                self._add("overload: event loop late p99, ms", lag_ms, most=self._targets.lag_ms)
            if recorder:
                await self._compare(served, recorder)
            served.app.cache = AnswerCache(CACHE_BYTES)
            await self._repeated()

    async def _warm_up(self) -> None:
        warm = await load.apply(replace(self._plan, questions=self._plan.questions[:WARM_UP]))
        failed = [answer.code for answer in warm.answers if answer.code]
        if failed:
            raise FlowChatError("latency_failed", f"The appliance does not answer: {failed[0]}.")

    async def _unloaded(self) -> tuple[Load, Load]:
        alone = await load.apply(self._plan)
        self._tell("one at a time", alone)
        at_once = await load.apply(replace(self._plan, at_once=self._amounts.at_once))
        self._tell(f"{self._amounts.at_once} at once", at_once)
        return alone, at_once

    def _tell(self, name: str, done: Load) -> None:
        answers = [answer for answer in done.answers if not answer.code]
        events = [answer.first_event_s for answer in answers if answer.first_event_s is not None]
        texts = _first_texts_s(done)
        ends = [answer.done_s for answer in answers]
        self._add(f"{name}: first event p50, s", percentile(events, 0.5))
        self._add(f"{name}: first event p95, s", percentile(events, 0.95))
        self._add(f"{name}: first text p50, s", percentile(texts, 0.5), most=self._targets.first_text_s)
        self._add(f"{name}: first text p95, s", percentile(texts, 0.95))
        self._add(f"{name}: done p50, s", percentile(ends, 0.5), most=self._targets.done_s)
        self._add(f"{name}: done p95, s", percentile(ends, 0.95))
        self._add(f"{name}: chats a minute", _per_minute(done), least=self._targets.per_minute)
        self._add(f"{name}: refused", float(sum(answer.refusal for answer in answers)))
        self._add(f"{name}: not answered", float(len(done.answers) - len(answers)), most=0)

    async def _repeated(self) -> None:
        some = self._plan.questions[:REPEATED]
        await load.apply(replace(self._plan, questions=some))
        again = await load.apply(replace(self._plan, questions=some))
        done_ms = [answer.done_s * 1000 for answer in again.answers if not answer.code]
        self._add("asked again: done p50, ms", percentile(done_ms, 0.5), most=self._targets.repeated_ms)
        self._add("asked again: done p95, ms", percentile(done_ms, 0.95))

    async def _overload(self, alone: Load, at_once: Load) -> None:
        rate_per_s = self._amounts.overload * max(_per_minute(alone), _per_minute(at_once)) / 60
        done = await load.apply(replace(self._plan, rate_per_s=rate_per_s, seconds=self._amounts.seconds))
        answered = [answer for answer in done.answers if not answer.code]
        texts = _first_texts_s(done)
        busy_ms = [answer.done_s * 1000 for answer in done.answers if answer.code == BUSY]
        quoted = [answer for answer in answered if not answer.refusal and not answer.tokens_out]
        self._add("overload: questions a minute", rate_per_s * 60)
        self._add("overload: answered", float(len(answered)))
        self._add("overload: of these refused", float(sum(answer.refusal for answer in answered)))
        self._add("overload: of these quotes only", float(len(quoted)))
        self._add("overload: first text p50, s", percentile(texts, 0.5))
        self._add("overload: first text p99, s", percentile(texts, 0.99))
        slowdown = percentile(texts, 0.99) / percentile(_first_texts_s(alone), 0.5)
        self._add("overload: first text p99 / unloaded p50", slowdown, most=self._targets.slowdown)
        self._add("overload: done p99, s", percentile([answer.done_s for answer in answered], 0.99))
        self._add("overload: turned away (503)", float(len(busy_ms)))
        if busy_ms:
            self._add("overload: turned away p99, ms", percentile(busy_ms, 0.99), most=self._targets.busy_ms)
        failed = [answer.code for answer in done.answers if answer.code not in ("", BUSY)]
        self._add("overload: failed otherwise", float(len(failed)), most=0)
        if failed:
            self.notes.append(f"Failed with: {', '.join(sorted(set(failed)))}.")

    async def _compare(self, served: Served, recorder: RecordingGenerator) -> None:
        prompts = recorder.prompts[:COMPARED_PROMPTS]
        try:
            ours, theirs, what = await compare(served.app.settings, recorder, prompts)
        except ModelError as error:
            self.notes.append(f"Not compared with llama.cpp's own server: {error.message}")
            return
        self._add("generator, tokens/s", ours.tokens_per_s)
        self._add("llama.cpp's own server, tokens/s", theirs.tokens_per_s)
        self._add("generator / llama.cpp's own server", ours.tokens_per_s / theirs.tokens_per_s, self._targets.speed)
        self._add("the same with the reading of prompts", ours.tokens_per_whole_s / theirs.tokens_per_whole_s)
        self.notes.append(f"llama.cpp's own server: {what}. Both were fed {len(prompts)} prompts in turn.")

    def _add(self, name: str, value: float, least: float | None = None, most: float | None = None) -> None:
        if least is not None:
            self.measures.append(Measure(name, value, f">= {least:g}", value >= least))
        elif most is not None:
            self.measures.append(Measure(name, value, f"<= {most:g}", value <= most))
        else:
            self.measures.append(Measure(name, value))


@asynccontextmanager
async def _recorded() -> AsyncIterator[tuple[Served, RecordingGenerator | None]]:
    """The appliance, and what records its generator's prompts where that is a model of this machine."""
    async with served_copy(settings_table.load()) as served:
        app = served.app
        if app.engines.generator is None or app.settings.generator.startswith("openai:"):
            yield served, None
            return
        recorder = RecordingGenerator(app.engines.generator)
        app.answerer = Answerer(app.settings, app.db, replace(app.engines, generator=recorder), app.gate)
        yield served, recorder


def _first_texts_s(done: Load) -> list[float]:
    answers = [answer for answer in done.answers if not answer.code and not answer.refusal]
    return [answer.first_text_s for answer in answers if answer.first_text_s is not None]


def _per_minute(done: Load) -> float:
    answered = sum(not answer.code for answer in done.answers)
    return answered / done.seconds * 60 if done.seconds else math.nan
