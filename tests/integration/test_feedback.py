"""/v1/feedback: given by visitors, read by the tenant."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from conversing import answered, as_other_tenant
from web_server import ORIGIN, Served, serving


async def give(served: Served, answer: dict[str, Any], rating: str, **fields: Any) -> httpx.Response:
    """A visitor's page rates an answer."""
    ids = {name: answer[name] for name in ("message_id", "conversation_token")}
    return await served.client.post(
        "/v1/feedback", json={**ids, "rating": rating, **fields}, headers={**served.headers(), "Origin": ORIGIN}
    )


async def test_the_last_rating_counts(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        answer = await answered(served, "May I return it?")
        other = await answered(served, "Is it free?")
        await give(served, other, "up")
        first = await give(served, answer, "up")
        given = await give(served, answer, "down", reason=" It was 14 days. ")
        assert (first.status_code, given.status_code) == (200, 200), given.text
        assert given.headers["Access-Control-Allow-Origin"] == ORIGIN
        feedback = given.json()
        assert (feedback["rating"], feedback["reason"], feedback["query"]) == (
            "down",
            "It was 14 days.",
            "May I return it?",
        )
        ids = (feedback["message"], feedback["conversation"])
        assert ids == (answer["message_id"], answer["conversation_id"]) and feedback["id"] > first.json()["id"]
        listed = (await served.call("GET", "/v1/feedback")).json()["data"]
        assert [item["rating"] for item in listed] == ["down", "up"] and listed[0] == feedback
        up = (await served.call("GET", "/v1/feedback", params={"rating": "up"})).json()["data"]
        assert [item["query"] for item in up] == ["Is it free?"]
        whole = (await served.call("GET", f"/v1/conversations/{answer['conversation_id']}")).json()
        assert whole["messages"][0]["feedback"] == {
            "rating": "down",
            "reason": "It was 14 days.",
            "created_at": feedback["created_at"],
        }


async def test_only_who_held_the_conversation_may_rate_it(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        answer = await answered(served, "May I return it?")
        other = await answered(served, "Is it free?")
        wrong = await give(served, {**answer, "conversation_token": other["conversation_token"]}, "up")
        unknown = await give(served, {**answer, "message_id": "msg_none"}, "up")
        for refused in (wrong, unknown):
            assert (refused.status_code, refused.json()["param"]) == (404, "message_id")
        same = wrong.json()["detail"].replace(answer["message_id"], "msg_none")
        assert same == unknown.json()["detail"]
        served.key = "kbk_live_" + "0" * 32
        assert (await give(served, answer, "up")).status_code == 401
        assert (await served.call("GET", "/v1/feedback")).json()["data"] == []


async def test_feedback_of_another_tenant_is_not_seen(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        await give(served, await answered(served, "May I return it?"), "up")
        await as_other_tenant(served)
        assert (await served.call("GET", "/v1/feedback")).json()["data"] == []


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"rating": "five"}, "rating"),
        ({"rating": None}, "rating"),
        ({"reason": "x" * 1001}, "reason"),
        ({"message_id": 5}, "message_id"),
        ({"conversation_token": None}, "conversation_token"),
    ],
)
async def test_invalid(tmp_path: Path, change: dict[str, Any], param: str) -> None:
    async with serving(tmp_path) as served:
        body = {"message_id": "msg_1", "conversation_token": "t", "rating": "up", **change}
        response = await served.client.post("/v1/feedback", json=body, headers=served.headers())
        bad_filter = await served.call("GET", "/v1/feedback", params={"rating": "five"})
    assert (response.status_code, response.json()["param"]) == (400, param)
    assert (bad_filter.status_code, bad_filter.json()["param"]) == (400, "rating")
