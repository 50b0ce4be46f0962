"""What strangers write stays text on every page of the admin: no script runs, nothing is asked for elsewhere.

The content policy is switched off, so that it is the pages themselves that hold.
"""

from pathlib import Path
from urllib.parse import urlencode

import hostile_markup
import pytest
from admin_pages import make_site, walk
from playwright.async_api import Page
from signing_in import signed_in
from test_admin import entered
from test_home import browsing
from two_tenants import make_tenant, operator_key
from web_server import serving

# Scripts in attributes run when they are provoked; links that run one are never followed, so they are looked at.
PROVOKE = """() => {
  for (const element of document.querySelectorAll("main *, .sidebar *")) {
    for (const type of ["mouseover", "pointerenter", "focus", "focusin", "toggle", "animationstart"]) {
      element.dispatchEvent(new Event(type, { bubbles: true }));
    }
  }
}"""
WRONG = """() => [
  ...("ran" in window ? ["a script ran"] : []),
  ...[...document.querySelectorAll("*")].filter((element) =>
    [...element.attributes].some(({ name }) => name.startsWith("on") || name.startsWith("hx-on"))
    || !/^(https?|mailto|tel|):/.test(element.protocol ?? ":")
    || (element.getAttribute("hx-get") ?? "").includes("evil.example")
  ).map((element) => element.outerHTML.slice(0, 200)),
]"""
FORMS = """() => [...document.querySelectorAll("form[method=get]")].map((form) => [
  form.getAttribute("action"), [...form.elements].filter((e) => /text|search/.test(e.type)).map((e) => e.name)
])"""

pytestmark = [pytest.mark.browser, pytest.mark.slow]


async def test_stored_markup_stays_text(tmp_path: Path) -> None:
    texts = hostile_markup.payloads()
    assert len(texts) >= 500
    async with (
        serving(tmp_path / "data", calls_per_minute=0) as served,
        signed_in(served, operator=True) as me,
        browsing(served, bypass_csp=True) as page,
    ):
        site = await make_site(served, me, await make_tenant(served, await operator_key(served), "acorn"))
        await hostile_markup.fill(served, site.tenant, texts)
        await entered(served, page, me)
        foreign: list[str] = []
        page.on("request", lambda request: None if request.url.startswith(served.url) else foreign.append(request.url))
        wrong: dict[str, list[str]] = {}
        shown: set[str] = set()
        searches: dict[str, list[str]] = {}
        async for path in walk(site, page, most=3):
            wrong[path] = await provoked(page)
            told = await page.locator("body").inner_text()
            shown |= {text for text in texts if text in told}
            searches |= dict(await page.evaluate(FORMS))
        for action, names in searches.items():
            path = f"{action}?{urlencode(dict.fromkeys(names, ' '.join(texts[::40])))}"
            await page.goto(path)
            wrong[path] = await provoked(page)
    assert {path: found for path, found in wrong.items() if found} == {}
    assert foreign == []
    assert len(wrong) > 20 and len(shown) > 0
    print(f"{len(texts)} texts, {len(wrong)} pages opened, {len(shown)} texts seen there word for word")


async def provoked(page: Page) -> list[str]:
    await page.evaluate(PROVOKE)
    return list(await page.evaluate(WRONG))
