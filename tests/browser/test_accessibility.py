"""axe-core finds nothing on the public pages, light and dark, wide and narrow."""

from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from chromium import VIEWS
from playwright.async_api import Page, expect
from test_home import annotated, ask, browsing, checked_answer, refusal
from web_server import add_docs_version, serving

AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
PATHS = (
    "/",
    "/product/widget",
    "/docs",
    "/docs/webhooks",
    "/docs/settings",
    "/docs/api",
    "/docs/api/keys",
    "/docs/api/chat",
    "/docs/none",
    "/signup",
    "/signup?invite=none",
    "/signup/check-your-mail",
    "/signup/confirm/none",
)

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.mark.parametrize(("scheme", "width"), VIEWS)
async def test_no_violations(tmp_path: Path, scheme: str, width: int) -> None:
    context: dict[str, Any] = {"viewport": {"width": width, "height": 900}, "color_scheme": scheme}
    async with serving(tmp_path / "data", signup="open") as served:
        await add_docs_version(served.app)
        async with browsing(served, reduced_motion="reduce", **context) as page:
            for path in PATHS:
                await page.goto(path)
                assert await violations(page) == [], path
            for script in (checked_answer, refusal, annotated):
                served.answerer.script = script
                await ask(page, "How are answers checked?")
                await expect(page.locator("article.answer")).to_have_attribute("aria-busy", "false")
                await page.evaluate("document.getElementById('trail').open = true")
                assert await violations(page) == [], script.__name__


async def violations(page: Page) -> list[str]:
    await page.evaluate(AXE)
    found = await page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [f"{rule['id']}: {node['target']}" for rule in found["violations"] for node in rule["nodes"]]
