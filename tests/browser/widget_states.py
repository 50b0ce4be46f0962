"""Every state that a visitor can see the widget in, one after the other."""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator

from playwright.async_api import Page, expect
from widget_page import CHUNKS, Shop, refusal

from flowchat.answer.pipeline import Answer, Question
from flowchat.domain import Event
from flowchat.errors import FlowChatError

SCHEMES = '<meta name="color-scheme" content="light dark">'
QUESTION = "May I return a coat that I bought in your shop in Lyon, and what does sending it back cost me?"
RICH = (
    ("You may return **any item** within `30 days` of delivery.", 1, True),
    (" The address is https://shop.example/returns/Rindfleischetikettierungsüberwachungsaufgabenübertragung.", 2, True),
    ("\n\n- A label is in the parcel.", 1, True),
    ("\n- Take it to any post office.", 2, True),
    ("\n\n| Country | Costs |\n|---|---|\n| France, Germany, Spain and Italy | free |", 2, True),
    ("\n\n```sh\ncurl https://shop.example/api/returns/2026-11-23/labels -o label.pdf\n```", 1, True),
    ("\n\nCoats of wool are dry-cleaned.", 2, False),
)


class Rich:
    """An answer of all that Markdown gives, which waits for `next` before its second and its last event."""

    def __init__(self) -> None:
        self.next = asyncio.Semaphore(0)

    async def script(self, question: Question, answer: Answer) -> AsyncGenerator[Event, None]:
        yield Event("retrieval.started", {"query": question.query})
        await self.next.acquire()
        yield Event("retrieval.reranked", {"chunks": CHUNKS})
        for ref, (sentence, chunk, ok) in enumerate(RICH, start=1):
            for word in re.findall(r"\s?\S+\s?", sentence):
                yield Event("generation.token", {"text": word})
            yield Event("generation.cited", {"ref": ref, "chunkId": f"chk_{chunk}"})
            yield Event("nli.verified", {"ref": ref, "ok": ok, "score": 0.9})
            answer.text += sentence
            if ref == 1:
                await self.next.acquire()


async def failure(question: Question, answer: Answer) -> AsyncGenerator[Event, None]:
    yield Event("retrieval.started", {"query": question.query})
    raise FlowChatError("model_failed", "The generator is gone.", status=500)


async def states(site: Shop, **attributes: str) -> AsyncIterator[tuple[str, Page]]:
    """The names of the states, each with the page that is in it. `attributes` are the element's data-*."""
    for path, given in {"/": {}, "/inline": {"mode": "inline"}, "/wrong": {"key": "kbk_live_no"}}.items():
        site.put(path, site.element(**{**attributes, **given}), SCHEMES)
    page = await site.visit()
    yield "closed", page
    await page.locator(".launcher").click()
    await expect(page.locator(".starters button")).to_have_count(2)
    yield "empty", page
    rich = Rich()
    site.served.answerer.script = rich.script
    await submit(page, QUESTION)
    yield "searching", page
    rich.next.release()
    await expect(page.locator(".chip")).to_have_count(1)
    yield "streaming", page
    rich.next.release()
    await expect(page.locator(".turn")).to_have_attribute("data-state", "answered")
    yield "answered", page
    await page.locator(".chip").first.click()
    yield "card", page
    await page.locator("summary").click()
    yield "verdict", page
    await page.locator(".thumb").last.click()
    await expect(page.locator(".reason")).to_be_visible()
    yield "reason", page
    await page.locator("header .icon").first.click()
    async for state in _other_ends(site, page):
        yield state
    await page.close()
    async for state in _other_pages(site, rich):
        yield state


async def _other_ends(site: Shop, page: Page) -> AsyncIterator[tuple[str, Page]]:
    for script, state in ((refusal, "refused"), (failure, "failed")):
        site.served.answerer.script = script
        await submit(page, f"Do you sell cars? {state}")
        await expect(page.locator(".turn").last).to_have_attribute("data-state", state)
        yield state, page


async def _other_pages(site: Shop, rich: Rich) -> AsyncIterator[tuple[str, Page]]:
    page = await site.visit("/wrong")
    await page.locator(".launcher").click()
    await expect(page.locator(".notice")).to_be_visible()
    yield "unavailable", page
    await page.close()
    page = await site.visit("/inline")
    await expect(page.locator(".starters button")).to_have_count(2)
    rich.next.release()
    rich.next.release()
    site.served.answerer.script = rich.script
    await submit(page, QUESTION)
    await expect(page.locator(".turn")).to_have_attribute("data-state", "answered")
    yield "inline", page
    await page.close()


async def submit(page: Page, question: str) -> None:
    """Asks, whatever the language of the widget."""
    before = await page.locator(".turn").count()
    await page.locator("textarea").fill(question)
    await page.locator("textarea").press("Enter")
    await expect(page.locator(".turn")).to_have_count(before + 1)
