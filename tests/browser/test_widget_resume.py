"""Answers that survive: cut connections, dead ones, a server that is restarted, a page that is left."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import loopback
import pytest
from chromium import launched
from playwright.async_api import Page, expect
from widget_page import PAGE, Shop, begin, shop

from flowchat import app, settings
from flowchat.services import keys
from flowchat.services.key_requests import NewAdminKey, NewWidgetKey
from flowchat.services.tenants import actor_for_cli

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
TEXT = "You may return it within 30 days.1 Sending it back is free.1"
WHOLE = (
    "You may return any item within 30 days of delivery.1 Sending it back is free within the EU.2"
    " The item must be unused.1"
)
QUESTION = "What is a widget key?"  # of the built-in documentation
PATIENCE_MS = 60_000


@dataclass
class Line:
    """The wire to the appliance, for `proxy`. It breaks after `cut_after` bytes of each answer, or when told to."""

    port: int
    cut_after: int = 0
    is_silent: bool = False
    answers: int = 0
    last_event_ids: list[str] = field(default_factory=list)
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    def cut(self) -> None:
        for writer in self.writers:
            writer.transport.abort()
        self.writers.clear()

    async def proxy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self.port)
        self.writers.append(writer)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._ask(reader, back))
                both.create_task(self._answer(there, writer))
        except* OSError:
            pass
        finally:
            back.close()

    async def _ask(self, reader: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            if data.startswith(b"POST /v1/chat"):
                self.answers += 1
                lines = data.decode(errors="replace").lower().split("\r\n")
                self.last_event_ids += [line.split(": ")[1] for line in lines if line.startswith("last-event-id")]
            back.write(data)
            await back.drain()
        back.close()

    async def _answer(self, there: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        of_stream = 0
        while data := await there.read(400):
            if self.is_silent:
                continue
            writer.write(data)
            await writer.drain()
            of_stream += len(data) if b"generation." in data or of_stream else 0
            if self.cut_after and of_stream > self.cut_after:
                await asyncio.sleep(0.3)  # browsers drop what they have not read yet when a line ends
                break
        writer.close()


@asynccontextmanager
async def wired(site: Shop) -> AsyncIterator[Line]:
    """The page's widget asks through the line."""
    line = Line(int(site.served.url.rsplit(":", 1)[1]))
    async with loopback.serving(line.proxy) as proxy:
        site.put("/", site.element(host=proxy.url))
        yield line


async def test_a_connection_that_is_cut_once(tmp_path: Path) -> None:
    async with shop(tmp_path) as site, wired(site) as line:
        go_on = site.served.answerer.hold_back()
        page = await site.visit()
        turn = await begin(page)
        await expect(turn.locator(".text")).to_contain_text("within 30 days.")
        line.cut()
        go_on.set()
        await expect(turn).to_have_attribute("data-state", "answered")
        await expect(turn.locator(".text")).to_have_text(TEXT)
        assert line.last_event_ids == ["3"]
        assert len(site.served.answerer.questions) == 1


async def test_a_connection_that_is_cut_again_and_again(tmp_path: Path) -> None:
    async with shop(tmp_path) as site, wired(site) as line:
        line.cut_after = 300
        page = await site.visit()
        turn = await begin(page)
        await expect(turn).to_have_attribute("data-state", "answered", timeout=PATIENCE_MS)
        await expect(turn.locator(".text")).to_have_text(WHOLE)
        assert len(line.last_event_ids) >= 4 and line.last_event_ids == sorted(line.last_event_ids, key=int)
        assert len(site.served.answerer.questions) == 1


async def test_a_laptop_that_slept(tmp_path: Path) -> None:
    """The connection is dead, and nobody said so."""
    async with shop(tmp_path) as site, wired(site) as line:
        go_on = site.served.answerer.hold_back()
        page = await site.context.new_page()
        await page.clock.install()
        await page.goto(site.site.url)
        turn = await begin(page)
        await expect(turn.locator(".text")).to_contain_text("within 30 days.")
        line.is_silent = True
        go_on.set()
        await site.served.answerer.until_running(0)
        await page.clock.fast_forward(30_000)
        await expect(turn).to_have_attribute("data-state", "running")
        await page.clock.fast_forward(11_000)
        await expect(turn.locator(".state")).to_have_text("Connection lost. Trying again\u2026")
        await page.screenshot(path=tmp_path / "asleep.png")
        line.is_silent = False
        line.cut()
        await page.clock.fast_forward(2_000)
        await expect(turn).to_have_attribute("data-state", "answered")
        await expect(turn.locator(".text")).to_have_text(TEXT)
        assert len(site.served.answerer.questions) == 1


async def test_offline_for_a_long_time_during_an_answer(tmp_path: Path) -> None:
    async with shop(tmp_path) as site, wired(site) as line:
        go_on = site.served.answerer.hold_back()
        page = await site.context.new_page()
        await page.clock.install()
        await page.goto(site.site.url)
        turn = await begin(page)
        await expect(turn.locator(".text")).to_contain_text("within 30 days.")
        await site.context.set_offline(True)
        line.cut()
        for _ in range(20):
            await page.clock.fast_forward(30_000)
        await expect(turn.locator(".state")).to_contain_text("You are offline.")
        go_on.set()
        await site.context.set_offline(False)
        await expect(turn).to_have_attribute("data-state", "answered")
        await expect(turn.locator(".text")).to_have_text(TEXT)


