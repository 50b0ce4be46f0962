"""Keys in the admin."""

import re
from pathlib import Path

import pytest
from appliance import operator
from signing_in import Me, signed_in
from web_server import ORIGIN, Served, serving

from flowchat.domain import Key
from flowchat.services import keys

NEW = {"type": "widget", "name": "Shop", "origins": f"{ORIGIN}\n*.shop.example", "mode": "gate", "caps.daily": "50"}
XSS = '"><img src=x onerror=alert(1)>'


async def made(me: Me, served: Served, **fields: object) -> tuple[Key, str]:
    """A key made in the admin, and its secret."""
    page = await me.post("/admin/keys", **{**NEW, **fields})
    assert page.status_code == 200, page.text
    found = re.search(r"(?:kbk_\w+?|fca)_\w{20,}", page.text)
    assert found
    return (await keys.list_all(served.app, await operator(served.app)))[-1], found[0]


async def test_make_ask_and_revoke(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served, "editor") as me:
        key, served.key = await made(me, served, sources=["shop"], expires_at="2090-01-31T12:00")
        assert (key.origins, key.caps.daily, key.caps.monthly) == ((ORIGIN, "*.shop.example"), 50, None)
        assert key.expires_at == "2090-01-31T12:00:00.000Z"
        assert (await served.ask(Origin=ORIGIN)).status_code == 200
        page = (await me.get(f"/admin/keys/{key.id}")).text
        assert served.key not in page and key.last_four in page and "Questions: 1, of them refused: 0" in page
        assert ": Answered 1, Refused 0</title>" in page and "Usage by day" in page
        listed = (await me.get("/admin/keys")).text
        assert "Shop" in listed and "50 a day" in listed
        gone = await me.post(f"/admin/keys/{key.id}/revoke", confirm=key.last_four)
        assert gone.headers["Location"] == f"/admin/keys/{key.id}"
        page = (await me.get(f"/admin/keys/{key.id}")).text
        assert "it is refused from now on" in page and "revoked" in page and "/rotate" not in page
        assert (await served.ask(Origin=ORIGIN)).status_code == 401


async def test_the_form_knows_the_site(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served, "editor") as me, signed_in(served, "viewer") as viewer:
        await served.call("POST", "/v1/sources", json={"url": "https://www.kestrel.example/help/", "slug": "kestrel"})
        page = (await me.get("/admin/keys/new?source=kestrel")).text
        assert "https://www.kestrel.example</textarea>" in page
        assert len(re.findall(r'name="sources" value="src_\w+" checked', page)) == 1
        key, _ = await made(me, served, origins="www.kestrel.example/shop?a=b\nhttps://a.example/\n*.b.example\n*")
        assert key.origins == ("https://www.kestrel.example", "https://a.example", "*.b.example", "*")
        refused = await viewer.get("/admin/keys/new")
        assert refused.status_code == 403 and "may look here" in refused.text


async def test_the_two_lines(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served) as me:
        page = await me.post("/admin/keys", **NEW, sources="shop")
        assert f"&lt;script src=&#34;{served.url}/v1.js&#34; defer&gt;&lt;/script&gt;" in page.text
        assert "data-source=&#34;shop&#34; data-locale=&#34;en&#34;" in page.text


@pytest.mark.parametrize(
    ("fields", "at"),
    [
        ({"origins": "javascript:alert(1)"}, "origins"),
        ({"origins": "<!DOCTYPE foo ["}, "origins"),
        ({"origins": "https://[::1"}, "origins"),
        ({"caps.daily": "-1"}, "caps.daily"),
        ({"caps.daily": "many"}, "caps.daily"),
        ({"expires_at": "tomorrow"}, "expires_at"),
        ({"mode": "blind"}, "mode"),
        ({"type": "admin"}, ""),
    ],
)
async def test_what_is_wrong_keeps_what_was_entered(tmp_path: Path, fields: dict[str, str], at: str) -> None:
    async with serving(tmp_path) as served, signed_in(served) as me:
        wrong = await me.post("/admin/keys", **{**NEW, "name": XSS, **fields})
        assert wrong.status_code == 422
        assert 'value="&#34;&gt;&lt;img src=x' in wrong.text and XSS not in wrong.text
        assert f'id="{at}-error"' in wrong.text if at else 'role="alert"' in wrong.text


async def test_a_source_that_is_not_there(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served) as me:
        assert (await me.post("/admin/keys", **{**NEW, "sources": ["src_nothing"]})).status_code == 404
        for path in ("", "/edit"):
            assert (await me.get(f"/admin/keys/key_nothing{path}")).status_code == 404
        assert (await me.post("/admin/keys/key_nothing", name="x")).status_code == 404
        assert (await me.post("/admin/keys/key_nothing/rotate", grace_s="0")).status_code == 404
        assert (await me.post("/admin/keys/key_nothing/revoke")).status_code == 404


