"""The pages of signing up, as a browser without JavaScript has them."""

import re
from pathlib import Path

import httpx
import pytest
from mailing import link_in
from signing_in import add_user, browsing
from signing_up import ANN, ask, count, invite, others, taking_sign_ups
from web_server import Served, serving

from flowchat.services import signup_limits
from flowchat.web import form_times

PASSWORD = "correct horse battery"
FIELDS = {"name": "Ann's <Shop>", "email": ANN, "site": "www.shop.example"}


@pytest.fixture(autouse=True)
def in_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forms may be sent as soon as they are shown."""
    monkeypatch.setattr(form_times, "LEAST_S", 0)


def hidden(page: httpx.Response) -> dict[str, str]:
    return dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page.text))


async def send(client: httpx.AsyncClient, at: str = "/signup", **fields: str) -> httpx.Response:
    """The form as it is shown, filled in."""
    page = await client.get(at)
    return await client.post("/signup", data={**hidden(page), **FIELDS, **fields})


async def asked(served: Served, client: httpx.AsyncClient) -> str:
    """The path of the link to confirm."""
    await send(client)
    row = await served.app.db.row("select body from emails order by id desc limit 1")
    assert row
    return str(re.search(r"/signup/confirm/\S+", row["body"])[0])  # type: ignore[index]


@pytest.mark.parametrize("mode", ["open", "invite", "closed"])
async def test_who_is_led_to_signing_up(tmp_path: Path, mode: str) -> None:
    async with serving(tmp_path, signup=mode) as served:
        pages = [(await served.client.get(path)).text for path in ("/", "/docs", "/admin/sign-in")]
    assert [('href="/signup"' in page) for page in pages] == [mode != "closed"] * 3


async def test_what_the_page_says_in_each_mode(tmp_path: Path) -> None:
    async with serving(tmp_path / "a", signup="open") as served:
        page = await served.client.get("/signup")
        assert "14 days" in page.text and "200 answers a month" in page.text and "500 crawled pages" in page.text
        assert 'id="password"' not in page.text and "send you a link" in page.text
        assert page.headers["Cache-Control"] == "no-store" and page.headers["Referrer-Policy"] == "same-origin"
        assert "Set-Cookie" not in page.headers and "unsafe" not in page.headers["Content-Security-Policy"]
        assert " style=" not in page.text and " onclick=" not in page.text and "<script" not in page.text
    async with serving(tmp_path / "b", signup="invite") as served:
        page = await served.client.get("/signup")
        assert "takes an invite" in page.text and 'id="email"' not in page.text and 'id="invite"' in page.text
        wrong = await served.client.get("/signup?invite=guess")
        assert "can&#39;t be used" in wrong.text and 'id="email"' not in wrong.text
        code = await invite(served, email=ANN)
        page = await served.client.get(f"/signup?invite={code}")
        assert 'id="password"' in page.text and f'value="{ANN}"' in page.text and code in page.text
    async with serving(tmp_path / "c", signup="closed") as served:
        page = await served.client.get("/signup?invite=x")
        assert page.status_code == 200 and "Nobody can sign up here" in page.text and "<form" not in page.text
        assert "200 answers" not in page.text


async def test_public_plans_are_shown_with_their_prices(tmp_path: Path) -> None:
    async with serving(tmp_path, signup="open", currency="eur") as served:
        await served.app.db.write(
            lambda conn: conn.execute(
                "insert into plans (id, slug, name, included_queries, included_pages, overage, monthly_fee_nano,"
                " per_1000_queries_nano, features, is_public, archived_at, created_at) values"
                " ('p1', 'shop', 'Shop <1>', 5000, null, 'metered', 29000000000, 1500000000, '[\"Help & care\"]', 1,"
                " null, ''), ('p2', 'old', 'Old one', 1, 1, 'stop', 0, 0, '[]', 1, '2026', ''),"
                " ('p3', 'own', 'Secret one', 1, 1, 'stop', 0, 0, '[]', 0, null, '')"
            )
        )
        page = (await served.client.get("/signup")).text
    assert "Shop &lt;1&gt;" in page and "29.00 EUR a month" in page and "Help &amp; care" in page
    assert "5,000 answers a month, then 1.50 EUR for 1,000" in page and "Any number of crawled pages" in page
    assert "Old one" not in page and "Secret one" not in page


async def test_the_whole_way(tmp_path: Path) -> None:
    async with (
        taking_sign_ups(tmp_path) as (served, mailbox),
        browsing(served) as client,
    ):
        sent = await send(client)
        assert (sent.status_code, sent.headers["Location"]) == (303, "/signup/check-your-mail")
        assert "Look into your mail" in (await client.get("/signup/check-your-mail")).text
        link = link_in((await mailbox.until(1))[0])
        for _ in range(2):  # mail programs look at links
            page = await client.get(link)
            assert page.status_code == 200 and "Ann&#39;s &lt;Shop&gt;" in page.text and ANN in page.text
        assert await others(served) == []
        short = await client.post(link, data={"password": "short"})
        assert short.status_code == 422 and 'id="password-error"' in short.text and "short" not in short.text
        made = await client.post(link, data={"password": PASSWORD})
        assert made.status_code == 200 and made.headers["Cache-Control"] == "no-store"
        widget, admin = re.findall(r"<code>((?:kbk_test|fca)_[0-9a-f]{32})</code>", made.text)
        assert f"data-key=&#34;{widget}&#34;" in made.text
        assert "https://www.shop.example and https://shop.example" in made.text and PASSWORD not in made.text
        cookie = made.headers["Set-Cookie"]
        assert "flowchat-session=" in cookie and "HttpOnly" in cookie
        assert "/admin/sources/new?url=https%3A%2F%2Fwww.shop.example" in made.text
        inside = await client.get("/admin")
        assert inside.status_code == 200 and "Ann&#39;s &lt;Shop&gt;" in inside.text
        for answer in (await client.get(link), await client.post(link, data={"password": PASSWORD})):
            assert answer.status_code == 410 and "has been used" in answer.text and widget not in answer.text
        keys = await client.get("/v1/keys", headers={"Authorization": f"Bearer {admin}"})
        assert keys.status_code == 200


async def test_without_a_password(tmp_path: Path) -> None:
    async with taking_sign_ups(tmp_path) as (served, _), browsing(served) as client:
        made = await client.post(await asked(served, client), data={"password": ""})
        assert made.status_code == 200 and "Set-Cookie" not in made.headers
        link = str(re.search(r'href="([^"]+/admin/invitation/[^"]+)"', made.text)[1])  # type: ignore[index]
        assert (await client.get(link)).status_code == 200


async def test_a_password_that_somebody_else_has_chosen_counts_for_nothing(tmp_path: Path) -> None:
    """Whoever signs up with a foreign address must not know the password of the account that its owner makes."""
    async with taking_sign_ups(tmp_path) as (served, mailbox), browsing(served) as client:
        await ask(served, password="password of the attacker")
        link = link_in((await mailbox.until(1))[0])
        made = await client.post(link, data={"password": ""})
        row = await served.app.db.row("select password_hash from users where email = ?", (ANN,))
    assert "/admin/invitation/" in made.text
    assert row and row["password_hash"] is None


async def test_by_an_invite_the_keys_are_there_at_once(tmp_path: Path) -> None:
    async with serving(tmp_path, signup="invite") as served, browsing(served) as client:
        code = await invite(served, email=ANN)
        foreign = await send(client, f"/signup?invite={code}", invite=code, email="bob@shop.example")
        assert foreign.status_code == 422 and 'id="invite-error"' in foreign.text
        made = await send(client, f"/signup?invite={code}", invite=code, password=PASSWORD)
        assert made.status_code == 200 and "kbk_test_" in made.text and "flowchat-session" in made.headers["Set-Cookie"]
        assert (await client.get("/admin")).status_code == 200
        assert len(await others(served)) == 1


@pytest.mark.parametrize(
    ("fields", "at"),
    [({"email": "ann"}, "email"), ({"name": " "}, "name"), ({"site": "not a site"}, "site"), ({"email": ""}, "email")],
)
async def test_wrong_entries_stay_to_be_mended(tmp_path: Path, fields: dict[str, str], at: str) -> None:
    async with serving(tmp_path, signup="open") as served, browsing(served) as client:
        wrong = await send(client, **fields)
        assert await count(served, "signups") == 0
    assert wrong.status_code == 422 and f'id="{at}-error"' in wrong.text
    assert "Ann&#39;s &lt;Shop&gt;" in wrong.text or at == "name"


async def test_who_has_an_account_sees_the_same(tmp_path: Path) -> None:
    async with serving(tmp_path, signup="open") as served, browsing(served) as client:
        await add_user(served, ANN)
        known = await send(client)
        new = await send(client, email="new@shop.example")
    assert (known.status_code, known.headers["Location"]) == (new.status_code, new.headers["Location"])
    assert known.content == new.content


async def test_the_trap_for_programs(tmp_path: Path) -> None:
    async with serving(tmp_path, signup="open") as served, browsing(served) as client:
        assert 'class="trap" aria-hidden="true"' in (await client.get("/signup")).text
        caught = await send(client, homepage="https://spam.example")
        free = await send(client)
        assert await count(served, "signups") == 1
    assert (caught.status_code, caught.headers["Location"]) == (303, "/signup/check-your-mail")
    assert (caught.status_code, caught.content) == (free.status_code, free.content), "they are told nothing"


@pytest.mark.parametrize("stamp", [None, "", "x", "W10.akB1dg.Zm9yZ2Vk"], ids=["at once", "none", "no stamp", "forged"])
async def test_forms_that_programs_send(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stamp: str | None) -> None:
    monkeypatch.setattr(form_times, "LEAST_S", 2)
    async with serving(tmp_path, signup="open") as served, browsing(served) as client:
        again = await send(client, **({} if stamp is None else {"shown_at": stamp}))
        assert again.status_code == 422 and "send it again" in again.text and f'value="{ANN}"' in again.text
        assert await count(served, "signups") == 0


async def test_a_form_that_was_kept_for_days(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(tmp_path, signup="open") as served, browsing(served) as client:
        monkeypatch.setattr(form_times, "MOST_S", -1)
        assert (await send(client)).status_code == 422
        assert await count(served, "signups") == 0


async def test_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signup_limits, "LIMITS", (("address", 1, 3600),))
    async with serving(tmp_path, signup="open") as served, browsing(served) as client:
        assert (await send(client)).status_code == 303
        refused = await send(client, email="bob@shop.example")
    assert refused.status_code == 429 and 3500 < int(refused.headers["Retry-After"]) <= 3600
    assert "Try again in 60 min." in refused.text and 'value="bob@shop.example"' in refused.text


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": "http://["}, {"Sec-Fetch-Site": "cross-site"}],
)
async def test_forms_of_other_sites_are_refused(tmp_path: Path, headers: dict[str, str]) -> None:
    """Else a page could sign its visitors in to an account of its own, and read what they put there."""
    async with taking_sign_ups(tmp_path) as (served, _), browsing(served) as client:
        link = await asked(served, client)
        page = await client.get("/signup")
        for path, data in ((link, {"password": PASSWORD}), ("/signup", {**hidden(page), **FIELDS})):
            refused = await client.post(path, data=data, headers={**headers, "Accept": "text/html"})
            assert refused.status_code == 403 and "Set-Cookie" not in refused.headers
        assert await others(served) == [] and await count(served, "signups") == 1


async def test_links_that_are_none(tmp_path: Path) -> None:
    async with serving(tmp_path, signup="open") as served, browsing(served) as client:
        for answer in (await client.get("/signup/confirm/x"), await client.post("/signup/confirm/x", data={})):
            assert answer.status_code == 410 and "Sign up again" in answer.text
            assert answer.headers["Cache-Control"] == "no-store"


async def test_a_second_link_of_the_same_address(tmp_path: Path) -> None:
    async with taking_sign_ups(tmp_path) as (served, _), browsing(served) as client:
        first, second = await asked(served, client), await asked(served, client)
        assert (await client.post(first, data={"password": PASSWORD})).status_code == 200
        late = await client.post(second, data={"password": PASSWORD})
    assert late.status_code == 409 and "You have an account" in late.text


async def test_no_mail_server(tmp_path: Path) -> None:
    async with serving(tmp_path, signup="open") as served, browsing(served) as client:
        assert "The people who run this FlowChat send you a link" in (await client.get("/signup")).text
        await send(client)
        assert "Now it is our turn" in (await client.get("/signup/check-your-mail")).text
        assert await count(served, "emails") == 0
