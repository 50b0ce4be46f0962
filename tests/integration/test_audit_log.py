"""GET /v1/audit-log."""

from pathlib import Path

from appliance import operator
from web_server import Served, serving

from flowchat.domain import Actor
from flowchat.store import audit_log, tenants


async def operations(served: Served, query: str) -> list[str]:
    response = await served.call("GET", f"/v1/audit-log?{query}")
    assert response.status_code == 200, response.text
    return [entry["operation"] for entry in response.json()["data"]]


async def test_who_did_what_when_and_from_where(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        key = (await served.call("POST", "/v1/keys", json={"type": "admin", "name": "ci"})).json()
        served.admin = key["key"]
        user = (await served.call("POST", "/v1/users", json={"email": "ann@shop.example"})).json()
        entry = (await served.call("GET", "/v1/audit-log?limit=1")).json()["data"][0]
    assert entry.pop("id").startswith("aud_")
    assert entry.pop("created_at") >= user["created_at"]
    assert entry.pop("actor") == f"key {key['id']} (ci)"
    assert entry == {
        "operation": "users.create",
        "target": user["id"],
        "detail": {"email": "ann@shop.example", "role": "viewer", "operator": False},
        "address": "127.0.0.1",
    }


async def test_filters_and_pages(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        tenant_id = (await operator(served.app)).tenant_id
        for name, operation, target in (("ann", "a.do", "t1"), ("ann", "b.do", "t2"), ("bob", "a.do", "t2")):
            actor = Actor(tenant_id, name, frozenset())
            await served.app.db.write(
                lambda conn, actor=actor, operation=operation, target=target: audit_log.insert(
                    conn, actor, operation, target
                )
            )
        assert await operations(served, "actor=ann") == ["b.do", "a.do"]
        assert await operations(served, "operation=a.do") == ["a.do", "a.do"]
        assert await operations(served, "target=t2") == ["a.do", "b.do"]
        assert await operations(served, "target=t2&actor=ann") == ["b.do"]
        assert await operations(served, "actor=nobody") == []
        newest = (await served.call("GET", "/v1/audit-log?limit=1")).json()
        assert newest["has_more"]
        after = newest["data"][0]["id"]
        assert await operations(served, f"limit=2&starting_after={after}") == ["b.do", "a.do"]


async def test_entries_of_another_tenant_are_not_seen(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        other = await served.app.db.write(lambda conn: tenants.insert(conn, "other", "Other"))
        elsewhere = Actor(other.id, "ann", frozenset())
        await served.app.db.write(lambda conn: audit_log.insert(conn, elsewhere, "a.do", "t1"))
        assert await operations(served, "operation=a.do") == []


async def test_invalid_filters(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        response = await served.call("GET", "/v1/audit-log", params={"actor": "x" * 201})
    assert (response.status_code, response.json()["param"]) == (400, "actor")
