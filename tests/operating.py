"""`flowchat serve` as a process of its own with the default models, a site for it to read, and what its owner does."""

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from chromium import browsing
from crawling import html
from httpx_sse import aconnect_sse
from loopback import Server
from playwright.async_api import Locator, Page, expect
from signing_in import PASSWORD, csrf_of

OWNER = "ann@shop.example"
ORIGIN = "https://shop.example"
DESKTOP = {"width": 1280, "height": 900}
PROGRESS = re.compile(r"[1-9]\d* of \d+ pages known so far")
TIMEOUT_S = 300  # of a busy machine
CALL_PAUSE_S = 0.2
SHOP = {
    "/": html(
        "We make desk lamps and floor lamps of oak and brass. Our workshop in Ghent is open on weekdays from 9 to 17.",
        "/returns",
        "/delivery",
        "/warranty",
        "/p1",
        title="Lamps by hand",
    ),
    "/returns": html(
        "You can return an unused lamp within 30 days of delivery. Sending it back is free within Belgium. "
        "You get your money back within five days after the lamp has reached our workshop.",
        title="Returns",
    ),
    "/delivery": html(
        "A desk lamp is delivered within three working days. A floor lamp takes two weeks, because it is made to "
        "order. Delivery costs 6 euros, and nothing for orders of more than 100 euros.",
        title="Delivery",
    ),
    "/warranty": html(
        "Every lamp has a warranty of ten years. It covers the wiring, the switch and the wood. "
        "It does not cover bulbs.",
        title="Warranty",
    ),
}


@dataclass
class Process:
    """An appliance that answers at `url`. `session` is the cookie of its owner and operator, once there is one."""

    url: str
    set_up_link: str
    admin_key: str
    session: str = ""

    async def call(self, method: str, path: str, **options: Any) -> Any:
        """A REST call with the admin key; what it answers."""
        headers = {"Authorization": f"Bearer {self.admin_key}"}
        async with httpx.AsyncClient(base_url=self.url, headers=headers, timeout=TIMEOUT_S) as client:
            response = await client.request(method, path, **options)
            response.raise_for_status()
            return response.json()

    async def crawled(self, site: Server, slug: str, **fields: Any) -> dict[str, Any]:
        """A new source of the site, once its first crawl has ended."""
        created = await self.call("POST", "/v1/sources", json={"url": f"{site.url}/", "slug": slug, **fields})
        await self.finished(created["job"]["id"])
        source: dict[str, Any] = await self.call("GET", f"/v1/sources/{slug}")
        assert source["status"] == "ready", source
        return source

    async def finished(self, job_id: str) -> dict[str, Any]:
        async with asyncio.timeout(TIMEOUT_S):
            while True:
                job: dict[str, Any] = await self.call("GET", f"/v1/jobs/{job_id}")
                if job["status"] not in ("queued", "running"):
                    return job
                await asyncio.sleep(CALL_PAUSE_S)


@contextmanager
def flowchat_serving(data_dir: Path, models_dir: Path, **settings: str) -> Iterator[Process]:
    """A first start with the default models; `settings` as in `port="8080"`."""
    data_dir.mkdir(parents=True)
    told = {"host": "127.0.0.1", "port": "0", "data_dir": str(data_dir), "models_dir": str(models_dir)}
    told |= {"allow_private_hosts": "127.0.0.1", **settings}
    environ = {**os.environ, **{f"FLOWCHAT_{name.upper()}": value for name, value in told.items()}}
    command = [sys.executable, "-m", "flowchat", "serve"]
    with (
        (data_dir / "log.txt").open("w") as log,
        subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=log, text=True) as process,
    ):
        try:
            yield _ready(process)
        finally:
            process.terminate()


def _ready(process: subprocess.Popen[str]) -> Process:
    words: list[str] = []
    assert process.stdout
    for line in process.stdout:
        words += line.split()
        if line.startswith("ready "):
            link = next(word for word in words if "/admin/set-up/" in word)
            return Process(words[-1], link, next(word for word in words if word.startswith("fca_")))
    raise AssertionError(f"flowchat serve ended with {process.wait()} instead of getting ready")


