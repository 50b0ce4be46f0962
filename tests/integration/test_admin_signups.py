"""The operator's pages and calls about sign-ups and invites."""

import re
from pathlib import Path

import pytest
from mailing import link_in
from signing_in import signed_in
from signing_up import ANN, ask, confirm, confirmed, count, invite, operators, taking_sign_ups
from web_server import serving

OPERATORS_PAGES = ("/admin/signups", "/admin/signups/invites", "/admin/signups/invites/new")
_LINK = re.compile(r"<code>(http[^<]+)</code>")


async def test_the_operator_passes_the_link_on(tmp_path: Path) -> None:
    """Without a mail server nothing is sent."""
    async with serving(tmp_path, signup="open") as served, signed_in(served, operator=True) as me:
        signup = (await ask(served, name="Ann & <Sons>")).json()["id"]
        assert "Somebody waits for an account" in (await me.get("/admin")).text
        page = (await me.get("/admin/signups")).text
        assert (
            "Ann &amp; &lt;Sons&gt;" in page and ANN in page and "waiting" in page and "No mail server is set" in page
        )
        shown = await me.post(f"/admin/signups/{signup}/link")
        link = _LINK.findall(shown.text)[0]
        assert (await confirm(served, link)).status_code == 201
        page = (await me.get("/admin/signups")).text
        assert "confirmed" in page and "Make the link" not in page
        assert "waits for an account" not in (await me.get("/admin")).text
        late = await me.post(f"/admin/signups/{signup}/link")
        assert late.status_code == 303 and "was confirmed" in (await me.get("/admin/signups")).text
        log = (await me.get("/admin/audit-log")).text
        assert "Made the link of a sign-up" in log and "Confirmed a sign-up" in log


async def test_deleting_makes_the_link_useless(tmp_path: Path) -> None:
    async with serving(tmp_path, signup="open") as served, signed_in(served, operator=True) as me:
        signup = (await ask(served)).json()["id"]
        link = _LINK.findall((await me.post(f"/admin/signups/{signup}/link")).text)[0]
        assert (await me.post(f"/admin/signups/{signup}/delete")).status_code == 303
        assert "The sign-up is deleted." in (await me.get("/admin/signups")).text
        assert (await confirm(served, link)).status_code == 410
        assert (await me.post(f"/admin/signups/{signup}/delete")).status_code == 404


async def test_what_became_of_the_e_mail(tmp_path: Path) -> None:
    async with (
        taking_sign_ups(tmp_path) as (served, mailbox),
        signed_in(served, operator=True) as me,
    ):
        mailbox.of_recipient = lambda recipient: "550 no such <user>" if recipient == ANN else ""
        headers = await operators(served)
        signup = (await ask(served)).json()["id"]
        listed = {"email_status": "waiting"}
        while listed["email_status"] == "waiting":
            listed = (await served.client.get("/v1/signups", headers=headers)).json()["data"][0]
        assert (listed["id"], listed["status"], listed["email_status"]) == (signup, "waiting", "failed")
        assert "550" in listed["email_error"]
        page = (await me.get("/admin/signups")).text
        assert "not sent" in page and "550 no such &lt;user&gt;" in page
        assert "Somebody waits for an account" in (await me.get("/admin")).text
        await confirmed(served, mailbox, email="bob@shop.example")
        again = await ask(served, email="bob@shop.example")
        assert again.status_code == 202
        page = (await me.get("/admin/signups")).text
        assert "has an account" in page
        known = await served.client.post(f"/v1/signups/{again.json()['id']}/link", headers=headers)
    assert (known.status_code, known.json()["code"]) == (409, "has_account")


async def test_inviting(tmp_path: Path) -> None:
    async with (
        taking_sign_ups(tmp_path, signup="invite") as (served, mailbox),
        signed_in(served, operator=True) as me,
    ):
        form = (await me.get("/admin/signups/invites/new")).text
        assert "The trial plan" in form and 'value="30"' in form
        shown = await me.post("/admin/signups/invites", email=ANN, note="At the <fair>", plan="", expires_days="7")
        link = _LINK.findall(shown.text)[0]
        assert link_in((await mailbox.until(1))[0]) == link and "on its way to ann@shop.example" in shown.text
        page = (await me.get("/admin/signups/invites")).text
        assert ANN in page and "At the &lt;fair&gt;" in page and "open" in page and link.rpartition("=")[2] not in page
        invite_id = str(re.search(r"/invites/(inv_\w+)/delete", page)[1])  # type: ignore[index]
        assert (await me.post(f"/admin/signups/invites/{invite_id}/delete")).status_code == 303
        refused = await ask(served, invite=link.rpartition("=")[2])
        assert refused.json()["code"] == "invite_invalid"
        log = (await me.get("/admin/audit-log")).text
        assert "Invited somebody to sign up: ann@shop.example" in log and "Deleted an invite to sign up" in log


@pytest.mark.parametrize(("field", "value"), [("email", "ann"), ("expires_days", "0"), ("expires_days", "soon")])
async def test_wrong_invites_stay_to_be_mended(tmp_path: Path, field: str, value: str) -> None:
    async with serving(tmp_path, signup="invite") as served, signed_in(served, operator=True) as me:
        fields = {"email": "", "plan": "", "note": "mine", "expires_days": "7", field: value}
        wrong = await me.post("/admin/signups/invites", **fields)
        assert await count(served, "invites") == 0
    assert wrong.status_code == 422 and f'id="{field}-error"' in wrong.text and 'value="mine"' in wrong.text


async def test_no_invites_while_sign_up_is_closed(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served, operator=True) as me:
        page = (await me.get("/admin/signups/invites")).text
        assert "Sign-up is closed" in page and "/admin/signups/invites/new" not in page
        refused = await me.post("/admin/signups/invites", email="", plan="", note="", expires_days="7")
        assert refused.status_code == 422 and "FLOWCHAT_SIGNUP" in refused.text
        by_call = await served.client.post("/v1/invites", json={}, headers=await operators(served))
    assert (by_call.status_code, by_call.json()["code"]) == (409, "signup_closed")


async def test_lists_have_pages(tmp_path: Path) -> None:
    async with serving(tmp_path, signup="invite") as served, signed_in(served, operator=True) as me:
        for number in range(3):
            await invite(served, note=f"note-{number}")
        first = (await me.get("/admin/signups/invites?limit=2")).text
        assert "note-2" in first and "note-1" in first and "note-0" not in first
        older = str(re.search(r'href="([^"]+starting_after[^"]+)"', first)[1]).replace("&amp;", "&")  # type: ignore[index]
        assert "note-0" in (await me.get(older)).text


@pytest.mark.parametrize("path", OPERATORS_PAGES)
async def test_nobody_else_sees_it(tmp_path: Path, path: str) -> None:
    async with serving(tmp_path, signup="open") as served, signed_in(served) as owner:
        await ask(served)
        refused = await owner.get(path)
        assert refused.status_code == 403 and ANN not in refused.text
        assert "/admin/signups" not in (await owner.get("/admin")).text
