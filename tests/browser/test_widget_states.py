"""What the widget says where it can't answer: to the visitor what happened, on the console what its owner can do."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import loopback
import pytest
from appliance import operator
from playwright.async_api import Page, expect
from subscribing import plan_of, subscribe
from web_server import add_source, asking, refusal
from widget_page import Shop, ask, begin, shop

from flowchat.answer.pipeline import Answer, Question
from flowchat.domain import Event
from flowchat.errors import ModelError
from flowchat.services import keys, sources
from flowchat.services.key_requests import CapsFields, LimitsFields

pytestmark = pytest.mark.browser

UNAVAILABLE = "The chat is not available on this page."
OFFLINE = "You are offline. It goes on as soon as you are connected."
UNREACHABLE = "The chat can\u2019t be reached. Try again in a moment."
LISTEN = """window.told = []; document.addEventListener("flowchat:error", ({ detail }) => told.push(detail.code))"""
NOBODY = "http://127.0.0.1:9"  # nothing listens there


async def visit(site: Shop, path: str = "/") -> Page:
    """The page, noting the codes of `flowchat:error` in `told`."""
    await site.context.add_init_script(LISTEN)
    return await site.visit(path)


async def told(page: Page) -> Any:
    return await page.evaluate("told")


def hints(site: Shop) -> list[str]:
    return [text for text in site.console if text.startswith("FlowChat:")]


async def open_panel(page: Page) -> None:
    await page.get_by_role("button", name="Ask a question").click()


async def test_offline_before_asking(tmp_path: Path) -> None:
    async with shop(tmp_path) as site:
        page = await visit(site)
        await site.context.set_offline(True)
        turn = await begin(page)
        await expect(turn.locator(".state")).to_have_text(OFFLINE)
        await page.screenshot(path=tmp_path / "offline.png")
        await site.context.set_offline(False)
        await expect(turn).to_have_attribute("data-state", "answered")
        await expect(page.locator(".notice")).to_be_hidden()
        assert (await told(page), hints(site)) == (["offline"], [])


async def test_what_the_owner_set_comes_when_the_visitor_is_back_online(tmp_path: Path) -> None:
    async with shop(tmp_path) as site:
        page = await visit(site)
        await site.context.set_offline(True)
        await open_panel(page)
        await expect(page.locator(".notice")).to_have_text(OFFLINE)
        await page.screenshot(path=tmp_path / "offline-start.png")
        await site.context.set_offline(False)
        await expect(page.get_by_role("button", name="How long does delivery take?")).to_be_visible()
        await expect(page.locator(".notice")).to_be_hidden()


async def test_offline_during_an_answer(tmp_path: Path) -> None:
    async with shop(tmp_path) as site:
        go_on = site.served.answerer.hold_back()
        page = await visit(site)
        turn = await begin(page)
        await expect(turn.locator(".text")).to_contain_text("within 30 days.")
        await site.context.set_offline(True)
        # Chromium leaves a stream that it reads alone; the next one that drops is what tells.
        await site.served.app.runs.stop_all()
        await expect(turn.locator(".state")).to_have_text(OFFLINE)
        await page.screenshot(path=tmp_path / "offline.png")
        go_on.set()
        await site.context.set_offline(False)
        await expect(turn).to_have_attribute("data-state", "answered")
        await expect(turn.locator(".text")).to_have_text("You may return it within 30 days.1 Sending it back is free.1")
        assert (await told(page), hints(site)) == ([], [])


async def test_a_key_that_has_given_all_its_answers(tmp_path: Path) -> None:
    async with shop(tmp_path) as site:
        await site.served.widget_key(origins=(site.site.url,), sources=("shop",), caps=CapsFields(daily=1))
        site.put("/")
        page = await visit(site)
        assert await (await ask(page)).get_attribute("data-state") == "answered"
        for _ in range(2):
            turn = await ask(page, "And how long?")
            await expect(turn.locator(".state")).to_have_text(
                "The chat has given all its answers for now. Come back later."
            )
        await expect(turn.get_by_role("button", name="Try again")).to_be_visible()
        await page.screenshot(path=tmp_path / "quota.png")
        assert await told(page) == ["quota_exceeded", "quota_exceeded"]
        assert len(hints(site)) == 1 and "See its usage in the admin" in hints(site)[0]


async def test_too_many_questions_in_a_minute(tmp_path: Path) -> None:
    async with shop(tmp_path) as site:
        limits = LimitsFields(visitor_per_minute=1)
        await site.served.widget_key(origins=(site.site.url,), sources=("shop",), limits=limits)
        site.put("/")
        page = await visit(site)
        await ask(page)
        turn = await ask(page, "And how long?")
        await expect(turn.locator(".state")).to_have_text("Too many questions at once. Try again in a minute.")
        await page.screenshot(path=tmp_path / "limited.png")
        assert await told(page) == ["rate_limited"]
        assert len(hints(site)) == 1


async def revoke(site: Shop) -> None:
    await keys.revoke(site.served.app, await operator(site.served.app), site.served.key_id)


async def test_a_key_that_was_revoked_before(tmp_path: Path) -> None:
    async with shop(tmp_path) as site:
        await revoke(site)
        page = await visit(site)
        await open_panel(page)
        await expect(page.locator(".notice")).to_have_text(UNAVAILABLE)
        await expect(page.get_by_role("textbox")).to_be_hidden()
        await page.screenshot(path=tmp_path / "revoked.png")
        assert await told(page) == ["unauthorized"]
        assert len(hints(site)) == 1 and "Make or rotate one in the admin" in hints(site)[0]


async def test_a_key_that_is_revoked_during_an_answer(tmp_path: Path) -> None:
    async with shop(tmp_path) as site:
        site.served.answerer.hold_back()
        page = await visit(site)
        turn = await begin(page)
        await expect(turn.locator(".text")).to_contain_text("within 30 days.")
        await revoke(site)
        await expect(turn).to_have_attribute("data-state", "failed")
        await expect(turn.locator(".state")).to_have_text(UNAVAILABLE)
        await expect(page.locator(".notice")).to_be_hidden()
        await expect(page.get_by_role("textbox")).to_be_hidden()
        await expect(page.get_by_role("button", name="Try again")).to_have_count(0)
        await page.screenshot(path=tmp_path / "revoked.png")
        assert await told(page) == ["key_revoked"]
        assert len(hints(site)) == 1


async def test_a_source_that_is_revoked_during_an_answer(tmp_path: Path) -> None:
    async with shop(tmp_path) as site:
        site.put("/", site.element(source="shop"))
        site.served.answerer.hold_back()
        page = await visit(site)
        turn = await begin(page)
        await expect(turn.locator(".text")).to_contain_text("within 30 days.")
        await sources.revoke(site.served.app, await operator(site.served.app), "shop")
        await expect(turn.locator(".state")).to_have_text("The answer broke off. Try again.")
        await turn.get_by_role("button", name="Try again").click()
        await expect(turn.locator(".state")).to_have_text(UNAVAILABLE)
        await page.screenshot(path=tmp_path / "revoked.png")
        assert await told(page) == ["source_revoked", "not_found"]


async def test_a_tenant_that_is_read_only(tmp_path: Path) -> None:
    """From the start; and from one question to the next, whose box then goes."""
    async with shop(tmp_path) as site:
        app = site.served.app
        tenant_id = (await operator(app)).tenant_id
        page = await visit(site)
        await ask(page)
        await subscribe(app.db, tenant_id, plan_of("small"), "canceled")
        turn = await begin(page)
        await expect(turn.locator(".state")).to_have_text(UNAVAILABLE)
        await expect(page.get_by_role("textbox")).to_be_hidden()
        assert await told(page) == ["read_only"]
        await page.evaluate("sessionStorage.clear()")
        await page.reload()
        await open_panel(page)
        await expect(page.locator(".notice")).to_have_text(UNAVAILABLE)
        await expect(page.get_by_role("textbox")).to_be_hidden()
        await page.screenshot(path=tmp_path / "read-only.png")
        assert await told(page) == ["read_only"]
        assert all("under Plan and billing" in hint for hint in hints(site)) and hints(site)


async def test_a_plan_that_is_used_up(tmp_path: Path) -> None:
    async with shop(tmp_path) as site:
        app = site.served.app
        await subscribe(app.db, (await operator(app)).tenant_id, plan_of("small", included_queries=0))
        page = await visit(site)
        turn = await begin(page)
        await expect(turn).to_have_attribute("data-state", "failed")
        assert await told(page) == ["quota_exceeded"]
        assert len(hints(site)) == 1 and "or your plan" in hints(site)[0]


async def test_a_page_that_the_key_does_not_allow(tmp_path: Path) -> None:
    async with shop(tmp_path) as site:
        await site.served.widget_key(origins=("https://other.example",), sources=("shop",))
        site.put("/")
        page = await visit(site)
        await open_panel(page)
        await expect(page.locator(".notice")).to_have_text(UNAVAILABLE)
        await page.screenshot(path=tmp_path / "origin.png")
        assert await told(page) == ["origin_not_allowed"]
        assert len(hints(site)) == 1 and f"may not be used on {site.site.url}." in hints(site)[0]


async def test_a_source_that_is_not_there(tmp_path: Path) -> None:
    async with shop(tmp_path) as site:
        site.put("/", site.element(source="shoop"))
        page = await visit(site)
        turn = await begin(page)
        await expect(turn.locator(".state")).to_have_text(UNAVAILABLE)
        await expect(page.get_by_role("textbox")).to_be_hidden()
        await page.screenshot(path=tmp_path / "source.png")
        assert await told(page) == ["not_found"]
        assert len(hints(site)) == 1 and "data-source names a source that is not there" in hints(site)[0]


async def test_an_element_without_a_key(tmp_path: Path) -> None:
    async with shop(tmp_path) as site:
        site.put("/", "<flowchat-widget></flowchat-widget>")
        page = await visit(site)
        await open_panel(page)
        await expect(page.locator(".notice")).to_have_text(UNAVAILABLE)
        await page.screenshot(path=tmp_path / "key.png")
        assert await told(page) == ["missing_key"]
        assert len(hints(site)) == 1 and "has no data-key" in hints(site)[0]


async def test_a_busy_machine_that_is_free_when_it_said(tmp_path: Path) -> None:
    async with shop(tmp_path, server={"parallel_answers": 1, "queued_answers": 0}) as site:
        go_on = site.served.answerer.hold_back()
        page = await visit(site)
        async with asking(site.served) as others:
            await anext(others)
            turn = await begin(page)
            await expect(turn.locator(".state")).to_contain_text("Many people are asking just now.")
            await page.screenshot(path=tmp_path / "busy.png")
            go_on.set()
            await expect(turn).to_have_attribute("data-state", "answered")
        assert (await told(page), hints(site)) == ([], [])


async def test_a_machine_that_stays_busy(tmp_path: Path) -> None:
    async with shop(tmp_path, server={"parallel_answers": 1, "queued_answers": 0}) as site:
        go_on = site.served.answerer.hold_back()
        page = await visit(site)
        async with asking(site.served) as others:
            await anext(others)
            turn = await begin(page)
            await expect(turn).to_have_attribute("data-state", "failed", timeout=40_000)
            await expect(turn.locator(".state")).to_have_text("Many people are asking just now. Try again in a moment.")
            await page.screenshot(path=tmp_path / "busy.png")
            assert (await told(page), hints(site)) == (["busy"], [])
        go_on.set()
        await site.served.answerer.until_running(0)
        await turn.get_by_role("button", name="Try again").click()
        await expect(turn).to_have_attribute("data-state", "answered")


async def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    async with shop(tmp_path) as site:
        site.put("/", site.element(host=NOBODY))
        page = await visit(site)
        turn = await begin(page)
        await expect(turn.locator(".state")).to_have_text("Connection lost. Trying again\u2026")
        await expect(turn).to_have_attribute("data-state", "failed")
        await expect(turn.locator(".state")).to_have_text(UNREACHABLE)
        await expect(page.get_by_role("textbox")).to_be_visible()
        await page.screenshot(path=tmp_path / "unreachable.png")
        assert "unreachable" in await told(page)
        assert len(hints(site)) == 1 and "can't be reached" in hints(site)[0]


async def test_a_proxy_that_answers_for_the_server(tmp_path: Path) -> None:
    async with shop(tmp_path) as site, loopback.serving() as proxy:
        page_of_proxy = loopback.answer(
            b"<h1>Bad gateway</h1>", status="502 Bad Gateway", access_control_allow_origin=site.site.url
        )
        allowed = {"access_control_allow_headers": "x-flowchat-key, content-type, idempotency-key"}
        preflight = loopback.answer(status="204 No Content", access_control_allow_origin=site.site.url, **allowed)
        proxy.answers |= {"/v1/chat": preflight, "/v1/widget": page_of_proxy}
        site.put("/", site.element(host=proxy.url))
        page = await visit(site)
        await page.route(
            f"{proxy.url}/v1/chat",
            lambda route: route.fulfill(
                status=502, body="<h1>Bad gateway</h1>", headers={"Access-Control-Allow-Origin": site.site.url}
            ),
        )
        turn = await begin(page)
        await expect(turn).to_have_attribute("data-state", "failed")
        await expect(turn.locator(".state")).to_have_text("Many people are asking just now. Try again in a moment.")
        assert "gateway" not in await page.locator("flowchat-widget").inner_text()


async def test_an_answer_that_breaks_off(tmp_path: Path) -> None:
    async def breaking(question: Question, answer: Answer) -> AsyncGenerator[Event, None]:
        yield Event("retrieval.started", {"query": question.query})
        yield Event("retrieval.reranked", {"chunks": [{"id": "chk_1", "url": "https://shop.example/", "score": 0.5}]})
        yield Event("generation.token", {"text": "You may return it."})
        yield Event("generation.cited", {"ref": 1, "chunkId": "chk_1"})
        yield Event("nli.verified", {"ref": 1, "ok": True, "score": 0.9})
        raise ModelError("model_failed", "The generator is gone. Restart the appliance.")

    async with shop(tmp_path) as site:
        site.served.answerer.script = breaking
        page = await visit(site)
        turn = await ask(page)
        await expect(turn.locator(".state")).to_have_text("The answer broke off. Try again.")
        await expect(turn.locator(".text")).to_have_text("You may return it.1")
        assert "generator" not in await turn.inner_text()
        await page.screenshot(path=tmp_path / "broken.png")
        assert await told(page) == ["model_failed"]
        site.served.answerer.script = refusal
        await turn.get_by_role("button", name="Try again").click()
        await expect(turn).to_have_attribute("data-state", "refused")
        await expect(turn.locator(".text")).to_have_text("I don't know.")


async def test_a_source_that_is_not_indexed_yet(tmp_path: Path) -> None:
    async def not_ready(question: Question, answer: Answer) -> AsyncGenerator[Event, None]:
        answer.reason = "not_ready"
        async for event in refusal(question, answer):
            yield event
        answer.reason, answer.suggestions = "not_ready", []

    async with shop(tmp_path) as site:
        await add_source(site.served.app, "new", is_live=False)
        site.served.answerer.script = not_ready
        page = await visit(site)
        turn = await ask(page)
        await expect(turn).to_have_attribute("data-state", "refused")
        await page.screenshot(path=tmp_path / "not-ready.png")
        assert await told(page) == []
        assert len(hints(site)) == 1 and "indexed" in hints(site)[0]


async def test_a_conversation_that_is_gone(tmp_path: Path) -> None:
    """Erased, or past its retention: the question is asked all the same, as the first of a new one."""
    async with shop(tmp_path) as site:
        page = await visit(site)
        await ask(page)
        await site.served.app.db.write(lambda conn: conn.execute("delete from messages") and None)
        await site.served.app.db.write(lambda conn: conn.execute("delete from conversations") and None)
        turn = await ask(page, "And how long?")
        await expect(turn).to_have_attribute("data-state", "answered")
        assert site.served.answerer.questions[-1].history == ()
        assert (await told(page), hints(site)) == ([], [])
