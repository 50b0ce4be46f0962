"""Signing up by the API: POST /v1/signup and POST /v1/signup/confirm, with a real mail server."""

import asyncio
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from appliance import running
from mailing import link_in, mail_server, posting, settings_of, text_of
from signing_in import add_user
from signing_up import ANN, SHOP, ask, confirm, confirmed, count, invite, operators, others, taking_sign_ups
from web_server import QUESTION, Served, serving

from flowchat.domain import now
from flowchat.errors import FlowChatError
from flowchat.services import links, new_accounts, retention, signup_limits, signups, tenants
from flowchat.services.accounts import Browser, check_password
from flowchat.services.signup_requests import NewSignUp

PASSWORD = "correct horse battery"
BROWSER = Browser("127.0.0.1", "")


async def subscription_of(served: Served, tenant_id: str) -> dict[str, Any]:
    row = await served.app.db.row("select * from subscriptions where tenant_id = ?", (tenant_id,))
    assert row
    return dict(row)


async def test_from_the_form_to_keys_that_work(tmp_path: Path) -> None:
    async with taking_sign_ups(tmp_path) as (served, mailbox):
        asked = await ask(served, email="Ann@Shop.example", name="  Ann's \n Shop ", site="https://www.shop.example/a")
        assert (asked.status_code, asked.json()["status"]) == (202, "confirmation_sent")
        assert await others(served) == [], "nothing is made before the address is confirmed"
        [letter] = await mailbox.until(1)
        assert letter["To"] == ANN and "Shop" not in text_of(letter), "no word of a stranger's is sent on"
        link = link_in(letter)
        assert link.startswith(f"{served.url}/signup/confirm/")
        answer = await confirm(served, link, password=PASSWORD)
        assert answer.status_code == 201, answer.text
        made = answer.json()
        assert (made["tenant"]["slug"], made["tenant"]["name"]) == ("ann-s-shop", "Ann's Shop")
        assert (made["user"]["email"], made["user"]["role"], made["user"]["has_password"]) == (ANN, "owner", True)
        assert made["sign_in_url"] == f"{served.url}/admin/sign-in"
        subscription = await subscription_of(served, made["tenant"]["id"])
        assert (subscription["status"], subscription["email"]) == ("trialing", ANN)
        assert made["trial"] == {"plan": "trial", "ends_at": subscription["trial_ends_at"]}
        assert now(13.9 * 86_400) < subscription["trial_ends_at"] < now(14.1 * 86_400)
        assert made["widget_key"]["key"].startswith("kbk_test_")
        admin = {"Authorization": f"Bearer {made['admin_key']['key']}"}
        keys = (await served.client.get("/v1/keys", headers=admin)).json()["data"]
        widget = next(key for key in keys if key["id"] == made["widget_key"]["id"])
        assert widget["origins"] == ["https://www.shop.example", "https://shop.example"]
        assert {key["id"] for key in keys} == {made["widget_key"]["id"], made["admin_key"]["id"]}
        asking = {"X-FlowChat-Key": made["widget_key"]["key"], "Accept": "application/json"}
        assert (await served.client.post("/v1/chat", json=QUESTION, headers=asking)).status_code == 200
        elsewhere = {**asking, "Origin": "https://other.example"}
        assert (await served.client.post("/v1/chat", json=QUESTION, headers=elsewhere)).status_code == 403
        [account] = await check_password(served.app, ANN, PASSWORD, BROWSER)
        assert account.user.id == made["user"]["id"]
        log = (await served.client.get("/v1/audit-log", headers=admin)).json()["data"]
        assert [entry["operation"] for entry in log].count("signups.confirm") == 1
        theirs = (await served.call("GET", "/v1/audit-log", params={"operation": "signups.confirm"})).json()["data"]
        assert [entry["target"] for entry in theirs] == [made["tenant"]["id"]]
        stored = await served.app.db.row("select * from signups")
        assert stored and stored["tenant_id"] == made["tenant"]["id"]


async def test_live_keys_by_the_setting(tmp_path: Path) -> None:
    async with taking_sign_ups(tmp_path, signup_live_keys=True) as (served, mailbox):
        made = await confirmed(served, mailbox)
    assert made["widget_key"]["key"].startswith("kbk_live_")


