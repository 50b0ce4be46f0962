"""Pages of Debian's chromium."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Protocol

from playwright.async_api import Browser, ConsoleMessage, Page, async_playwright

# (colour scheme, width) in which all pages are looked at; all four take minutes more
VIEWS = [("light", 1280), ("dark", 390)]
if os.environ.get("FLOWCHAT_TEST_ALL_VIEWS"):
    VIEWS += [("light", 390), ("dark", 1280)]


class HasUrl(Protocol):
    """An appliance that answers at an address."""

    url: str


@asynccontextmanager
async def browsing(served: HasUrl, *, is_offline_expected: bool = False, **context: Any) -> AsyncIterator[Page]:
    """A page whose relative addresses are the appliance's; an error on its console fails the test."""
    expected = (
        ("status of 4", "status of 503", "ERR_INTERNET_DISCONNECTED") if is_offline_expected else ("status of 4",)
    )
    errors: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error" and not any(text in message.text for text in expected):
            errors.append(message.text)

    async with launched() as browser:
        page = await browser.new_page(base_url=served.url, **context)
        page.on("console", note)
        page.on("pageerror", lambda error: errors.append(str(error)))
        yield page
    assert errors == []


@asynccontextmanager
async def launched() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        path = shutil.which("chromium")
        browser = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        try:
            yield browser
        finally:
            await browser.close()
