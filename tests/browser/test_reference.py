"""The API's reference in a real browser."""

from pathlib import Path

import pytest
from playwright.async_api import expect
from test_home import browsing
from web_server import serving

pytestmark = pytest.mark.browser


async def test_wide(tmp_path: Path) -> None:
    async with serving(tmp_path / "data") as served, browsing(served, viewport={"width": 1400, "height": 1000}) as page:
        await page.goto("/docs")
        await page.get_by_role("link", name="The REST API").click()
        await page.get_by_role("navigation", name="REST API").get_by_role("link", name="Sources").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Sources")
        call = page.get_by_role("region", name="Create a source")
        await expect(call.get_by_text("curl http://")).to_be_visible()
        await expect(call.get_by_text("httpx.post")).to_be_visible()
        await page.screenshot(path=tmp_path / "sources-wide.png", full_page=True)


async def test_on_a_phone_in_the_dark(tmp_path: Path) -> None:
    phone = {"width": 360, "height": 740}
    async with serving(tmp_path / "data") as served, browsing(served, viewport=phone, color_scheme="dark") as page:
        for path in ("/docs/sources-api", "/docs/settings", "/docs/webhooks"):
            await page.goto(path)
            assert await page.evaluate("document.documentElement.scrollWidth") == 360
            tables = "[...document.querySelectorAll('.prose table')]"
            assert await page.evaluate(f"{tables}.every(table => table.scrollWidth < 1.5 * innerWidth)"), path
        for path in ("/docs/api", "/docs/api/keys", "/docs/api/chat"):
            await page.goto(path)
            assert await page.evaluate("document.documentElement.scrollWidth") == 360
        await page.get_by_text("Errors").first.wait_for()
        await page.locator("details > summary").first.click()
        await expect(page.locator("details[open] dl").first).to_be_visible()
        await page.screenshot(path=tmp_path / "chat-narrow.png", full_page=True)
