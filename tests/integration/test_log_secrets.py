"""Every kind of secret that FlowChat knows, through real requests that go well and badly: none of them is logged."""

from collections.abc import AsyncGenerator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from appliance import operator
from crawling import crawled, html, site
from log_reading import Log, reading_log
from quart import request
from receiving import FAILURE, attempted, emit, endpoint, receiver
from receiving import delivering as delivering_webhooks
from signing_in import PASSWORD, browsing, csrf_of, signed_in
from web_server import serving, two_sentences

from flowchat.answer.pipeline import Answer, Question
from flowchat.domain import Event
from flowchat.services import accounts, credentials, keys, sessions
from flowchat.services.key_requests import NewAdminKey
from flowchat.services.source_requests import BasicAuth, NewSource

SITE_PASSWORD = "tulip-mania-1637"
SETTINGS: dict[str, Any] = {
    "smtp_url": "smtp://post:letters-are-slow@127.0.0.1:1",
    "mail_from": "chat@shop.example",
    "stripe_api_key": "sk_live_51Nobodyshouldreadthis",
    "stripe_webhook_secret": "whsec_nobodyshouldreadthis00",
    "generator_api_key": "gen-nobody-should-read-this",
}


def assert_untold(log: Log, *secrets: str) -> None:
    assert all(len(secret) >= 6 for secret in secrets)
    assert [secret for secret in secrets if secret in log.whole] == []


def break_down(monkeypatch: pytest.MonkeyPatch, module: ModuleType, function: str) -> None:
    """From now on it fails, with a message that tells all of the request."""

    async def fail(*_: Any, **__: Any) -> None:
        told = (dict(request.headers), list(request.headers), request.cookies)
        raise RuntimeError(f"no such thing: {request.method} {request.url} {told}")

    monkeypatch.setattr(module, function, fail)


async def test_keys_and_cookies_of_requests_that_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with reading_log() as log:
        async with serving(tmp_path) as served, signed_in(served) as me:
            wrong = "fca_" + "0" * 32
            for headers in ({"Authorization": f"Bearer {wrong}"}, {"Authorization": "Basic YW5uOmh1bnRlcjI="}):
                assert (await served.client.get("/v1/sources", headers=headers)).status_code == 401
            assert (await served.ask()).status_code == 200
            break_down(monkeypatch, sessions, "find")
            assert (await me.get("/admin/sources")).status_code == 500
            break_down(monkeypatch, credentials, "_good_key")
            assert (await served.ask()).status_code == 500
            assert (await served.call("GET", f"/v1/sources?token={wrong}")).status_code == 500
            cookies = [value for value in me.client.cookies.values() if len(value) >= 6]
    failed = [entry for entry in log.entries if entry["level"] == "ERROR"]
    assert len(failed) == 3 and all("no such thing" in entry["exception"] for entry in failed)
    assert "X-Flowchat-Key" in log.text, "the request's headers are there, but for the secrets"
    assert_untold(log, served.key, served.admin, wrong, "YW5uOmh1bnRlcjI=", *cookies)


async def test_links_that_work_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with reading_log() as log:
        async with serving(tmp_path) as served, browsing(served) as browser:
            link = await accounts.set_up_link(served.app, served.url)
            page = await browser.get(link)
            form = {"csrf_token": csrf_of(page), "name": "Ann", "email": "not one", "password": PASSWORD}
            assert (await browser.post(link, data=form)).status_code == 422
            break_down(monkeypatch, accounts, "read_set_up_link")
            assert (await browser.get(link)).status_code == 500
            assert (await browser.get(f"{served.url}/signup/confirm/{link.rpartition('/')[2]}")).status_code >= 400
    assert log.text.count("/admin/set-up/<token>") >= 3
    assert_untold(log, link, link.rpartition("/")[2], PASSWORD, form["csrf_token"])


