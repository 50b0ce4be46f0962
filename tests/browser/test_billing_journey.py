"""A customer's whole life in a real browser: trial, warning, Checkout, portal, a payment that fails, and is mended.

Stripe is the fake, over HTTP, with its own pages; e-mails come to a real mail server. Every stop leaves a picture in
FLOWCHAT_TEST_SCREENSHOTS, if that names a folder.
"""

import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import pytest
from chromium import browsing
from clock import Clock
from mailing import Mailbox, link_in
from metered import add_plans
from playwright.async_api import Page, expect
from signing_up import ANN, taking_sign_ups
from stripe_faking import KEY, StripeFake, stripe_fake
from web_server import ORIGIN, QUESTION, Served

from flowchat.billing import Plan
from flowchat.domain import now
from flowchat.net.stripe_api.client import Stripe, connect
from flowchat.services import metering, quota_warnings, stripe_setup
from flowchat.services.stripe_inbox import Inbox
from flowchat.store import plans
from flowchat.web import form_times

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PASSWORD = "correct horse battery"
NOT_SIGNED_OUT = {"session_idle_hours": 10_000.0, "session_max_days": 1000.0}
TRIAL_ANSWERS = 10


@dataclass
class World:
    served: Served
    fake: StripeFake
    stripe: Stripe
    mailbox: Mailbox
    clock: Clock
    page: Page
    widget_key: str = ""
    pictures: int = 0

    async def ask(self) -> int:
        """The status of a visitor's question."""
        headers = {"X-FlowChat-Key": self.widget_key, "Accept": "application/json", "Origin": ORIGIN}
        return (await self.served.client.post("/v1/chat", json=QUESTION, headers=headers)).status_code

    async def go_on(self, *, days: float) -> None:
        """Through all that happens at Stripe meanwhile, and is told."""
        await self.fake.advance(days=days)
        self.clock.go_on(days=days)
        await self.hear()

    async def hear(self) -> None:
        await self.fake.until_delivered()
        await Inbox(self.served.app, self.stripe).handle_due()

    async def letter(self, subject: str) -> None:
        """Wait for it."""
        while not any(re.search(subject, str(letter["Subject"])) for letter in self.mailbox.letters):
            await self.mailbox.until(len(self.mailbox.letters) + 1)

    async def picture(self, name: str) -> None:
        if folder := os.environ.get("FLOWCHAT_TEST_SCREENSHOTS"):
            self.pictures += 1
            await self.page.screenshot(path=Path(folder) / f"{self.pictures:02}-{name}.png", full_page=True)


@asynccontextmanager
async def world(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """An appliance that everybody may sign up at, with two plans that Stripe sells."""
    monkeypatch.setattr(form_times, "LEAST_S", 0)
    clock = Clock(monkeypatch, "2026-11-20T09:10:00.000Z")
    async with (
        stripe_fake() as fake,
        taking_sign_ups(
            folder, signup_live_keys=True, stripe_api_key=KEY, stripe_api_base=fake.url, **NOT_SIGNED_OUT
        ) as (served, mailbox),
        connect(served.app.settings) as stripe,
        browsing(served, viewport={"width": 1280, "height": 900}, reduced_motion="reduce") as page,
    ):
        app = served.app
        await fake.set_time(datetime.fromisoformat(now()).timestamp())
        await add_plans(app)
        await app.db.write(lambda conn: plans.update(conn, _small_trial(plans.trial_now(conn))))
        for step in (await stripe_setup.plan_set_up(app, stripe)).steps:
            await step.work()
        app.settings = replace(app.settings, public_url=served.url)
        secrets = await stripe_setup.create_endpoints(app, stripe)
        app.settings = replace(app.settings, stripe_webhook_secret=",".join(secrets))
        yield World(served, fake, stripe, mailbox, clock, page)


def _small_trial(trial: Plan | None) -> Plan:
    assert trial
    return replace(trial, included_queries=TRIAL_ANSWERS)


async def test_from_a_trial_to_a_payment_that_fails_and_is_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world(tmp_path / "data", monkeypatch) as at:
        await sign_up(at)
        await use_the_trial_up(at)
        await subscribe(at)
        await see_invoices(at)
        await use_is_billed(at)
        await a_payment_fails(at)
        await it_is_mended(at)


async def sign_up(at: World) -> None:
    page = at.page
    await page.goto("/signup")
    await expect(page.get_by_text("14 days")).to_be_visible()
    await page.locator("#name").fill("Ann's Shop")
    await page.locator("#email").fill(ANN)
    await page.locator("#site").fill(ORIGIN)
    await at.picture("sign-up")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Look into your mail")
    await at.picture("look-into-your-mail")
    await page.goto(link_in((await at.mailbox.until(1))[0]))
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Make my account").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Your account is ready")
    await at.picture("your-account-is-ready")
    at.widget_key = await page.locator("main pre").first.inner_text()
    assert at.widget_key.startswith("kbk_live_")


