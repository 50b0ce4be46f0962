"""Signing in to the admin, over HTTP."""

import json
import re
import time
from pathlib import Path

import httpx
import pytest
from signing_in import PASSWORD, add_user, browsing, csrf_of, signed_in
from web_server import Served, serving

from flowchat.domain import now
from flowchat.services import totp, vault
from flowchat.services.accounts import Browser, check_password
from flowchat.store import accounts, tenants, users

EMAIL = "ann@shop.example"


async def enter(client: httpx.AsyncClient, password: str = PASSWORD, email: str = EMAIL, **more: str) -> httpx.Response:
    page = await client.get("/admin/sign-in", params={"next": more.get("next", "")})
    fields = {"csrf_token": csrf_of(page), "email": email, "password": password, **more}
    return await client.post("/admin/sign-in", data=fields)


async def enter_code(client: httpx.AsyncClient, code: str) -> httpx.Response:
    page = await client.get("/admin/sign-in/code")
    return await client.post("/admin/sign-in/code", data={"csrf_token": csrf_of(page), "code": code})


async def audited(served: Served) -> list[tuple[str, str]]:
    rows = await served.app.db.rows("select operation, actor from audit_log order by id")
    return [(row["operation"], row["actor"]) for row in rows]


def goes_to(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.headers.get("Location", "")


async def test_in_and_out(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, browsing(served) as client:
        ann = await add_user(served, EMAIL)
        assert goes_to(await client.get("/admin/users?limit=5")) == (
            303,
            "/admin/sign-in?next=%2Fadmin%2Fusers%3Flimit%3D5",
        )
        answer = await enter(client, email="  ANN@Shop.example ", next="/admin/users?limit=5")
        assert goes_to(answer) == (303, "/admin/users?limit=5")
        page = await client.get("/admin/users?limit=5")
        assert page.status_code == 200 and EMAIL in page.text
        assert goes_to(await client.get("/admin/sign-in")) == (303, "/admin")
        out = await client.post("/admin/sign-out", data={"csrf_token": csrf_of(page)})
        assert goes_to(out) == (303, "/admin/sign-in")
        assert "You have signed out." in (await client.get("/admin/sign-in")).text
        assert "You have signed out." not in (await client.get("/admin/sign-in")).text
        assert (await client.get("/admin/users")).status_code == 303
        actor = f"user {ann.id} ({EMAIL})"
        assert [entry for entry in await audited(served) if "sign" in entry[0]] == [
            ("sign_in", actor),
            ("sign_out", actor),
        ]


@pytest.mark.parametrize(
    "target", ["https://evil.example", "//evil.example", "/admin//evil", "/admin\\evil", "/docs", "/adminx"]
)
async def test_nobody_is_sent_elsewhere(tmp_path: Path, target: str) -> None:
    async with serving(tmp_path) as served, browsing(served) as client:
        await add_user(served, EMAIL)
        assert goes_to(await enter(client, next=target)) == (303, "/admin")


async def test_unknown_and_wrong_look_the_same(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, browsing(served) as client:
        await add_user(served, EMAIL)
        answers = [await enter(client, "wrong password"), await enter(client, "wrong password", "zoe@shop.example")]
    bodies = [re.sub(r"[0-9a-f]{64}|nonce=\"[^\"]+\"|ann|zoe", "", answer.text) for answer in answers]
    assert [answer.status_code for answer in answers] == [422, 422]
    assert bodies[0] == bodies[1]
    assert "The e-mail address or the password is wrong." in bodies[0]


async def test_unknown_addresses_cost_a_hash_too(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        await add_user(served, EMAIL)
        checked = []
        verify = served.app.passwords.verify

        async def counted(password_hash: str | None, password: str, client: str) -> bool:
            checked.append(password_hash is not None)
            return await verify(password_hash, password, client)

        served.app.passwords.verify = counted  # type: ignore[method-assign]
        for email in (EMAIL, "zoe@shop.example"):
            with pytest.raises(Exception, match="wrong"):
                await check_password(served.app, email, "wrong", Browser("192.0.2.1", ""))
    assert checked == [True, False]


async def test_guessing_is_slowed_down_but_keeps_the_owner_in(tmp_path: Path) -> None:
    proxy = {"trusted_proxies": ("127.0.0.1",)}
    async with serving(tmp_path, calls_per_minute=0, **proxy) as served:
        await add_user(served, EMAIL)
        async with browsing(served, X_Forwarded_For="") as client:
            client.headers["X-Forwarded-For"] = "198.51.100.7"
            assert (await enter(client)).status_code == 303
        async with browsing(served) as guesser:
            tries = []
            for number in range(30):
                guesser.headers["X-Forwarded-For"] = f"203.0.113.{number}"
                tries.append((await enter(guesser, f"guess number {number}")).status_code)
            assert tries[:15] == [422] * 15 and set(tries[15:]) <= {422, 429} and 429 in tries
            guesser.headers["X-Forwarded-For"] = "203.0.113.200"
            refused = await enter(guesser)
            assert refused.status_code == 429 and int(refused.headers["Retry-After"]) >= 1
            assert "Try again in" in refused.text
        async with browsing(served) as owner:
            owner.headers["X-Forwarded-For"] = "198.51.100.7"
            assert (await enter(owner)).status_code == 303
        failed = [entry for entry in await audited(served) if entry[0] == "sign_in.failed"]
        assert 1 <= len(failed) <= 30


async def test_sessions_time_out(tmp_path: Path) -> None:
    limits = {"session_idle_hours": 1.0, "session_max_days": 2.0}
    async with serving(tmp_path, **limits) as served, signed_in(served) as me:
        for column, hours_ago, status in (
            ("last_seen_at", 0.9, 200),
            ("last_seen_at", 1.1, 303),
            ("last_seen_at", 0, 200),
            ("created_at", 47, 200),
            ("created_at", 49, 303),
        ):
            moment = now(-hours_ago * 3600)
            await served.app.db.write(
                lambda conn, column=column, moment=moment: conn.execute(f"update sessions set {column} = ?", (moment,))
            )
            assert (await me.get("/admin/account")).status_code == status, (column, hours_ago)


async def test_use_keeps_a_session_alive(tmp_path: Path) -> None:
    async with serving(tmp_path, session_idle_hours=1.0) as served, signed_in(served) as me:
        before = now(-1800)
        await served.app.db.write(lambda conn: conn.execute("update sessions set last_seen_at = ?", (before,)))
        await me.get("/admin/account")
        row = await served.app.db.row("select last_seen_at from sessions")
    assert row and row["last_seen_at"] > before


async def test_what_ends_sessions(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served) as boss:
        for path, fields, status in (
            ("", {"email": "x@shop.example", "name": "Other", "role": "editor"}, 200),
            ("", {"email": "x@shop.example", "name": "Other", "role": "viewer"}, 303),
        ):
            async with signed_in(served, "editor", email="x@shop.example") as me:
                await boss.post(f"/admin/users/{me.user.id}{path}", **fields)
                assert (await me.get("/admin/account")).status_code == status
                await boss.post(f"/admin/users/{me.user.id}/delete")
                assert (await me.get("/admin/account")).status_code == 303


async def test_closed_tenants_let_nobody_in(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, browsing(served) as client:
        other = await served.app.db.write(lambda conn: tenants.insert(conn, "other", "Other"))
        await add_user(served, EMAIL, tenant_id=other.id)
        assert (await enter(client)).status_code == 303
        assert (await client.get("/admin")).status_code == 200
        await served.app.db.write(lambda conn: tenants.close(conn, other.id))
        assert (await client.get("/admin")).status_code == 303
        assert (await enter(client)).status_code == 422


async def test_an_address_in_several_tenants(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, browsing(served) as client:
        other = await served.app.db.write(lambda conn: tenants.insert(conn, "other", "Other & Co"))
        await add_user(served, EMAIL)
        there = await add_user(served, EMAIL, "viewer", tenant_id=other.id)
        assert goes_to(await enter(client)) == (303, "/admin/sign-in/tenant")
        page = await client.get("/admin/sign-in/tenant")
        assert "Other &amp; Co" in page.text and "Default" in page.text
        stranger = {"csrf_token": csrf_of(page), "user": "usr_somebody"}
        assert goes_to(await client.post("/admin/sign-in/tenant", data=stranger)) == (303, "/admin/sign-in")
        chosen = await client.post("/admin/sign-in/tenant", data={**stranger, "user": there.id})
        assert goes_to(chosen) == (303, "/admin")
        assert "Other &amp; Co" in (await client.get("/admin/account")).text


async def test_second_factor(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served, email=EMAIL) as me, browsing(served) as client:
        page = await me.get("/admin/account/second-factor")
        sealed = page.text.partition('name="secret" value="')[2].partition('"')[0]
        secret = vault.unseal(served.app.settings.data_dir, sealed).partition(" ")[2]
        assert "<svg" in page.text
        step = int(time.time()) // totp.STEP_S
        fields = {"secret": sealed, "current_password": PASSWORD}
        assert (await me.post("/admin/account/second-factor", code="000000", **fields)).status_code == 422
        codes = await me.post("/admin/account/second-factor", code=totp.code(secret, step), **fields)
        recovery = re.findall(r"[a-z2-7]{4}(?:-[a-z2-7]{4}){3}", codes.text.partition("</code>")[0])
        assert len(set(recovery)) == 10
        stored = json.dumps([tuple(row) for row in await served.app.db.rows("select * from recovery_codes")])
        row = await served.app.db.row("select totp_secret from users where email = ?", (EMAIL,))
        assert row and secret not in row["totp_secret"] and recovery[0] not in stored

        assert goes_to(await enter(client)) == (303, "/admin/sign-in/code")
        assert (await client.get("/admin")).status_code == 303, "the password alone is not enough"
        used = await enter_code(client, totp.code(secret, step))
        assert used.status_code == 422 and "used before" in used.text
        assert goes_to(await enter_code(client, totp.code(secret, step + 1))) == (303, "/admin")
        assert (await client.get("/admin")).status_code == 200

        for status in (303, 422):
            async with browsing(served) as again:
                await enter(again)
                assert (await enter_code(again, recovery[0].upper())).status_code == status
        assert "9 of your recovery codes" in (await me.get("/admin/account")).text
        assert (await me.post("/admin/account/second-factor/off", current_password="no")).status_code == 303
        assert (await me.get("/admin/account")).text.count("Turn off") == 1
        await me.post("/admin/account/second-factor/off", current_password=PASSWORD)
        async with browsing(served) as again:
            assert goes_to(await enter(again)) == (303, "/admin")


async def test_a_mistyped_code_costs_no_wait(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served, email=EMAIL) as me, browsing(served) as client:
        secret = totp.new_secret()
        sealed = vault.seal(tmp_path, secret)
        await served.app.db.write(lambda conn: accounts.set_second_factor(conn, me.user.id, sealed))
        await enter(client)
        for _ in range(3):
            wrong = await enter_code(client, "12345x")
            assert wrong.status_code == 422 and "you may try at once" in wrong.text
        right = totp.code(secret, int(time.time()) // totp.STEP_S)
        assert goes_to(await enter_code(client, right)) == (303, "/admin")
        await client.post("/admin/sign-out", data={"csrf_token": csrf_of(await client.get("/admin"))})
        await enter(client)
        assert "used before" in (await enter_code(client, right)).text


async def test_codes_can_not_be_guessed(tmp_path: Path) -> None:
    async with serving(tmp_path, calls_per_minute=0) as served, browsing(served) as client:
        user = await add_user(served, EMAIL)
        sealed = vault.seal(tmp_path, totp.new_secret())
        await served.app.db.write(lambda conn: accounts.set_second_factor(conn, user.id, sealed))
        await enter(client)
        tries = [(await enter_code(client, f"{number:06}")).status_code for number in range(8)]
        assert tries[0] == 422 and tries[-1] == 429


async def test_the_second_step_ends_with_the_password(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, browsing(served) as client:
        user = await add_user(served, EMAIL)
        sealed = vault.seal(tmp_path, totp.new_secret())
        await served.app.db.write(lambda conn: accounts.set_second_factor(conn, user.id, sealed))
        await enter(client)
        await served.app.db.write(lambda conn: accounts.set_password(conn, user.id, "another"))
        assert goes_to(await client.get("/admin/sign-in/code")) == (303, "/admin/sign-in")
        await served.app.db.write(lambda conn: users.delete(conn, user.id))
        assert goes_to(await client.get("/admin/sign-in/code")) == (303, "/admin/sign-in")
