"""At 200 % zoom, and with text of twice the size, nothing is cut off or covered, and nothing scrolls sideways."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from admin_pages import Routes, walk
from playwright.async_api import Page, expect
from test_admin_pages import open_site
from test_home import ask, browsing, checked_answer
from test_keyboard import PUBLIC, open_all
from web_server import add_docs_version, serving

pytestmark = [pytest.mark.browser, pytest.mark.slow]
SCRIPT = Path(__file__).with_name("zoom.js").read_text(encoding="utf-8")
ZOOMED = {"viewport": {"width": 640, "height": 400}, "device_scale_factor": 2}  # 1280 by 800 at 200 %
WIDE = {"viewport": {"width": 1280, "height": 800}}
Look = Callable[[Page], Awaitable[list[str]]]


async def faults(page: Page) -> list[str]:
    """What is wrong with how the page shows."""
    await open_all(page)
    return list(await page.evaluate(SCRIPT))


async def faults_of_large_text(page: Page) -> list[str]:
    """Text alone twice as large, as browsers can be set to."""
    await page.evaluate("document.documentElement.style.fontSize = '200%'")
    return await faults(page)


WAYS = pytest.mark.parametrize(
    ("context", "look"), [(ZOOMED, faults), (WIDE, faults_of_large_text)], ids=["zoom", "text"]
)


@WAYS
async def test_the_admin(tmp_path: Path, context: dict[str, Any], look: Look) -> None:
    async with open_site(tmp_path / "data", **context) as (site, page):
        found = {path: await look(page) async for path in walk(site, page)}
        await page.context.clear_cookies()
        for path in Routes(site.served).public:
            await page.goto(path)
            found[path] = await look(page)
    assert len(found) > 20
    assert {path: wrong for path, wrong in found.items() if wrong} == {}


@WAYS
async def test_public_pages(tmp_path: Path, context: dict[str, Any], look: Look) -> None:
    async with serving(tmp_path / "data", signup="open") as served:
        await add_docs_version(served.app)
        served.answerer.script = checked_answer
        async with browsing(served, reduced_motion="reduce", **context) as page:
            found = {}
            for path in PUBLIC:
                await page.goto(path)
                found[path] = await look(page)
            await ask(page, "How are answers checked?")
            await expect(page.locator("article.answer")).to_have_attribute("aria-busy", "false")
            found["an answer"] = await look(page)
    assert {path: wrong for path, wrong in found.items() if wrong} == {}


@WAYS
async def test_dialogs_fit(tmp_path: Path, context: dict[str, Any], look: Look) -> None:
    """All of a dialog can be scrolled to, its buttons among it."""
    async with open_site(tmp_path / "data", **context) as (site, page):
        found, opened = {}, 0
        async for path in walk(site, page):
            for number in range(await page.locator("dialog").count()):
                dialog = page.locator("dialog").nth(number)
                await dialog.evaluate("(dialog) => dialog.showModal()")
                found[f"{path} {number}"] = await look(page)
                last = dialog.get_by_role("button").last
                await last.scroll_into_view_if_needed()
                box = await last.bounding_box()
                assert box and box["y"] >= 0 and box["y"] + box["height"] <= context["viewport"]["height"], path
                await dialog.evaluate("(dialog) => dialog.close()")
                opened += 1
    assert opened > 5
    assert {path: wrong for path, wrong in found.items() if wrong} == {}