async def test_without_a_password_the_owner_gets_a_link_to_choose_one(tmp_path: Path) -> None:
    async with taking_sign_ups(tmp_path) as (served, mailbox):
        made = await confirmed(served, mailbox)
        assert made["sign_in_url"].startswith(f"{served.url}/admin/invitation/") and not made["user"]["has_password"]
        welcome = (await mailbox.until(2))[1]
        assert (welcome["To"], link_in(welcome)) == (ANN, made["sign_in_url"])
        page = await served.client.get(made["sign_in_url"])
        assert page.status_code == 200 and ANN in page.text
    assert not any(
        made[kind]["key"] in letter.as_string() for kind in ("widget_key", "admin_key") for letter in mailbox.letters
    )


async def test_a_password_of_the_sign_up_is_used_where_the_confirmation_has_none(tmp_path: Path) -> None:
    async with taking_sign_ups(tmp_path) as (served, mailbox):
        made = await confirmed(served, mailbox, password=PASSWORD)
        assert made["user"]["has_password"]
        assert await check_password(served.app, ANN, PASSWORD, BROWSER)
        await ask(served, email="bob@shop.example", password=PASSWORD)
        letter = (await mailbox.until(2))[1]
        other = (await confirm(served, link_in(letter), password=None)).json()
        assert not other["user"]["has_password"], "null: none at all"
        hashes = [row["password_hash"] for row in await served.app.db.rows("select password_hash from signups")]
    assert hashes == [None, None]


@pytest.mark.parametrize(
    ("mode", "code"), [("closed", "signup_closed"), ("invite", "invite_required")], ids=["closed", "invite"]
)
async def test_modes_that_refuse(tmp_path: Path, mode: str, code: str) -> None:
    async with serving(tmp_path, signup=mode) as served:
        refused = await ask(served)
        wrong = await ask(served, invite="guessed")
        assert await count(served, "signups") == 0
    assert (refused.status_code, refused.json()["code"]) == (403, code)
    assert wrong.json()["code"] == ("signup_closed" if mode == "closed" else "invite_invalid")


async def test_closing_makes_links_useless(tmp_path: Path) -> None:
    async with serving(tmp_path, signup="open") as served:
        asked = (await ask(served)).json()
        assert asked["status"] == "waiting_for_operator"
        made = await served.client.post(f"/v1/signups/{asked['id']}/link", headers=await operators(served))
        link = made.json()["url"]
        served.app.settings = replace(served.app.settings, signup="closed")
        refused = await confirm(served, link)
    assert (refused.status_code, refused.json()["code"]) == (403, "signup_closed")


async def test_an_invite_makes_an_account_at_once(tmp_path: Path) -> None:
    async with serving(tmp_path, signup="invite") as served:
        code = await invite(served, note="from the fair")
        made = await ask(served, invite=code, password=PASSWORD)
        assert made.status_code == 201, made.text
        assert made.json()["trial"]["plan"] == "trial" and made.json()["user"]["has_password"]
        assert [tenant["id"] for tenant in await others(served)] == [made.json()["tenant"]["id"]]
        again = await ask(served, invite=code, email="bob@shop.example")
        listed = (await served.client.get("/v1/invites", headers=await operators(served))).json()["data"]
    assert (again.status_code, again.json()["code"]) == (403, "invite_invalid")
    assert [(one["status"], one["tenant_id"]) for one in listed] == [("used", made.json()["tenant"]["id"])]
    assert code not in json.dumps(listed)


async def test_an_invite_for_one_address_and_to_one_plan(tmp_path: Path) -> None:
    async with mail_server() as mailbox, serving(tmp_path, signup="invite", **settings_of(mailbox)) as served:
        await served.app.db.write(
            lambda conn: conn.execute(
                "insert into plans (id, slug, name, overage, trial_days, created_at) values"
                " ('pln_pro', 'pro', 'Pro', 'metered', 0, '2026-11-01T00:00:00.000Z')"
            )
        )
        async with posting(served.app):
            code = await invite(served, email="Ann@Shop.example", plan="pro", expires_days=3)
            [letter] = await mailbox.until(1)
            assert letter["To"] == ANN and link_in(letter) == f"{served.url}/signup?invite={code}"
            foreign = await ask(served, invite=code, email="bob@shop.example")
            made = await ask(served, invite=code)
            subscription = await subscription_of(served, made.json()["tenant"]["id"])
    assert (foreign.status_code, foreign.json()["code"]) == (403, "invite_invalid")
    assert ANN not in foreign.text
    assert made.json()["trial"] == {"plan": "pro", "ends_at": None}
    assert (subscription["plan_id"], subscription["status"]) == ("pln_pro", "active")


