"""/v1/webhooks, their deliveries, and /v1/events."""

from pathlib import Path
from typing import Any

import pytest
from appliance import operator
from receiving import audited, emit
from web_server import Served, serving

from flowchat.domain import Actor
from flowchat.services import keys, webhooks
from flowchat.services.access import SCOPES
from flowchat.store import tenants

URL = "https://hooks.example/flowchat"


async def add(served: Served, url: str = URL, **fields: Any) -> dict[str, Any]:
    response = await served.call("POST", "/v1/webhooks", json={"url": url, "events": ["*"], **fields})
    assert response.status_code == 201, response.text
    assert response.headers["Location"] == f"/v1/webhooks/{response.json()['id']}"
    return dict(response.json())


async def ask_as_another_tenant(served: Served) -> None:
    other = await served.app.db.write(lambda conn: tenants.insert(conn, "other", "Other"))
    _, served.admin = await keys.create(
        served.app, Actor(other.id, "their owner", frozenset(SCOPES)), keys.NewAdminKey()
    )


def calls(webhook_id: str, delivery_id: str, event_id: str) -> list[tuple[str, str, Any]]:
    """Every call for one thing."""
    path = f"/v1/webhooks/{webhook_id}"
    return [
        ("GET", path, None),
        ("PATCH", path, {"description": "x"}),
        ("DELETE", path, None),
        ("POST", f"{path}/ping", None),
        ("POST", f"{path}/rotate", None),
        ("GET", f"{path}/deliveries", None),
        ("GET", f"{path}/deliveries/{delivery_id}", None),
        ("POST", f"{path}/deliveries/{delivery_id}/redeliver", None),
        ("GET", f"/v1/events/{event_id}", None),
    ]


async def test_webhooks_are_made_read_changed_and_deleted(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        made = await add(served, description="our shop")
        secret = made.pop("secret")
        assert secret.startswith("whsec_") and made["id"].startswith("whe_")
        assert (made["url"], made["events"], made["description"], made["enabled"]) == (URL, ["*"], "our shop", True)
        path = f"/v1/webhooks/{made['id']}"
        assert (await served.call("GET", path)).json() == made
        wanted = ["source.revoked", "version.indexed", "source.revoked"]
        changed = await served.call("PATCH", path, json={"url": f"{URL}/2#part", "events": wanted})
        assert changed.json() == {**made, "url": f"{URL}/2", "events": wanted[:2]}
        assert (await served.call("PATCH", path, json={})).json() == changed.json()
        assert (await served.call("GET", "/v1/webhooks")).json()["data"] == [changed.json()]
        deleted = await served.call("DELETE", path)
        assert (deleted.status_code, deleted.content) == (204, b"")
        assert (await served.call("GET", path)).status_code == 404
        operations = [operation for _, operation in await audited(served.app)]
        assert operations == ["webhooks.create", "webhooks.update", "webhooks.delete"]


async def test_there_is_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "MAX_PER_TENANT", 1)
    async with serving(tmp_path) as served:
        made = await add(served)
        refused = await served.call("POST", "/v1/webhooks", json={"url": URL, "events": ["*"]})
        assert (refused.status_code, refused.json()["code"]) == (409, "too_many_webhooks")
        await served.call("DELETE", f"/v1/webhooks/{made['id']}")
        await add(served)


