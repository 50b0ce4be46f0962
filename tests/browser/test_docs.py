"""The documentation in a real browser, and its example of a page that asks FlowChat."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import expect
from test_home import browsing
from web_server import serving

pytestmark = pytest.mark.browser

ASSETS = Path(__file__).parents[2] / "flowchat/assets/docs"


async def test_finding_one_s_way(tmp_path: Path) -> None:
    async with serving(tmp_path / "data") as served, browsing(served, viewport={"width": 1280, "height": 900}) as page:
        await page.goto("/docs")
        await page.get_by_role("link", name="Webhooks").click()
        here = page.get_by_role("navigation", name="Documentation").locator("[aria-current=page]")
        await expect(here).to_have_text("Webhooks")
        contents = page.get_by_role("navigation", name="On this page")
        await contents.get_by_role("link", name="How do I verify a webhook?").click()
        await expect(page).to_have_url(f"{served.url}/docs/webhooks#how-do-i-verify-a-webhook")
        await page.get_by_role("link", name="Next").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Usage and billing")
        await page.get_by_label("Ask the documentation").fill("What is billed?")
        await page.keyboard.press("Enter")
        await expect(page.get_by_label("Ask FlowChat")).to_have_value("What is billed?")
        await page.wait_for_load_state("networkidle")  # else the server is left in the middle of a file


async def test_code_is_copied(tmp_path: Path) -> None:
    permissions = ["clipboard-read", "clipboard-write"]
    async with serving(tmp_path / "data") as served, browsing(served, permissions=permissions) as page:
        await page.goto("/docs/quick-start")
        await page.get_by_role("button", name="Copy").first.click()
        await expect(page.get_by_role("button", name="Copied")).to_be_visible()
        assert await page.evaluate("navigator.clipboard.readText()") == "scripts/serve\n"


async def test_on_a_phone(tmp_path: Path) -> None:
    phone = {"width": 360, "height": 740}
    async with serving(tmp_path / "data") as served, browsing(served, viewport=phone) as page:
        for path in ("/docs", "/docs/widget", "/docs/chat-api", "/docs/security"):
            await page.goto(path)
            assert await page.evaluate("document.documentElement.scrollWidth") == 360, path
        await page.locator("summary", has_text="On this page").click()
        await expect(page.get_by_role("link", name="How are keys stored?").first).to_be_visible()
        await page.get_by_role("link", name="All pages").click()
        await expect(page.get_by_role("link", name="Quick start").first).to_be_in_viewport()


async def test_the_example_of_a_page_that_asks_works(tmp_path: Path) -> None:
    example = re.search(r"```html\n(<form.*?)```", (ASSETS / "widget.md").read_text(encoding="utf-8"), re.DOTALL)
    assert example
    async with serving(tmp_path / "data") as served, site(lambda: html) as origin:
        await served.widget_key(origins=(origin,), sources=("shop",))
        html = example[1].replace("https://chat.example.com", served.url).replace("kbk_live_YOUR_KEY", served.key)
        async with browsing(served) as page:
            await page.goto(origin)
            await page.get_by_label("Your question").fill("How long?")
            await page.get_by_role("button", name="Ask").click()
            await expect(page.locator("output")).to_contain_text("You may return it within 30 days.")
            await expect(page.get_by_role("link", name="Returns").first).to_be_visible()


@asynccontextmanager
async def site(html: Callable[[], str]) -> AsyncIterator[str]:
    """The origin of a site on loopback that has one page. (Pages from elsewhere may not ask a server on loopback.)"""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nConnection: close\r\n\r\n"
        writer.write(f"{head}<link rel=icon href=data:,>{html()}".encode())
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