async def test_an_expired_invite_and_one_to_no_plan(tmp_path: Path) -> None:
    async with serving(tmp_path, signup="open") as served:
        code = await invite(served)
        await served.app.db.write(lambda conn: conn.execute("update invites set expires_at = ?", (now(-1),)))
        expired = await ask(served, invite=code)
        unknown = await served.client.post("/v1/invites", json={"plan": "gold"}, headers=await operators(served))
    assert (expired.status_code, expired.json()["code"]) == (403, "invite_invalid")
    assert (unknown.status_code, unknown.json()["param"]) == (404, "plan")


async def test_nobody_can_sign_up_without_a_trial_plan(tmp_path: Path) -> None:
    async with serving(tmp_path, signup="open") as served:
        asked = (await ask(served)).json()
        url = f"/v1/signups/{asked['id']}/link"
        link = (await served.client.post(url, headers=await operators(served))).json()["url"]
        await served.app.db.write(lambda conn: conn.execute("update plans set is_trial = 0"))
        refused = [await ask(served, email="bob@shop.example"), await confirm(served, link)]
        assert await others(served) == []
    assert [(one.status_code, one.json()["code"]) for one in refused] == [(403, "signup_closed")] * 2


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"email": "ann"}, "email"),
        ({"email": "ann@shop.example\r\nBcc: bob@shop.example"}, "email"),
        ({"name": " \n"}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"site": "shop"}, "site"),
        ({"site": "javascript:alert(1)"}, "site"),
        ({"password": "short"}, "password"),
        ({"password": "aaaaaaaaaaaa"}, "password"),
        ({"password": ANN}, "password"),
        ({"plan": "pro"}, "plan"),
    ],
)
async def test_what_is_wrong(tmp_path: Path, fields: dict[str, Any], param: str) -> None:
    async with serving(tmp_path, signup="open") as served:
        answer = await ask(served, **fields)
        assert await count(served, "signups") == 0
    assert (answer.status_code, answer.json()["param"]) == (400, param)


async def test_who_owns_a_tenant_is_told_so_by_e_mail_alone(tmp_path: Path) -> None:
    """The answers, and what is stored and sent, are of one kind: nobody can find out who has an account."""
    async with taking_sign_ups(tmp_path) as (served, mailbox):
        await add_user(served, ANN)
        await add_user(served, "editor@shop.example", "editor")
        answers = {}
        for email in (ANN, "new@shop.example", "editor@shop.example"):
            answers[email] = await ask(served, email=email, password=PASSWORD)
        await mailbox.until(3)
        stored = await count(served, "signups")
    known, new, editor = answers.values()
    assert known.status_code == new.status_code == editor.status_code == 202
    assert set(known.json()) == set(new.json()) and known.json()["status"] == new.json()["status"]
    assert set(known.headers) == set(new.headers) and len(known.content) == len(new.content)
    assert stored == 3
    [told] = mailbox.to(ANN)
    assert "already" in str(told["Subject"]) and link_in(told) == f"{served.url}/admin/sign-in"
    assert "/signup/confirm/" in link_in(mailbox.to("new@shop.example")[0])
    assert "/signup/confirm/" in link_in(mailbox.to("editor@shop.example")[0]), "an editor may want a tenant of theirs"


async def test_what_is_done_for_those_who_have_an_account_is_the_same(tmp_path: Path) -> None:
    """As many transactions and password hashes: what takes the time does not tell, either."""
    async with serving(tmp_path, signup="open") as served:
        await add_user(served, ANN)
        done = []
        for email in (ANN, "new@shop.example"):
            statements: list[str] = []
            served.app.db._writer.set_trace_callback(statements.append)
            await ask(served, email=email, password=PASSWORD)
            served.app.db._writer.set_trace_callback(None)
            done.append([re.sub(r"'[^']*'|[0-9]|NULL", "", statement) for statement in statements])
    assert done[0] == done[1]


async def test_one_trial_for_an_address(tmp_path: Path) -> None:
    async with taking_sign_ups(tmp_path) as (served, mailbox):
        await ask(served)
        await ask(served)
        first, second = (link_in(letter) for letter in await mailbox.until(2))
        assert (await confirm(served, second)).status_code == 201
        refused = await confirm(served, first)
        await ask(served)
        assert "already" in str((await mailbox.until(4))[-1]["Subject"])
        made = await others(served)
    assert (refused.status_code, refused.json()["code"]) == (409, "has_account")
    assert len(made) == 1


