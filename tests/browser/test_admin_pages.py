"""Every page of the admin: axe-core finds nothing, it fits narrow windows, it is light."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

import pytest
from admin_pages import Routes, Site, make_site, walk
from chromium import VIEWS
from playwright.async_api import Page
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
        serving(folder, calls_per_minute=0, signup="open") as served,
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
        network = await Network.of(page)
        sizes = {}
        async for path in walk(site, page):
            await page.wait_for_load_state("load")
            sizes[path] = network.take_bytes()
    assert min(sizes.values()) > 10_000, "style sheets and scripts are counted"
    heaviest = max(sizes, key=lambda path: sizes[path])
    print(f"{len(sizes)} pages, the heaviest {heaviest}: {sizes[heaviest]:,} bytes")
    assert {path: size for path, size in sizes.items() if size > MOST_BYTES} == {}


class Network:
    """Counts what comes, as it comes: compressed as it may be, without images and streams, which go on."""

    LEFT_OUT = ("EventSource", "Image")

    def __init__(self) -> None:
        self._left_out: set[str] = set()
        self._bytes = 0

    @classmethod
    async def of(cls, page: Page) -> Self:
        counted, session = cls(), await page.context.new_cdp_session(page)
        session.on("Network.requestWillBeSent", counted._note_request)
        session.on("Network.dataReceived", counted._note_data)
        await session.send("Network.enable")
        await session.send("Network.setCacheDisabled", {"cacheDisabled": True})
        return counted

    def take_bytes(self) -> int:
        """Since the last time."""
        taken, self._bytes = self._bytes, 0
        return taken

    def _note_request(self, told: dict[str, Any]) -> None:
        if told.get("type") in self.LEFT_OUT or told["request"]["url"].endswith(".svg"):
            self._left_out.add(told["requestId"])

    def _note_data(self, told: dict[str, Any]) -> None:
        if told["requestId"] not in self._left_out:
            self._bytes += told["encodedDataLength"]
