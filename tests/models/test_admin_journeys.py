"""What an operator does in the admin, in a real browser: `flowchat serve` with the default models and a real site."""

import asyncio
import re
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from chromium import browsing
from crawling import chain, html, site
from loopback import answer
from operating import (
    DESKTOP,
    ORIGIN,
    OWNER,
    SHOP,
    TIMEOUT_S,
    Process,
    answered,
    ask,
    flowchat_serving,
    hand_made,
    hold,
    make_key,
    make_owner,
    operator,
    sees_progress,
    sign_in,
    stream,
)
from playwright.async_api import expect
from signing_in import PASSWORD

from flowchat.services import totp

pytestmark = [pytest.mark.models, pytest.mark.browser, pytest.mark.slow]
QUESTION = "How many days do I have to return a lamp?"
NOT_ON_THE_SITE = "Do you sell gift cards?"
FORMS = "[...document.querySelectorAll('main form[method=post]')].map((form) => form.getAttribute('action'))"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Iterator[Process]:
    folder = tmp_path_factory.mktemp("journeys") / "data"
    with flowchat_serving(folder, models_dir, crawl_timeout_s=str(TIMEOUT_S)) as process:
        make_owner(process)
        yield process


@pytest.fixture(autouse=True)
def patience() -> Iterator[None]:
    """Models take their time on a busy machine."""
    expect.set_options(timeout=TIMEOUT_S * 1000)
    yield
    expect.set_options(timeout=5000)


async def test_from_the_first_run_to_a_verified_answer(tmp_path: Path, models_dir: Path) -> None:
    with flowchat_serving(tmp_path / "data", models_dir, crawl_timeout_s=str(TIMEOUT_S)) as served:
        async with site({**chain(20), **SHOP}) as shop, browsing(served, viewport=DESKTOP) as page:
            await page.goto(served.set_up_link)
            await page.get_by_label("Your name").fill("Ann")
            await page.get_by_label("E-mail address").fill(OWNER)
            await page.get_by_label("Password").fill(PASSWORD)
            await page.get_by_role("button", name="Make my account").click()
            await page.get_by_role("link", name="Add your site").click()
            await page.get_by_label("Address of the site").fill(shop.url)
            await page.get_by_role("button", name="Look at it first").click()
            await expect(page.locator("#preview").get_by_role("row", name=re.compile("Returns"))).to_be_visible()
            hold(shop, "/p5", "/p10")
            await page.get_by_role("button", name="Add it and crawl").click()
            await sees_progress(page, shop)
            await expect(page.get_by_role("heading", name="It answers. What next?")).to_be_visible()

            await page.get_by_role("link", name="Ask it something").click()
            run = await ask(page, QUESTION)
            await expect(run).to_have_attribute("data-outcome", "answered")
            await expect(run.locator(".answer")).to_contain_text("within 30 days of delivery")
            await expect(run.locator('.answer .mark[data-ok="true"]').first).to_have_text("1")
            await expect(run.get_by_role("link", name="Returns")).to_have_attribute("href", f"{shop.url}/returns")

            await page.get_by_role("link", name="Overview").click()
            await page.get_by_role("link", name="Make a key").click()
            await expect(page.get_by_label("Pages that may use it")).to_have_value(shop.url)
            key = await make_key(page, "Shop", ORIGIN)
            await expect(page.get_by_text(f'data-key="{key}"')).to_be_visible()
            await page.get_by_role("link", name="Overview").click()
            await expect(page.get_by_role("heading", level=1)).to_have_text("Overview")


