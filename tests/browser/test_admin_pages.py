"""Every page of the admin: axe-core finds nothing, it fits narrow windows, it is light."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from admin_pages import Routes, Site, make_site, walk
from chromium import VIEWS
from playwright.async_api import Page, Request, Response
from signing_in import signed_in
from test_accessibility import violations
from test_admin import entered
from test_home import browsing
from two_tenants import make_tenant, operator_key
from web_server import serving

MOST_BYTES = 150_000  # of a page before images, with nothing in the browser's cache

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@asynccontextmanager
async def open_site(folder: Path, **context: Any) -> AsyncIterator[tuple[Site, Page]]:
    """A tenant with one of everything, and a browser of its operator."""
    async with (
        serving(folder, calls_per_minute=0) as served,
        signed_in(served, operator=True) as me,
        browsing(served, reduced_motion="reduce", **context) as page,
    ):
        site = await make_site(served, me, await make_tenant(served, await operator_key(served), "acorn"))
        await entered(served, page, me)
        yield site, page


@pytest.mark.parametrize(("scheme", "width"), VIEWS)
async def test_no_violations(tmp_path: Path, scheme: str, width: int) -> None:
    viewport = {"width": width, "height": 900}
    async with open_site(tmp_path / "data", viewport=viewport, color_scheme=scheme) as (site, page):
        found = {path: await violations(page) async for path in walk(site, page)}
        await page.context.clear_cookies()
        for path in Routes(site.served).public:
            await page.goto(path)
            found[path] = await violations(page)
    assert len(found) > 20
    assert {path: wrong for path, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize("width", [390, 640])  # a phone; 1280 pixels at 200 % zoom
async def test_no_page_is_wider_than_its_window(tmp_path: Path, width: int) -> None:
    async with open_site(tmp_path / "data", viewport={"width": width, "height": 900}) as (site, page):
        widths = {path: await page.evaluate("document.documentElement.scrollWidth") async for path in walk(site, page)}
    assert {path: found for path, found in widths.items() if found > width} == {}


async def test_no_page_is_heavy(tmp_path: Path) -> None:
    async with open_site(tmp_path / "data") as (site, page):
        responses: list[Response] = []
        page.on("response", lambda response: responses.append(response))
        await page.route("**/*", lambda route: route.continue_())  # which keeps the cache out of it
        sizes = {}
        async for path in walk(site, page):
            await page.wait_for_load_state("load")
            sizes[path] = sum([await _sent(found) for found in responses if not _is_left_out(found.request)])
            responses.clear()
    assert min(sizes.values()) > 10_000, "style sheets and scripts are counted"
    heaviest = max(sizes, key=lambda path: sizes[path])
    print(f"{len(sizes)} pages, the heaviest {heaviest}: {sizes[heaviest]:,} bytes")
    assert {path: size for path, size in sizes.items() if size > MOST_BYTES} == {}


async def _sent(response: Response) -> int:
    """Bytes of its body, compressed as it may be."""
    await response.finished()
    return (await response.request.sizes())["responseBodySize"]


def _is_left_out(request: Request) -> bool:
    """Images, and streams, which go on."""
    return request.resource_type == "eventsource" or request.resource_type == "image" or request.url.endswith(".svg")
