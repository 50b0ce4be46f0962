"""/v1/playground: an answer with everything that led to it."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from conversing import RETURNS, as_other_tenant, read_only, with_pipeline
from fakes import FakeGenerator, fake_engines
from web_server import Served, serving

from flowchat.answer.pipeline import Answerer
from flowchat.services.runs import CLAIM_S

QUESTION = "May I return it within thirty days?"


async def ask(served: Served, query: str = QUESTION, **fields: Any) -> dict[str, Any]:
    response = await served.call("POST", "/v1/playground", json={"query": query, **fields})
    assert response.status_code == 200, response.text
    return dict(response.json())


def with_generator(served: Served, text: str) -> FakeGenerator:
    """The model says that from now on."""
    app, generator = served.app, FakeGenerator(lambda messages: text)
    app.engines = fake_engines(generator)
    app.answerer = Answerer(app.settings, app.db, app.engines, app.gate)
    return generator


async def test_every_stage_is_told(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        await with_pipeline(served)
        with_generator(served, "Sending it back is free. It costs nine dollars. We also")
        told = await ask(served, lead_quotes=0)
    trace = told["trace"]
    [candidate] = trace["candidates"]
    assert (candidate["url"], candidate["text"]) == ("https://shop.example/returns#time", RETURNS)
    assert candidate["words"] is not None and 0 < candidate["vectors"] <= 1 and candidate["fused"] == 2
    assert (candidate["fused_rank"], candidate["headings"]) == (1, ["Time"])
    assert 0 < candidate["score"] == candidate["relevance"] <= 1
    assert trace["certainty"] >= trace["settings"]["refuse_below"]
    assert trace["spans"][0]["text"] in RETURNS and trace["passages"][0]["text"] in RETURNS
    assert trace["prompt"][1]["content"].endswith(f"Question: {QUESTION}")
    outcomes = {sentence["text"]: sentence["outcome"] for sentence in trace["sentences"]}
    assert outcomes == {
        "Sending it back is free.": "quoted",
        "It costs nine dollars.": "not_supported",
        "We also": "unfinished",
    }
    withheld = trace["sentences"][1]
    assert withheld["ok"] is False and withheld["score"] < 0.8 and withheld["evidence"] in RETURNS
    assert "nine dollars" not in told["answer"]
    assert [timing["step"] for timing in trace["timings"]] == [
        "retrieved", "reranked", "weighed", "prompted", "first_text", "done",
    ]  # fmt: skip
    assert sorted(timing["ms"] for timing in trace["timings"]) == [timing["ms"] for timing in trace["timings"]]


async def test_settings_are_those_of_the_request(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        await with_pipeline(served)
        with_generator(served, "It costs nine dollars.")
        quoted = await ask(served, lead_quotes=1)
        refused = await ask(served, refuse_below=1)
        annotated = await ask(served, mode="annotate", lead_quotes=0)
        lenient = await ask(served, lead_quotes=0, verify_threshold=0)
        usual = await ask(served)
    assert quoted["answer"].startswith("You may return it") and quoted["trace"]["settings"]["lead_quotes"] == 1
    assert (refused["refusal"], refused["reason"], refused["trace"]["passages"]) == (True, "not_covered", [])
    assert annotated["answer"] == lenient["answer"] == "It costs nine dollars."
    assert [sentence["ok"] for sentence in annotated["trace"]["sentences"]] == [False]
    assert usual["trace"]["settings"] == {
        "mode": "gate", "lead_quotes": 3, "refuse_below": 0.6, "verify_threshold": 0.8,
    }  # fmt: skip


async def test_a_curated_answer_is_named(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        await with_pipeline(served)
        await served.call("POST", "/v1/curated-answers", json={"question": "Do you ship abroad?", "answer": "We do."})
        told = await ask(served, "do you ship abroad")
        limited = await ask(served, "do you ship abroad", source="shop")
    assert (told["answer"], told["trace"]["curated"]["title"]) == ("We do.", "Do you ship abroad?")
    assert told["trace"]["certainty"] is None
    assert limited["refusal"] and limited["trace"]["curated"] is None


async def test_nothing_is_kept_or_counted(tmp_path: Path) -> None:
    tables = ("conversations", "messages", "usage_log", "unanswered", "key_answers", "audit_log")
    async with serving(tmp_path, answer_cache_mb=1) as served:
        await with_pipeline(served)

        async def rows() -> dict[str, int]:
            names = [
                row["name"] for row in await served.app.db.rows("select name from sqlite_master where type='table'")
            ]
            return {
                name: (await served.app.db.rows(f"select count(*) from {name}"))[0][0]
                for name in names
                if name in tables or name.startswith("usage")
            }

        before = await rows()
        assert len(before) > 3
        for query in (QUESTION, "Which volcano erupted?", QUESTION):
            await ask(served, query)
        assert await rows() == before
        assert served.app.slots.expected_wait_s == 0


@pytest.mark.parametrize(
    ("change", "status", "param"),
    [
        ({"query": " "}, 400, "query"),
        ({"lead_quotes": 4}, 400, "lead_quotes"),
        ({"refuse_below": 1.1}, 400, "refuse_below"),
        ({"verify_threshold": "x"}, 400, "verify_threshold"),
        ({"mode": "both"}, 400, "mode"),
        ({"source": "nowhere"}, 404, "source"),
        ({"setting": 1}, 400, "setting"),
    ],
)
async def test_invalid(tmp_path: Path, change: dict[str, Any], status: int, param: str) -> None:
    async with serving(tmp_path) as served:
        response = await served.call("POST", "/v1/playground", json={"query": QUESTION, **change})
    assert (response.status_code, response.json()["param"]) == (status, param)


async def test_who_may_ask(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        await with_pipeline(served)
        await read_only(served)
        assert (await ask(served))["answer"]
        await as_other_tenant(served)
        assert (await ask(served))["reason"] == "not_ready"
        response = await served.call("POST", "/v1/playground", json={"query": QUESTION, "source": "shop"})
    assert response.status_code == 404


async def test_it_waits_its_turn_as_visitors_do(tmp_path: Path) -> None:
    async with serving(tmp_path, parallel_answers=1, queued_answers=0) as served:
        await with_pipeline(served)
        place = served.app.slots.reserve()
        response = await served.call("POST", "/v1/playground", json={"query": QUESTION})
        place.release()
        assert (response.status_code, response.json()["code"]) == (503, "busy")
        assert (await ask(served))["answer"]


async def test_it_stops_when_its_client_leaves(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        await with_pipeline(served)
        app, generator = served.app, FakeGenerator(lambda messages: "word " * 100, pause_s=0.1)
        app.engines = fake_engines(generator)
        app.answerer = Answerer(app.settings, app.db, app.engines, app.gate)
        asking = asyncio.create_task(ask(served, lead_quotes=0))
        while not generator.prompts:  # noqa: ASYNC110 (the fake has no event)
            await asyncio.sleep(0.01)
        asking.cancel()
        async with asyncio.timeout(CLAIM_S):
            while not generator.closed:  # noqa: ASYNC110 (the fake has no event)
                await asyncio.sleep(0.01)
