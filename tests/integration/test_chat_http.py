"""POST /v1/chat over real HTTP: the form of its answers, and who may ask."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from appliance import operator
from httpx_sse import EventSource
from sseclient import SSEClient
from web_server import ORIGIN, QUESTION, add_source, events_of, names, refusal, serving

from flowchat.services import homepage, keys
from flowchat.store import conversations, tenants


async def test_events_come_in_the_contracts_order(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        events = await events_of(served)
    sentence = ["generation.token", "generation.cited", "nli.verified"]
    assert names(events) == ["retrieval.started", "retrieval.reranked", *sentence, *sentence, "stream.done"]
    assert [event.id for event in events] == [str(number) for number in range(1, len(events) + 1)]
    assert events[0].json() == {"query": "May I return it?"}
    done = events[-1].json()
    assert done["refusal"] is False
    assert done["usage"] == {"tokens_in": 120, "tokens_out": 17}
    assert done["conversation_id"].startswith("cnv_")
    assert done["message_id"].startswith("msg_")


async def test_stream_has_the_contracts_headers(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        response = await served.ask(X_Request_Id="my-request-1")
    assert response.headers["Content-Type"] == "text/event-stream"
    assert response.headers["Cache-Control"] == "no-cache, no-transform"
    assert response.headers["X-Accel-Buffering"] == "no"
    assert response.headers["X-Request-Id"] == "my-request-1"
    assert response.headers["RateLimit-Policy"] == '"questions";q=120;w=60'
    assert response.headers["RateLimit"] == '"questions";r=119;t=60'


async def test_sseclient_reads_the_stream_too(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        body = (await served.ask()).content
    events = list(SSEClient(iter([body])).events())
    assert events[-1].event == "stream.done"
    assert "".join(json.loads(e.data)["text"] for e in events if e.event == "generation.token") == (
        "You may return it within 30 days. Sending it back is free."
    )


async def test_silence_is_filled_with_comments_that_are_no_events(tmp_path: Path) -> None:
    async with serving(tmp_path, heartbeat_s=0.02) as served:
        go_on = served.answerer.hold_back()
        request = asyncio.create_task(served.ask())
        await served.answerer.until_running(1)
        await asyncio.sleep(0.2)
        go_on.set()
        response = await request
    assert b"\n\n: hb\n" in response.content
    assert b": hb\n\n" not in response.content
    assert len(list(EventSource(response).iter_sse())) == 9


async def test_json_answer(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        response = await served.ask(Accept="application/json")
    answer = response.json()
    assert response.headers["Content-Type"] == "application/json"
    assert answer["answer"] == "You may return it within 30 days. Sending it back is free."
    assert answer["citations"][0] == {
        "ref": 1,
        "chunk_id": "chk_1",
        "url": "https://shop.example/returns#time",
        "title": "Returns",
        "quote": "You may return it within 30 days.",
        "verified": True,
        "score": 0.99,
    }
    assert [chunk["id"] for chunk in answer["chunks"]] == ["chk_1", "chk_2"]
    assert answer["usage"] == {"tokens_in": 120, "tokens_out": 17}
    assert (answer["refusal"], answer["reason"], answer["suggestions"]) == (False, None, [])


async def test_refusal_is_stored_and_ends_the_stream(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        served.answerer.script = refusal
        done = (await events_of(served))[-1].json()
        assert await conversations.last_queries(served.app.db, done["conversation_id"], 2) == ["May I return it?"]
    assert (done["refusal"], done["reason"]) == (True, "no_match")
    assert done["suggestions"] == [{"url": "https://shop.example/help", "title": "Help"}]


async def test_source_without_live_version_is_refused_in_the_stream(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        served.answerer.script = refusal
        empty = await add_source(served.app, "empty", is_live=False)
        await served.widget_key(sources=("empty",))
        done = (await events_of(served, {**QUESTION, "source": empty.id}))[-1].json()
    assert done["refusal"] is True
    question = served.answerer.questions[0]
    assert (question.versions, question.source_ids) == ((), (empty.id,))


async def test_follow_up_knows_the_questions_before(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        body: dict[str, Any] = {}
        for query in ("one", "two", "three", "four"):
            done = (await events_of(served, {"query": query, **body}))[-1].json()
            body = {name: done[name] for name in ("conversation_id", "conversation_token")}
        assert served.answerer.questions[-1].history == ("one", "two", "three")
        wrong = await served.ask({**QUESTION, **body, "conversation_token": "guessed"})
        unknown = await served.ask({**QUESTION, "conversation_id": "cnv_1", "conversation_token": "guessed"})
        without = await served.ask({**QUESTION, "conversation_id": "cnv_1"})
    assert wrong.status_code == unknown.status_code == 404
    assert wrong.json()["code"] == unknown.json()["code"] == "not_found"
    assert (without.status_code, without.json()["param"]) == (404, "conversation_token")


async def test_a_conversation_outlives_its_key(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        done = (await events_of(served, {"query": "one"}))[-1].json()
        thread = {name: done[name] for name in ("conversation_id", "conversation_token")}
        await served.widget_key(sources=("shop",))
        more = (await events_of(served, {"query": "two", **thread}))[-1].json()
        wrong = await served.ask({"query": "two", **thread, "conversation_token": "guessed"})
        other = await served.app.db.write(lambda conn: tenants.insert(conn, "other", "Other"))
        actor = replace(await operator(served.app), tenant_id=other.id)
        _, served.key = await keys.create(served.app, actor, keys.NewWidgetKey())
        others = await served.ask({"query": "two", **thread})
    assert more["conversation_id"] == done["conversation_id"]
    assert served.answerer.questions[1].history == ("one",)
    assert (wrong.status_code, others.status_code) == (404, 404)


async def test_a_field_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        response = await served.ask({**QUESTION, "sources": ["shop"]})
    problem = response.json()
    assert (response.status_code, problem["code"], problem["param"]) == (400, "unknown_field", "sources")


async def test_annotate_and_locale_reach_the_pipeline(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        await served.widget_key(sources=("shop",), mode="annotate")
        await events_of(served, {**QUESTION, "locale": "pt-BR", "source": ["shop", "shop"]})
        await events_of(served)
    assert [(question.mode, question.locale) for question in served.answerer.questions] == [
        ("annotate", "pt-BR"),
        ("annotate", "en"),
    ]
    assert len(served.answerer.questions[0].versions) == 1


@pytest.mark.parametrize(
    ("body", "param", "says"),
    [
        ({}, "query", "query is missing"),
        ({"query": "  "}, "query", "more than blanks"),
        ({"query": 5}, "query", "must be text, not a whole number"),
        ({"query": "x" * 2001}, "query", "at most 2000"),
        ({"query": "x", "source": [1]}, "source", "must be text"),
        ({"query": "x", "source": 1}, "source", "must be text or a list"),
        ({"query": "x", "locale": "no such"}, "locale", "BCP 47"),
        ({"query": "x", "conversation_id": "c" * 65}, "conversation_id", "at most 64 characters"),
        ({"query": "x", "visitor_id": "v" * 129}, "visitor_id", "at most 128 characters"),
        (["x"], None, "must be an object, not a list"),
    ],
)
async def test_bad_request_names_the_field(tmp_path: Path, body: Any, param: str | None, says: str) -> None:
    async with serving(tmp_path) as served:
        response = await served.ask(body)
    assert (response.status_code, response.json()["param"]) == (400, param)
    assert says in response.json()["detail"]
    assert response.headers["RateLimit"].startswith('"questions";r=120')


async def test_a_question_of_full_length(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        assert (await served.ask({"query": "x" * 2000})).status_code == 200


async def test_bodies_that_cannot_be_read(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        headers = served.headers(Content_Type="application/json")
        broken = await served.client.post("/v1/chat", content=b'{"query": nope}', headers=headers)
        binary = await served.client.post("/v1/chat", content=b'{"query": "\xff"}', headers=headers)
        large = await served.client.post("/v1/chat", json={"query": "x" * 70_000}, headers=served.headers())
        form = await served.client.post("/v1/chat", data=QUESTION, headers=served.headers())
    assert (broken.status_code, broken.json()["code"]) == (400, "bad_json")
    assert "byte 1" in broken.json()["detail"]
    assert (binary.status_code, binary.json()["code"]) == (400, "bad_json")
    assert (large.status_code, form.status_code) == (413, 415)


async def test_who_may_ask(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        await add_source(served.app, "other", is_live=True)
        missing = await served.client.post("/v1/chat", json=QUESTION)
        unknown = await served.ask(X_FlowChat_Key="kbk_live_unknown")
        secret = await served.ask(X_FlowChat_Key=served.admin)
        elsewhere = await served.ask(Origin="https://evil.example")
        outside = await served.ask({**QUESTION, "source": "other"})
        nowhere = await served.ask({**QUESTION, "source": "nowhere"})
    assert [r.status_code for r in (missing, unknown, secret, elsewhere, outside, nowhere)] == [401] * 3 + [
        403,
        404,
        404,
    ]
    assert "WWW-Authenticate" in missing.headers
    assert elsewhere.json()["code"] == "origin_not_allowed"
    assert outside.json()["param"] == "source"


async def test_every_origin_may_read_what_it_gets(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        preflight = await served.client.options("/v1/chat", headers={"Origin": "https://any.example"})
        refused = await served.ask(Origin="https://any.example")
        answered = await served.ask(Origin=ORIGIN)
        wrong_method = await served.client.put("/v1/chat", headers={"Origin": "https://any.example"})
    assert preflight.status_code == 204
    assert preflight.headers["Access-Control-Allow-Methods"] == "POST"
    assert preflight.headers["Access-Control-Allow-Headers"] == (
        "X-FlowChat-Key, Content-Type, Last-Event-ID, Idempotency-Key"
    )
    for response in (preflight, refused, wrong_method):
        assert response.headers["Access-Control-Allow-Origin"] == "https://any.example"
        assert response.headers["Vary"] == "Origin"
    assert answered.headers["Access-Control-Allow-Origin"] == ORIGIN
    exposed = {name.strip() for name in answered.headers["Access-Control-Expose-Headers"].split(",")}
    assert exposed == {"RateLimit", "RateLimit-Policy", "Retry-After", "X-Request-Id"}


async def test_the_homepage_asks_from_its_own_address_only(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        served.answerer.script = refusal
        served.key = homepage.homepage_key(served.app)
        own = await served.ask(Origin=served.url)
        rebound = await served.ask(Origin="http://evil.example:9", Host="evil.example:9")
    assert (own.status_code, rebound.status_code) == (200, 403)
