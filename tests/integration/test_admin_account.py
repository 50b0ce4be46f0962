"""One's own account in the admin, and the links that work once."""

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

from appliance import operator
from signing_in import PASSWORD, add_user, browsing, csrf_of, signed_in
from test_admin_sign_in import EMAIL, enter, goes_to
from web_server import serving

from flowchat.services import accounts
from flowchat.services.users import NewUser, create

NEW = "staple battery horse"


def set_up_path(url: str) -> str:
    return url[url.index("/admin/") :]


def run(command: list[str], environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False)


async def test_set_up(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, browsing(served) as client:
        assert "Nobody has an account yet" in (await client.get("/admin/sign-in")).text
        path = set_up_path(await accounts.set_up_link(served.app, served.url))
        for _ in range(2):  # opening it uses nothing up
            page = await client.get(path)
            assert page.status_code == 200
        fields = {"csrf_token": csrf_of(page), "name": "Ann", "email": EMAIL, "password": "short"}
        short = await client.post(path, data=fields)
        assert short.status_code == 422 and "10 to 200 characters" in short.text and f'value="{EMAIL}"' in short.text
        assert "short" not in short.text
        assert goes_to(await client.post(path, data={**fields, "password": PASSWORD})) == (303, "/admin")
        first = await client.get("/admin")
        assert first.status_code == 200 and "owner, operator" in first.text
        row = await served.app.db.row("select role, is_operator, password_hash from users")
        assert row and (row["role"], row["is_operator"]) == ("owner", 1)
        assert row["password_hash"].startswith("$argon2id$")
        async with browsing(served) as other:
            assert (await other.get(path)).status_code == 410
            assert "Nobody has an account yet" not in (await other.get("/admin/sign-in")).text


async def test_links_that_are_none(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, browsing(served) as client:
        good = set_up_path(await accounts.set_up_link(served.app, served.url)).rpartition("/")[2]
        for path in (f"/admin/invitation/{good}", f"/admin/reset/{good}", f"/admin/set-up/{good}x", "/admin/set-up/x"):
            assert (await client.get(path)).status_code == 410, path


async def test_an_invitation_is_accepted_once(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served) as boss, browsing(served) as client:
        made = await boss.post("/admin/users", email="bob@shop.example", name="", role="viewer")
        path = set_up_path(re.search(r"http://[^<\"]+/admin/invitation/[\w.-]+", made.text)[0])  # type: ignore[index]
        assert (await enter(client, PASSWORD, "bob@shop.example")).status_code == 422
        page = await client.get(path)
        assert "as viewer" in page.text
        fields = {"csrf_token": csrf_of(page), "name": "Bob", "password": PASSWORD}
        assert goes_to(await client.post(path, data=fields)) == (303, "/admin"), "they are signed in at once"
        assert "Bob" in (await client.get("/admin/account")).text
        async with browsing(served) as other:
            again = await other.get(path)
            assert again.status_code == 410 and "has been used" in again.text
            assert goes_to(await enter(other, PASSWORD, "bob@shop.example")) == (303, "/admin")


async def test_links_follow_the_address(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served) as boss, browsing(served) as client:
        user = await create(served.app, await operator(served.app), NewUser(email="bob@shop.example"))
        made = await boss.post(f"/admin/users/{user.id}/invite")
        path = set_up_path(re.search(r"http://[^<\"]+/admin/invitation/[\w.-]+", made.text)[0])  # type: ignore[index]
        await boss.post(f"/admin/users/{user.id}", email="eve@shop.example", name="", role="viewer")
        assert (await client.get(path)).status_code == 410


async def test_reset_link_of_the_command_line(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served, email=EMAIL) as me, browsing(served) as client:
        environ = {name: value for name, value in os.environ.items() if not name.startswith("FLOWCHAT_")}
        environ |= {"FLOWCHAT_DATA_DIR": str(tmp_path), "FLOWCHAT_PUBLIC_URL": served.url}
        command = [sys.executable, "-m", "flowchat", "users", "reset-link"]
        done = await asyncio.to_thread(run, [*command, EMAIL.upper()], environ)
        assert done.returncode == 0, done.stderr
        path = set_up_path(done.stdout.strip())
        page = await client.get(path)
        fields = {"csrf_token": csrf_of(page), "password": NEW}
        assert goes_to(await client.post(path, data=fields)) == (303, "/admin")
        assert (await client.get("/admin/account")).status_code == 200
        assert (await me.get("/admin/account")).status_code == 303, "their other sessions have ended"
        async with browsing(served) as other:
            assert (await enter(other, PASSWORD)).status_code == 422
            assert goes_to(await enter(other, NEW)) == (303, "/admin")
        assert (await client.get(path)).status_code == 410
        unknown = await asyncio.to_thread(run, [*command, "zoe@x.example"], environ)
        assert unknown.returncode == 1 and "no user zoe@x.example" in unknown.stderr


async def test_password_is_changed(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served, email=EMAIL) as me, browsing(served) as other:
        await enter(other)
        path = "/admin/account/password"
        wrong = await me.post(path, current_password="wrong", password=NEW)
        assert wrong.status_code == 422 and "This is not your password." in wrong.text
        weak = await me.post(path, current_password=PASSWORD, password="aaaaaaaaaaaa")
        assert weak.status_code == 422 and "too easy" in weak.text
        assert (await me.post(path, current_password=PASSWORD, password=NEW)).status_code == 303
        assert (await me.get("/admin/account")).status_code == 200
        assert (await other.get("/admin/account")).status_code == 303
        assert goes_to(await enter(other, NEW)) == (303, "/admin")


async def test_sessions_are_listed_and_ended(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served, email=EMAIL) as me, browsing(served) as phone:
        phone.headers["User-Agent"] = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0) Version/18.0 Mobile Safari/604.1"
        await enter(phone)
        page = (await me.get("/admin/account")).text
        assert "Safari on iPhone" in page and "Firefox on Linux" in page and "this browser" in page
        session = re.search(r"/admin/account/sessions/(ses_\w+)/end", page)
        assert session
        async with signed_in(served) as stranger:
            await stranger.post(f"/admin/account/sessions/{session[1]}/end")
        assert (await phone.get("/admin/account")).status_code == 200
        assert (await me.post(f"/admin/account/sessions/{session[1]}/end")).status_code == 303
        assert (await phone.get("/admin/account")).status_code == 303
        await enter(phone)
        await me.post("/admin/account/sessions/end-others")
        assert (await phone.get("/admin/account")).status_code == 303
        assert (await me.get("/admin/account")).status_code == 200


async def test_name(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served, "viewer") as me:
        assert (await me.post("/admin/account/name", name=" <b>Ann</b> ")).status_code == 303
        assert "&lt;b&gt;Ann&lt;/b&gt;" in (await me.get("/admin/account")).text
        assert (await me.post("/admin/account/name", name="x" * 101)).status_code == 422


async def test_stored_secrets_are_hashes(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served, email=EMAIL) as me:
        await add_user(served, "bob@shop.example")
        token = me.client.cookies["flowchat-session"]
        for table in ("sessions", "users", "audit_log"):
            rows = await served.app.db.rows(f"select * from {table}")
            assert token not in str([tuple(row) for row in rows]) and PASSWORD not in str([tuple(row) for row in rows])
