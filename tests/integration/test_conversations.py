"""/v1/conversations: as they were, found by what was said, and erased without a trace."""

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from conversing import RETURNS, answered, as_other_tenant, going_on, read_only, with_pipeline
from web_server import Served, refusal, serving

from flowchat.domain import now
from flowchat.store import versions

ASKED = "May I return it within thirty days?"


async def found(served: Served, **filters: Any) -> list[str]:
    """First questions of the conversations that are listed."""
    response = await served.call("GET", "/v1/conversations", params=filters)
    assert response.status_code == 200, response.text
    return [conversation["first_query"] for conversation in response.json()["data"]]


async def test_a_conversation_is_shown_as_it_was_after_its_version_was_deleted(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        await with_pipeline(served)
        first = await answered(served, ASKED, visitor_id="v1")
        await going_on(served, "Which volcano erupted yesterday?", first)
        path = f"/v1/conversations/{first['conversation_id']}"
        whole = (await served.call("GET", path)).json()
        [version_id] = whole["messages"][0]["versions"]
        version = await versions.get(served.app.db, version_id)
        assert version
        await served.app.db.write(lambda conn: _forget_version(conn, version.seq))
        assert (await served.call("GET", path)).json() == whole
        listed = (await served.call("GET", "/v1/conversations")).json()["data"]
        messages = (await served.call("GET", f"{path}/messages", params={"limit": 1})).json()

    assert listed == [{name: value for name, value in whole.items() if name != "messages"}]
    assert (whole["key"], whole["visitor_id"], whole["first_query"]) == (served.key_id, "v1", ASKED)
    assert (whole["message_count"], whole["refusal_count"]) == (2, 1)
    assert whole["created_at"] <= whole["last_at"]
    answer, refused = whole["messages"]
    [chunk] = answer["chunks"]
    assert (chunk["text"], chunk["version_id"]) == (RETURNS, version_id)
    assert chunk["url"] == "https://shop.example/returns#time"
    assert (answer["id"], answer["answer"], answer["refusal"]) == (first["message_id"], first["answer"], False)
    assert answer["citations"] == first["citations"]
    assert [(verdict["ref"], verdict["ok"]) for verdict in answer["verdicts"]] == [
        (citation["ref"], True) for citation in first["citations"]
    ]
    assert (refused["refusal"], refused["reason"], refused["verdicts"]) == (True, "not_covered", [])
    assert (messages["has_more"], [message["id"] for message in messages["data"]]) == (True, [refused["id"]])


def _forget_version(conn: sqlite3.Connection, seq: int) -> None:
    conn.execute("update sources set live_version = null")
    conn.execute("delete from chunks where version = ?", (seq,))
    conn.execute("delete from pages where version = ?", (seq,))
    conn.execute("delete from versions where seq = ?", (seq,))


async def test_search_takes_whatever_people_type(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        cafe = "Does the Café sell c++ books?"
        await answered(served, cafe)
        await answered(served, "What is a-b testing?")
        assert await found(served, q="cafe BOOKS") == [cafe]
        assert await found(served, q="c++") == [cafe]
        assert await found(served, q="a-b") == ["What is a-b testing?"]
        assert len(await found(served, q="sending back free")) == 2  # of the answers
        assert await found(served, q="books testing") == []
        for odd in ('"', "*", "(", "NEAR(a b)", "query:cafe", "AND", "\x00", "'; drop table messages", "^", "-"):
            await found(served, q=odd)
        assert await found(served, q='"') == []


async def test_filters(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        first = await answered(served, "One?", visitor_id="v1")
        served.answerer.script = refusal
        await going_on(served, "Two?", first)
        key_id = served.key_id
        await served.widget_key(sources=("shop",))
        other = await answered(served, "Three?", visitor_id="v2")
        rated = {name: other[name] for name in ("message_id", "conversation_token")}
        await served.client.post("/v1/feedback", json={**rated, "rating": "down"}, headers=served.headers())
        served.answerer.script = type(served.answerer)().script
        await answered(served, "Four?")

        assert await found(served) == ["Four?", "Three?", "One?"]
        assert await found(served, visitor_id="v1") == ["One?"]
        assert await found(served, key=key_id) == ["One?"]
        assert await found(served, source="shop") == ["Four?", "Three?", "One?"]
        assert await found(served, source="docs") == []
        today = now()[:10]
        assert len(await found(served, **{"from": today, "to": today})) == 3
        assert await found(served, **{"from": "2999-01-01"}) == await found(served, to="2020-01-01") == []
        assert await found(served, refusal="true") == ["Three?", "One?"]
        assert await found(served, refusal="false") == ["Four?"]
        assert await found(served, rating="down") == ["Three?"]
        assert await found(served, rating="up") == []
        assert await found(served, q="one", refusal="false") == []
        assert await found(served, limit=1, starting_after=other["conversation_id"]) == ["One?"]


@pytest.mark.parametrize(
    ("method", "path", "params", "param"),
    [
        ("GET", "/v1/conversations", {"q": "x" * 201}, "q"),
        ("GET", "/v1/conversations", {"refusal": "perhaps"}, "refusal"),
        ("GET", "/v1/conversations", {"rating": "five"}, "rating"),
        ("GET", "/v1/conversations", {"from": "yesterday"}, "from"),
        ("GET", "/v1/conversations", {"limit": 0}, "limit"),
        ("DELETE", "/v1/conversations", {}, "visitor_id"),
        ("DELETE", "/v1/conversations", {"visitor_id": ""}, "visitor_id"),
    ],
)
async def test_invalid(tmp_path: Path, method: str, path: str, params: dict[str, Any], param: str) -> None:
    async with serving(tmp_path) as served:
        response = await served.call(method, path, params=params)
    assert (response.status_code, response.json()["param"]) == (400, param)


async def test_whose_conversations_they_are(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        conversation = (await answered(served, ASKED, visitor_id="v1"))["conversation_id"]
        path = f"/v1/conversations/{conversation}"
        owner = served.admin
        await read_only(served)
        assert (await served.call("GET", path)).status_code == 200
        assert (await served.call("DELETE", path)).status_code == 403
        assert (await served.call("DELETE", "/v1/conversations?visitor_id=v1")).status_code == 403
        await as_other_tenant(served)
        assert await found(served) == await found(served, q="return") == []
        for method, of_it in (("GET", path), ("GET", f"{path}/messages"), ("DELETE", path)):
            assert (await served.call(method, of_it)).status_code == 404
        erased = await served.call("DELETE", "/v1/conversations?visitor_id=v1")
        assert erased.json() == {"conversations": 0, "messages": 0}
        served.admin = owner
        assert await found(served) == [ASKED]
        assert (await served.call("GET", "/v1/conversations/cnv_none")).status_code == 404


async def test_one_is_deleted(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        first = await answered(served, ASKED)
        await answered(served, "And this?")
        path = f"/v1/conversations/{first['conversation_id']}"
        deleted = await served.call("DELETE", path)
        assert (deleted.status_code, deleted.content) == (204, b"")
        assert (await served.call("DELETE", path)).status_code == 404
        assert await found(served) == ["And this?"]
        rows = await served.app.db.rows("select operation, target, detail from audit_log order by id desc limit 1")
        assert tuple(rows[0]) == ("conversations.delete", first["conversation_id"], '{"messages": 1}')
        gone = {"query": "More?", **{name: first[name] for name in ("conversation_id", "conversation_token")}}
        assert (await served.ask(gone)).status_code == 404


@pytest.mark.parametrize("way", ["visitor", "conversation", "visitor of the conversation"])
async def test_an_answer_in_the_making_is_stopped_by_the_erasure(tmp_path: Path, way: str) -> None:
    async with serving(tmp_path) as served:
        begun = await answered(served, ASKED, visitor_id="v1")
        body = {"query": "More?", "visitor_id": "v1"}
        if way != "visitor":
            body = {"query": "More?", **{name: begun[name] for name in ("conversation_id", "conversation_token")}}
        go_on = served.answerer.hold_back()
        making = asyncio.create_task(served.ask(body, Accept="application/json", Idempotency_Key="k1"))
        other = asyncio.create_task(served.ask({"query": "Me?", "visitor_id": "v2"}, Accept="application/json"))
        await served.answerer.until_running(2)
        one = f"/{begun['conversation_id']}" if way == "conversation" else "?visitor_id=v1"
        erased = await served.call("DELETE", f"/v1/conversations{one}")
        go_on.set()
        response = await making
        assert (erased.status_code, (await other).status_code) == (204 if way == "conversation" else 200, 200)
        assert await found(served) == ["Me?"]
    assert (response.status_code, response.json()["code"]) == (410, "conversation_erased")


async def test_a_kept_answer_of_an_erased_conversation_is_not_given_again(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        for key, visitor in (("k1", "v1"), ("k2", "v2"), ("k3", "v3")):
            assert (await served.ask({"query": ASKED, "visitor_id": visitor}, Idempotency_Key=key)).status_code == 200
        listed = (await served.call("GET", "/v1/conversations?visitor_id=v2")).json()["data"]
        await served.call("DELETE", "/v1/conversations?visitor_id=v1")
        await served.call("DELETE", f"/v1/conversations/{listed[0]['id']}")
        assert len(served.answerer.questions) == 3
        for key, visitor, made in (("k1", "v1", 4), ("k2", "v2", 5), ("k3", "v3", 5)):
            await served.ask({"query": ASKED, "visitor_id": visitor}, Idempotency_Key=key)
            assert len(served.answerer.questions) == made


async def test_another_tenant_stops_nothing(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        begun = await answered(served, ASKED, visitor_id="v1")
        go_on = served.answerer.hold_back()
        making = asyncio.create_task(going_on(served, "More?", begun))
        await served.answerer.until_running(1)
        await as_other_tenant(served)
        assert (await served.call("DELETE", "/v1/conversations?visitor_id=v1")).status_code == 200
        assert (await served.call("DELETE", f"/v1/conversations/{begun['conversation_id']}")).status_code == 404
        go_on.set()
        assert (await making)["conversation_id"] == begun["conversation_id"]


async def test_a_visitors_conversations_are_found_by_their_index(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        await answered(served, ASKED, visitor_id="v1")
        queries: list[tuple[str, Any]] = []

        def copy(conn: sqlite3.Connection) -> None:
            conn.execute(
                "with recursive n (i) as (select 1 union all select i + 1 from n where i < 50000)"
                " insert into conversations (id, tenant_id, key_id, token_hash, visitor_id, created_at, last_at)"
                " select 'cnv_' || i, tenant_id, key_id, token_hash, 'v' || (i + 1), created_at, last_at"
                " from conversations, n"
            )

        await served.app.db.write(copy)
        rows = served.app.db.rows

        async def explained(sql: str, parameters: Any = ()) -> Any:
            if "from conversations" in sql:
                queries.append((sql, parameters))
            return await rows(sql, parameters)

        served.app.db.rows = explained  # type: ignore[method-assign]
        assert await found(served, visitor_id="v1") == [ASKED]
        assert await found(served, visitor_id="v1", starting_after="cnv_0") == []
        served.app.db.rows = rows  # type: ignore[method-assign]
        assert len(queries) == 2
        for sql, parameters in queries:
            plan = [row["detail"] for row in await rows(f"explain query plan {sql}", parameters)]
            assert "conversations_by_visitor (tenant_id=? AND visitor_id=?" in plan[0]
            assert "USE TEMP B-TREE FOR ORDER BY" not in plan


async def test_erasing_a_visitor_leaves_nothing_but_usage(tmp_path: Path) -> None:
    word = "zebrafish"
    async with serving(tmp_path) as served:
        await with_pipeline(served)
        for number in range(3):
            first = await answered(served, f"Who erased {word} number {number}?", visitor_id=f"{word}-visitor")
            rated = {name: first[name] for name in ("message_id", "conversation_token")}
            body = {**rated, "rating": "down", "reason": f"No {word}"}
            await served.client.post("/v1/feedback", json=body, headers=served.headers())
            await going_on(served, f"Really no {word}?", first)
        await answered(served, ASKED, visitor_id="somebody else")
        counts = "select (select count(*) from feedback), (select count(*) from unanswered), (select count(*) from {})"
        before = await served.app.db.row(counts.format("usage_ledger"))

        erased = await served.call("DELETE", "/v1/conversations", params={"visitor_id": f"{word}-visitor"})
        assert (erased.status_code, erased.json()) == (200, {"conversations": 3, "messages": 6})
        assert await found(served) == [ASKED] and await found(served, q=word) == []
        after = await served.app.db.row(counts.format("usage_ledger"))
        assert before and after and (tuple(before), tuple(after)) == ((3, 6, 7), (0, 0, 7))
        again = await served.call("DELETE", "/v1/conversations", params={"visitor_id": f"{word}-visitor"})
        assert again.json() == {"conversations": 0, "messages": 0}
        await served.app.db.write(
            lambda conn: conn.execute("insert into messages_fts (messages_fts) values ('integrity-check')")
        )
        assert await served.app.db.integrity_faults() == []
        path = served.app.db.path
    with closing(sqlite3.connect(path)) as connection:
        assert [table for table in tables(connection) if word in content(connection, table)] == []


def tables(connection: sqlite3.Connection) -> list[str]:
    rows = connection.execute("select name from sqlite_schema where type = 'table' and sql not like 'create virtual%'")
    return [row[0] for row in rows]


def content(connection: sqlite3.Connection, table: str) -> str:
    """All that is stored in a table, words of the full-text index among them."""
    return "".join(str(value) for row in connection.execute(f"select * from {table}") for value in row)


async def test_a_visitor_of_many_conversations_is_erased_in_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flowchat.services.conversations.ERASE_BATCH", 2)
    async with serving(tmp_path) as served:
        for number in range(5):
            await answered(served, f"Number {number}?", visitor_id="v1")
        erased = await served.call("DELETE", "/v1/conversations?visitor_id=v1")
        audited = await served.app.db.rows(
            "select * from audit_log where operation = 'conversations.erase' order by id"
        )
    assert erased.json() == {"conversations": 5, "messages": 5}
    assert [json.loads(row["detail"])["messages"] for row in audited] == [2, 2, 1]
    assert {row["target"] for row in audited} == {"sha256:3bfc269594ef6492"}
