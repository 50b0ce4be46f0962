"""The admin in a real browser. What its content policy refuses is an error on the console, which fails the test."""

import re
import time
from pathlib import Path

import pytest
from playwright.async_api import Page, expect
from signing_in import PASSWORD, Me, add_user, signed_in
from test_home import browsing
from web_server import Served, serving

from flowchat.services import accounts, totp

pytestmark = pytest.mark.browser
PHONE = {"width": 390, "height": 800}


async def entered(served: Served, page: Page, me: Me) -> None:
    """The page's browser is the user's from now on."""
    token = me.client.cookies["flowchat-session"]
    await page.context.add_cookies([{"name": "flowchat-session", "value": token, "url": served.url}])


async def secret_of(page: Page) -> str:
    return (await page.locator("code.key").inner_text()).replace("-", "")


async def test_from_the_set_up_link_to_a_second_factor(tmp_path: Path) -> None:
    async with serving(tmp_path / "data") as served, browsing(served, viewport={"width": 1280, "height": 900}) as page:
        await page.goto(await accounts.set_up_link(served.app, served.url))
        await page.get_by_label("Your name").fill("Ann")
        await page.get_by_label("E-mail address").fill("ann@shop.example")
        await page.get_by_label("Password").fill(PASSWORD)
        await page.get_by_role("button", name="Make my account").click()
        await expect(page.get_by_role("link", name="Overview")).to_have_attribute("aria-current", "page")

        await page.get_by_role("link", name="Ann owner, operator").click()
        await page.get_by_role("link", name="Turn on").click()
        secret = await secret_of(page)
        step = int(time.time()) // totp.STEP_S
        await page.get_by_label("Code", exact=True).fill(totp.code(secret, step))
        await page.get_by_label("Your password").fill(PASSWORD)
        await page.get_by_role("button", name="Turn on").click()
        await expect(page.get_by_text("shown only this once")).to_be_visible()
        await page.get_by_role("link", name="I have kept them").click()
        await expect(page.get_by_text("10 of your recovery codes are left")).to_be_visible()

        await page.get_by_role("button", name="Sign out").click()
        await expect(page.get_by_text("You have signed out.")).to_be_visible()
        await page.get_by_label("E-mail address").fill("ann@shop.example")
        await page.get_by_label("Password").fill(PASSWORD)
        await page.get_by_role("button", name="Sign in").click()
        await page.get_by_label("Code").fill(totp.code(secret, step + 1))
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", level=1)).to_have_text("Overview")


async def test_users_by_the_keyboard(tmp_path: Path) -> None:
    async with (
        serving(tmp_path / "data") as served,
        signed_in(served) as me,
        browsing(served, viewport={"width": 1280, "height": 900}) as page,
    ):
        await entered(served, page, me)
        bob = await add_user(served, "bob@shop.example", "editor")
        await page.goto(f"/admin/users/{bob.id}")
        remove = page.get_by_role("button", name="Remove", exact=True)
        await remove.focus()
        await page.keyboard.press("Enter")
        dialog = page.get_by_role("dialog", name="Remove bob@shop.example?")
        await expect(dialog.get_by_label("Type bob@shop.example to confirm")).to_be_focused()
        await page.keyboard.press("Escape")
        await expect(dialog).to_be_hidden()
        await expect(remove).to_be_focused()
        await page.keyboard.press("Enter")
        await page.keyboard.type("bob@shop")
        await page.keyboard.press("Enter")
        await expect(dialog).to_be_visible()
        await page.keyboard.type(".example")
        await page.keyboard.press("Enter")
        await expect(page.locator(".toast")).to_contain_text("The user is removed.")
        await expect(page.get_by_role("cell", name="bob@shop.example")).to_have_count(0)


async def test_filters_and_pages_without_reloading(tmp_path: Path) -> None:
    async with serving(tmp_path / "data") as served, signed_in(served) as me, browsing(served) as page:
        await entered(served, page, me)
        for number in range(3):
            await add_user(served, f"user{number}@shop.example", "viewer")
        await page.goto("/admin/audit-log")
        await page.evaluate("window.isTheSame = true")
        await page.get_by_label("What was done").select_option("sign_in")
        await expect(page).to_have_url(re.compile("operation=sign_in"))
        await expect(page.get_by_role("row")).to_have_count(2)
        await expect(page.locator("time").first).to_have_text(re.compile("just now|ago"))
        assert await page.evaluate("window.isTheSame")
        await page.goto("/admin/users?limit=2")
        await page.get_by_role("link", name="Older").click()
        await expect(page).to_have_url(re.compile("starting_after="))
        await expect(page.get_by_role("link", name="Newer")).to_be_visible()
        await page.go_back()
        await expect(page).to_have_url(re.compile(r"users\?limit=2$"))
        await expect(page.get_by_role("cell", name="Change user2@shop.example")).to_be_visible()


async def test_without_javascript(tmp_path: Path) -> None:
    async with serving(tmp_path / "data") as served, signed_in(served) as me:
        await add_user(served, "bob@shop.example", "editor")
        async with browsing(served, java_script_enabled=False) as page:
            await entered(served, page, me)
            await page.goto("/admin/users")
            await page.get_by_role("link", name="Change bob@shop.example").click()
            await page.get_by_role("button", name="Remove", exact=True).click()
            await page.get_by_label("Type bob@shop.example to confirm").fill("bob@shop.example")
            await page.get_by_role("button", name="Remove the user").click()
            await expect(page.get_by_text("The user is removed.")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_on_a_phone(tmp_path: Path, scheme: str) -> None:
    async with (
        serving(tmp_path / "data") as served,
        signed_in(served, operator=True) as me,
        browsing(served, viewport=PHONE, color_scheme=scheme, has_touch=True, is_mobile=True) as page,
    ):
        await entered(served, page, me)
        for path in (
            "",
            "/users",
            "/users/new",
            f"/users/{me.user.id}",
            "/account",
            "/account/second-factor",
            "/audit-log",
        ):
            await page.goto(f"/admin{path}")
            assert await page.evaluate("document.documentElement.scrollWidth") == PHONE["width"], path
            await page.screenshot(path=tmp_path / f"{path.replace('/', '-')}.png", full_page=True)
        await page.get_by_role("button", name="Menu", exact=True).click()
        await page.get_by_role("navigation", name="Admin").get_by_role("link", name="Users").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Users")


async def test_a_poll_leaves_an_open_dialog_alone(tmp_path: Path) -> None:
    """The page of the models asks for itself again every two seconds while one is pulled."""
    async with (
        serving(tmp_path / "data") as served,
        signed_in(served, operator=True) as me,
        browsing(served, viewport={"width": 1280, "height": 900}) as page,
    ):
        await entered(served, page, me)
        await page.goto("/admin/models")
        await page.evaluate(
            """() => {
              const list = document.getElementById("list");
              for (const [name, value] of Object.entries({get: "/admin/models", trigger: "every 1s", select: "#list",
                target: "#list", swap: "outerHTML"})) list.setAttribute(`hx-${name}`, value);
              const dialog = '<button popovertarget="it">Open</button><dialog id="it">It</dialog>';
              list.insertAdjacentHTML("beforeend", dialog);
              htmx.process(list);
            }"""
        )
        await page.get_by_role("button", name="Open").click()
        await page.wait_for_timeout(2500)
        await expect(page.get_by_role("dialog")).to_be_visible()
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("button", name="Open")).to_be_hidden()