def make_owner(served: Process) -> None:
    """Use the set-up link up."""
    with httpx.Client(base_url=served.url, headers={"Origin": served.url}, timeout=TIMEOUT_S) as client:
        token = csrf_of(client.get(served.set_up_link))
        entered = {"csrf_token": token, "name": "Ann", "email": OWNER, "password": PASSWORD}
        assert client.post(served.set_up_link, data=entered).status_code == 303
        served.session = client.cookies["flowchat-session"]


@asynccontextmanager
async def operator(served: Process) -> AsyncIterator[Page]:
    """A browser in which the owner is signed in."""
    async with browsing(served, viewport=DESKTOP) as page:
        await page.context.add_cookies([{"name": "flowchat-session", "value": served.session, "url": served.url}])
        yield page


async def ask(page: Page, question: str) -> Locator:
    """The finished answer in the playground that is open."""
    await page.get_by_label("Question", exact=True).fill(question)
    await page.get_by_role("button", name="Ask", exact=True).click()
    return await answered(page)


async def answered(page: Page) -> Locator:
    run = page.get_by_role("article", name="Answer")
    await expect(run).to_have_attribute("aria-busy", "false")
    return run


async def sees_progress(page: Page, server: Server) -> None:
    """Of a crawl of a `chain`, moving without a reload. The crawl is held at pages on its way until it was seen."""
    live = page.locator(".live")
    await expect(live).to_contain_text(PROGRESS)
    found = PROGRESS.search(await live.inner_text())
    assert found
    server.held["/p5"].set()
    await expect(live).not_to_contain_text(found[0])
    server.held["/p10"].set()


def hold(server: Server, *paths: str) -> None:
    """From now on crawls wait at these pages."""
    server.held = {path: asyncio.Event() for path in paths}


async def make_key(page: Page, name: str, origin: str) -> str:
    """Its secret, from the page that shows it once."""
    await page.get_by_label("Name").fill(name)
    await page.get_by_label("Pages that may use it").fill(origin)
    await page.get_by_role("button", name="Make the key").click()
    return await page.locator(".secret code").inner_text()


async def stream(served: Process, key: str, question: str, begun: asyncio.Event) -> list[str]:
    """The names of an answer's events, and the code of an `error`."""
    headers = {"X-FlowChat-Key": key, "Origin": ORIGIN}
    async with (
        httpx.AsyncClient(base_url=served.url, timeout=TIMEOUT_S) as client,
        aconnect_sse(client, "POST", "/v1/chat", json={"query": question}, headers=headers) as source,
    ):
        source.response.raise_for_status()
        told = []
        async for event in source.aiter_sse():
            begun.set()
            told += [event.event, json.loads(event.data)["code"]] if event.event == "error" else [event.event]
        return told


async def sign_in(page: Page, email: str) -> None:
    await page.get_by_label("E-mail address").fill(email)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()


def hand_made(source: str, key: str) -> dict[str, dict[str, str]]:
    """What a viewer may not do: paths under /admin with the fields of their forms."""
    return {
        "sources": {"kind": "site", "url": "https://shop.example"},
        source: {"name": "x", "slug": "x", "locale": "en"},
        f"{source}/recrawl": {},
        f"{source}/revoke": {},
        f"{source}/delete": {},
        "keys": {"type": "widget", "mode": "gate"},
        key: {"name": "x"},
        f"{key}/rotate": {"grace_s": "0"},
        f"{key}/revoke": {},
        "webhooks": {"url": "https://shop.example", "events": "*", "description": ""},
        "curated-answers": {"question": "Why?", "answer": "So."},
        "users": {"email": "x@shop.example", "name": "", "role": "owner"},
        "settings": {"name": "x", "retention_days": "30"},
    }
