"""POST /v1/tenants/{tenant}/invite, and the same in the admin: the first owner of a tenant."""

import re
from pathlib import Path

from appliance import operator
from signing_in import PASSWORD, browsing, csrf_of, signed_in
from web_server import Served, serving

from flowchat.services import keys
from flowchat.services.key_requests import NewOperatorKey


async def accept(served: Served, text: str) -> str:
    """Who signs in by the link in that text."""
    link = re.search(r"http://[^<\"]+/admin/invitation/[\w.-]+", text)
    assert link, text
    async with browsing(served) as client:
        path = link[0].removeprefix(served.url)
        page = await client.get(path)
        fields = {"csrf_token": csrf_of(page), "name": "Ann", "password": PASSWORD}
        assert (await client.post(path, data=fields)).headers["Location"] == "/admin"
        shown = await client.get("/admin/account")
    return str(re.search(r"[\w.]+@[\w.]+ at \w+, \w+", shown.text)[0])  # type: ignore[index]


async def test_an_operator_invites_the_first_owner_only(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        _, secret = await keys.create(served.app, await operator(served.app), NewOperatorKey())
        served.admin = secret
        acme = (await served.call("POST", "/v1/tenants", json={"slug": "acme", "name": "Acme"})).json()
        path = "/v1/tenants/acme/invite"
        first = await served.call("POST", path, json={"email": "Ann@acme.example", "name": "Ann"})
        assert first.status_code == 201 and set(first.json()) == {"url", "expires_at"}
        again = await served.call("POST", path, json={"email": "ann@acme.example"})
        assert again.status_code == 201, "another link for the same user"
        assert await accept(served, again.json()["url"]) == "ann@acme.example at Acme, owner"
        refused = await served.call("POST", path, json={"email": "eve@acme.example"})
        assert (refused.status_code, refused.json()["code"]) == (409, "has_owner")
        wrong = await served.call("POST", path, json={"email": "nobody"})
        assert (wrong.status_code, wrong.json()["param"]) == (400, "email")
        assert (await served.call("POST", "/v1/tenants/none/invite", json={"email": "a@b.example"})).status_code == 404
        await served.call("POST", f"/v1/tenants/{acme['id']}/close")
        closed = await served.call("POST", path, json={"email": "eve@acme.example"})
        assert (closed.status_code, closed.json()["code"]) == (409, "tenant_closed")
        served.admin = acme["key"]
        refused = await served.call("POST", path, json={"email": "eve@acme.example"})
        assert refused.status_code in (401, 403)


async def test_it_stands_in_both_logs(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served, operator=True) as me:
        await me.post("/admin/tenants", slug="acme", name="Acme", retention_days="30", email="ann@acme.example")
        rows = await served.app.db.rows(
            "select slug, operation, actor from audit_log join tenants on tenants.id = tenant_id order by audit_log.id"
        )
        found = [(row["slug"], row["operation"], row["actor"].partition(" ")[0]) for row in rows]
    assert ("acme", "users.create", "operator") in found and ("acme", "users.invite", "operator") in found
    assert ("default", "tenants.invite", "user") in found


async def test_a_new_tenant_comes_with_its_owners_link(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served, operator=True) as me:
        fields = {"slug": "acme", "name": "Acme", "retention_days": "30"}
        wrong = await me.post("/admin/tenants", **fields, email="nobody")
        assert wrong.status_code == 422 and 'id="email-error"' in wrong.text and 'value="nobody"' in wrong.text
        made = await me.post("/admin/tenants", **fields, email="ann@acme.example")
        assert ">fca_" in made.text and await accept(served, made.text) == "ann@acme.example at Acme, owner"


async def test_the_owner_may_be_invited_later(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served, operator=True) as me:
        made = await me.post("/admin/tenants", slug="acme", name="Acme", retention_days="30", email="")
        assert "Nobody can sign in to it yet." in made.text
        path = re.search(r"/admin/tenants/ten_\w+", made.text)[0]  # type: ignore[index]
        assert "Its first owner" in (await me.get(path)).text
        wrong = await me.post(f"{path}/invite", email="nobody")
        assert wrong.status_code == 422 and 'id="email-error"' in wrong.text
        link = await me.post(f"{path}/invite", email="ann@acme.example")
        assert await accept(served, link.text) == "ann@acme.example at Acme, owner"
        assert "Its first owner" not in (await me.get(path)).text
        refused = await me.post(f"{path}/invite", email="eve@acme.example")
        assert refused.status_code == 422 and "can sign in to this tenant already" in refused.text
        assert 'value="Acme"' in refused.text