async def test_switching_off_and_on(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        made = await add(served)
        path = f"/v1/webhooks/{made['id']}"
        off = (await served.call("PATCH", path, json={"enabled": False})).json()
        assert (off["enabled"], bool(off["disabled_at"])) == (False, True)
        refused = await served.call("POST", f"{path}/ping")
        assert (refused.status_code, refused.json()["code"]) == (409, "webhook_disabled")
        on = (await served.call("PATCH", path, json={"enabled": True})).json()
        assert (on["enabled"], on["disabled_at"], on["disabled_reason"]) == (True, None, None)
        assert (await served.call("POST", f"{path}/ping")).status_code == 202


async def test_a_rotation_shows_the_new_secret_once(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        made = await add(served)
        path = f"/v1/webhooks/{made['id']}"
        rotated = (await served.call("POST", f"{path}/rotate")).json()
        assert rotated["secret"].startswith("whsec_") and rotated["secret"] != made["secret"]
        assert rotated["former_secret_until"] > made["created_at"]
        assert "secret" not in (await served.call("GET", path)).json()


async def test_deliveries_and_events_can_be_read(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        made = await add(served)
        path = f"/v1/webhooks/{made['id']}"
        event_id = await emit(served.app, "source.revoked", source="src_1")
        pinged = await served.call("POST", f"{path}/ping")
        assert pinged.headers["Location"] == f"{path}/deliveries/{pinged.json()['id']}"
        listed = (await served.call("GET", f"{path}/deliveries")).json()
        assert listed["data"][0] == pinged.json() == (await served.call("GET", pinged.headers["Location"])).json()
        [ping, revoked] = listed["data"]
        assert (ping["event"]["type"], ping["status"], ping["attempts"]) == ("ping", "pending", [])
        assert (revoked["webhook"], revoked["event"]["data"]) == (made["id"], {"source": "src_1"})
        event = (await served.call("GET", f"/v1/events/{event_id}")).json()
        assert event == revoked["event"]
        assert (await served.call("GET", "/v1/events")).json()["data"] == [ping["event"], event]
        first = (await served.call("GET", f"{path}/deliveries", params={"limit": 1})).json()
        assert (first["data"], first["has_more"]) == ([ping], True)
        rest = await served.call("GET", f"{path}/deliveries", params={"starting_after": ping["id"]})
        assert (rest.json()["data"], rest.json()["has_more"]) == ([revoked], False)
        again = await served.call("POST", f"{path}/deliveries/{revoked['id']}/redeliver")
        assert (again.status_code, again.json()["id"], again.json()["status"]) == (202, revoked["id"], "pending")


async def test_deliveries_and_events_can_be_filtered(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        path = f"/v1/webhooks/{(await add(served))['id']}"
        event_id = await emit(served.app, "source.revoked")
        pinged = (await served.call("POST", f"{path}/ping")).json()
        await served.app.db.write(
            lambda conn: (
                conn.execute("update deliveries set status = 'failed' where event_id = ?", (event_id,)) and None
            )
        )
        answers = {
            "failed": await served.call("GET", f"{path}/deliveries", params={"status": "failed"}),
            "pending": await served.call("GET", f"{path}/deliveries", params={"status": "pending"}),
            "succeeded": await served.call("GET", f"{path}/deliveries", params={"status": "succeeded"}),
            "pings": await served.call("GET", f"{path}/deliveries", params={"type": "ping"}),
            "revoked": await served.call("GET", "/v1/events", params={"type": "source.revoked"}),
            "indexed": await served.call("GET", "/v1/events", params={"type": "version.indexed"}),
        }
        wrong = [
            await served.call("GET", f"{path}/deliveries", params={"status": "lost"}),
            await served.call("GET", "/v1/events", params={"type": "source.sold"}),
        ]
    found = {name: [item["id"] for item in answer.json()["data"]] for name, answer in answers.items()}
    assert len(found.pop("failed")) == 1
    mine = [pinged["id"]]
    assert found == {"pending": mine, "pings": mine, "succeeded": [], "revoked": [event_id], "indexed": []}
    assert [(answer.status_code, answer.json()["param"]) for answer in wrong] == [(400, "status"), (400, "type")]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "url"),
        ({"url": URL}, "events"),
        ({"url": URL, "events": []}, "events"),
        ({"url": URL, "events": ["source.sold"]}, "events"),
        ({"url": URL, "events": ["ping"]}, "events"),
        ({"url": URL, "events": "*"}, "events"),
        ({"url": "http://hooks.example/", "events": ["*"]}, "url"),
        ({"url": "ftp://hooks.example/", "events": ["*"]}, "url"),
        ({"url": "hooks.example", "events": ["*"]}, "url"),
        ({"url": "https://hooks.a*", "events": ["*"]}, "url"),
        ({"url": "https://ann:secret@hooks.example/", "events": ["*"]}, "url"),
        ({"url": "https://hooks.example/" + "x" * 2000, "events": ["*"]}, "url"),
        ({"url": URL, "events": ["*"], "description": "x" * 501}, "description"),
        ({"url": URL, "events": ["*"], "description": None}, "description"),
    ],
)
async def test_invalid_webhooks(tmp_path: Path, body: dict[str, Any], param: str) -> None:
    async with serving(tmp_path) as served:
        response = await served.call("POST", "/v1/webhooks", json=body)
        assert (response.status_code, response.json()["param"]) == (400, param), response.text
        assert (await served.call("GET", "/v1/webhooks")).json()["data"] == []


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"url": "http://hooks.example/"}, "url"),
        ({"events": []}, "events"),
        ({"enabled": "yes"}, "enabled"),
        ({"secret": "whsec_mine"}, "secret"),
    ],
)
async def test_invalid_changes(tmp_path: Path, change: dict[str, Any], param: str) -> None:
    async with serving(tmp_path) as served:
        made = await add(served)
        response = await served.call("PATCH", f"/v1/webhooks/{made['id']}", json=change)
        assert response.status_code == 400 and param in response.text


async def test_plain_http_is_for_listed_hosts(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        assert (await add(served, "http://127.0.0.1:8123/hook"))["url"] == "http://127.0.0.1:8123/hook"
        response = await served.call("POST", "/v1/webhooks", json={"url": "http://hooks.example/", "events": ["*"]})
        assert "FLOWCHAT_ALLOW_PRIVATE_HOSTS" in response.json()["detail"]


async def test_what_belongs_to_others_or_is_missing(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        made = await add(served)
        event_id = await emit(served.app)
        path = f"/v1/webhooks/{made['id']}"
        [delivery] = (await served.call("GET", f"{path}/deliveries")).json()["data"]
        another = await add(served)
        for method, wrong, body in calls("whe_none", "del_none", "evt_none"):
            assert (await served.call(method, wrong, json=body)).status_code == 404, (method, wrong)
        of_another = f"/v1/webhooks/{another['id']}/deliveries/{delivery['id']}"
        assert (await served.call("GET", of_another)).status_code == 404
        assert (await served.call("POST", f"{of_another}/redeliver")).status_code == 404
        await ask_as_another_tenant(served)
        for method, theirs, body in calls(made["id"], delivery["id"], event_id):
            assert (await served.call(method, theirs, json=body)).status_code == 404, (method, theirs)
        for path in ("/v1/webhooks", "/v1/events"):
            assert (await served.call("GET", path)).json()["data"] == []


async def test_scopes(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        made = await add(served)
        event_id = await emit(served.app)
        _, served.admin = await keys.create(served.app, await operator(served.app), keys.NewAdminKey(scopes=("read",)))
        [delivery] = (await served.call("GET", f"/v1/webhooks/{made['id']}/deliveries")).json()["data"]
        for method, path, body in calls(made["id"], delivery["id"], event_id):
            response = await served.call(method, path, json=body)
            assert response.status_code == (200 if method == "GET" else 403), (method, path)
        response = await served.call("POST", "/v1/webhooks", json={"url": URL, "events": ["*"]})
        assert (response.status_code, response.json()["code"]) == (403, "scope_missing")
