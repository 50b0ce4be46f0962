"""The page that compares usage with Stripe: a form leads to it, so that no walk along links finds it."""

from pathlib import Path

import pytest
from billed import parked_event
from chromium import VIEWS
from playwright.async_api import expect
from signing_in import signed_in
from stripe_faking import KEY, stripe_fake
from test_accessibility import violations
from test_admin import entered
from test_home import browsing
from web_server import serving

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.mark.parametrize(("scheme", "width"), VIEWS)
async def test_compare_then_settle(tmp_path: Path, scheme: str, width: int) -> None:
    view = {"viewport": {"width": width, "height": 900}, "color_scheme": scheme, "reduced_motion": "reduce"}
    async with (
        stripe_fake() as fake,
        serving(tmp_path, stripe_api_key=KEY, stripe_api_base=fake.url) as served,
        signed_in(served, operator=True) as me,
        browsing(served, **view) as page,
    ):
        await parked_event(served.app, fake)
        await entered(served, page, me)
        await page.goto("/admin/stripe")
        await expect(page.get_by_text("1 parked")).to_be_visible()
        await page.get_by_role("button", name="Compare with Stripe").click()
        await expect(page.get_by_role("heading", name="Compared with Stripe")).to_be_visible()
        await expect(page.get_by_role("status").first).to_contain_text("1 of 1 hours are parked or differ")
        assert await violations(page) == []
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
        await page.get_by_role("button", name="Settle parked usage").click()
        await page.get_by_role("button", name="Settle it").click()
        await expect(page.get_by_text("agree in all 1 hours")).to_be_visible()
        assert await violations(page) == []
