"""/v1/keys and /v1/widget over HTTP: works, wrong owner, missing scope, missing, invalid."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from appliance import operator
from web_server import ORIGIN, QUESTION, Served, serving

from flowchat.domain import Actor
from flowchat.services import keys
from flowchat.services.key_requests import NewAdminKey, NewOperatorKey, NewWidgetKey, WidgetFields
from flowchat.store import tenants

PAST, FUTURE = "2001-01-01T00:00:00.000Z", "2999-01-01T00:00:00.000Z"
WIDGET = {
    "starter_questions": ["May I return it?", "Do you ship abroad?"],
    "contact_url": "mailto:help@shop.example",
    "texts": {"title": "Ask us"},
}
NEW = {
    "type": "widget",
    "name": " shop ",
    "origins": ["https://SHOP.example/", "*.shop.example"],
    "sources": ["shop"],
    "mode": "annotate",
    "caps": {"daily": 100},
    "limits": {"visitor_per_minute": 5},
    "widget": WIDGET,
    "expires_at": "2999-01-01T00:00:00+01:00",
}


async def made(served: Served, **fields: Any) -> dict[str, Any]:
    response = await served.call("POST", "/v1/keys", json={"type": "widget", **fields})
    assert response.status_code == 201, response.text
    return dict(response.json())


async def test_a_key_is_made_with_all_it_can_have(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        response = await served.call("POST", "/v1/keys", json=NEW)
        shown = await served.call("GET", response.headers["Location"])
        listed = await served.call("GET", "/v1/keys", params={"limit": 1})
    key = response.json()
    secret = key.pop("key")
    assert (response.status_code, secret[:9], secret[-4:]) == (201, "kbk_live_", key["last_four"])
    assert (key["name"], key["origins"]) == ("shop", ["https://shop.example", "*.shop.example"])
    assert (key["caps"], key["limits"]) == (
        {"daily": 100, "monthly": None},
        {"per_minute": None, "visitor_per_minute": 5},
    )
    assert (key["widget"], key["mode"], key["expires_at"]) == (WIDGET, "annotate", "2998-12-31T23:00:00.000Z")
    assert key["sources"][0].startswith("src_")
    assert shown.json() == key == listed.json()["data"][0]
    assert listed.json()["has_more"] is True


async def test_a_change_leaves_the_rest(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        key = await made(served, **{name: value for name, value in NEW.items() if name != "type"})
        change = {"caps": {"monthly": 900}, "widget": {"contact_url": None}, "name": "new", "expires_at": None}
        changed = (await served.call("PATCH", f"/v1/keys/{key['id']}", json=change)).json()
        again = (await served.call("PATCH", f"/v1/keys/{key['id']}", json={"origins": [], "sources": []})).json()
    assert (changed["caps"], changed["name"]) == ({"daily": 100, "monthly": 900}, "new")
    assert (changed["widget"], changed["expires_at"]) == ({**WIDGET, "contact_url": None}, None)
    untouched = ("limits", "origins", "sources", "mode", "last_four", "created_at")
    assert {name: changed[name] for name in untouched} == {name: key[name] for name in untouched}
    assert (again["origins"], again["sources"], again["caps"]) == ([], [], changed["caps"])


async def test_a_test_key_stays_capped(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        key = await made(served, test=True)
        changed = await served.call("PATCH", f"/v1/keys/{key['id']}", json={"caps": {"daily": None, "monthly": 7}})
    assert (key["prefix"], changed.json()["caps"]) == ("kbk_test_", {"daily": 100, "monthly": 7})


@pytest.mark.parametrize(("body", "old_status"), [({}, 401), ({"grace_s": 60}, 200)])
async def test_a_rotated_key_has_a_successor(tmp_path: Path, body: dict[str, int], old_status: int) -> None:
    async with serving(tmp_path) as served:
        key = await made(served, name="shop", sources=["shop"], caps={"daily": 3})
        response = await served.call("POST", f"/v1/keys/{key['id']}/rotate", json=body)
        fresh = response.json()
        statuses = [(await served.ask(X_FlowChat_Key=secret)).status_code for secret in (key["key"], fresh["key"])]
        old = (await served.call("GET", f"/v1/keys/{key['id']}")).json()
    assert (response.status_code, response.headers["Location"]) == (201, f"/v1/keys/{fresh['id']}")
    assert statuses == [old_status, 200]
    own = ("id", "key", "last_four", "created_at")
    assert {name: fresh[name] for name in fresh if name not in own} == {
        name: key[name] for name in key if name not in own
    }
    assert (old["revoked_at"] is None, old["expires_at"] is None) == (old_status == 200, old_status == 401)


async def test_an_expired_key_is_rotated_into_one_that_is_good(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        key = await made(served, sources=["shop"], expires_at=PAST)
        path = f"/v1/keys/{key['id']}/rotate"
        refused = [await served.call("POST", path, json=body) for body in ({}, {"expires_at": PAST}, {"grace_s": 60})]
        later = (await served.call("POST", path, json={"expires_at": FUTURE})).json()
        never = (await served.call("POST", f"/v1/keys/{later['id']}/rotate", json={"expires_at": None})).json()
        asked = await served.ask(X_FlowChat_Key=never["key"])
        old = (await served.call("GET", f"/v1/keys/{key['id']}")).json()
    assert [(answer.status_code, answer.json()["code"]) for answer in refused] == [(409, "key_expired")] * 3
    assert refused[0].json()["param"] == "expires_at"
    assert (later["expires_at"], never["expires_at"], asked.status_code) == (FUTURE, None, 200)
    assert old["revoked_at"] is not None


async def test_the_end_of_a_grace_is_not_inherited(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        key = await made(served, expires_at=FUTURE)
        path = f"/v1/keys/{key['id']}/rotate"
        fresh = (await served.call("POST", path, json={"grace_s": 60})).json()
        again = await served.call("POST", path, json={"grace_s": 60})
        other = (await served.call("POST", f"/v1/keys/{fresh['id']}/rotate", json={"grace_s": 60})).json()
        old = (await served.call("GET", f"/v1/keys/{key['id']}")).json()
    assert old["expires_at"] < FUTURE == fresh["expires_at"] == other["expires_at"]
    assert (again.status_code, again.json()["code"]) == (409, "key_rotated")
    assert fresh["id"] in again.json()["detail"]


async def test_operators_keep_their_own_keys(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        widget = await made(served, name="shop")
        first, served.admin = await keys.create(served.app, await operator(served.app), NewOperatorKey())
        second = await made(served, type="operator", name="second", expires_at=FUTURE)
        path = f"/v1/keys/{second['id']}"
        changed = (await served.call("PATCH", path, json={"name": "new"})).json()
        rotated = (await served.call("POST", f"{path}/rotate")).json()
        listed = (await served.call("GET", "/v1/keys")).json()["data"]
        refused = [
            await served.call("POST", "/v1/keys", json={"type": "widget", "sources": ["nowhere"]}),
            await served.call("POST", "/v1/keys", json={"type": "admin", "scopes": ["read"]}),
            await served.call("GET", f"/v1/keys/{widget['id']}"),
            await served.call("PATCH", f"/v1/keys/{widget['id']}", json={"sources": ["nowhere"]}),
            await served.call("POST", f"/v1/keys/{widget['id']}/rotate"),
            await served.call("POST", f"/v1/keys/{widget['id']}/revoke"),
        ]
        missing = await served.call("GET", "/v1/keys/key_none")
        served.admin = rotated["key"]
        shown = await served.call("GET", f"/v1/keys/{first.id}")
        revoked = await served.call("POST", f"/v1/keys/{first.id}/revoke")
    assert (changed["name"], rotated["name"], rotated["scopes"]) == ("new", "new", ["operator"])
    assert [key["id"] for key in listed] == [rotated["id"], second["id"], first.id]
    assert [(answer.status_code, answer.json()["code"]) for answer in refused] == [(403, "scope_missing")] * 6
    assert (missing.status_code, shown.status_code, revoked.status_code) == (404, 200, 200)
    assert revoked.json()["revoked_at"] is not None


async def test_admin_keys_see_operator_keys_but_leave_them_alone(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        machine, _ = await keys.create(served.app, await operator(served.app), NewOperatorKey())
        path = f"/v1/keys/{machine.id}"
        shown = await served.call("GET", path)
        refused = [
            await served.call("POST", "/v1/keys", json={"type": "operator"}),
            await served.call("PATCH", path, json={"name": "mine"}),
            await served.call("POST", f"{path}/rotate"),
            await served.call("POST", f"{path}/revoke"),
        ]
    assert (shown.status_code, "key" in shown.json()) == (200, False)
    assert [(answer.status_code, answer.json()["code"]) for answer in refused] == [(403, "scope_missing")] * 4


async def test_a_revoked_source_is_no_source_of_a_key(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        key = await made(served, sources=["shop"])
        await served.call("POST", "/v1/sources/shop/revoke")
        refused = [
            await served.call("POST", "/v1/keys", json={"type": "widget", "sources": ["docs", "shop"]}),
            await served.call("PATCH", f"/v1/keys/{key['id']}", json={"sources": ["shop"]}),
        ]
        renamed = await served.call("PATCH", f"/v1/keys/{key['id']}", json={"name": "x"})
    for answer in refused:
        assert (answer.status_code, answer.json()["code"]) == (409, "source_revoked")
        assert answer.json()["param"] == "sources"
    assert renamed.json()["sources"] == key["sources"]


async def test_a_revoked_key_is_refused_at_once_and_stays_as_it_is(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        key = await made(served, sources=["shop"])
        before = await served.ask(X_FlowChat_Key=key["key"])
        first = await served.call("POST", f"/v1/keys/{key['id']}/revoke")
        after = await served.ask(X_FlowChat_Key=key["key"])
        again = await served.call("POST", f"/v1/keys/{key['id']}/revoke")
        changes = [
            await served.call("PATCH", f"/v1/keys/{key['id']}", json={"name": "x"}),
            await served.call("POST", f"/v1/keys/{key['id']}/rotate"),
        ]
    assert (before.status_code, first.status_code, after.status_code, again.status_code) == (200, 200, 401, 200)
    assert "revoked" in after.json()["detail"]
    assert first.json()["revoked_at"] == again.json()["revoked_at"] is not None
    assert [(change.status_code, change.json()["code"]) for change in changes] == [(409, "key_revoked")] * 2


async def test_a_key_may_revoke_itself(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        key, served.admin = await keys.create(served.app, await operator(served.app), NewAdminKey())
        revoked = await served.call("POST", f"/v1/keys/{key.id}/revoke")
        refused = await served.call("GET", "/v1/keys")
    assert (revoked.status_code, refused.status_code) == (200, 401)


async def test_keys_of_others_and_of_nobody_are_not_found(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        tenant = await served.app.db.write(lambda conn: tenants.insert(conn, "other", "Other", 90))
        stranger = Actor(tenant.id, "stranger", frozenset({"read", "write", "billing"}))
        theirs, _ = await keys.create(served.app, stranger, NewWidgetKey())
        for key_id in (theirs.id, "key_none"):
            for method, path in (("GET", ""), ("PATCH", ""), ("POST", "/rotate"), ("POST", "/revoke")):
                response = await served.call(method, f"/v1/keys/{key_id}{path}", json={})
                assert (response.status_code, response.json()["code"]) == (404, "not_found")
        listed = (await served.call("GET", "/v1/keys", params={"limit": 100})).json()["data"]
        assert theirs.id not in [key["id"] for key in listed]
        foreign = await served.call("POST", "/v1/keys", json={"type": "widget", "sources": ["nowhere"]})
    assert (foreign.status_code, foreign.json()["param"]) == (404, "sources")


async def test_scopes(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        reader = await made(served, type="admin", scopes=["read"])
        writer = await made(served, type="admin", scopes=["read", "write"])
        served.admin = reader["key"]
        assert (await served.call("GET", "/v1/keys")).status_code == 200
        refused = [
            await served.call("POST", "/v1/keys", json={"type": "widget"}),
            await served.call("PATCH", f"/v1/keys/{reader['id']}", json={"name": "x"}),
            await served.call("POST", f"/v1/keys/{reader['id']}/rotate"),
            await served.call("POST", f"/v1/keys/{reader['id']}/revoke"),
        ]
        served.admin = writer["key"]
        refused.append(await served.call("POST", "/v1/keys", json={"type": "admin"}))
        refused.append(await served.call("POST", "/v1/keys", json={"type": "operator"}))
        assert (await served.call("POST", "/v1/keys", json={"type": "admin", "scopes": ["write"]})).status_code == 201
    assert [(response.status_code, response.json()["code"]) for response in refused] == [(403, "scope_missing")] * 6


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "type"),
        ({"type": "master"}, "type"),
        ({"type": "widget", "origins": ["shop.example"]}, "origins"),
        ({"type": "widget", "origins": ["https://shop.example/path"]}, "origins"),
        ({"type": "widget", "origins": ["https://user@shop.example"]}, "origins"),
        ({"type": "widget", "origins": ["https://shop.example\n"]}, "origins"),
        ({"type": "widget", "origins": ["*.*.example"]}, "origins"),
        ({"type": "widget", "origins": ["*."]}, "origins"),
        ({"type": "widget", "origins": ["ftp://shop.example"]}, "origins"),
        ({"type": "widget", "origins": ["null"]}, "origins"),
        ({"type": "widget", "mode": "loud"}, "mode"),
        ({"type": "widget", "caps": {"daily": -1}}, "caps"),
        ({"type": "widget", "caps": {"daily": 10**30}}, "caps"),
        ({"type": "widget", "limits": {"per_minute": 0}}, "limits"),
        ({"type": "widget", "name": "x" * 101}, "name"),
        ({"type": "widget", "expires_at": "tomorrow"}, "expires_at"),
        ({"type": "widget", "expires_at": "2030-01-01T00:00:00"}, "expires_at"),
        ({"type": "widget", "widget": {"starter_questions": ["q"] * 9}}, "widget"),
        ({"type": "widget", "widget": {"starter_questions": ["q" * 201]}}, "widget"),
        ({"type": "widget", "widget": {"contact_url": "javascript:alert(1)"}}, "widget"),
        ({"type": "widget", "widget": {"texts": {"Title!": "x"}}}, "widget"),
        ({"type": "admin", "origins": ["*"]}, "origins"),
        ({"type": "admin", "scopes": ["operator"]}, "scopes"),
        ({"type": "admin", "scopes": []}, "scopes"),
    ],
)
async def test_what_cannot_be_a_key_names_the_field(tmp_path: Path, body: dict[str, Any], param: str) -> None:
    async with serving(tmp_path) as served:
        response = await served.call("POST", "/v1/keys", json=body)
    assert (response.status_code, response.json()["param"]) == (400, param)


async def test_only_widget_keys_have_a_widgets_fields(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        key = await made(served, type="admin")
        refused = await served.call("PATCH", f"/v1/keys/{key['id']}", json={"origins": ["*"]})
        unknown = await served.call("PATCH", f"/v1/keys/{key['id']}", json={"type": "operator"})
        negative = await served.call("POST", f"/v1/keys/{key['id']}/rotate", json={"grace_s": -1})
    assert (refused.status_code, refused.json()["param"]) == (409, "origins")
    assert (unknown.status_code, negative.status_code, negative.json()["param"]) == (400, 400, "grace_s")


async def test_every_change_is_audited(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        key = await made(served)
        await served.call("PATCH", f"/v1/keys/{key['id']}", json={"name": "x"})
        fresh = (await served.call("POST", f"/v1/keys/{key['id']}/rotate", json={"grace_s": 9})).json()
        await served.call("POST", f"/v1/keys/{fresh['id']}/revoke")
        await served.call("POST", f"/v1/keys/{fresh['id']}/revoke")
        rows = await served.app.db.rows(
            "select operation from audit_log where target in (?, ?) order by id", (key["id"], fresh["id"])
        )
    assert [row[0] for row in rows] == ["keys.create", "keys.update", "keys.rotate", "keys.revoke"]


async def test_a_widget_is_told_what_it_shows_and_nothing_else(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        await served.widget_key(origins=(ORIGIN,), widget=msgspec.convert(WIDGET, WidgetFields), test=True)
        shown = await served.client.get("/v1/widget", headers=served.headers(Origin=ORIGIN))
        elsewhere = await served.client.get("/v1/widget", headers=served.headers(Origin="https://evil.example"))
        without = await served.client.get("/v1/widget")
    assert shown.json() == {**WIDGET, "mode": "gate", "test": True}
    assert shown.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert (elsewhere.status_code, without.status_code) == (403, 401)


async def test_a_key_that_expired_is_refused(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        key = await made(served, sources=["shop"], expires_at="2001-01-01T00:00:00Z")
        response = await served.client.post("/v1/chat", json=QUESTION, headers={"X-FlowChat-Key": key["key"]})
    assert (response.status_code, "expired" in response.json()["detail"]) == (401, True)