async def test_crawls_are_watched_and_one_is_canceled(served: Process) -> None:
    async with site(chain(30)) as server, operator(served) as page:
        await page.goto("/admin/sources")
        await page.get_by_role("link", name="Add a site").click()
        await page.get_by_label("Address of the site").fill(server.url)
        await page.get_by_text("Name, slug and language").click()
        await page.get_by_label("Slug").fill("watched")
        hold(server, "/p5", "/p10")
        await page.get_by_role("button", name="Add it and crawl").click()
        await sees_progress(page, server)
        await expect(page.get_by_role("heading", name="It answers. What next?")).to_be_visible()

        server.answers |= chain(1000)
        hold(server, "/p5", "/p10", "/p20")
        await page.get_by_role("button", name="Crawl it again").click()
        await sees_progress(page, server)
        await page.get_by_role("button", name="Cancel", exact=True).click()
        dialog = page.get_by_role("dialog", name="Cancel this job?")
        await expect(dialog).to_contain_text("What answered before it began goes on answering.")
        await dialog.get_by_role("button", name="Cancel the job").click()
        server.held["/p20"].set()
        await expect(page.locator("#last-job ~ p")).to_contain_text("canceled")
        await expect(page.locator(".figure", has_text="that answers are made from")).to_contain_text("30")


async def test_a_recrawl_is_rolled_back(served: Process) -> None:
    async with site(dict(SHOP)) as shop, operator(served) as page:
        await served.crawled(shop, "rolled")
        shop.answers["/returns"] = html("You can return an unused lamp within 14 days of delivery.", title="Returns")
        await page.goto("/admin/sources/rolled")
        await page.get_by_role("button", name="Crawl it again").click()
        await expect(page.get_by_role("button", name="Crawl it again")).to_be_visible()
        await page.get_by_role("link", name="Versions", exact=True).click()
        await page.get_by_role("link", name="Version 2", exact=True).click()
        await page.locator(".changes summary", has_text="Returns").click()
        await expect(page.locator(".diff ins", has_text="within 14 days")).to_be_visible()
        await expect(page.locator(".diff del", has_text="within 30 days")).to_be_visible()
        await page.goto("/admin/playground?source=rolled")
        await expect((await ask(page, QUESTION)).locator(".answer")).to_contain_text("within 14 days")

        await page.goto("/admin/sources/rolled/versions")
        await page.get_by_role("button", name="Roll back").click()
        dialog = page.get_by_role("dialog", name="Let version 1 answer?")
        await dialog.get_by_role("button", name="Let version 1 answer").click()
        await expect(page.get_by_role("row", name=re.compile("Version 1"))).to_contain_text("answers")
        await page.get_by_role("link", name="Ask it").click()
        await expect((await ask(page, QUESTION)).locator(".answer")).to_contain_text("within 30 days")


async def test_a_revoked_key_is_refused_at_once(served: Process) -> None:
    async with site(dict(SHOP)) as shop, operator(served) as page:
        await served.crawled(shop, "revoked-key")
        await page.goto("/admin/keys/new?source=revoked-key")
        key = await make_key(page, "Widget of the shop", ORIGIN)
        done = await stream(served, key, QUESTION, asyncio.Event())
        assert done[-1] == "stream.done" and "nli.verified" in done
        await page.get_by_role("link", name="I have kept it").click()
        await page.get_by_role("button", name="Revoke", exact=True).click()
        dialog = page.get_by_role("dialog", name="Revoke Widget of the shop?")
        await dialog.get_by_label("to confirm").fill(key[-4:])

        questions = [f"How long is the {part} of a lamp under warranty?" for part in ("switch", "wood", "wiring")]
        begun = [asyncio.Event() for _ in questions]
        streams = [
            asyncio.create_task(stream(served, key, question, event))
            for question, event in zip(questions, begun, strict=True)
        ]
        await asyncio.gather(*(event.wait() for event in begun))
        await page.keyboard.press("Enter")
        await expect(page.locator(".toast")).to_contain_text("The key is revoked")
        ended = await asyncio.gather(*streams)
        assert ["error", "key_revoked", "stream.done"] in [events[-3:] for events in ended]
        async with httpx.AsyncClient(base_url=served.url, timeout=TIMEOUT_S) as client:
            headers = {"X-FlowChat-Key": key, "Origin": ORIGIN}
            refused = await client.post("/v1/chat", json={"query": QUESTION}, headers=headers)
        assert (refused.status_code, refused.headers["Access-Control-Allow-Origin"]) == (401, ORIGIN)
        await page.goto("/admin/keys")
        await expect(page.get_by_role("row", name=re.compile("Widget of the shop"))).to_contain_text("revoked")


