"""Pages of the fake of Stripe in a real browser, without JavaScript: they need none."""

from typing import Any

import pytest
from chromium import VIEWS, browsing
from playwright.async_api import Page, expect
from stripe_faking import Shop, shop
from test_accessibility import AXE

pytestmark = pytest.mark.browser


async def pay(world: Shop, page: Page, back: str) -> None:
    """In the browser, which comes back."""
    params: Any = {
        "mode": "subscription",
        "customer": world.customer,
        "line_items": [{"price": world.base, "quantity": 1}, {"price": world.metered}],
        "success_url": back,
        "cancel_url": back,
    }
    session = await world.api.v1.checkout.sessions.create_async(params)
    await page.goto(session.url or "")
    await expect(page.get_by_role("link", name="Go back")).to_have_attribute("href", back)
    await page.get_by_role("button", name="Pay", exact=True).click()
    await page.wait_for_url(back)


async def test_paying_canceling_and_the_clock() -> None:
    """The way back leads to another origin, which the policy of the page allows."""
    async with shop() as world, shop() as other, browsing(world.fake, java_script_enabled=False) as page:
        await pay(world, page, f"{other.fake.url}/")
        await page.goto(await world.portal())
        await page.get_by_role("button", name="Cancel at the end of the period").click()
        await expect(page.get_by_text("It ends on 2026-12-16")).to_be_visible()
        await page.get_by_role("button", name="Don't cancel").click()
        await page.get_by_role("button", name="Use a card that is declined").click()
        await page.goto("/")
        await page.get_by_role("button", name="One month on").click()
        await expect(page.get_by_text("past due")).to_be_visible()
        await page.goto(await world.portal())
        await page.get_by_role("button", name="Use a card that works").click()
        await page.get_by_role("button", name="Pay").click()
        await expect(page.get_by_text("active")).to_be_visible()


@pytest.mark.parametrize(("scheme", "width"), VIEWS)
async def test_they_can_be_read_by_everybody(scheme: str, width: int) -> None:
    context: dict[str, Any] = {"viewport": {"width": width, "height": 900}, "color_scheme": scheme, "bypass_csp": True}
    async with shop() as world, browsing(world.fake, **context) as page:
        subscription = await world.subscribe(button="pay_then_fail")
        await world.use(1234, "a")
        await world.fake.advance(days=16)
        [open_invoice, _] = (await world.api.v1.invoices.list_async({})).data
        session = await world.api.v1.checkout.sessions.create_async(
            {
                "mode": "subscription",
                "line_items": [{"price": world.base, "quantity": 1}, {"price": world.metered}],
                "success_url": "http://127.0.0.1:1/",
                "cancel_url": "http://127.0.0.1:1/",
            }
        )
        assert await world.status(subscription) == "past_due"
        for path in ("/", await world.portal(), open_invoice.hosted_invoice_url, session.url, "/portal/none"):
            await page.goto(path or "")
            await page.evaluate(AXE)
            found = await page.evaluate("axe.run(document, {resultTypes: ['violations']})")
            assert [f"{rule['id']}: {node['target']}" for rule in found["violations"] for node in rule["nodes"]] == []
            assert await page.evaluate("document.documentElement.scrollWidth") <= width, path
