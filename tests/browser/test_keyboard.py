"""Everything by the keyboard alone: reached in order, seen where one is, never trapped, dialogs come and go."""

from pathlib import Path
from typing import Any

import pytest
from admin_pages import Routes, walk
from playwright.async_api import Locator, Page, expect
from test_admin_pages import open_site
from test_home import ask, browsing, checked_answer
from web_server import add_docs_version, serving

pytestmark = [pytest.mark.browser, pytest.mark.slow]
WIDE = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 800}
MOST_CHANGES = 5  # of a live part, such as the delivery that is just being made, while Tab goes through a page
PUBLIC = ("/", "/docs", "/docs/webhooks", "/docs/api/keys", "/docs/none", "/signup", "/signup?invite=none")

SCRIPT = Path(__file__).with_name("keyboard.js").read_text(encoding="utf-8")


async def faults(page: Page) -> list[str]:
    """What is wrong as Tab goes through the page once: left out, out of order, not to be seen, a trap."""
    await expect(page.locator("[aria-busy=true]")).to_have_count(0)  # what is asked has its own buttons meanwhile
    await page.evaluate(SCRIPT)
    for _ in range(MOST_CHANGES):
        wrong = await go_through(page)
        if not await page.evaluate("keyboard.wasChanged()"):
            return wrong
    raise AssertionError(f"{page.url} never comes to rest")


async def go_through(page: Page) -> list[str]:
    names: list[str] = await page.evaluate("keyboard.begin()")
    wrong: list[str] = []
    met: list[int] = []
    for _ in range(5 * len(names) + 20):  # a field for a date is several stops
        await page.keyboard.press("Tab")
        number, problem = await page.evaluate("keyboard.focused()")
        if number == -1 or (number == 0 and len(met) > 1):  # through, and begun anew
            break
        if number == -2:
            wrong.append(f"unknown: {problem}")
            continue
        if problem:
            wrong.append(f"{names[number]}: {problem}")
        if not met or met[-1] != number:
            met.append(number)
    else:
        wrong.append(f"a trap at {names[met[-1]] if met else 'the start'}")
    wrong += [f"not reached: {names[number]}" for number in range(len(names)) if number not in met]
    if met != sorted(met):
        wrong.append(f"out of order: {[names[number] for number in met]}")
    return wrong


async def open_all(page: Page) -> None:
    await page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")


@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["wide", "phone"])
async def test_tab_goes_through_every_page_of_the_admin(tmp_path: Path, viewport: Any) -> None:
    async with open_site(tmp_path / "data", viewport=viewport) as (site, page):
        found = {}
        async for path in walk(site, page):
            await open_all(page)
            found[path] = await faults(page)
        await page.context.clear_cookies()
        for path in Routes(site.served).public:
            await page.goto(path)
            await page.wait_for_load_state("networkidle")  # toasts come a moment later
            found[path] = await faults(page)
    assert len(found) > 20
    assert {path: wrong for path, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["wide", "phone"])
async def test_tab_goes_through_every_public_page(tmp_path: Path, viewport: Any) -> None:
    async with serving(tmp_path / "data", signup="open") as served:
        await add_docs_version(served.app)
        served.answerer.script = checked_answer
        async with browsing(served, viewport=viewport, reduced_motion="reduce") as page:
            found = {}
            for path in PUBLIC:
                await page.goto(path)
                await open_all(page)
                found[path] = await faults(page)
            await ask(page, "How are answers checked?")
            await expect(page.locator("article.answer")).to_have_attribute("aria-busy", "false")
            await open_all(page)
            found["an answer"] = await faults(page)
    assert {path: wrong for path, wrong in found.items() if wrong} == {}


async def test_the_skip_link_leads_to_the_content(tmp_path: Path) -> None:
    async with open_site(tmp_path / "data", viewport=WIDE) as (_, page):
        for path in ("/admin/sources", "/admin/account", "/", "/docs"):
            await page.goto(path)
            await page.keyboard.press("Tab")
            skip = page.get_by_role("link", name="Skip to")
            await expect(skip).to_be_focused()
            box = await skip.bounding_box()
            assert box and box["width"] > 50 and box["height"] > 20, "it is seen"
            await page.keyboard.press("Enter")
            await page.keyboard.press("Tab")
            assert await page.evaluate("!!document.activeElement.closest('main')"), path


async def test_every_dialog_takes_the_focus_and_gives_it_back(tmp_path: Path) -> None:
    opened = 0
    async with open_site(tmp_path / "data", viewport=WIDE) as (site, page):
        async for path in walk(site, page):
            for target in await page.evaluate("[...document.querySelectorAll('dialog')].map((dialog) => dialog.id)"):
                await check_dialog(page, page.locator(f"[id='{target}']"), path)
                opened += 1
    assert opened > 5


async def check_dialog(page: Page, dialog: Locator, path: str) -> None:
    ident = await dialog.get_attribute("id")
    button = page.locator(f"[popovertarget='{ident}']:not([popovertargetaction])")
    for key in ("Enter", "Space"):
        await button.focus()
        await page.keyboard.press(key)
        await expect(dialog).to_be_visible()
        assert await dialog.evaluate("(dialog) => dialog.contains(document.activeElement)"), f"{path} {ident}"
        for _ in range(8):
            await page.keyboard.press("Tab")
            inside = "(dialog) => dialog.contains(document.activeElement) || document.activeElement === document.body"
            assert await dialog.evaluate(inside), f"{path} {ident}: Tab leaves it"
        await page.keyboard.press("Escape")
        await expect(dialog).to_be_hidden()
        await expect(button).to_be_focused()


async def test_the_menu_of_a_phone(tmp_path: Path) -> None:
    async with open_site(tmp_path / "data", viewport=PHONE) as (_, page):
        await page.goto("/admin/sources")
        menu = page.get_by_role("button", name="Menu", exact=True)
        for key in ("Enter", "Space"):
            await menu.focus()
            await page.keyboard.press(key)
            await expect(page.get_by_role("link", name="Overview")).to_be_visible()
            await page.keyboard.press("Tab")
            assert await page.evaluate("!!document.activeElement.closest('#navigation')")
            await page.keyboard.press("Escape")
            await expect(page.get_by_role("link", name="Overview")).to_be_hidden()
            await expect(menu).to_be_focused()


async def test_disclosures_and_tabs(tmp_path: Path) -> None:
    async with open_site(tmp_path / "data", viewport=WIDE) as (_, page):
        await page.goto("/admin")
        table = page.locator("details.chart-table").first
        await table.locator("summary").focus()
        for key, is_open in (("Enter", True), ("Space", False)):
            await page.keyboard.press(key)
            assert await table.evaluate("(details) => details.open") == is_open
        await page.goto("/admin/conversations")
        await page.get_by_role("link", name="Feedback").focus()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", level=1)).to_have_text("Feedback")
        await page.goto("/admin/keys")
        sort = page.get_by_role("columnheader", name="Name").get_by_role("button")
        await sort.focus()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("columnheader", name="Name")).to_have_attribute("aria-sort", "ascending")
        await expect(sort).to_be_focused()
