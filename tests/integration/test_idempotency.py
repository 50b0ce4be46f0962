"""Idempotency-Key: a request that is sent again does nothing twice."""

import asyncio
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest
from appliance import operator, running
from web_server import Served, serving

from flowchat.domain import Actor
from flowchat.errors import Conflict, FlowChatError
from flowchat.services import idempotency, startup
from flowchat.store.database import Connection

SITE = {"url": "https://shop.example/help/"}
USER = {"email": "ann@example.com"}


async def post(served: Served, path: str, key: str, body: Any, secret: str = "") -> httpx.Response:
    headers = {"Authorization": f"Bearer {secret or served.admin}", "Idempotency-Key": key}
    return await served.client.post(path, json=body, headers=headers)


async def count(served: Served, table: str) -> int:
    row = await served.app.db.row(f"select count(*) from {table}")
    return int(row[0]) if row else -1


async def hold_writer(served: Served) -> threading.Event:
    """The database's only writer waits for this event."""
    go_on, waits = threading.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def transaction(conn: Connection) -> None:
        loop.call_soon_threadsafe(waits.set)
        go_on.wait(10)

    holding.add(asyncio.create_task(served.app.db.write(transaction)))
    await waits.wait()
    return go_on


holding: set[asyncio.Task[None]] = set()


async def test_replay(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        before = await count(served, "users")
        first = await post(served, "/v1/users", "a", USER)
        again = await post(served, "/v1/users", "a", USER)
        other = await post(served, "/v1/users", "b", {"email": "bob@example.com"})
        made = await count(served, "users") - before
        stored = await served.app.db.rows("select response from idempotency_keys")
    assert first.status_code == again.status_code == other.status_code == 201
    assert again.content == first.content
    assert again.headers["Location"] == first.headers["Location"]
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["X-Request-Id"] != first.headers["X-Request-Id"]
    assert made == 2
    assert all(USER["email"] not in row["response"] for row in stored), "sealed: it may tell a key"


async def test_the_key_of_another_request(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        await post(served, "/v1/users", "a", USER)
        body = await post(served, "/v1/users", "a", {**USER, "name": "Ann"})
        call = await post(served, "/v1/sources", "a", SITE)
    for answer in (body, call):
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
        assert answer.json()["param"] == "Idempotency-Key"


async def test_a_hundred_at_once_make_one(tmp_path: Path) -> None:
    async with serving(tmp_path, calls_per_minute=0) as served:
        before = await count(served, "sources")
        answers = await asyncio.gather(*(post(served, "/v1/sources", "same", SITE) for _ in range(100)))
        late = await post(served, "/v1/sources", "same", SITE)
        made = await count(served, "sources") - before
        jobs = await count(served, "jobs")
    statuses = Counter(answer.status_code for answer in answers)
    assert (made, jobs) == (1, 1)
    assert set(statuses) <= {201, 409}
    assert {answer.json()["id"] for answer in answers if answer.status_code == 201} == {late.json()["id"]}
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} <= {"idempotency_in_flight"}
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers if answer.status_code == 201) == 1


async def test_in_flight(tmp_path: Path) -> None:
    async with running(tmp_path) as app:
        actor = await operator(app)
        async with idempotency.attempt(app, actor, "a", "hash") as first:
            assert first.former is None
            with pytest.raises(Conflict) as caught:
                async with idempotency.attempt(app, actor, "a", "hash"):
                    pass
            first.response = idempotency.Response(201, {}, b"{}")
        async with idempotency.attempt(app, actor, "a", "hash") as again:
            assert again.former == idempotency.Response(201, {}, b"{}")
    assert (caught.value.code, caught.value.status) == ("idempotency_in_flight", 409)


