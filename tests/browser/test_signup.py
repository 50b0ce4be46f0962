"""The journey of signing up in a real browser: form, e-mail, link, keys, an answer, the admin."""

from pathlib import Path
from typing import Any

import pytest
from chromium import VIEWS, browsing
from mailing import link_in
from playwright.async_api import Page, expect
from signing_up import ANN, invite, taking_sign_ups
from test_accessibility import violations
from test_keyboard import faults
from web_server import QUESTION, Served

from flowchat.web import form_times

pytestmark = pytest.mark.browser
PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def in_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program fills forms in faster than people."""
    monkeypatch.setattr(form_times, "LEAST_S", 0)


async def fill_in(page: Page, **fields: str) -> None:
    for name, text in ({"name": "Ann's Shop", "email": ANN, "site": "www.shop.example"} | fields).items():
        await page.locator(f"#{name}").fill(text)


async def check(page: Page) -> None:
    """For everybody: axe finds nothing, nothing is wider than the window, Tab goes everywhere."""
    assert await violations(page) == [], page.url
    assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), page.url
    assert await faults(page) == [], page.url


async def answer_of(served: Served, key: str) -> str:
    headers = {"X-FlowChat-Key": key, "Accept": "application/json", "Origin": "https://www.shop.example"}
    answer = await served.client.post("/v1/chat", json=QUESTION, headers=headers)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["answer"])


@pytest.mark.parametrize(("scheme", "width"), VIEWS)
async def test_from_the_homepage_to_the_admin(tmp_path: Path, scheme: Any, width: int) -> None:
    viewport: Any = {"width": width, "height": 900}
    async with (
        taking_sign_ups(tmp_path / "data", calls_per_minute=0) as (served, mailbox),
        browsing(served, viewport=viewport, color_scheme=scheme, reduced_motion="reduce") as page,
    ):
        await page.goto("/")
        assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        await page.get_by_role("navigation", name="Main").get_by_role("link", name="Sign up").click()
        await check(page)
        await fill_in(page)
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", level=1)).to_have_text("Look into your mail")
        await check(page)
        link = link_in((await mailbox.until(1))[0])
        await page.goto(link)
        await check(page)
        await page.get_by_label("Password").fill(PASSWORD)
        await page.get_by_role("button", name="Make my account").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Your account is ready")
        await check(page)
        widget, lines, admin = [await block.inner_text() for block in await page.locator("main pre").all()]
        assert widget.startswith("kbk_test_") and widget in lines and admin.startswith("fca_")
        await expect(page.get_by_role("button", name="Copy")).to_have_count(3)
        assert "30 days" in await answer_of(served, widget)
        await page.get_by_role("link", name="Add your site").click()
        await expect(page.get_by_label("Address")).to_have_value("https://www.shop.example")
        await page.goto("/admin")
        await expect(page.get_by_role("heading", level=1)).to_have_text("Welcome. Add your site")
        await page.goto(link)
        await expect(page.get_by_role("heading", level=1)).to_have_text("This link can’t be used")  # noqa: RUF001 (an apostrophe)


async def test_by_an_invite_with_the_keyboard_alone(tmp_path: Path) -> None:
    async with taking_sign_ups(tmp_path / "data", signup="invite") as (served, _), browsing(served) as page:
        await page.goto(f"/signup?invite={await invite(served, email=ANN)}")
        await expect(page.get_by_label("E-mail address")).to_have_value(ANN)
        await page.get_by_label("Your company").focus()
        for text in ("Ann's Shop", "", "", PASSWORD):
            await page.keyboard.type(text)
            await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", level=1)).to_have_text("Your account is ready")
        await expect(page.get_by_text("No page may use it yet")).to_be_visible()


async def test_without_javascript(tmp_path: Path) -> None:
    async with (
        taking_sign_ups(tmp_path / "data") as (served, mailbox),
        browsing(served, java_script_enabled=False) as page,
    ):
        await page.goto("/signup")
        await fill_in(page, site="")
        await page.get_by_role("button", name="Sign up").click()
        await page.goto(link_in((await mailbox.until(1))[0]))
        await page.get_by_role("button", name="Make my account").click()
        await expect(page.locator("main pre").first).to_contain_text("kbk_test_")
        await page.get_by_role("link", name="Choose a password").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("You are invited")
