"""/v1/questions/unanswered: refused questions, grouped."""

from pathlib import Path
from typing import Any

from conversing import answered, as_other_tenant, with_pipeline
from fakes import FakeEmbedder
from web_server import Served, serving

PARKING = ("Where can visitors park their cars?", "Where can visitors park their cars today?")
VOLCANO = "Which volcano erupted yesterday?"


async def groups(served: Served, **params: Any) -> list[dict[str, Any]]:
    response = await served.call("GET", "/v1/questions/unanswered", params=params)
    assert response.status_code == 200, response.text
    return list(response.json()["data"])


async def test_similar_questions_are_one_group_and_the_largest_comes_first(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        await with_pipeline(served)
        await answered(served, "May I return it within thirty days?")
        asked = [await answered(served, query) for query in (*PARKING, PARKING[0], VOLCANO)]
        parking, volcano = await groups(served)
        opened = await served.call("GET", f"/v1/conversations/{parking['examples'][0]['conversation']}")

    assert (parking["query"], parking["count"]) == (PARKING[0], 3)
    assert [example["query"] for example in parking["examples"]] == [PARKING[0], PARKING[1], PARKING[0]]
    assert [example["message"] for example in parking["examples"]] == [
        answer["message_id"] for answer in reversed(asked[:3])
    ]
    assert parking["first_asked_at"] == parking["examples"][-1]["asked_at"] < parking["last_asked_at"]
    assert opened.json()["messages"][0]["refusal"]
    assert (volcano["query"], volcano["count"], volcano["id"]) == (VOLCANO, 1, asked[3]["message_id"])


async def test_page_by_page(tmp_path: Path) -> None:
    queries = ["Alpha?", "Mango?", "Charlie?", "Delta?"]
    async with serving(tmp_path) as served:
        await with_pipeline(served)
        for query in queries:
            await answered(served, query)
        whole = await groups(served)
        assert [group["query"] for group in whole] == queries[::-1]
        first = await served.call("GET", "/v1/questions/unanswered", params={"limit": 2})
        assert (first.json()["has_more"], first.json()["data"]) == (True, whole[:2])
        rest = await served.call("GET", "/v1/questions/unanswered", params={"starting_after": whole[1]["id"]})
        assert (rest.json()["has_more"], rest.json()["data"]) == (False, whole[2:])
        assert await groups(served, ending_before=whole[3]["id"], limit=1) == [whole[2]]
        assert await groups(served, starting_after=whole[0]["id"], ending_before=whole[3]["id"]) == whole[1:3]
        assert await groups(served, newest=2) == whole[:2]
        assert await groups(served, starting_after="msg_gone") == await groups(served, ending_before="msg_gone") == []


async def test_what_a_curated_answer_covers_is_left_out(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        await with_pipeline(served)
        for query in (*PARKING, VOLCANO):
            await answered(served, query)
        curated = {"question": "where can visitors park their car today", "answer": "Behind the house."}
        created = await served.call("POST", "/v1/curated-answers", json=curated)
        assert created.status_code == 201
        assert [group["query"] for group in await groups(served)] == [VOLCANO]
        await served.call("DELETE", created.headers["Location"])
        assert len(await groups(served)) == 2


async def test_only_questions_of_the_tenant_and_of_the_present_embedder_count(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        await with_pipeline(served)
        await answered(served, VOLCANO)
        owner = served.admin
        await as_other_tenant(served)
        assert await groups(served) == []
        served.admin = owner
        assert len(await groups(served)) == 1
        served.app.engines = type(served.app.engines)(
            FakeEmbedder("another"), served.app.engines.reranker, served.app.engines.verifier, None
        )
        assert await groups(served) == []
