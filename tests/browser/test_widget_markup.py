"""What strangers write stays text in the widget: no script runs, nothing is asked for elsewhere.

The texts come through everything that the widget shows: streamed answers, pages, addresses, what the key's owner set,
errors, and what the tab keeps. The page has no content policy, so that it is the widget itself that holds.
"""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import hostile_markup
import pytest
from playwright.async_api import Dialog, Page, expect
from widget_page import Shop, refusal, shop

from flowchat.answer.pipeline import Answer, Question
from flowchat.domain import Event
from flowchat.errors import FlowChatError

# Scripts in attributes run when they are provoked; links that run one are never followed, so they are looked at.
WRONG = """() => {
  const root = document.querySelector("flowchat-widget").shadowRoot;
  const tags = `div dialog section header h2 p span article aside button form textarea input label ul ol li a em strong
    code pre table thead tbody tr th td blockquote hr br details summary svg path`.split(/\\s+/);
  const found = [];
  for (const element of root.querySelectorAll("*")) {
    for (const type of ["mouseover", "pointerenter", "focus", "focusin", "toggle", "animationstart", "error", "load"]) {
      element.dispatchEvent(new Event(type, { bubbles: true }));
    }
    const names = element.getAttributeNames().filter((name) => /^on|^style$|^src|action$|^xlink/.test(name));
    const isLinked = !element.hasAttribute("href") || /^(https?|mailto):$/.test(element.protocol);
    if (!tags.includes(element.localName) || names.length || !isLinked) found.push(element.outerHTML.slice(0, 200));
  }
  return "ran" in window ? [...found, "a script ran"] : found;
}"""
# Lays out what the tab would have kept: each text wherever a kept conversation has one.
KEEP = """(texts) => {
  const key = Object.keys(sessionStorage).find((name) => name.startsWith("flowchat "));
  const hostile = (value, text) => typeof value === "string" ? text
    : Array.isArray(value) ? value.map((inner) => hostile(inner, text))
    : value && typeof value === "object" ? Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, hostile(inner, text)]))
    : value;
  const kept = JSON.parse(sessionStorage.getItem(key));
  const events = (text) => kept.turns[0].events.map(([name, data]) => [name, { ...hostile(data, text), ...ids(data) }]);
  const ids = (data) => Object.fromEntries(Object.entries(data).filter(([name]) => ["ref", "chunkId", "ok"].includes(name)));
  const turns = texts.map((text) => ({ ...hostile(kept.turns[0], text), state: "answered", events: events(text) }));
  addEventListener("pagehide", () => sessionStorage.setItem(key, JSON.stringify({ ...kept, turns })));
}"""  # noqa: E501

pytestmark = [pytest.mark.browser, pytest.mark.slow]


class Watch:
    """What a page does that it must not."""

    def __init__(self, site: Shop, page: Page) -> None:
        self.foreign: list[str] = []
        self.dialogs: list[str] = []
        own = (site.served.url, site.site.url, "data:,")
        page.on("request", lambda request: None if request.url.startswith(own) else self.foreign.append(request.url))
        page.on("dialog", self._dismiss)

    async def _dismiss(self, dialog: Dialog) -> None:
        self.dialogs.append(dialog.message)
        await dialog.dismiss()

    async def check(self, page: Page) -> None:
        assert await page.evaluate(WRONG) == []
        await page.wait_for_timeout(50)
        assert (self.foreign, self.dialogs) == ([], [])


class Hostile:
    """Answers whose every text is hostile. `pieces` cuts the text of a sentence into tokens."""

    def __init__(self, texts: list[str], size: int = 0) -> None:
        self.texts = texts
        self.size = size

    async def script(self, question: Question, answer: Answer) -> AsyncGenerator[Event, None]:
        yield Event("retrieval.started", {"query": question.query})
        chunks = [_chunk(f"chk_{number}", text) for number, text in enumerate(self.texts)]
        yield Event("retrieval.reranked", {"chunks": chunks})
        for ref, text in enumerate(self.texts, start=1):
            for piece in self._pieces(text):
                yield Event("generation.token", {"text": piece})
            yield Event("generation.cited", {"ref": ref, "chunkId": f"chk_{ref - 1}"})
            yield Event("nli.verified", {"ref": ref, "ok": bool(ref % 2), "score": 0.9, "evidence": text})
            answer.text += text

    def _pieces(self, text: str) -> list[str]:
        size = self.size or len(text)
        whole = ["\n\n", *(text[start : start + size] for start in range(0, len(text), size))]
        return (
            [f"\n\n[{text}]({text})\n\n> {text}\n\n```{text}\n{text}\n```\n\n- {text}", *whole]
            if not self.size
            else whole
        )


