"""The pages about the widget, with the widget on them, in a real browser: the public one and the admin's preview."""

from pathlib import Path

import pytest
from appliance import operator
from playwright.async_api import expect
from signing_in import signed_in
from test_admin_connect import entered
from test_home import browsing
from web_server import add_docs_version, serving

pytestmark = pytest.mark.browser

ANSWER = "You may return it within 30 days. Sending it back is free."
# The detail of the answer's event.
ASK = """(text) => new Promise((resolve) => {
    document.addEventListener("flowchat:answer", ({detail}) => resolve(detail));
    document.querySelector("flowchat-widget").ask(text);
})"""
CONFIG = """(key) => fetch(new URL("/v1/widget", location), {headers: {"X-FlowChat-Key": key}})
    .then((answer) => answer.json())"""
BLOCKED = """addEventListener("securitypolicyviolation", ({violatedDirective}) =>
    console.error(`blocked by ${violatedDirective}`))"""


async def test_the_product_page_has_the_real_widget(tmp_path: Path) -> None:
    async with serving(tmp_path / "data") as served, browsing(served, color_scheme="dark") as page:
        await add_docs_version(served.app)
        await page.add_init_script(BLOCKED)
        await page.goto("/product/widget")
        assert (await page.evaluate(ASK, "May I return it?"))["answer"] == ANSWER
        assert served.answerer.questions[0].source_ids
        heard = page.locator("#heard li")
        await expect(heard.filter(has_text="flowchat:ask").first).to_contain_text('{"query":"May I return it?"}')
        await expect(heard.filter(has_text="flowchat:answer")).to_have_count(1)
        widget = page.locator("flowchat-widget")
        await expect(page.get_by_role("radio", name="Dark page")).to_be_checked()
        await expect(widget).to_have_css("color-scheme", "dark")
        await page.get_by_role("radio", name="Bubble").check()
        await expect(widget).to_have_attribute("data-mode", "")
        await expect(page.get_by_text("It is in the corner of this window")).to_be_visible()
        await page.get_by_label("Accent, dark", exact=True).fill("#223344")
        await expect(page.get_by_text("2 of 8 are too low.")).to_be_visible()
        await expect(page.locator("#css")).to_contain_text("--flowchat-accent: #223344;")


async def test_the_pinned_script_loads_with_its_integrity(tmp_path: Path) -> None:
    async with serving(tmp_path / "data") as served, browsing(served) as page:
        await page.goto("/product/widget")
        line = await page.locator("pre", has_text="integrity=").text_content()
        assert line and line.startswith(f'<script src="{served.url}/widget/')
        await page.route("**/bare", lambda route: route.fulfill(content_type="text/html", body=f"<p>{line}"))
        await page.goto("/bare")
        assert await page.evaluate("Boolean(customElements.get('flowchat-widget'))")


async def test_the_product_page_on_a_phone(tmp_path: Path) -> None:
    phone = {"width": 360, "height": 740}
    async with serving(tmp_path / "data") as served, browsing(served, viewport=phone) as page:
        await page.goto("/product/widget")
        assert await page.evaluate("document.documentElement.scrollWidth") == 360


async def test_the_preview_is_the_widget_and_asks_the_playground(tmp_path: Path) -> None:
    async with serving(tmp_path / "data") as served, signed_in(served) as me, browsing(served) as page:
        await entered(served, page, me)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url.removeprefix(served.url)))
        await page.add_init_script(BLOCKED)
        await page.goto("/admin/widget")
        assert (await page.evaluate(ASK, "May I return it?"))["answer"] == ANSWER
        assert "/admin/playground/ask" in asked and not any(path.startswith("/v1/") for path in asked)
        question = served.answerer.questions[0]
        assert question.tenant_id == (await operator(served.app)).tenant_id and len(question.source_ids) == 1
        assert await served.stored_answers() == 0


async def test_the_preview_shows_what_is_typed(tmp_path: Path) -> None:
    async with serving(tmp_path / "data") as served, signed_in(served) as me, browsing(served) as page:
        await entered(served, page, me)
        await page.goto("/admin/widget")
        await page.get_by_label("Starter questions").fill("Is it open?\n\n Do you ship? ")
        await page.get_by_label("Texts of your own").fill("greeting = Hello = you\\nthere \\\\ here\nnothing")
        await page.get_by_label("Where visitors find a person").fill("mailto:a@b.example")
        await page.get_by_label("Where visitors find a person").blur()
        told = await page.evaluate(CONFIG, served.key_id)
        assert told["starter_questions"] == ["Is it open?", "Do you ship?"]
        assert told["texts"] == {"greeting": "Hello = you\nthere \\ here"}
        assert told["contact_url"] == "mailto:a@b.example"


async def test_a_viewer_s_preview_shows_what_is_saved(tmp_path: Path) -> None:
    async with serving(tmp_path / "data") as served:
        saved = {"starter_questions": ["It's <open>?"], "contact_url": None, "texts": {"greeting": "Hello"}}
        await served.call("PATCH", f"/v1/keys/{served.key_id}", json={"widget": saved})
        async with signed_in(served, "viewer") as me, browsing(served) as page:
            await entered(served, page, me)
            await page.goto("/admin/widget")
            assert await page.evaluate(CONFIG, served.key_id) == saved