async def test_an_invite_lets_somebody_have_another_tenant(tmp_path: Path) -> None:
    async with serving(tmp_path, signup="invite") as served:
        slugs = [(await ask(served, invite=await invite(served))).json()["tenant"]["slug"] for _ in range(3)]
    assert slugs == ["ann-s-shop", "ann-s-shop-2", "ann-s-shop-3"]


@pytest.mark.parametrize(
    ("name", "slug"), [("北京", "tenant"), ("Default", "default-2"), ("a" * 100, "a" * 60), ("-", "tenant")]
)
async def test_slugs(tmp_path: Path, name: str, slug: str) -> None:
    async with serving(tmp_path, signup="invite") as served:
        made = await ask(served, name=name, invite=await invite(served))
        other = await ask(served, name=name, invite=await invite(served))
    assert made.json()["tenant"]["slug"] == slug
    assert other.json()["tenant"]["slug"] not in (slug, "default")


@pytest.mark.parametrize("token", ["", "x", "x" * 1000, "eyJhIjoxfQ.aaaa.bbbb"])
async def test_links_that_are_none(tmp_path: Path, token: str) -> None:
    async with serving(tmp_path, signup="open") as served:
        answer = await served.client.post("/v1/signup/confirm", json={"token": token})
    assert (answer.status_code, answer.json()["code"]) == ((410, "link_invalid") if token else (400, "bad_token"))


async def test_a_link_works_once_and_for_a_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with taking_sign_ups(tmp_path) as (served, mailbox):
        await ask(served)
        link = link_in((await mailbox.until(1))[0])
        with monkeypatch.context() as later:
            later.setitem(links.VALID_S, "sign-up", -1)
            assert (await confirm(served, link)).status_code == 410
        assert (await confirm(served, link, password="short")).json()["param"] == "password"
        assert (await confirm(served, link)).status_code == 201
        again = await confirm(served, link)
    assert (again.status_code, again.json()["code"]) == (410, "link_invalid")


async def test_one_link_at_once_many_times(tmp_path: Path) -> None:
    async with taking_sign_ups(tmp_path) as (served, mailbox):
        await ask(served)
        link = link_in((await mailbox.until(1))[0])
        answers = await asyncio.gather(*(confirm(served, link) for _ in range(8)))
        made = await others(served)
        owners = await count(served, "users")
    assert sorted(answer.status_code for answer in answers) == [201] + [410] * 7
    assert (len(made), owners) == (1, 1)


async def test_one_invite_at_once_many_times(tmp_path: Path) -> None:
    async with serving(tmp_path, signup="invite") as served:
        code = await invite(served)
        emails = [f"ann{number}@shop.example" for number in range(8)]
        answers = await asyncio.gather(*(ask(served, email=email, invite=code) for email in emails))
        made = await others(served)
    assert sorted(answer.status_code for answer in answers) == [201] + [403] * 7
    assert len(made) == 1


async def test_nothing_is_left_of_an_account_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("in the middle")

    async with serving(tmp_path, signup="invite") as served:
        code = await invite(served)
        with monkeypatch.context() as patched:
            patched.setattr(new_accounts, "_audit", broken)
            assert (await ask(served, invite=code)).status_code == 500
        assert await others(served) == [] and await count(served, "users") == 0
        assert await count(served, "subscriptions") == 0
        assert (await ask(served, invite=code)).status_code == 201


async def test_limits_of_an_address_and_a_network(tmp_path: Path) -> None:
    async with serving(tmp_path, signup="open") as served:
        of_one = [await ask(served) for _ in range(4)]
        of_network = [await ask(served, email=f"u{number}@shop.example") for number in range(8)]
        assert await count(served, "signups") == 10
    assert [answer.status_code for answer in of_one] == [202, 202, 202, 429]
    assert [answer.status_code for answer in of_network] == [202] * 7 + [429]
    for answer in (of_one[-1], of_network[-1]):
        assert answer.json()["code"] == "rate_limited"
        assert 3500 <= int(answer.headers["Retry-After"]) <= 3600