async def test_a_request_that_fails_leaves_its_key_free(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        await post(served, "/v1/users", "", USER)
        taken = await post(served, "/v1/users", "a", USER)
        invalid = await post(served, "/v1/users", "a", {})
        free = await post(served, "/v1/users", "a", {"email": "bob@example.com"})
    assert (taken.status_code, invalid.status_code, free.status_code) == (201, 400, 422)


async def test_a_conflict_leaves_its_key_free(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        user = (await post(served, "/v1/users", "a", USER)).json()
        taken = await post(served, "/v1/users", "b", USER)
        await served.call("DELETE", f"/v1/users/{user['id']}")
        free = await post(served, "/v1/users", "b", USER)
    assert (taken.status_code, taken.json()["code"]) == (409, "email_taken")
    assert free.status_code == 201
    assert "Idempotent-Replayed" not in free.headers


async def test_a_client_that_goes_away_gets_its_answer_later(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        go_on = await hold_writer(served)
        with pytest.raises(httpx.ReadTimeout):
            headers = {"Authorization": f"Bearer {served.admin}", "Idempotency-Key": "a"}
            await served.client.post("/v1/users", json=USER, headers=headers, timeout=0.3)
        go_on.set()
        async with asyncio.timeout(10):
            while (answer := await post(served, "/v1/users", "a", USER)).status_code == 409:
                pass
        made = await count(served, "users")
    assert answer.status_code == 201
    assert answer.headers["Idempotent-Replayed"] == "true"
    assert made == 1


async def test_a_replay_needs_the_scope(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        reader = (await served.call("POST", "/v1/keys", json={"type": "admin", "scopes": ["read"]})).json()["key"]
        writer = (await served.call("POST", "/v1/keys", json={"type": "admin", "scopes": ["write"]})).json()["key"]
        new_key = {"type": "admin", "name": "secret"}
        first = await post(served, "/v1/keys", "a", new_key)
        without_scope = await post(served, "/v1/keys", "a", new_key, reader)
        with_less = await post(served, "/v1/keys", "a", new_key, writer)
    assert first.status_code == 201
    assert (without_scope.status_code, with_less.status_code) == (403, 422)
    assert first.json()["key"] not in without_scope.text + with_less.text


async def test_tenants_have_keys_of_their_own(tmp_path: Path) -> None:
    async with running(tmp_path) as app:
        mine, theirs = await operator(app), Actor("ten_other", "x", frozenset())
        async with idempotency.attempt(app, mine, "a", "hash") as first:
            first.response = idempotency.Response(201, {}, b"mine")
        tenant = "insert into tenants (id, slug, name, created_at) values ('ten_other', 'o', 'O', 'now')"
        await app.db.write(lambda conn: conn.execute(tenant))
        async with idempotency.attempt(app, theirs, "a", "hash") as other:
            assert other.former is None


async def test_keys_are_kept_for_a_day(tmp_path: Path) -> None:
    async with running(tmp_path) as app:
        actor = await operator(app)
        for age, is_kept in ((23, True), (25, False)):
            async with idempotency.attempt(app, actor, f"{age}h", "hash") as first:
                first.response = idempotency.Response(200, {}, b"")
            await app.db.write(
                lambda conn, age=age: conn.execute(  # type: ignore[misc]
                    "update idempotency_keys set created_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', ?) where key = ?",
                    (f"-{age} hours", f"{age}h"),
                )
            )
            async with idempotency.attempt(app, actor, f"{age}h", "hash") as again:
                assert (again.former is not None) == is_kept


async def test_what_died_with_its_process_is_not_done_twice(tmp_path: Path) -> None:
    async with running(tmp_path) as app:
        actor = await operator(app)
        await app.db.write(
            lambda conn: conn.execute(
                "insert into idempotency_keys values (?, 'a', 'hash', null, strftime('%Y-%m-%dT%H:%M:%fZ'))",
                (actor.tenant_id,),
            )
        )
        with pytest.raises(Conflict):
            async with idempotency.attempt(app, actor, "a", "hash"):
                pass
        await startup.mark_interrupted_requests(app)
        with pytest.raises(Conflict) as caught:
            async with idempotency.attempt(app, actor, "a", "hash"):
                pass
        assert caught.value.code == "idempotency_outcome_unknown"


@pytest.mark.parametrize("key", ["", " ", "a b", "ä", "x" * 256])
def test_what_is_no_key(key: str) -> None:
    with pytest.raises(FlowChatError) as caught:
        idempotency.check_key(key)
    assert (caught.value.status, caught.value.param) == (400, "Idempotency-Key")