async def test_a_failed_delivery_is_sent_again(served: Process) -> None:
    broken = answer(b"out of order", status="500 Internal Server Error")
    async with site({"/hook": answer(b"thanks")}) as receiver, site(dict(SHOP)) as shop, operator(served) as page:
        await page.goto("/admin/webhooks")
        await page.get_by_role("link", name="New endpoint").first.click()
        await page.get_by_label("URL").fill(f"{receiver.url}/hook")
        await page.get_by_label("All of them").check()
        await page.get_by_role("button", name="Add the endpoint").click()
        await expect(page.locator(".secret code")).to_have_text(re.compile("^whsec_"))
        await page.get_by_role("button", name="Send a ping").click()
        await expect(page.get_by_text("delivered", exact=True)).to_be_visible()
        await expect(page.get_by_text("thanks")).to_be_visible()

        receiver.answers["/hook"] = broken
        await served.crawled(shop, "delivered")
        await page.get_by_role("link", name="Endpoint", exact=True).click()
        await page.get_by_role("link", name="version.indexed").click()
        await expect(page.get_by_text("The endpoint answered 500, not 2xx.").first).to_be_visible()
        await expect(page.get_by_text("out of order").first).to_be_visible()
        await expect(page.locator("#request ~ .code-block").last).to_contain_text('"slug": "delivered"')
        await page.get_by_role("link", name="Webhooks", exact=True).click()
        await expect(page.get_by_role("row", name=receiver.url)).to_contain_text("failing")

        receiver.answers["/hook"] = answer(b"thanks")
        await page.go_back()
        await page.get_by_role("button", name="Send once more").click()
        await expect(page.get_by_text("delivered", exact=True)).to_be_visible()
        await page.get_by_role("link", name="Webhooks", exact=True).click()
        await expect(page.get_by_role("row", name=receiver.url).get_by_text("on", exact=True)).to_be_visible()
        told = [request.lower() for request in receiver.requests]
        assert all("x-flowchat-signature:" in head and "webhook-signature: v1," in head for head in told)


async def test_a_curated_answer_mends_an_unanswered_question(served: Process) -> None:
    async with site(dict(SHOP)) as shop, operator(served) as page:
        await served.crawled(shop, "mended")
        made = await served.call(
            "POST", "/v1/keys", json={"type": "widget", "sources": ["mended"], "origins": [ORIGIN]}
        )
        events = await stream(served, made["key"], NOT_ON_THE_SITE, asyncio.Event())
        assert "generation.cited" not in events
        await page.goto("/admin/questions")
        await page.get_by_role("link", name=f"Answer it: {NOT_ON_THE_SITE}").click()
        await expect(page.get_by_label("Question")).to_have_value(NOT_ON_THE_SITE)
        await page.get_by_label("Answer", exact=True).fill("Yes: gift cards of 25 and 50 euros, at the workshop.")
        await page.get_by_role("button", name="Save and ask it").click()
        run = await answered(page)
        await expect(run.locator(".state")).to_contain_text("Answered by the curated answer")
        await expect(run.locator(".answer")).to_contain_text("gift cards of 25 and 50 euros")
        await page.get_by_role("link", name="Unanswered").click()
        await expect(page.get_by_role("link", name=f"Answer it: {NOT_ON_THE_SITE}")).to_have_count(0)


