"""`flowchat eval latency`: its generator of load, and a whole run, on fake models."""

import asyncio
import json
import math
from pathlib import Path

import pytest
from appliance import operator, running
from fakes import FakeEmbedder, FakeGenerator, fake_engines
from web_server import refusal, serving

from flowchat.engines import load as engines_load
from flowchat.evaluation import latency
from flowchat.evaluation.latency import Amounts, Targets
from flowchat.evaluation.load import Plan, apply, percentile

ANYTHING = Targets(60, 60, 0, 60_000, 1000, 60_000, 60_000, 0)


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    path = tmp_path / "questions.jsonl"
    path.write_text("\n".join(json.dumps({"question": f"Question {n}?", "answer": None}) for n in range(8)))
    return path


async def test_clients_ask_each_question_once(tmp_path: Path) -> None:
    async with serving(tmp_path, questions_per_minute=0) as served:
        plan = Plan(served.url, served.key, ["shop"], ["one", "two", "three"], at_once=2)
        done = await apply(plan)
        assert sorted(question.query for question in served.answerer.questions) == ["one", "three", "two"]
        failed = await apply(Plan(served.url, "kbk_test_unknown", [], ["one"]))
    assert [(answer.code, answer.refusal, answer.tokens_out) for answer in done.answers] == [("", False, 17)] * 3
    assert all(a.first_event_s and a.first_text_s and a.first_event_s <= a.first_text_s for a in done.answers)
    assert [answer.code for answer in failed.answers] == ["unauthorized"]


async def test_questions_come_whatever_becomes_of_those_before(tmp_path: Path) -> None:
    async with serving(tmp_path, questions_per_minute=0, parallel_answers=1, queued_answers=0) as served:
        go_on = served.answerer.hold_back()
        loading = asyncio.create_task(
            apply(Plan(served.url, served.key, [], ["one", "two"], rate_per_s=20, seconds=0.5))
        )
        await served.answerer.until_running(1)
        await asyncio.sleep(1)
        go_on.set()
        done = await loading
    codes = [answer.code for answer in done.answers]
    assert len(codes) == 10
    assert set(codes) == {"", "busy"}


def test_a_whole_run(tmp_path: Path, questions: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def prepare() -> None:
        async with running(tmp_path / "data") as app:
            await operator(app)

    asyncio.run(prepare())
    engines = fake_engines(FakeGenerator(lambda messages: "Yes."), FakeEmbedder())
    monkeypatch.setattr(engines_load, "load_engines", lambda *_: engines)
    monkeypatch.setenv("FLOWCHAT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("FLOWCHAT_MODELS_DIR", str(tmp_path / "no models"))  # so that there is nothing to compare with
    monkeypatch.setenv("FLOWCHAT_EMBEDDER", "fake-embedder")
    report = latency.run(questions, [], Amounts(4, 2, 2.0, 0.5), ANYTHING)
    measured = {measure.name: measure.value for measure in report.measures}
    assert measured["one at a time: not answered"] == measured["overload: failed otherwise"] == 0
    assert "asked again: done p50, ms" in measured
    assert "overload: event loop late p99, ms" in measured
    assert any("Not compared" in note for note in report.notes)


async def test_a_run_against_another_appliance(tmp_path: Path, questions: Path) -> None:
    async with serving(tmp_path / "data", questions_per_minute=0) as served:
        amounts = Amounts(4, 2, 0, 0)
        report = await asyncio.to_thread(
            latency.run, questions, ["shop"], amounts, ANYTHING, url=served.url, key=served.key
        )
    assert report.ok
    assert not any(measure.name.startswith("overload") for measure in report.measures)


async def test_first_texts_are_not_those_of_refusals(tmp_path: Path, questions: Path) -> None:
    async with serving(tmp_path / "data", questions_per_minute=0) as served:
        served.answerer.script = refusal
        report = await asyncio.to_thread(
            latency.run, questions, ["shop"], Amounts(4, 2, 0, 0), ANYTHING, url=served.url, key=served.key
        )
    measured = {measure.name: measure.value for measure in report.measures}
    assert measured["one at a time: refused"] == measured["2 at once: refused"] == 4
    assert math.isnan(float(measured["one at a time: first text p50, s"]))
    assert not report.ok


def test_percentiles() -> None:
    samples = [float(number) for number in range(1, 101)]
    assert (percentile(samples, 0.5), percentile(samples, 0.99), percentile([3.0], 0.99)) == (51.0, 100.0, 3.0)
