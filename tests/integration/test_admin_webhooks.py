"""Webhooks in the admin."""

import re
from pathlib import Path

import pytest
from appliance import operator
from delivering import delivering
from loopback import answer
from receiving import FAILURE, assert_signed, attempted, emit, reread
from receiving import receiver as receiving
from signing_in import Me, signed_in
from web_server import Served, serving

from flowchat.domain import Webhook
from flowchat.services import webhooks
from flowchat.services.lists import ListRequest

XSS = "<script>alert(1)</script>"
SHOWN = "&lt;script&gt;alert(1)&lt;/script&gt;"


async def made(me: Me, served: Served, url: str, **fields: object) -> tuple[Webhook, str]:
    """An endpoint made in the admin, and its secret."""
    page = await me.post("/admin/webhooks", **{"url": url, "events": ["*"], "description": "Shop", **fields})
    assert page.status_code == 200, page.text
    return await newest(served), secret_in(page.text)


async def newest(served: Served) -> Webhook:
    return (await webhooks.list_page(served.app, await operator(served.app), ListRequest())).items[0]


def secret_in(page: str) -> str:
    found = re.search(r"whsec_[\w+/=]{20,}", page)
    assert found
    return found[0]


async def test_make_ping_and_send_again(tmp_path: Path) -> None:
    async with (
        receiving() as hook,
        serving(tmp_path) as served,
        signed_in(served, "editor") as me,
        delivering(served.app),
    ):
        webhook, secret = await made(me, served, hook.url)
        path = f"/admin/webhooks/{webhook.id}"
        hook.behaviour = answer(XSS.encode(), status="500 Internal Server Error")
        pinged = (await me.post(f"{path}/ping")).headers["Location"]
        await attempted(served.app, webhook)
        assert_signed(hook.requests[0], secret)
        page = (await me.get(pinged)).text
        assert "to be tried again" in page and "data-live" in page
        assert SHOWN in page and XSS not in page and "answered 500" in page
        assert "FlowChat can reach this endpoint." in page and secret not in page
        hook.behaviour = answer(b"thanks")
        assert (await me.post(f"{pinged}/redeliver")).headers["Location"] == pinged
        await attempted(served.app, webhook, 2)
        page = (await me.get(pinged)).text
        assert "delivered" in page and "thanks" in page and "data-live" not in page
        assert hook.requests[0].event_id == hook.requests[-1].event_id
        assert "failing" not in (await me.get("/admin/webhooks")).text


async def test_filters_of_deliveries_and_events(tmp_path: Path) -> None:
    async with receiving(FAILURE) as hook, serving(tmp_path) as served, signed_in(served) as me:
        webhook, _ = await made(me, served, hook.url)
        path = f"/admin/webhooks/{webhook.id}"
        event_id = await emit(served.app, "version.indexed", title=XSS)
        await me.post(f"{path}/ping")
        assert (await me.get(path)).text.count("<tr>") == 1 + 2
        only = (await me.get(f"{path}?status=pending&type=version.indexed")).text
        assert only.count("<tr>") == 1 + 1 and event_id in only
        assert "No delivery fits" in (await me.get(f"{path}?status=failed&type=")).text
        assert (await me.get(f"{path}?status=lost")).status_code == 400
        listed = (await me.get("/admin/webhooks/events?type=version.indexed")).text
        assert event_id in listed and SHOWN in listed and XSS not in listed
        shown = (await me.get(f"/admin/webhooks/events/{event_id}")).text
        assert SHOWN in shown and XSS not in shown
        assert "No event of this type" in (await me.get("/admin/webhooks/events?type=source.revoked")).text


