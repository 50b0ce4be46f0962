"""A customer's page with the widget, of another origin than the appliance's, in Debian's chromium."""

import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import chromium
import loopback
from playwright.async_api import BrowserContext, ConsoleMessage, Locator, Page, expect
from web_server import Served, serving

from flowchat.answer.pipeline import Answer, Question
from flowchat.domain import Citation, Event
from flowchat.services.key_requests import WidgetFields

CHUNKS = [
    {
        "id": "chk_1",
        "url": "https://shop.example/returns#time",
        "title": "Returns",
        "heading": "Returns > How long do I have?",
        "score": 0.97,
        "quote": "You may return any item within 30 days of delivery. The item must be unused.",
    },
    {
        "id": "chk_2",
        "url": "https://shop.example/delivery",
        "title": "Delivery and costs",
        "score": 0.8,
        "quote": "Returns are free within the EU.",
    },
]
SENTENCES = (
    ("You may return any item within 30 days of delivery.", "chk_1"),
    (" Sending it back is free within the EU.", "chk_2"),
    (" The item must be unused.", "chk_1"),
)
STARTERS = ("May I return it?", "How long does delivery take?")
CONTACT = "https://shop.example/contact"
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>A shop</title>
<link rel="icon" href="data:,">{head}</head>
<body><main><h1>A shop</h1><p>We sell <a href="/things">things</a>.</p><button id="own">Of the page</button></main>
{widgets}<script src="{server}/v1.js" defer></script></body></html>"""


async def three_sentences(question: Question, answer: Answer) -> AsyncGenerator[Event, None]:
    """An answer as the gate lets it through, word by word."""
    yield Event("retrieval.started", {"query": question.query})
    yield Event("retrieval.reranked", {"chunks": CHUNKS})
    for ref, (sentence, chunk_id) in enumerate(SENTENCES, start=1):
        for word in re.findall(r" ?[^ ]+", sentence):
            yield Event("generation.token", {"text": word})
        evidence = sentence.strip()
        yield Event("generation.cited", {"ref": ref, "chunkId": chunk_id})
        yield Event("nli.verified", {"ref": ref, "ok": True, "score": 0.99, "evidence": evidence})
        answer.text += sentence
        chunk = next(chunk for chunk in CHUNKS if chunk["id"] == chunk_id)
        cited = Citation(ref, chunk_id, str(chunk["url"]), str(chunk["title"]), evidence, True, 0.99)
        answer.citations.append(cited)


async def refusal(question: Question, answer: Answer) -> AsyncGenerator[Event, None]:
    yield Event("retrieval.started", {"query": question.query})
    yield Event("retrieval.reranked", {"chunks": []})
    answer.text, answer.refusal, answer.reason = "I could not find an answer to that on this site.", True, "no_match"
    answer.suggestions = [{"url": "https://shop.example/help", "title": "Help"}]
    yield Event("generation.token", {"text": answer.text})


@dataclass
class Shop:
    """The page's server, the appliance, and a browser that looks at the page."""

    served: Served
    site: loopback.Server
    context: BrowserContext
    errors: list[str] = field(default_factory=list)
    console: list[str] = field(default_factory=list)

    def element(self, **attributes: str) -> str:
        """The tag; `mode="inline"` is its data-mode."""
        given = {"key": self.served.key} | attributes
        named = " ".join(f'data-{name}="{value}"' for name, value in given.items())
        return f"<flowchat-widget {named}></flowchat-widget>"

    def put(self, path: str, widgets: str | None = None, head: str = "", **headers: str) -> None:
        """A page with these widgets: one that floats, unless told otherwise."""
        page = PAGE.format(head=head, widgets=self.element() if widgets is None else widgets, server=self.served.url)
        self.site.answers[path] = loopback.answer(
            page.encode(), content_type="text/html; charset=utf-8", cache_control="no-store", **headers
        )

    async def visit(self, path: str = "/") -> Page:
        page = await self.context.new_page()
        page.on("console", self._note)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        await page.goto(self.site.url + path)
        return page

    def _note(self, message: ConsoleMessage) -> None:
        self.console.append(message.text)
        if message.type == "error" and not message.text.startswith(("FlowChat:", "Failed to load resource")):
            self.errors.append(message.text)


@asynccontextmanager
async def shop(
    folder: Path, *, server: dict[str, Any] | None = None, widget: WidgetFields | None = None, **context: Any
) -> AsyncIterator[Shop]:
    """`server`: settings of the appliance. An error on the page's console fails the test."""
    async with (
        serving(folder / "data", **(server or {})) as served,
        loopback.serving() as site,
        chromium.launched() as browser,
    ):
        served.answerer.script = three_sentences
        fields = widget or WidgetFields(starter_questions=STARTERS, contact_url=CONTACT)
        await served.widget_key(origins=(site.url,), sources=("shop",), widget=fields)
        opened = Shop(served, site, await browser.new_context(**context))
        opened.put("/")
        yield opened
        assert opened.errors == []


async def ask(page: Page, question: str = "May I return it?") -> Locator:
    """Opens the panel if need be, asks by keyboard, and waits for the end; returns the turn."""
    await begin(page, question)
    turn = page.locator(".turn").last
    await expect(turn).not_to_have_attribute("data-state", "running")
    return turn


async def begin(page: Page, question: str = "May I return it?") -> Locator:
    """As `ask`, without waiting."""
    before = await page.locator(".turn").count()
    box = page.get_by_role("textbox", name="Your question")
    if not await box.is_visible():
        await page.get_by_role("button", name="Ask a question").click()
    await box.fill(question)
    await box.press("Enter")
    await expect(page.locator(".turn")).to_have_count(before + 1)
    return page.locator(".turn").last
