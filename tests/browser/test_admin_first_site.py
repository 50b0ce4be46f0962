"""From a new account to a live site, watched in a real browser; and back to its former version."""

import asyncio
import re
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from crawling import chain, html, site
from playwright.async_api import Page, expect
from signing_in import PASSWORD
from test_home import browsing
from web_server import Served, serving

from flowchat.services import accounts, worker
from flowchat.store import jobs

pytestmark = pytest.mark.browser
SIZE = {"width": 1280, "height": 900}


async def set_up(served: Served, page: Page) -> None:
    await page.goto(await accounts.set_up_link(served.app, served.url))
    await page.get_by_label("E-mail address").fill("ann@shop.example")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Make my account").click()


async def do_jobs(served: Served) -> None:
    """As the appliance's own worker does."""
    while True:
        for job_id in await jobs.waiting(served.app.db):
            await worker.run(served.app, job_id)
        await asyncio.sleep(0.05)


async def test_from_the_first_run_to_a_roll_back(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        served = await stack.enter_async_context(serving(tmp_path / "data", crawl_delay_s=0.5))
        server = await stack.enter_async_context(site(chain(12)))
        page = await stack.enter_async_context(browsing(served, viewport=SIZE))
        await served.call("DELETE", "/v1/sources/shop")
        await set_up(served, page)
        await page.get_by_role("link", name="Add your site").click()
        await page.get_by_label("Address of the site").fill(server.url)
        await page.get_by_role("button", name="Look at it first").click()
        preview = page.locator("#preview")
        await expect(preview.get_by_role("heading")).to_have_text("What a crawl would find", timeout=20_000)
        await expect(preview.get_by_text("Page 0")).to_be_visible()
        await page.get_by_text("Name, slug and language").click()
        await page.get_by_label("Slug").fill("site")
        await page.get_by_role("button", name="Add it and crawl").click()
        await expect(page.get_by_text("waiting").first).to_be_visible()

        working = asyncio.create_task(do_jobs(served))
        stack.callback(working.cancel)
        live = page.locator(".live")
        await expect(live).to_contain_text(re.compile(r"[1-9]\d* of \d+ pages known so far"), timeout=20_000)
        await expect(page.get_by_role("heading", name="It answers. What next?")).to_be_visible(timeout=30_000)
        await expect(page.get_by_role("link", name="Ask it something")).to_have_attribute(
            "href", "/admin/playground?source=site"
        )

        server.answers["/p1"] = html("Now it says something else about words.", "/p2", title="Changed page")
        await page.get_by_role("button", name="Crawl it again").click()
        await expect(page.get_by_role("heading", name="It answers. What next?")).to_be_visible(timeout=40_000)
        await page.get_by_role("link", name="Versions", exact=True).click()
        await page.get_by_role("link", name="Version 2", exact=True).click()
        await page.get_by_text("Changed page").click()
        added = page.locator(".diff ins").filter(has_text="Now it says something else about words.")
        await expect(added).to_be_visible()
        await page.go_back()
        await page.get_by_role("button", name="Roll back").click()
        dialog = page.get_by_role("dialog", name="Let version 1 answer?")
        await expect(dialog).to_contain_text("in place of the")
        await dialog.get_by_role("button", name="Let version 1 answer").click()
        await expect(page.locator(".toast")).to_contain_text("That version answers now.")
        await expect(page.get_by_role("row", name=re.compile("Version 1"))).to_contain_text("answers")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_on_a_phone(tmp_path: Path, scheme: str) -> None:
    async with AsyncExitStack() as stack:
        served = await stack.enter_async_context(serving(tmp_path / "data"))
        phone = {"width": 390, "height": 800}
        page = await stack.enter_async_context(
            browsing(served, viewport=phone, color_scheme=scheme, has_touch=True, is_mobile=True)
        )
        await set_up(served, page)
        for path in (
            "",
            "/sources",
            "/sources/new",
            "/sources/shop",
            "/sources/shop/settings",
            "/sources/shop/versions",
        ):
            await page.goto(f"/admin{path}")
            assert await page.evaluate("document.documentElement.scrollWidth") == phone["width"], path
