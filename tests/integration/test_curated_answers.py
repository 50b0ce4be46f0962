"""/v1/curated-answers, and the answers that visitors get from them."""

from pathlib import Path
from typing import Any

import pytest
from conversing import RETURNS, answered, as_other_tenant, read_only, source_of, with_pipeline
from fakes import FakeEmbedder, fake_engines
from web_server import Served, add_source, events_of, names, serving

from flowchat.services import curated_answers

QUESTION = "Do you ship to Norway?"
ANSWER = "Yes, we do:\n\n- by boat\n- by train\n\nIt takes 5 days. Call us!"
CURATED = {"question": QUESTION, "answer": ANSWER}


async def curate(served: Served, **fields: Any) -> dict[str, Any]:
    response = await served.call("POST", "/v1/curated-answers", json={**CURATED, **fields})
    assert response.status_code == 201, response.text
    assert response.headers["Location"] == f"/v1/curated-answers/{response.json()['id']}"
    return dict(response.json())


async def test_made_read_changed_and_deleted(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        shop = await source_of(served, "shop")
        one = await curate(served, source="shop", url="https://shop.example/norway")
        two = await curate(served, question=" Is there a catalogue? ")
        assert (one["source"], one["url"]) == (shop.id, "https://shop.example/norway")
        assert (two["source"], two["url"], two["question"]) == (None, None, "Is there a catalogue?")
        path = f"/v1/curated-answers/{one['id']}"
        assert (await served.call("GET", path)).json() == one
        assert (await served.call("GET", "/v1/curated-answers")).json()["data"] == [two, one]
        changed = (await served.call("PATCH", path, json={"answer": "No.", "source": None, "url": None})).json()
        assert changed["chunk_id"] != one["chunk_id"] and changed["updated_at"] > one["updated_at"]
        told = {"answer": "No.", "source": None, "url": None}
        assert changed == {**one, **told, "chunk_id": changed["chunk_id"], "updated_at": changed["updated_at"]}
        assert (await served.call("DELETE", path)).status_code == 204
        assert (await served.call("GET", path)).status_code == 404
        audited = await served.app.db.rows("select operation from audit_log where target = ? order by id", (one["id"],))
    assert [row["operation"].partition(".")[2] for row in audited] == ["create", "update", "delete"]


@pytest.mark.parametrize(
    ("change", "status", "param"),
    [
        ({"question": ""}, 400, "question"),
        ({"question": " \n"}, 400, "question"),
        ({"question": "x" * 501}, 400, "question"),
        ({"answer": "\t"}, 400, "answer"),
        ({"answer": "x" * 4001}, 400, "answer"),
        ({"url": "javascript:alert(1)"}, 400, "url"),
        ({"source": 5}, 400, "source"),
        ({"source": "nowhere"}, 404, "source"),
    ],
)
async def test_invalid(tmp_path: Path, change: dict[str, Any], status: int, param: str) -> None:
    async with serving(tmp_path) as served:
        response = await served.call("POST", "/v1/curated-answers", json={**CURATED, **change})
        assert (response.status_code, response.json()["param"]) == (status, param)
        one = await curate(served)
        response = await served.call("PATCH", f"/v1/curated-answers/{one['id']}", json=change)
        assert (response.status_code, response.json()["param"]) == (status, param)
        assert (await served.call("GET", "/v1/curated-answers")).json()["data"] == [one]


async def test_whose_they_are(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        one = await curate(served)
        path = f"/v1/curated-answers/{one['id']}"
        await read_only(served)
        assert (await served.call("GET", path)).status_code == 200
        for method, of_it, body in (
            ("POST", "/v1/curated-answers", CURATED),
            ("PATCH", path, {"answer": "x"}),
            ("DELETE", path, None),
        ):
            assert (await served.call(method, of_it, json=body)).status_code == 403
        await as_other_tenant(served)
        assert (await served.call("GET", "/v1/curated-answers")).json()["data"] == []
        for method, body in (("GET", None), ("PATCH", {"answer": "x"}), ("DELETE", None)):
            assert (await served.call(method, path, json=body)).status_code == 404
        assert (await served.call("POST", "/v1/curated-answers", json={**CURATED, "source": "shop"})).status_code == 404


async def test_there_is_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curated_answers, "MAX_PER_TENANT", 1)
    async with serving(tmp_path) as served:
        await curate(served)
        response = await served.call("POST", "/v1/curated-answers", json=CURATED)
    assert (response.status_code, response.json()["code"]) == (409, "too_many_curated_answers")


async def test_a_curated_answer_is_told_word_for_word_and_cited_first(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        await with_pipeline(served)
        one = await curate(served, source="shop", url="https://shop.example/norway")
        events = await events_of(served, {"query": "do you ship to NORWAY"})
        data = [event.json() for event in events]
        message = await served.call("GET", f"/v1/conversations/{data[-1]['conversation_id']}")

    chunks = data[1]["chunks"]
    assert chunks[0]["id"] == one["chunk_id"] and chunks[0]["url"] == "https://shop.example/norway"
    assert chunks[0]["score"] == 1 and len(chunks) == 2  # the page comes after it
    assert names(events)[2:-1] == ["generation.token", "generation.cited", "nli.verified"] * 5
    assert (
        "".join(told["text"] for event, told in zip(events, data, strict=True) if event.event.endswith("token"))
        == ANSWER
    )
    assert {told["chunkId"] for told in data if "chunkId" in told} == {one["chunk_id"]}
    assert not data[-1]["refusal"]
    [stored] = message.json()["messages"]
    assert stored["answer"] == ANSWER and all(verdict["ok"] for verdict in stored["verdicts"])
    assert (stored["chunks"][0]["version_id"], stored["chunks"][0]["text"]) == ("", ANSWER)


async def test_without_a_url_it_leads_to_its_source(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        await with_pipeline(served)
        await curate(served, source="shop")
        assert (await answered(served, QUESTION))["chunks"][0]["url"] == f"{served.url}/"
        await served.app.db.write(
            lambda conn: conn.execute("update sources set url = 'https://shop.example/' where slug = 'shop'")
        )
        assert (await answered(served, QUESTION))["chunks"][0]["url"] == "https://shop.example/"


async def test_which_keys_and_sources_a_curated_answer_is_for(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        await with_pipeline(served)
        await add_source(served.app, "blog", is_live=True)
        await curate(served, answer="Blog.", source="blog")
        assert (await answered(served, QUESTION))["refusal"]  # the key may only ask the shop
        await served.widget_key()
        assert (await answered(served, QUESTION))["answer"] == "Blog."
        assert (await answered(served, QUESTION, source="shop"))["refusal"]
        await curate(served, answer="All.")
        assert (await answered(served, QUESTION, source="shop"))["answer"] == "All."
        assert (await answered(served, QUESTION))["answer"] == "All."  # the newer one
        await served.widget_key(sources=("shop",))
        assert (await answered(served, QUESTION))["refusal"]


async def test_a_source_without_pages_has_curated_answers_too(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        await with_pipeline(served)
        await add_source(served.app, "blog", is_live=False)
        await served.widget_key(sources=("blog",))
        assert (await answered(served, QUESTION))["reason"] == "not_ready"
        await curate(served, source="blog")
        answer = await answered(served, QUESTION)
        assert (answer["refusal"], answer["answer"]) == (False, ANSWER)


async def test_vectors_follow_the_embedder(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        one = await curate(served, source="shop")
        await curate(served, question="Is there a catalogue?", source="shop")
        served.app.engines = fake_engines(embedder=FakeEmbedder("another"))
        await with_pipeline(served)
        assert (await answered(served, QUESTION))["refusal"]
        await curated_answers.embed_again(served.app)
        assert (await answered(served, QUESTION))["answer"] == ANSWER
        await served.call("PATCH", f"/v1/curated-answers/{one['id']}", json={"question": "Is the sea blue?"})
        assert (await answered(served, QUESTION))["refusal"]
        assert (await answered(served, "Is the sea blue?"))["answer"] == ANSWER
        assert (await answered(served, "May I return it within thirty days?"))["answer"].split("\n\n")[0] in RETURNS


async def test_a_revoked_source_takes_none(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        elsewhere = await curate(served)
        await served.call("POST", "/v1/sources/shop/revoke")
        for attempt in (
            await served.call("POST", "/v1/curated-answers", json={**CURATED, "source": "shop"}),
            await served.call("PATCH", f"/v1/curated-answers/{elsewhere['id']}", json={"source": "shop"}),
        ):
            assert (attempt.status_code, attempt.json()["code"]) == (409, "source_revoked")
        assert (await served.call("GET", "/v1/curated-answers")).json()["data"] == [elsewhere]