async def use_the_trial_up(at: World) -> None:
    page = at.page
    assert [await at.ask() for _ in range(8)] == [200] * 8
    await quota_warnings.warn(at.served.app)
    await at.letter("80 %")
    await page.goto("/admin")
    await expect(page.get_by_text("80 % of this month's answers are used: 8 of 10.")).to_be_visible()
    await at.picture("overview-at-80-percent")
    assert [await at.ask() for _ in range(3)] == [200, 200, 429]
    await quota_warnings.warn(at.served.app)
    await at.letter("100 %")
    await page.get_by_role("link", name="See your plan").first.click()
    await expect(page.get_by_role("heading", name="Trial")).to_be_visible()
    await at.picture("trial-used-up")


async def subscribe(at: World) -> None:
    page = at.page
    await page.get_by_role("button", name="Choose Starter").click()
    await page.wait_for_url(f"{at.fake.url}/checkout/**")
    await at.picture("checkout")
    await page.get_by_role("button", name="Pay", exact=True).click()
    await page.wait_for_url("**/admin/billing?checkout=done")
    await at.hear()
    await expect(page.get_by_role("heading", name="Starter active")).to_be_visible()
    await at.picture("subscribed")
    assert await at.ask() == 200
    await at.letter("Starter")


async def see_invoices(at: World) -> None:
    page = at.page
    await page.get_by_role("button", name="Invoices and payment").click()
    await page.wait_for_url(f"{at.fake.url}/portal/**")
    await at.picture("portal")
    await page.get_by_role("link", name="Go back").click()
    await page.wait_for_url("**/admin/billing")
    await page.get_by_role("button", name="Change to Large").click()
    await page.get_by_role("dialog").get_by_role("button", name="Change the plan").click()
    await expect(page.get_by_role("heading", name="Large active")).to_be_visible()
    await page.get_by_role("button", name="Change to Starter").click()
    await page.get_by_role("dialog").get_by_role("button", name="Change the plan").click()
    await expect(page.get_by_role("heading", name="Starter active")).to_be_visible()


async def use_is_billed(at: World) -> None:
    """What was used since the subscription began, and nothing of the trial."""
    await at.go_on(days=0.1)  # the clock stands still while the fake's goes on: after the subscription's beginning
    assert [await at.ask() for _ in range(4)] == [200] * 4
    await at.go_on(days=0.1)
    await metering.seal(at.served.app)
    await metering.Reporter(at.served.app, at.stripe).report_due()
    totals = (await at.fake.state())["meters"]["flowchat_queries"]
    assert list(totals.values()) == [4]


async def a_payment_fails(at: World) -> None:
    page = at.page
    [customer] = await at.fake.objects("customer")
    await at.fake.decline(customer["id"])
    await at.go_on(days=11)  # into December, past the renewal
    await page.goto("/admin")
    await expect(page.get_by_text("A payment is due.")).to_be_visible()
    await at.picture("payment-due")
    await at.letter("[Pp]ayment")
    assert await at.ask() == 200
    at.clock.go_on(days=at.served.app.settings.past_due_days)  # Stripe waits longer than that
    assert await at.ask() == 402
    await page.goto("/admin/sources")
    await expect(page.get_by_text("This account is read-only.")).to_be_visible()
    await at.picture("read-only")


async def it_is_mended(at: World) -> None:
    page = at.page
    await page.goto("/admin/billing")
    await at.picture("billing-read-only")
    await page.get_by_role("button", name="Invoices and payment").click()
    await page.wait_for_url(f"{at.fake.url}/portal/**")
    await page.get_by_role("button", name="Use a card that works").click()
    await page.get_by_role("button", name="Pay", exact=True).click()
    await at.picture("portal-paid")
    await at.hear()
    await page.goto("/admin/billing")
    await expect(page.get_by_role("heading", name="Starter active")).to_be_visible()
    await at.picture("recovered")
    assert await at.ask() == 200