def _chunk(ident: str, text: str) -> dict[str, Any]:
    return {"id": ident, "url": text, "title": text, "heading": f"{text} > {text}", "score": 0.9, "quote": text}


async def test_streamed_answers_and_the_pages_they_cite(tmp_path: Path) -> None:
    """All texts: as text, link, quote, code and item, as title, heading, quote, evidence and address of a page."""
    texts = hostile_markup.payloads()
    assert len(texts) >= 500
    async with shop(tmp_path) as site:
        page = await site.visit()
        watch = Watch(site, page)
        for start in range(0, len(texts), 50):
            group = texts[start : start + 50]
            site.served.answerer.script = Hostile(group).script
            await _ask(page, group[0])
            await page.evaluate(OPEN_CARDS)
            await watch.check(page)
        assert await page.locator(".chip").count() == len(texts)
    print(f"{len(texts)} texts")


OPEN_CARDS = """() => {
  const root = document.querySelector("flowchat-widget").shadowRoot;
  const turn = [...root.querySelectorAll(".turn")].at(-1);
  for (const chip of turn.querySelectorAll(".chip")) chip.click();
}"""


@pytest.mark.parametrize("size", [1, 2, 3])
async def test_texts_cut_into_tokens_at_every_place(tmp_path: Path, size: int) -> None:
    async with shop(tmp_path) as site:
        page = await site.visit()
        watch = Watch(site, page)
        site.served.answerer.script = Hostile(hostile_markup.payloads()[size::12], size).script
        await _ask(page, "?")
        await watch.check(page)


async def test_refusals_errors_and_what_the_key_says(tmp_path: Path) -> None:
    texts = hostile_markup.payloads()
    async with shop(tmp_path) as site:
        page = await site.visit()
        watch = Watch(site, page)
        said = dict.fromkeys(("title", "greeting", "placeholder", "sources", "nearest", "contact", "copy"), texts[7])
        config = {"starter_questions": texts, "contact_url": "javascript:ran=1", "texts": said}
        await page.route(
            "**/v1/widget", lambda route: route.fulfill(json=config, headers={"Access-Control-Allow-Origin": "*"})
        )
        await page.locator(".launcher").click()
        await expect(page.locator(".starters button")).to_have_count(len(texts))
        await watch.check(page)
        site.served.answerer.script = _refusal(texts)
        await _ask(page, texts[3])
        await expect(page.locator(".pages li")).to_have_count(len(texts))
        await watch.check(page)
        site.served.answerer.script = _failure(" ".join(texts))
        await _ask(page, texts[4])
        await watch.check(page)


def _refusal(texts: list[str]) -> Any:
    async def script(question: Question, answer: Answer) -> AsyncGenerator[Event, None]:
        async for event in refusal(question, answer):
            answer.suggestions = [{"url": text, "title": text} for text in texts]
            yield event

    return script


def _failure(text: str) -> Any:
    async def script(question: Question, answer: Answer) -> AsyncGenerator[Event, None]:
        yield Event("retrieval.started", {"query": question.query})
        raise FlowChatError(text, text, status=500)

    return script


async def test_what_the_tab_kept_was_written_by_somebody_else(tmp_path: Path) -> None:
    texts = hostile_markup.payloads()
    async with shop(tmp_path) as site:
        page = await site.visit()
        watch = Watch(site, page)
        await _ask(page, "May I return it?")
        await page.evaluate(KEEP, texts)
        await page.reload()
        await expect(page.locator(".turn")).to_have_count(len(texts))
        await watch.check(page)


async def _ask(page: Page, question: str) -> None:
    before = await page.locator(".turn").count()
    await page.locator("flowchat-widget").evaluate("(widget, question) => widget.ask(question)", question)
    await expect(page.locator(".turn")).to_have_count(before + 1)
    await expect(page.locator(".turn").last).not_to_have_attribute("data-state", "running", timeout=60_000)
