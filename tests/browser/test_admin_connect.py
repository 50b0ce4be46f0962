"""Keys, webhooks and the widget's look, in a real browser."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from delivering import delivering
from playwright.async_api import Page, expect
from signing_in import Me, signed_in
from test_home import browsing
from web_server import Served, serving

pytestmark = pytest.mark.browser
PHONE = {"width": 390, "height": 800}


async def entered(served: Served, page: Page, me: Me) -> None:
    """The page's browser is the user's from now on."""
    token = me.client.cookies["flowchat-session"]
    await page.context.add_cookies([{"name": "flowchat-session", "value": token, "url": served.url}])


class Endpoint:
    """Takes webhooks on loopback, and answers with `status` and a body that is a page with a script."""

    status = "500 Internal Server Error"
    body = b"<script>document.title = 'taken over'</script>"

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        await reader.readexactly(int(head.partition("content-length:")[2].split()[0]))
        writer.write(f"HTTP/1.1 {self.status}\r\nContent-Length: {len(self.body)}\r\n\r\n".encode() + self.body)
        await writer.drain()
        writer.close()


@asynccontextmanager
async def listening(endpoint: Endpoint) -> AsyncIterator[str]:
    """Its URL."""
    async with await asyncio.start_server(endpoint.connected, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        yield f"http://{host}:{port}/hook"


async def test_a_key_is_shown_once_and_revoked(tmp_path: Path) -> None:
    async with serving(tmp_path / "data") as served, signed_in(served, "editor") as me, browsing(served) as page:
        await entered(served, page, me)
        await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        await page.goto("/admin/keys")
        await page.get_by_role("link", name="New key").click()
        await page.get_by_label("Name").fill("Shop")
        await page.get_by_label("Pages that may use it").fill("https://shop.example")
        await page.get_by_role("checkbox", name="shop").check()
        await page.get_by_role("button", name="Make the key").click()
        served.key = await page.locator(".secret code").inner_text()
        await expect(page.get_by_text(f'data-key="{served.key}" data-source="shop"')).to_be_visible()
        await page.locator("#embed ~ .code-block").get_by_role("button", name="Copy").click()
        await expect(page.locator(".toast")).to_contain_text("Copied.")
        copied = await page.evaluate("navigator.clipboard.readText()")
        assert copied.count("\n") == 1 and served.key in copied
        assert (await served.ask(Origin="https://shop.example")).status_code == 200

        await page.get_by_role("link", name="I have kept it").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Shop")
        assert served.key not in await page.content()
        await page.get_by_role("button", name="Revoke", exact=True).click()
        dialog = page.get_by_role("dialog", name="Revoke Shop?")
        await expect(dialog).to_contain_text("https://shop.example")
        await dialog.get_by_role("button", name="Revoke the key").click()
        await expect(dialog).to_be_visible()  # nothing was typed
        await dialog.get_by_label("to confirm").fill(served.key[-4:])
        await page.keyboard.press("Enter")
        await expect(page.locator(".toast")).to_contain_text("The key is revoked")
        await expect(page.get_by_role("button", name="Revoke")).to_have_count(0)
        assert (await served.ask(Origin="https://shop.example")).status_code == 401


async def test_a_ping_fails_and_is_sent_again(tmp_path: Path) -> None:
    endpoint = Endpoint()
    async with (
        listening(endpoint) as url,
        serving(tmp_path / "data") as served,
        signed_in(served) as me,
        delivering(served.app),
        browsing(served) as page,
    ):
        await entered(served, page, me)
        await page.goto("/admin/webhooks/new")
        await page.get_by_label("URL").fill(url)
        await page.get_by_role("button", name="Add the endpoint").click()
        await expect(page.locator(".secret code")).to_have_text(re.compile("^whsec_"))
        await page.get_by_role("button", name="Send a ping").click()
        await expect(page.get_by_text("The endpoint answered 500, not 2xx.").first).to_be_visible()  # without reloading
        await expect(page.get_by_text("<script>document.title").first).to_be_visible()
        endpoint.status, endpoint.body = "200 OK", b"thanks"
        await page.get_by_role("button", name="Send once more").click()
        await expect(page.get_by_text("delivered", exact=True)).to_be_visible()
        await expect(page.get_by_text("thanks")).to_be_visible()
        assert not (await page.title()).startswith("taken over")
        await page.get_by_role("link", name="Endpoint", exact=True).click()
        await page.get_by_label("State").select_option("failed")
        await expect(page.get_by_text("No delivery fits these filters.")).to_be_visible()
        await expect(page).to_have_url(re.compile("status=failed"))


async def test_the_look_of_the_widget(tmp_path: Path) -> None:
    async with serving(tmp_path / "data") as served, signed_in(served) as me, browsing(served) as page:
        await entered(served, page, me)
        await page.goto("/admin/widget")
        await expect(page.get_by_text("All are enough.")).to_be_visible()
        await page.get_by_label("Accent, light", exact=True).fill("#ffee88")
        await page.get_by_label("Corners").select_option("square")
        await expect(page.get_by_text("2 of 8 are too low.")).to_be_visible()
        css = page.locator("#css")
        await expect(css).to_contain_text("--flowchat-accent: #ffee88;")
        await expect(css).to_contain_text("--flowchat-radius: 0px;")
        widget = page.locator("#stage flowchat-widget")
        style = """(element) => ["--flowchat-accent", "--flowchat-radius"].map((name) =>
            getComputedStyle(element).getPropertyValue(name))"""
        assert await widget.evaluate(style) == ["#ffee88", "0px"]
        await page.get_by_role("radio", name="Dark page").check()
        assert await widget.evaluate(style) == ["#62cfa8", "0px"]
        copy = page.locator(".code-block", has=css).get_by_role("button", name="Copy")
        assert await copy.get_attribute("data-copy") == await css.text_content()
        await page.reload()
        await expect(css).to_contain_text("--flowchat-accent: #ffee88;")
        await page.get_by_role("button", name="Back to the defaults").click()
        await expect(page.get_by_text("All are enough.")).to_be_visible()
        await page.reload()
        await expect(css).not_to_contain_text("#ffee88")
        await expect(page.get_by_text('data-source="shop"')).to_be_visible()
        await page.get_by_label("Source").select_option("")
        await expect(page.get_by_text('data-source="shop"')).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_on_a_phone(tmp_path: Path, scheme: str) -> None:
    async with (
        serving(tmp_path / "data") as served,
        signed_in(served, operator=True) as me,
        browsing(served, viewport=PHONE, color_scheme=scheme, has_touch=True, is_mobile=True) as page,
    ):
        await entered(served, page, me)
        made = await me.post("/admin/webhooks", url=f"https://hooks.example/{'a' * 200}", events=["*"], description="")
        path = re.findall(r"/webhooks/whe_\w+", made.text)[0]
        pinged = (await me.post(f"/admin{path}/ping")).headers["Location"].removeprefix("/admin")
        key = f"/keys/{served.key_id}"
        for shown in ("/keys", "/keys/new", "/keys/new/admin", key, f"{key}/edit", "/webhooks", "/webhooks/new", path):
            await page.goto(f"/admin{shown}")
            assert await page.evaluate("document.documentElement.scrollWidth") == PHONE["width"], shown
        for shown in (f"{path}/edit", pinged, "/webhooks/events", "/widget"):
            await page.goto(f"/admin{shown}")
            assert await page.evaluate("document.documentElement.scrollWidth") == PHONE["width"], shown