async def test_limits_survive_a_restart_and_end(tmp_path: Path) -> None:
    new = NewSignUp(email=ANN, name="Shop")
    async with running(tmp_path, signup="open") as app:
        for _ in range(3):
            await signups.create(app, BROWSER, new)
    async with running(tmp_path, signup="open") as app:
        with pytest.raises(FlowChatError, match="too many") as caught:
            await signups.create(app, BROWSER, new)
        assert caught.value.code == "rate_limited"
    async with serving(tmp_path, signup="open") as served:
        assert (await ask(served)).status_code == 429
        await served.app.db.write(lambda conn: conn.execute("update signups set created_at = ?", (now(-3601),)))
        assert (await ask(served)).status_code == 202
        for _ in range(2):
            assert (await ask(served)).status_code == 202
        await served.app.db.write(lambda conn: conn.execute("update signups set created_at = ?", (now(-7200),)))
        day = await ask(served)
    assert (day.status_code, int(day.headers["Retry-After"]) > 70_000) == (429, True), "six a day"


async def test_a_network_of_ipv6_counts_as_one(tmp_path: Path) -> None:
    async with serving(tmp_path, signup="open", trusted_proxies=("127.0.0.1",)) as served:

        async def ask_from(address: str, number: int) -> int:
            body = {**SHOP, "email": f"u{number}@shop.example"}
            answer = await served.client.post("/v1/signup", json=body, headers={"X-Forwarded-For": address})
            return answer.status_code

        taken = [await ask_from(f"2001:db8:0:1::{number:x}", number) for number in range(11)]
        other = await ask_from("2001:db8:0:2::1", 20)
    assert taken == [202] * 10 + [429]
    assert other == 202


async def test_a_limit_of_the_appliance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signup_limits, "LIMITS", (("", 2, 3600),))
    async with serving(tmp_path, signup="open") as served:
        taken = [(await ask(served, email=f"u{number}@shop.example")).status_code for number in range(3)]
    assert taken == [202, 202, 429]


async def test_at_once_no_more_than_the_limit(tmp_path: Path) -> None:
    async with serving(tmp_path, signup="open") as served:
        answers = await asyncio.gather(*(ask(served, email=f"u{number}@shop.example") for number in range(20)))
        assert await count(served, "signups") == 10
    assert sorted(answer.status_code for answer in answers) == [202] * 10 + [429] * 10


async def test_calls_of_a_minute_count_too(tmp_path: Path) -> None:
    async with serving(tmp_path, signup="closed", calls_per_minute=2) as served:
        answers = [await ask(served) for _ in range(3)]
        with_key = await served.call("GET", "/v1/sources")
    assert [answer.status_code for answer in answers] == [403, 403, 429]
    assert answers[0].headers["RateLimit-Policy"] == '"calls";q=2;w=60' and answers[-1].headers["Retry-After"]
    assert with_key.status_code == 200


async def test_what_nobody_confirms_is_deleted_after_a_week(tmp_path: Path) -> None:
    async with taking_sign_ups(tmp_path) as (served, mailbox):
        await confirmed(served, mailbox)
        await ask(served, email="bob@shop.example")
        await served.app.db.write(lambda conn: conn.execute("update signups set created_at = ?", (now(-7.1 * 86_400),)))
        await ask(served, email="cid@shop.example")
        await retention.delete_old(served.app)
        rows = await served.app.db.rows("select email, address from signups order by id")
    assert [(row["email"], row["address"]) for row in rows] == [(ANN, ""), ("cid@shop.example", "127.0.0.1")]


async def test_a_closed_tenant_leaves_no_address_behind(tmp_path: Path) -> None:
    async with taking_sign_ups(tmp_path) as (served, mailbox):
        made = await confirmed(served, mailbox)
        await mailbox.until(2)
        await asyncio.sleep(0.05)
        closed = f"/v1/tenants/{made['tenant']['id']}/close"
        assert (await served.client.post(closed, headers=await operators(served))).status_code == 200
        await tenants.erase_closed(served.app)
        for table in ("signups", "users"):
            rows = await served.app.db.rows(f"select * from {table}")
            assert ANN not in str([tuple(row) for row in rows]), table
        mails = await served.app.db.rows("select * from emails where tenant_id is not null")
    assert mails == []


async def test_pages_of_other_sites_cannot_sign_anybody_up(tmp_path: Path) -> None:
    async with serving(tmp_path, signup="open") as served:
        preflight = await served.client.options("/v1/signup", headers={"Origin": "https://evil.example"})
        answer = await served.client.post("/v1/signup", json=SHOP, headers={"Origin": "https://evil.example"})
    for one in (preflight, answer):
        assert "Access-Control-Allow-Origin" not in one.headers