async def test_change_pause_rotate_and_delete(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served) as me:
        webhook, secret = await made(me, served, "https://hooks.example/a", description=XSS)
        path = f"/admin/webhooks/{webhook.id}"
        assert SHOWN in (await me.get(path)).text and SHOWN in (await me.get("/admin/webhooks")).text
        fields = {"url": "https://hooks.example/b", "events": ["version.indexed"], "description": ""}
        assert (await me.post(path, **fields)).status_code == 303
        changed = await reread(served.app, webhook)
        assert (changed.url, changed.events) == ("https://hooks.example/b", ("version.indexed",))
        assert 'value="version.indexed" checked' in (await me.get(f"{path}/edit")).text
        await me.post(f"{path}/disable")
        page = (await me.get(path)).text
        assert f"Switched off by user {me.user.id}" in page and "Turn on again" in page and "/ping" not in page
        refused = await me.post(f"{path}/ping")
        assert "switched off" in (await me.get(refused.headers["Location"])).text
        await me.post(f"{path}/enable")
        assert (await reread(served.app, webhook)).disabled_at is None
        assert secret_in((await me.post(f"{path}/rotate")).text) != secret
        assert "Former secret works until" in (await me.get(path)).text
        assert (await me.post(f"{path}/delete")).headers["Location"] == "/admin/webhooks"
        assert (await me.get(path)).status_code == 404


@pytest.mark.parametrize(
    ("fields", "at"),
    [
        ({"url": "ftp://hooks.example/"}, "url"),
        ({"url": "http://10.0.0.1/"}, "url"),
        ({"events": ["source.sold"]}, "events"),
        ({"description": "x" * 501}, "description"),
    ],
)
async def test_what_is_wrong_keeps_what_was_entered(tmp_path: Path, fields: dict[str, object], at: str) -> None:
    async with serving(tmp_path) as served, signed_in(served) as me:
        webhook, _ = await made(me, served, "https://hooks.example/")
        entered = {"url": f"https://hooks.example/{XSS}", "events": ["version.failed"], "description": XSS, **fields}
        for path in ("/admin/webhooks", f"/admin/webhooks/{webhook.id}"):
            wrong = await me.post(path, **entered)
            assert wrong.status_code == 422 and XSS not in wrong.text
            assert f'id="{at}-error"' in wrong.text
            if "events" not in fields:
                assert 'value="version.failed" checked' in wrong.text


async def test_no_events_is_said_at_the_events(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served) as me:
        wrong = await me.post("/admin/webhooks", url="https://hooks.example/", description="")
        assert wrong.status_code == 422 and 'value="https://hooks.example/"' in wrong.text
        assert "at least 1 entry" in wrong.text


async def test_what_is_not_there(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served) as me:
        webhook, _ = await made(me, served, "https://hooks.example/")
        for path in ("whe_no", "whe_no/edit", "whe_no/deliveries/del_no", f"{webhook.id}/deliveries/del_no"):
            assert (await me.get(f"/admin/webhooks/{path}")).status_code == 404, path
        assert (await me.get("/admin/webhooks/events/evt_no")).status_code == 404
        for path in ("ping", "rotate", "delete", "disable", "enable", "deliveries/del_no/redeliver"):
            assert (await me.post(f"/admin/webhooks/whe_no/{path}")).status_code == 404, path


async def test_a_viewer_changes_nothing(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served) as boss, signed_in(served, "viewer") as me:
        webhook, _ = await made(boss, served, "https://hooks.example/")
        pinged = (await boss.post(f"/admin/webhooks/{webhook.id}/ping")).headers["Location"]
        path = f"/admin/webhooks/{webhook.id}"
        for shown in ("/admin/webhooks", path, pinged):
            page = (await me.get(shown)).text
            assert "https://hooks.example/" in page and page.count("<form method") == 1, shown  # signing out
        assert (await me.get(f"{path}/edit")).status_code == 403
        tables = [f"select * from {table}" for table in ("webhooks", "deliveries", "events")]
        before = [[tuple(row) for row in await served.app.db.rows(table)] for table in tables]
        fields = {"url": "https://x.example/", "events": ["*"], "description": ""}
        for changed in ("/admin/webhooks", path):
            assert (await me.post(changed, **fields)).status_code == 403
        changes = (f"{path}/{verb}" for verb in ("ping", "disable", "enable", "rotate", "delete"))
        for changed in (*changes, f"{pinged}/redeliver"):
            assert (await me.post(changed)).status_code == 403, changed
        assert [[tuple(row) for row in await served.app.db.rows(table)] for table in tables] == before
