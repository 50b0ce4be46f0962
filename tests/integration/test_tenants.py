"""/v1/tenants for operators, /v1/tenant for everybody else."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from appliance import operator
from web_server import Served, add_source, serving

from flowchat.errors import FlowChatError
from flowchat.ingest.disposal import dispose
from flowchat.services import keys
from flowchat.services.check import check
from flowchat.services.key_requests import NewOperatorKey, NewWidgetKey
from flowchat.services.retention import delete_old
from flowchat.services.tenants import actor_for_cli, erase_closed
from flowchat.store import sources

_CONTENT = "users webhooks events deliveries curated_answers sources conversations idempotency_keys"
_BOOKS = "keys usage_ledger usage_days usage_months"
TABLES = {
    "tenants": "id",
    **dict.fromkeys(f"{_CONTENT} {_BOOKS}".split(), "tenant_id"),
}  # and the column of their tenant


class Operator:
    """Calls with an operator key."""

    def __init__(self, served: Served, secret: str) -> None:
        self._client = served.client
        self._headers = {"Authorization": f"Bearer {secret}"}

    async def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        return await self._client.request(method, path, headers=self._headers, **options)

    async def add(self, slug: str) -> dict[str, Any]:
        response = await self.call("POST", "/v1/tenants", json={"slug": slug, "name": slug.title()})
        assert response.status_code == 201, response.text
        return dict(response.json())


async def operator_of(served: Served) -> Operator:
    _, secret = await keys.create(served.app, await operator(served.app), NewOperatorKey())
    return Operator(served, secret)


async def call_with(served: Served, secret: str, method: str, path: str, **options: Any) -> httpx.Response:
    return await served.client.request(method, path, headers={"Authorization": f"Bearer {secret}"}, **options)


async def test_a_tenant_is_made_with_its_first_key(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        machine = await operator_of(served)
        made = await machine.add("acme")
        secret = made.pop("key")
        assert made.pop("id").startswith("ten_") and made.pop("created_at")
        good = {"read_only": False, "reason": "", "read_only_at": None}
        nothing = {"plan": None, "subscription": None, "standing": good, "closed_at": None, "moved_at": None}
        assert made == {"slug": "acme", "name": "Acme", "retention_days": 90, **nothing}
        read = await machine.call("GET", "/v1/tenants/acme")
        assert "key" not in read.json()
        assert (await call_with(served, secret, "GET", "/v1/tenant")).json() == read.json()
        listed = (await machine.call("GET", "/v1/tenants")).json()["data"]
        assert [tenant["slug"] for tenant in listed] == ["acme", "default"]
        [key] = (await call_with(served, secret, "GET", "/v1/keys")).json()["data"]
        assert (key["type"], key["scopes"]) == ("admin", ["read", "write", "billing"])
        assert (await call_with(served, secret, "GET", "/v1/sources")).json()["data"] == []


async def test_a_tenant_changes_itself(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        first = (await served.call("GET", "/v1/tenant")).json()
        changed = await served.call("PATCH", "/v1/tenant", json={"name": "Shop", "retention_days": 30})
        assert changed.json() == {**first, "name": "Shop", "retention_days": 30}
        assert (await served.call("PATCH", "/v1/tenant", json={})).json() == changed.json()


async def test_the_operator_changes_a_tenant_and_both_logs_tell(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        machine = await operator_of(served)
        acme = await machine.add("acme")
        changed = await machine.call("PATCH", f"/v1/tenants/{acme['id']}", json={"retention_days": 7})
        assert (changed.json()["retention_days"], changed.json()["name"]) == (7, "Acme")
        query = f"/v1/audit-log?operation=tenants.update&target={acme['id']}"
        [here] = (await served.call("GET", query)).json()["data"]
        [there] = (await call_with(served, acme["key"], "GET", query)).json()["data"]
    assert here["address"] == "127.0.0.1"
    assert (there["actor"], there["address"]) == ("operator", "")


async def test_a_closed_tenant_cannot_be_used(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        machine = await operator_of(served)
        acme = await machine.add("acme")
        there = await actor_for_cli(served.app.db, "acme")
        widget, secret = await keys.create(served.app, there, NewWidgetKey())
        source = await add_source(served.app, "pages", is_live=True, tenant_id=acme["id"])
        closed = await machine.call("POST", f"/v1/tenants/{acme['id']}/close")
        assert closed.status_code == 200 and closed.json()["closed_at"]
        assert (await call_with(served, acme["key"], "GET", "/v1/tenant")).status_code == 401
        served.key = secret
        assert (await served.ask()).status_code == 401
        assert widget.id in served.app.revocations and source.id in served.app.revocations
        assert await sources.get(served.app.db, acme["id"], source.id) is None
        with pytest.raises(FlowChatError, match="was closed"):
            await actor_for_cli(served.app.db, "acme")
        with pytest.raises(FlowChatError) as no_key:
            await keys.create(served.app, there, NewWidgetKey())  # by somebody who was at work all the time
        with pytest.raises(FlowChatError) as no_source:
            await add_source(served.app, "more", is_live=False, tenant_id=acme["id"])
        for refused in (no_key.value, no_source.value):
            assert (refused.status, refused.code) == (409, "tenant_closed")
        again = await machine.call("POST", "/v1/tenants/acme/close")
        assert again.json() == closed.json()
        change = await machine.call("PATCH", "/v1/tenants/acme", json={"name": "x"})
        assert (change.status_code, change.json()["code"]) == (409, "tenant_closed")
        assert (await served.call("GET", "/v1/tenant")).status_code == 200


async def test_a_closed_tenant_leaves_its_books_and_nothing_else(tmp_path: Path) -> None:
    kept = {"tenants": 1, "keys": 2, "usage_ledger": 1, "usage_days": 1, "usage_months": 1}
    async with serving(tmp_path) as served:
        db, machine = served.app.db, await operator_of(served)
        acme = await machine.add("acme")
        for tenant_key in (acme["key"], served.admin):
            user = {"email": "ann@shop.example"}
            await call_with(served, tenant_key, "POST", "/v1/users", json=user)
            endpoint = {"url": "https://shop.example/hook", "events": ["*"]}
            await call_with(served, tenant_key, "POST", "/v1/webhooks", json=endpoint)
            curated = {"question": "Where is the shop?", "answer": "It is here."}
            await call_with(served, tenant_key, "POST", "/v1/curated-answers", json=curated)
        await add_source(served.app, "pages", is_live=True, tenant_id=acme["id"])
        there = await actor_for_cli(db, "acme")
        _, served.key = await keys.create(served.app, there, NewWidgetKey())
        assert (await served.ask()).status_code == 200
        await machine.call("POST", "/v1/tenants/acme/close")

        async def left(tenant_id: str) -> dict[str, int]:
            rows = {
                table: await db.rows(f"select 1 from {table} where {TABLES[table]} = ?", (tenant_id,))
                for table in TABLES
            }
            return {table: len(found) for table, found in rows.items() if found}

        async def erase() -> None:
            await erase_closed(served.app)
            await delete_old(served.app)
            await dispose(db, lambda: False)

        first = (await operator(served.app)).tenant_id
        before = await left(first)
        await erase()
        told = {"webhooks": 1, "events": 1, "deliveries": 1}  # its endpoint is yet to be told of the revoked source
        assert await left(acme["id"]) == {**kept, **told}
        await db.write(lambda conn: conn.execute("update deliveries set next_attempt_at = null") and None)
        await erase()
        assert await left(acme["id"]) == kept
        assert await left(first) == before and before["users"] == 1
        assert await check(db) == []


async def test_the_first_tenant_stays_open(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        response = await (await operator_of(served)).call("POST", "/v1/tenants/default/close")
    assert (response.status_code, response.json()["code"]) == (409, "first_tenant")


async def test_a_slug_is_taken_once(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        machine = await operator_of(served)
        await machine.add("acme")
        again = await machine.call("POST", "/v1/tenants", json={"slug": "acme", "name": "Other"})
    assert (again.status_code, again.json()["code"], again.json()["param"]) == (409, "slug_taken", "slug")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"name": "A"}, "slug"),
        ({"slug": "a"}, "name"),
        ({"slug": "A", "name": "A"}, "slug"),
        ({"slug": "-a", "name": "A"}, "slug"),
        ({"slug": "a" * 65, "name": "A"}, "slug"),
        ({"slug": "a", "name": ""}, "name"),
        ({"slug": "a", "name": "A", "retention_days": 0}, "retention_days"),
        ({"slug": "a", "name": "A", "retention_days": 3651}, "retention_days"),
    ],
)
async def test_invalid_tenants(tmp_path: Path, body: dict[str, Any], param: str) -> None:
    async with serving(tmp_path) as served:
        response = await (await operator_of(served)).call("POST", "/v1/tenants", json=body)
    assert (response.status_code, response.json()["param"]) == (400, param)


async def test_tenants_that_do_not_exist(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        machine = await operator_of(served)
        for method, path in (("GET", ""), ("PATCH", ""), ("POST", "/close")):
            response = await machine.call(method, f"/v1/tenants/nowhere{path}", json={})
            assert response.status_code == 404


async def test_only_operators_see_tenants(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        for method, path in (("GET", ""), ("GET", "/default"), ("PATCH", "/default"), ("POST", "/default/close")):
            response = await served.call(method, f"/v1/tenants{path}", json={})
            assert (response.status_code, response.json()["code"]) == (403, "scope_missing")
        response = await (await operator_of(served)).call("GET", "/v1/tenant")
        assert (response.status_code, response.json()["code"]) == (403, "scope_missing")
