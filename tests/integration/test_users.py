"""/v1/users."""

from pathlib import Path
from typing import Any

import pytest
from appliance import operator
from signing_in import signed_in
from web_server import Served, serving

from flowchat.domain import User, new_id, now
from flowchat.services import keys
from flowchat.services.key_requests import NewAdminKey, NewOperatorKey
from flowchat.store import tenants, users


async def add(served: Served, email: str, **fields: Any) -> dict[str, Any]:
    response = await served.call("POST", "/v1/users", json={"email": email, **fields})
    assert response.status_code == 201, response.text
    assert response.headers["Location"] == f"/v1/users/{response.json()['id']}"
    return dict(response.json())


async def add_elsewhere(served: Served) -> str:
    """Another tenant's user."""
    other = await served.app.db.write(lambda conn: tenants.insert(conn, "other", "Other"))
    user = User(new_id("usr"), other.id, "ann@shop.example", "Ann", "owner", now())
    await served.app.db.write(lambda conn: users.insert(conn, user))
    return user.id


async def test_users_are_added_read_changed_and_removed(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        ann = await add(served, "Ann@Shop.example", name=" Ann ", role="owner")
        bob = await add(served, "bob@shop.example")
        assert (ann["email"], ann["name"], ann["role"]) == ("ann@shop.example", "Ann", "owner")
        assert (bob["name"], bob["role"]) == ("", "viewer")
        assert (await served.call("GET", f"/v1/users/{ann['id']}")).json() == ann
        changed = await served.call("PATCH", f"/v1/users/{bob['id']}", json={"role": "editor", "name": "Bob"})
        assert changed.json() == {**bob, "role": "editor", "name": "Bob"}
        assert (await served.call("GET", "/v1/users")).json()["data"] == [changed.json(), ann]
        removed = await served.call("DELETE", f"/v1/users/{bob['id']}")
        assert (removed.status_code, removed.content) == (204, b"")
        assert (await served.call("GET", "/v1/users")).json()["data"] == [ann]


async def test_how_somebody_signs_in_is_not_everybodys_business(tmp_path: Path) -> None:
    async with (
        serving(tmp_path) as served,
        signed_in(served, "owner", email="ann@shop.example") as ann,
        signed_in(served, "viewer", email="vic@shop.example") as vic,
    ):

        async def seen(secret: str) -> dict[str, tuple[Any, Any]]:
            headers = {"Authorization": f"Bearer {secret}"}
            listed = (await served.client.get("/v1/users", headers=headers)).json()["data"]
            one = (await served.client.get(f"/v1/users/{ann.user.id}", headers=headers)).json()
            assert one in listed
            return {user["email"]: (user["second_factor"], bool(user["signed_in_at"])) for user in listed}

        actor = await operator(served.app)
        _, owners = await keys.create(served.app, actor, NewAdminKey())
        _, editors = await keys.create(served.app, actor, NewAdminKey(scopes=("read", "write")))
        assert await seen(owners) == {"ann@shop.example": (False, True), "vic@shop.example": (False, True)}
        assert await seen(editors) == {"ann@shop.example": (None, False), "vic@shop.example": (None, False)}
        changed = await served.client.patch(
            f"/v1/users/{vic.user.id}", json={"name": "Vic"}, headers={"Authorization": f"Bearer {editors}"}
        )
        assert changed.json()["second_factor"] is changed.json()["signed_in_at"] is None
        told = [(await me.get("/admin/users")).text for me in (ann, vic)]
        assert [page.count("owners see this") for page in told] == [0, 2]


async def test_the_last_owner_stays_one(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        ann = await add(served, "ann@shop.example", role="owner")
        path = f"/v1/users/{ann['id']}"
        for attempt in (
            await served.call("DELETE", path),
            await served.call("PATCH", path, json={"role": "editor"}),
        ):
            assert (attempt.status_code, attempt.json()["code"]) == (409, "last_owner")
        assert (await served.call("PATCH", path, json={"role": "owner", "name": "A"})).status_code == 200
        await add(served, "bob@shop.example", role="owner")
        assert (await served.call("PATCH", path, json={"role": "viewer"})).status_code == 200
        assert (await served.call("DELETE", path)).status_code == 204


async def test_an_address_is_one_user_of_a_tenant(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        await add_elsewhere(served)
        ann = await add(served, "ann@shop.example")
        bob = await add(served, "bob@shop.example")
        for attempt in (
            await served.call("POST", "/v1/users", json={"email": "ANN@shop.example"}),
            await served.call("PATCH", f"/v1/users/{bob['id']}", json={"email": "Ann@Shop.example"}),
        ):
            assert (attempt.status_code, attempt.json()["code"], attempt.json()["param"]) == (
                409,
                "email_taken",
                "email",
            )
        again = await served.call("PATCH", f"/v1/users/{ann['id']}", json={"email": "ANN@shop.example"})
        assert again.status_code == 200


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "email"),
        ({"email": "ann"}, "email"),
        ({"email": "ann@"}, "email"),
        ({"email": "ann smith@shop.example"}, "email"),
        ({"email": "ann@shop..example"}, "email"),
        ({"email": "ann@shop.example\x00"}, "email"),
        ({"email": "a" * 250 + "@shop.example"}, "email"),
        ({"email": "ann@shop.example", "name": "x" * 101}, "name"),
        ({"email": "ann@shop.example", "role": "admin"}, "role"),
        ({"email": "ann@shop.example", "role": None}, "role"),
    ],
)
async def test_invalid_users(tmp_path: Path, body: dict[str, Any], param: str) -> None:
    async with serving(tmp_path) as served:
        response = await served.call("POST", "/v1/users", json=body)
        assert (response.status_code, response.json()["param"]) == (400, param), response.text
        assert (await served.call("GET", "/v1/users")).json()["data"] == []


async def test_users_that_are_not_ones_own(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        for user_id in (await add_elsewhere(served), "usr_nobody"):
            for method, body in (("GET", None), ("PATCH", {"name": "x"}), ("DELETE", None)):
                response = await served.call(method, f"/v1/users/{user_id}", json=body)
                assert response.status_code == 404


async def test_operators_have_no_users_of_their_own(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        _, served.admin = await keys.create(served.app, await operator(served.app), NewOperatorKey())
        response = await served.call("GET", "/v1/users")
    assert (response.status_code, response.json()["code"]) == (403, "scope_missing")


async def test_nobody_gets_more_through_a_user_than_they_may_themselves(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        ann = await add(served, "ann@shop.example", role="owner")
        cyd = await add(served, "cyd@shop.example", role="viewer")
        _, served.admin = await keys.create(
            served.app, await operator(served.app), NewAdminKey(scopes=("read", "write"))
        )
        path, other = f"/v1/users/{ann['id']}", f"/v1/users/{cyd['id']}"
        for attempt in (
            await served.call("POST", "/v1/users", json={"email": "bob@shop.example", "role": "owner"}),
            await served.call("PATCH", other, json={"role": "owner"}),
            await served.call("PATCH", path, json={"email": "mine@shop.example"}),
            await served.call("DELETE", path),
        ):
            assert (attempt.status_code, attempt.json()["code"]) == (403, "scope_missing")
        assert (await served.call("PATCH", other, json={"role": "editor"})).status_code == 200
        listed = (await served.call("GET", "/v1/users")).json()["data"]
        assert [(user["id"], user["role"]) for user in listed] == [(cyd["id"], "editor"), (ann["id"], "owner")]