async def test_a_page_that_is_left_and_come_back_to_during_an_answer(tmp_path: Path) -> None:
    async with shop(tmp_path) as site:
        site.put("/other", "<p>Nothing to ask here.</p>")
        go_on = site.served.answerer.hold_back()
        page = await site.visit()
        turn = await begin(page)
        await expect(turn.locator(".text")).to_contain_text("within 30 days.")
        await page.goto(site.site.url + "/other")
        go_on.set()
        await site.served.answerer.until_running(0)
        await page.go_back()
        await expect(page.locator(".turn")).to_have_attribute("data-state", "answered")
        await expect(page.locator(".turn .text")).to_have_text(TEXT)
        assert len(site.served.answerer.questions) == 1


@dataclass
class Appliance:
    """A process with fake models that can be killed and started again on the same port."""

    url: str
    environ: dict[str, str]
    process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        command = [sys.executable, str(ROOT / "tests" / "serve_fakes.py")]
        self.process = subprocess.Popen(command, env=self.environ, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        for line in self.process.stdout:
            if line.startswith("ready "):
                return
        raise AssertionError(f"the appliance ended with {self.process.wait()} instead of getting ready")

    def end(self, how: signal.Signals = signal.SIGKILL) -> None:
        assert self.process and self.process.stdout
        self.process.send_signal(how)
        self.process.wait()
        self.process.stdout.close()


@asynccontextmanager
async def appliance(folder: Path) -> AsyncIterator[Appliance]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environ = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "FAKE_PAUSE_S": "1.5",  # it writes four words after the quotes
        "FLOWCHAT_LOG_LEVEL": "ERROR",
        "FLOWCHAT_DATA_DIR": str(folder),
        "FLOWCHAT_PORT": str(port),
        "FLOWCHAT_EMBEDDER": "fake-embedder",
    }
    running = Appliance(f"http://127.0.0.1:{port}", environ)
    await asyncio.to_thread(running.start)
    try:
        yield running
    finally:
        await asyncio.to_thread(running.end)


async def prepare(running: Appliance) -> str:
    """A widget key for every page, once the built-in documentation is indexed."""
    async with app.open_context(settings.load(running.environ)) as context:
        actor = await actor_for_cli(context.db, None)
        _, admin = await keys.create(context, actor, NewAdminKey())
        _, widget = await keys.create(context, actor, NewWidgetKey(origins=("*",)))
    async with httpx.AsyncClient(base_url=running.url, headers={"Authorization": f"Bearer {admin}"}) as client:
        while (await client.get("/v1/sources/docs")).json()["live_version"] is None:  # noqa: ASYNC110 (it may poll)
            await asyncio.sleep(0.2)
    return widget


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
async def test_a_server_that_is_restarted_during_an_answer(tmp_path: Path, how: signal.Signals) -> None:
    async with appliance(tmp_path / "data") as running, loopback.serving() as site, launched() as chromium:
        key = await prepare(running)
        widget = f'<flowchat-widget data-key="{key}"></flowchat-widget>'
        text = PAGE.format(head="", widgets=widget, server=running.url).encode()
        site.answers["/"] = loopback.answer(text, content_type="text/html; charset=utf-8")
        page = await chromium.new_page()
        await page.goto(site.url)
        turn = await begin(page, QUESTION)
        await expect(turn.locator(".text .sentence").first).to_be_visible(timeout=PATIENCE_MS)
        await expect(turn).to_have_attribute("data-state", "running")
        await asyncio.to_thread(running.end, how)
        await expect(turn.locator(".state")).to_have_text("Connection lost. Trying again\u2026", timeout=PATIENCE_MS)
        await page.screenshot(path=tmp_path / "gone.png")
        await asyncio.to_thread(running.start)
        await expect(turn).to_have_attribute("data-state", "answered", timeout=PATIENCE_MS)
        await page.screenshot(path=tmp_path / "back.png")
        shown = await shown_answer(page)
        again = await asked_again(running, key)
        assert shown == again["answer"].split()
        assert await page.locator(".turn").count() == 1


async def shown_answer(page: Page) -> list[str]:
    """Its words, without the numbers of its sources."""
    kept = await page.evaluate("JSON.parse(Object.values(sessionStorage)[0]).turns[0].events")
    return "".join(data["text"] for name, data in kept if name == "generation.token").split()


async def asked_again(running: Appliance, key: str) -> dict[str, str]:
    async with httpx.AsyncClient(base_url=running.url, timeout=60) as client:
        headers = {"X-FlowChat-Key": key, "Accept": "application/json"}
        answer: dict[str, str] = (await client.post("/v1/chat", json={"query": QUESTION}, headers=headers)).json()
        return answer
