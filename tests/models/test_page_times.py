"""How soon the pages of the admin, and the homepage, can be used, and what they weigh: `flowchat serve` on loopback.

Prints a table. Times depend on the machine, so that only the weight is asserted.
"""

from pathlib import Path
from typing import Any

import pytest
from crawling import site
from operating import ORIGIN, SHOP, flowchat_serving, make_owner, operator

pytestmark = [pytest.mark.models, pytest.mark.browser, pytest.mark.slow]
MOST_BYTES = 150_000  # of a page before images, as they are sent, with nothing in the browser's cache
OF_A_SOURCE = ("", "/pages", "/versions", "/settings")
MEASURE = """async () => {
  const longest = await new Promise((resolve) => {
    let most = 0;
    const note = (list) => list.getEntries().forEach(({ duration }) => (most = Math.max(most, duration)));
    new PerformanceObserver(note).observe({ type: "longtask", buffered: true });
    setTimeout(() => resolve(most), 300);
  });
  const [page] = performance.getEntriesByType("navigation");
  const isPicture = ({ name, initiatorType }) => initiatorType === "img" || /[.](svg|png|ico)/.test(name);
  const parts = [page, ...performance.getEntriesByType("resource").filter((entry) => !isPicture(entry))];
  const sum = (name) => parts.reduce((total, entry) => total + entry[name], 0);
  return { server: page.responseStart, interactive: page.domInteractive, ready: page.domContentLoadedEventEnd,
    load: page.loadEventEnd, longest, bytes: sum("encodedBodySize") };
}"""


async def test_no_page_is_heavy(tmp_path: Path, models_dir: Path) -> None:
    with flowchat_serving(tmp_path / "data", models_dir) as served:
        make_owner(served)
        async with site(dict(SHOP)) as shop, operator(served) as page:
            source = await served.crawled(shop, "measured")
            key = await served.call("POST", "/v1/keys", json={"type": "widget", "origins": [ORIGIN]})
            session = await page.context.new_cdp_session(page)
            await session.send("Network.setCacheDisabled", {"cacheDisabled": True})
            await page.goto("/admin")
            menu = page.get_by_role("navigation", name="Admin").get_by_role("link")
            paths = [str(await entry.get_attribute("href")) for entry in await menu.all()]
            paths += [f"/admin/sources/measured{tab}" for tab in OF_A_SOURCE]
            paths += [f"/admin/sources/measured/versions/{source['live_version']}", "/admin/sources/new"]
            paths += [f"/admin/keys/{key['id']}", "/admin/keys/new", "/admin/webhooks/new", "/admin/account", "/"]
            measured: dict[str, dict[str, Any]] = {}
            for path in paths:
                await page.goto(path)
                measured[path] = await page.evaluate(MEASURE)
    titles = ("server", "interactive", "ready", "load", "longest", "bytes")
    print("\n| page | first byte | interactive | DOM ready | load | longest task | bytes |")
    for path, found in measured.items():
        named = path.replace(key["id"], "ID").replace(source["live_version"], "ID")
        print(f"| {named} | " + " | ".join(f"{found[title]:,.0f}" for title in titles) + " |")
    assert {path: found["bytes"] for path, found in measured.items() if found["bytes"] > MOST_BYTES} == {}
