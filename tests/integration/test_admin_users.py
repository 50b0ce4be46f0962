"""Users in the admin."""

from pathlib import Path

import pytest
from signing_in import add_user, signed_in
from web_server import serving

from flowchat.store import tenants


async def test_invite_change_and_remove(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served) as me:
        made = await me.post("/admin/users", email="Bob@shop.example", name="Bob", role="editor")
        assert made.status_code == 200 and "/admin/invitation/" in made.text
        page = (await me.get("/admin/users")).text
        assert "bob@shop.example" in page and "invited" in page
        row = await served.app.db.row("select id from users where email = 'bob@shop.example'")
        assert row
        path = f"/admin/users/{row['id']}"
        assert 'value="Bob"' in (await me.get(path)).text
        changed = await me.post(path, email="bob@shop.example", name="Robert", role="viewer")
        assert (changed.status_code, changed.headers["Location"]) == (303, "/admin/users")
        assert "bob@shop.example is changed." in (await me.get("/admin/users")).text
        assert (await me.post(f"{path}/delete", confirm="bob@shop.example")).status_code == 303
        assert (await me.get(path)).status_code == 404
        log = (await me.get("/admin/audit-log?operation=users.delete")).text
        assert str(row["id"]) in log and me.user.email in log


async def test_what_is_wrong_stands_at_its_field(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served) as me:
        wrong = await me.post("/admin/users", email="bob", name="<i>", role="viewer")
        assert wrong.status_code == 422
        assert 'id="email-error"' in wrong.text and 'aria-invalid="true"' in wrong.text
        assert 'value="bob"' in wrong.text and 'value="&lt;i&gt;"' in wrong.text
        taken = await me.post("/admin/users", email=me.user.email, name="", role="viewer")
        assert taken.status_code == 422 and 'id="email-error"' in taken.text
        last = await me.post(f"/admin/users/{me.user.id}", email=me.user.email, name="", role="viewer")
        assert last.status_code == 422 and "last owner" in last.text


@pytest.mark.parametrize("path", ["", "/{id}", "/{id}/invite", "/{id}/delete"])
async def test_a_viewer_changes_nothing(tmp_path: Path, path: str) -> None:
    async with serving(tmp_path) as served, signed_in(served, "viewer") as me:
        bob = await add_user(served, "bob@shop.example", "viewer")
        page = (await me.get("/admin/users")).text
        assert "bob@shop.example" in page and "Invite somebody" not in page
        before = [tuple(row) for row in await served.app.db.rows("select * from users")]
        answer = await me.post(f"/admin/users{path.format(id=bob.id)}", email="x@y.example", name="X", role="viewer")
        assert answer.status_code == 403 and "You are signed in as" in answer.text
        assert [tuple(row) for row in await served.app.db.rows("select * from users")] == before


async def test_an_editor_makes_no_owner(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served, "editor") as me, signed_in(served) as boss:
        assert (await me.post("/admin/users", email="x@y.example", name="", role="owner")).status_code == 403
        assert (await me.post(f"/admin/users/{boss.user.id}/invite")).status_code == 403
        peer = await add_user(served, "peer@shop.example", "editor")
        assert (await me.post(f"/admin/users/{peer.id}/invite")).status_code == 403, "it would let one act as the other"
        assert (await boss.post(f"/admin/users/{peer.id}/invite")).status_code == 200


async def test_only_operators_make_operators(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served) as me, signed_in(served, operator=True) as operator:
        fields = {"email": "x@y.example", "name": "", "role": "viewer", "operator": "true"}
        assert "Operator of the machine" not in (await me.get("/admin/users/new")).text
        await me.post("/admin/users", **fields)
        row = await served.app.db.row("select is_operator from users where email = 'x@y.example'")
        assert row is None or not row["is_operator"]
        path = f"/admin/users/{operator.user.id}"
        assert (await me.post(path, email=operator.user.email, name="x", role="owner")).status_code == 403
        assert (await me.post(f"{path}/invite")).status_code == 403
        made = await operator.post("/admin/users", **{**fields, "email": "z@y.example"})
        assert made.status_code == 200
        row = await served.app.db.row("select is_operator from users where email = 'z@y.example'")
        assert row and row["is_operator"]


async def test_pages_of_the_list(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served) as me:
        for number in range(5):
            await add_user(served, f"user{number}@shop.example", "viewer")
        first = (await me.get("/admin/users?limit=2")).text
        assert "user4@" in first and "user3@" in first and "user2@" not in first
        older = first.partition('href="/admin/users?limit=2&amp;starting_after=')[2].partition('"')[0]
        second = (await me.get(f"/admin/users?limit=2&starting_after={older}")).text
        assert "user2@" in second and "user1@" in second and "ending_before=" in second
        assert (await me.get("/admin/users?limt=2")).status_code == 400
        assert (await me.get("/admin/users?limit=x")).status_code == 400


async def test_errors_are_toasts_for_htmx(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served, "viewer") as me:
        headers = {"HX-Request": "true", "X-CSRF-Token": me.csrf}
        answer = await me.client.post(f"/admin/users/{me.user.id}/delete", headers=headers)
        assert answer.status_code == 403 and '"kind": "bad"' in answer.headers["HX-Trigger"]
        me.client.cookies.clear()
        gone = await me.client.get("/admin/users", headers={"HX-Request": "true"})
        assert (gone.status_code, gone.headers["HX-Redirect"]) == (401, "/admin/sign-in")


async def test_tenants_are_apart(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served) as me:
        other = await served.app.db.write(lambda conn: tenants.insert(conn, "other", "Other"))
        ann = await add_user(served, "ann@other.example", tenant_id=other.id)
        assert "ann@other" not in (await me.get("/admin/users")).text
        assert (await me.get(f"/admin/users/{ann.id}")).status_code == 404
        assert (await me.post(f"/admin/users/{ann.id}/invite")).status_code == 404
        assert (await me.post(f"/admin/users/{ann.id}/delete")).status_code == 404