async def test_what_is_told_once_is_not_logged(tmp_path: Path) -> None:
    with reading_log() as log:
        async with serving(tmp_path, allow_private_hosts=()) as served, browsing(served) as browser:
            told = []
            for body in ({"type": "admin"}, {"type": "widget", "origins": ["*"]}):
                created = await served.call("POST", "/v1/keys", json=body)
                told.append(created.json()["key"])
            hook = await served.call("POST", "/v1/webhooks", json={"url": "https://shop.example/x", "events": ["*"]})
            told.append(hook.json()["secret"])
            asked = await served.ask(Accept="application/json")
            told.append(asked.json()["conversation_token"])
            sign_in = await browser.get("/admin/sign-in")
            form = {"csrf_token": csrf_of(sign_in), "email": "ann@shop.example", "password": PASSWORD}
            assert (await browser.post("/admin/sign-in", data=form)).status_code in (401, 422)
    assert len(told) == 4
    assert_untold(log, PASSWORD, *told)


async def test_answers_that_fail(tmp_path: Path) -> None:
    async def failing(question: Question, answer: Answer) -> AsyncGenerator[Event, None]:
        async for event in two_sentences(question, answer):
            yield event
            raise RuntimeError(f"asked {SETTINGS} {question.query}")

    forged = "2026-11-24T00:00:00.000Z CRITICAL flowchat: forged"
    async with serving(tmp_path, **SETTINGS) as served:
        with reading_log(served.app.settings.secrets) as log:
            served.answerer.script = failing
            answer = await served.ask({"query": f"May I?\n{forged}\u2028{forged}\x1b[2J"})
            assert answer.status_code == 200 and "internal_error" in answer.text
    (failure,) = [entry for entry in log.entries if entry["level"] == "ERROR"]
    assert failure["request_id"] == answer.headers["X-Request-Id"] and failure["tenant_id"].startswith("ten_")
    assert "May I?" in failure["exception"]
    assert [line for line in log.text.splitlines() if line.startswith(forged)] == []
    assert_untold(log, *SETTINGS["smtp_url"].split("@")[:1], "letters-are-slow", *list(SETTINGS.values())[2:])


async def test_webhooks_that_fail(tmp_path: Path) -> None:
    with reading_log() as log:
        async with receiver(FAILURE) as gets, delivering_webhooks(tmp_path) as app:
            webhook, secret = await endpoint(app, gets.url + "?token=open-sesame")
            await emit(app)
            await attempted(app, webhook)
            webhook_id = gets.requests[0].headers["x-request-id"]
            await app.db.write(lambda conn: conn.execute("update webhooks set secret = 'gAAAAA-broken'"))
            await emit(app)
            await attempted(app, webhook)
    assert webhook_id.startswith("del_"), "by it the receiver's log and ours can be compared"
    assert_untold(log, secret, "open-sesame")


async def test_crawls_that_fail(tmp_path: Path) -> None:
    pages = {
        "/": html(
            "See our pages about lamps and what is good about them.", "/broken", "http://ann:hunter22@127.0.0.1:1/"
        ),
        "/broken": b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding:gzip\r\nContent-Length: 1\r\n\r\nx",
    }
    with reading_log() as log:
        async with serving(tmp_path) as served, site(pages) as server:
            auth = BasicAuth(username="ann", password=SITE_PASSWORD)
            job = await crawled(served.app, server, NewSource(server.url + "/?token=open-sesame", slug="s", auth=auth))
            with pytest.raises(Exception, match="can't"):
                await crawled(served.app, server, NewSource("http://ann:hunter22@127.0.0.1:1/", slug="t"))
    assert "authorization: Basic" in server.requests[1].replace("Authorization", "authorization"), "it was sent"
    assert any(entry.get("job_id") == job.id for entry in log.entries)
    assert_untold(log, SITE_PASSWORD, "hunter22", "open-sesame")


async def test_names_that_somebody_chose_forge_no_lines(tmp_path: Path) -> None:
    forged = "2026-11-24T00:00:00.000Z CRITICAL flowchat: forged"
    with reading_log() as log:
        async with serving(tmp_path) as served:
            for path in (f"/x%0a{forged}", f"/v1/sources/%0d%0a{forged}", f"/v1/jobs?x=%e2%80%a8{forged}"):
                await served.call("GET", path)
            await served.client.get("/v1/sources", headers={"X-Request-Id": "x" * 200, "User-Agent": f"x\t{forged}"})
            await served.ask(Idempotency_Key="a" * 100)
            await keys.create(served.app, await operator(served.app), NewAdminKey(name=f"x{forged}"))
    assert [line for line in log.text.splitlines() if "forged" in line] == []
    assert len(log.text.splitlines()) == len(log.entries)