async def test_change(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served) as me:
        key, _ = await made(me, served, sources=["shop"], expires_at="2090-01-31T12:00:30", **{"caps.monthly": "9"})
        path = f"/admin/keys/{key.id}"
        page = (await me.get(f"{path}/edit")).text
        assert 'value="2090-01-31T12:00:30"' in page and "*.shop.example</textarea>" in page
        fields = {"name": XSS, "origins": "", "sources": key.sources, "mode": "annotate", "expires_at": ""}
        changed = await me.post(path, **fields, **{"caps.daily": "", "limits.visitor_per_minute": "3"})
        assert changed.status_code == 303, changed.text
        key = await keys.get(served.app, await operator(served.app), key.id)
        assert (key.name, key.origins, key.mode, key.expires_at) == (XSS, (), "annotate", None)
        assert (key.caps.daily, key.caps.monthly, key.limits.visitor_per_minute) == (None, None, 3)
        for page in ((await me.get(path)).text, (await me.get("/admin/keys")).text):
            assert XSS not in page and "&lt;img" in page
        wrong = await me.post(path, **{**fields, "origins": "no origin"})
        assert wrong.status_code == 422 and "no origin</textarea>" in wrong.text


async def test_a_revoked_source_stays_with_a_key_that_is_changed(tmp_path: Path) -> None:
    """Taken away, a key's only source would leave it all of them."""
    async with serving(tmp_path) as served, signed_in(served) as me:
        key, _ = await made(me, served, sources=["shop"])
        assert (await served.call("POST", "/v1/sources/shop/revoke")).status_code == 200
        page = (await me.get(f"/admin/keys/{key.id}/edit")).text
        assert f'value="{key.sources[0]}" checked' in page and "A revoked source" in page
        fields = {"name": "New name", "origins": ORIGIN, "sources": key.sources, "mode": "gate"}
        assert (await me.post(f"/admin/keys/{key.id}", **fields)).status_code == 303
        changed = await keys.get(served.app, await operator(served.app), key.id)
        assert (changed.name, changed.sources) == ("New name", key.sources)


async def test_rotate_with_grace(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served) as me:
        key, old = await made(me, served)
        page = await me.post(f"/admin/keys/{key.id}/rotate", grace_s="3600", expires_at="")
        found = re.search(r"kbk_live_\w{20,}", page.text)
        assert page.status_code == 200 and found and found[0] != old
        for served.key in (old, found[0]):
            assert (await served.ask(Origin=ORIGIN)).status_code == 200
        assert "Its successor" in (await me.get(f"/admin/keys/{key.id}")).text
        again = await me.post(f"/admin/keys/{key.id}/rotate", grace_s="0", expires_at="")
        assert again.status_code == 303
        assert "was rotated already" in (await me.get(again.headers["Location"])).text


async def test_admin_keys_have_only_what_their_makers_have(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served, "editor") as me, signed_in(served, operator=True) as boss:
        page = (await me.get("/admin/keys/new/admin")).text
        assert 'value="write"' in page and 'value="billing"' not in page and "For the machine" not in page
        key, secret = await made(me, served, type="admin", origins=[], mode=[], scopes=["read"], **{"caps.daily": []})
        assert (key.type, key.scopes) == ("admin", ("read",))
        answer = await served.client.get("/v1/sources", headers={"Authorization": f"Bearer {secret}"})
        assert answer.status_code == 200
        assert (await me.post("/admin/keys", type="admin", name="", scopes=["billing"])).status_code == 403
        assert (await me.post("/admin/keys", type="admin", name="")).status_code == 422
        assert (await me.post("/admin/keys", type="operator", name="")).status_code == 403
        assert "For the machine" in (await boss.get("/admin/keys/new/operator")).text
        assert "fca_" in (await boss.post("/admin/keys", type="operator", name="Monitoring")).text
        page = (await me.get(f"/admin/keys/{key.id}")).text
        assert "Nothing was asked" not in page and "/edit" in page
        machine = (await keys.list_all(served.app, await operator(served.app)))[-1]
        assert f"/admin/keys/{machine.id}/edit" not in (await me.get(f"/admin/keys/{machine.id}")).text


@pytest.mark.parametrize("path", ["", "/{id}", "/{id}/rotate", "/{id}/revoke"])
async def test_a_viewer_changes_nothing(tmp_path: Path, path: str) -> None:
    async with serving(tmp_path) as served, signed_in(served, "viewer") as me:
        page = (await me.get("/admin/keys")).text
        assert served.key_id in page and "New key" not in page
        page = (await me.get(f"/admin/keys/{served.key_id}")).text
        assert "Revoke" not in page and "Rotate" not in page and "/edit" not in page
        assert (await me.get(f"/admin/keys/{served.key_id}/edit")).status_code == 403, "nobody fills in for nothing"
        before = [tuple(row) for row in await served.app.db.rows("select * from keys")]
        fields = {"grace_s": "0"} if path.endswith("rotate") else NEW if not path else {"name": "x"}
        answer = await me.post(f"/admin/keys{path.format(id=served.key_id)}", **fields)
        assert answer.status_code == 403, answer.text
        assert [tuple(row) for row in await served.app.db.rows("select * from keys")] == before


async def test_flowchats_own_key_is_not_changed(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served) as me:
        row = await served.app.db.row("select id from keys where name = 'homepage'")
        assert row
        page = (await me.get(f"/admin/keys/{row['id']}")).text
        assert "can be revoked, but not changed" in page and "/edit" not in page
        refused = await me.post(f"/admin/keys/{row['id']}", name="mine", mode="gate")
        assert refused.status_code == 422 and "own" in refused.text
