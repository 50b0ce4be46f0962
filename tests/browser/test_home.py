"""The home page in a real browser, with scripted answers."""

import asyncio
import re
import shutil
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import ConsoleMessage, Page, async_playwright, expect
from web_server import Served, add_docs_version, serving

from flowchat.answer.pipeline import Answer, Question
from flowchat.domain import Event

pytestmark = pytest.mark.browser

CHUNKS = [
    {
        "id": "chk_1",
        "url": "/docs/answers#the-sentence-gate",
        "title": "How answers are made",
        "heading": "The sentence gate",
        "score": 0.96,
        "quote": "Each sentence is compared with the passage it cites. Only what the passage entails is shown.",
    },
    {
        "id": "chk_2",
        "url": "/docs/answers#refusals",
        "title": "How answers are made",
        "heading": "Refusals",
        "score": 0.7,
    },
    {"id": "chk_3", "url": "/docs/models", "title": "Models", "score": 0.22},
]


async def checked_answer(question: Question, answer: Answer) -> AsyncGenerator[Event, None]:
    yield Event("retrieval.started", {"query": question.query})
    yield Event("retrieval.reranked", {"chunks": CHUNKS})
    sentences = ("Every sentence is compared with the page it cites.", " What the page doesn't support is never shown.")
    for ref, sentence in enumerate(sentences, start=1):
        for word in re.findall(r" ?[^ ]+", sentence):
            yield Event("generation.token", {"text": word})
        yield Event("generation.cited", {"ref": ref, "chunkId": f"chk_{ref}"})
        yield Event("nli.verified", {"ref": ref, "ok": True})
    yield Event("nli.verified", {"ref": 3, "ok": False, "chunkId": "chk_1"})


async def refusal(question: Question, answer: Answer) -> AsyncGenerator[Event, None]:
    yield Event("retrieval.started", {"query": question.query})
    yield Event("retrieval.reranked", {"chunks": CHUNKS[2:]})
    answer.text = "I can't answer that from these pages."
    answer.refusal, answer.reason = True, "no_match"
    answer.suggestions = [{"url": "/docs/models", "title": "Models"}]
    yield Event("generation.token", {"text": answer.text})


async def unsafe(question: Question, answer: Answer) -> AsyncGenerator[Event, None]:
    yield Event("retrieval.started", {"query": question.query})
    chunk = {"id": "chk_1", "url": "javascript:alert(1)", "title": "<b>Title</b>", "score": 0.9, "quote": "<script>"}
    yield Event("retrieval.reranked", {"chunks": [chunk]})
    yield Event("generation.token", {"text": "<img src=x onerror=alert(1)>"})
    yield Event("generation.cited", {"ref": 1, "chunkId": "chk_1"})
    yield Event("nli.verified", {"ref": 1, "ok": True})


@asynccontextmanager
async def browsing(served: Served, **context: Any) -> AsyncIterator[Page]:
    """A page of Debian's chromium; an error on its console fails the test."""
    errors: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error" and "status of 4" not in message.text:
            errors.append(message.text)

    async with async_playwright() as playwright:
        path = shutil.which("chromium")
        browser = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        page = await browser.new_page(base_url=served.url, **context)
        page.on("console", note)
        page.on("pageerror", lambda error: errors.append(str(error)))
        try:
            yield page
        finally:
            await browser.close()
    assert errors == []


async def ask(page: Page, question: str) -> None:
    await page.goto("/")
    await page.get_by_label("Your question").fill(question)
    await page.get_by_role("button", name="Ask").click()


async def test_answer_with_citations_and_verdicts(tmp_path: Path) -> None:
    async with serving(tmp_path / "data") as served:
        await add_docs_version(served.app)
        served.answerer.script = checked_answer
        async with browsing(served, viewport={"width": 1200, "height": 900}) as page:
            await ask(page, "How are answers checked?")
            answer = page.locator("article.answer")
            await expect(answer).to_have_attribute("aria-busy", "false")
            await expect(answer.locator(".text")).to_contain_text("compared with the page it cites.")
            mark = answer.locator(".text .mark").first
            await expect(mark).to_have_attribute("data-ok", "true")
            await expect(mark).to_have_attribute("href", f"{served.url}/docs/answers#the-sentence-gate")
            await expect(answer.locator(".sources li")).to_have_count(2)
            await expect(answer.locator(".withheld")).to_contain_text("One sentence was held back")
            await expect(page.locator("#announcer")).to_contain_text("Answer: Every sentence")
            await page.screenshot(path=tmp_path / "answer-wide.png", full_page=True)


async def test_refusal_on_a_phone_in_the_dark(tmp_path: Path) -> None:
    async with serving(tmp_path / "data") as served:
        await add_docs_version(served.app)
        served.answerer.script = refusal
        async with browsing(served, viewport={"width": 360, "height": 740}, color_scheme="dark") as page:
            await page.goto("/")
            await page.screenshot(path=tmp_path / "home-narrow.png", full_page=True)
            await page.get_by_role("button", name="What does it need to run?").click()
            await expect(page.locator("article.answer")).to_have_attribute("data-outcome", "refused")
            await expect(page.get_by_role("link", name="Models").first).to_be_visible()
            await page.screenshot(path=tmp_path / "refusal-narrow.png", full_page=True)
            assert await page.evaluate("document.documentElement.scrollWidth") == 360


async def test_stop_ends_the_generation(tmp_path: Path) -> None:
    async with serving(tmp_path / "data") as served:
        await add_docs_version(served.app)
        served.answerer.hold_back()
        async with browsing(served) as page:
            await ask(page, "How long?")
            await expect(page.locator(".text")).to_contain_text("30 days")
            await page.get_by_role("button", name="Stop").click()
            await expect(page.locator(".state")).to_have_text("Stopped")
            async with asyncio.timeout(2):
                await served.answerer.until_running(0)
            await expect(page.get_by_role("button", name="Ask")).to_be_visible()


async def test_what_sites_and_models_write_stays_text(tmp_path: Path) -> None:
    async with serving(tmp_path / "data") as served:
        await add_docs_version(served.app)
        served.answerer.script = unsafe
        async with browsing(served) as page:
            await ask(page, "<i>hello</i>")
            await expect(page.locator(".text")).to_contain_text("<img src=x onerror=alert(1)>")
            assert await page.locator(".answer :is(img, b, i, script)").count() == 0
            assert await page.locator("[href^=javascript]").count() == 0


async def test_errors_and_the_empty_state_are_told(tmp_path: Path) -> None:
    async with serving(tmp_path / "data", questions_per_minute=1) as served:
        served.answerer.script = refusal
        async with browsing(served) as page:
            await ask(page, "one")
            await expect(page.get_by_text("still being indexed")).to_be_visible()
            await expect(page.locator("article.answer")).to_have_attribute("data-outcome", "refused")
            await ask(page, "two")
            await expect(page.locator(".failure")).to_contain_text("Try again in")
            await page.screenshot(path=tmp_path / "error.png", full_page=True)
            await page.goto("/docs/none")
            await expect(page.get_by_role("heading", name="Not Found")).to_be_visible()
            await page.screenshot(path=tmp_path / "404.png", full_page=True)