async def test_the_second_factor(served: Process) -> None:
    async with browsing(served, viewport=DESKTOP) as page:
        overview = page.get_by_role("link", name="Overview")
        await page.goto("/admin/account")
        await sign_in(page, OWNER)
        await page.get_by_role("link", name="Turn on").click()
        secret = (await page.locator("code.key").inner_text()).replace("-", "")
        step = int(time.time()) // totp.STEP_S
        await page.get_by_label("Code", exact=True).fill(totp.code(secret, step))
        await page.get_by_label("Your password").fill(PASSWORD)
        await page.get_by_role("button", name="Turn on").click()
        codes = (await page.locator(".secret code").inner_text()).split()
        await page.get_by_role("link", name="I have kept them").click()

        await page.locator(".sidebar").get_by_role("button", name="Sign out").click()
        await sign_in(page, OWNER)
        await page.get_by_label("Code").fill(totp.code(secret, max(step + 1, int(time.time()) // totp.STEP_S)))
        await page.get_by_role("button", name="Sign in").click()
        await expect(overview).to_have_attribute("aria-current", "page")

        for is_fresh in (True, False):
            await page.locator(".sidebar").get_by_role("button", name="Sign out").click()
            await sign_in(page, OWNER)
            await page.get_by_label("Code").fill(codes[0])
            await page.get_by_role("button", name="Sign in").click()
            if is_fresh:
                await expect(overview).to_have_attribute("aria-current", "page")
        await expect(page.get_by_text("This code is wrong.")).to_be_visible()
        await page.get_by_label("Code").fill(codes[1])
        await page.get_by_role("button", name="Sign in").click()
        await page.goto("/admin/account")
        await expect(page.get_by_text("8 of your recovery codes are left")).to_be_visible()
        await page.get_by_role("button", name="Turn off").click()
        dialog = page.get_by_role("dialog", name="Turn the second factor off?")
        await dialog.get_by_label("Your password").fill(PASSWORD)
        await dialog.get_by_role("button", name="Turn it off").click()
        await expect(page.get_by_role("link", name="Turn on")).to_be_visible()


async def test_a_viewer_looks_and_changes_nothing(served: Process) -> None:
    async with site(dict(SHOP)) as shop, operator(served) as page:
        source = await served.crawled(shop, "looked-at")
        key = await served.call("POST", "/v1/keys", json={"type": "widget", "origins": [ORIGIN]})
        await page.goto("/admin/users")
        await page.get_by_role("link", name="Invite somebody").first.click()
        await page.get_by_label("E-mail address").fill("vera@shop.example")
        await page.get_by_label("Viewer").check()
        await page.get_by_role("button", name="Make the invitation").click()
        link = await page.locator(".secret code").inner_text()
    async with browsing(served, viewport=DESKTOP) as page:
        await page.goto(link)
        await page.get_by_label("Password").fill(PASSWORD)
        await page.get_by_role("button", name="Set my password").click()
        await expect(page.get_by_role("link", name="Overview", exact=True)).to_have_attribute("aria-current", "page")
        menu = page.get_by_role("navigation", name="Admin").get_by_role("link")
        paths = [str(await entry.get_attribute("href")) for entry in await menu.all()]
        versions = f"/admin/sources/looked-at/versions/{source['live_version']}"
        paths += ["/admin/sources/looked-at", "/admin/sources/looked-at/settings", versions, f"/admin/keys/{key['id']}"]
        buttons = {}
        for path in paths:
            await page.goto(path)
            await expect(page.get_by_role("heading", level=1)).to_be_visible()
            buttons[path] = await page.evaluate(FORMS)
        assert {path: found for path, found in buttons.items() if found} == {}

        token = await page.locator("[name=csrf_token]").first.input_value()
        headers = {"Origin": served.url}
        refused = {}
        for path, fields in hand_made("sources/looked-at", f"keys/{key['id']}").items():
            form = {"csrf_token": token, **fields}
            refused[path] = (
                await page.request.post(f"/admin/{path}", form=form, headers=headers, max_redirects=0)
            ).status
        assert set(refused.values()) == {403}, refused
        await page.goto("/admin/playground?source=looked-at")
        await expect((await ask(page, QUESTION)).locator(".answer")).to_contain_text("within 30 days")
