"""The home page in a real browser, with scripted answers."""

import asyncio
import re
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from chromium import browsing
from playwright.async_api import Page, expect
from web_server import add_docs_version, serving

from flowchat.answer.pipeline import Answer, Question
from flowchat.domain import Event
from flowchat.errors import FlowChatError

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
        evidence = sentence.strip() if ref == 1 else "Only what the passage entails is shown."
        yield Event("nli.verified", {"ref": ref, "ok": True, "score": 1.0 if ref == 1 else 0.93, "evidence": evidence})
    yield Event("nli.verified", {"ref": 3, "ok": False, "score": 0.12, "chunkId": "chk_1"})


async def refusal(question: Question, answer: Answer) -> AsyncGenerator[Event, None]:
    yield Event("retrieval.started", {"query": question.query})
    yield Event("retrieval.reranked", {"chunks": CHUNKS[2:]})
    answer.text = "I can't answer that from these pages."
    answer.refusal, answer.reason = True, "no_match"
    answer.suggestions = [{"url": "/docs/models", "title": "Models"}]
    yield Event("generation.token", {"text": answer.text})


async def annotated(question: Question, answer: Answer) -> AsyncGenerator[Event, None]:
    yield Event("retrieval.started", {"query": question.query})
    yield Event("retrieval.reranked", {"chunks": CHUNKS})
    yield Event("generation.token", {"text": "It is free."})
    yield Event("generation.cited", {"ref": 1, "chunkId": "chk_1"})
    yield Event("nli.verified", {"ref": 1, "ok": False, "score": 0.1})


async def broken(question: Question, answer: Answer) -> AsyncGenerator[Event, None]:
    async for event in annotated(question, answer):
        yield event
    raise FlowChatError("answer_timeout", "The answer took too long. Ask again.", status=503)


async def unsafe(question: Question, answer: Answer) -> AsyncGenerator[Event, None]:
    yield Event("retrieval.started", {"query": question.query})
    chunk = {"id": "chk_1", "url": "javascript:alert(1)", "title": "<b>Title</b>", "score": 0.9, "quote": "<script>"}
    yield Event("retrieval.reranked", {"chunks": [chunk]})
    yield Event("generation.token", {"text": "<img src=x onerror=alert(1)>"})
    yield Event("generation.cited", {"ref": 1, "chunkId": "chk_1"})
    yield Event("nli.verified", {"ref": 1, "ok": True})


async def ask(page: Page, question: str) -> None:
    await page.goto("/")
    await page.get_by_label("Ask FlowChat").fill(question)
    await page.keyboard.press("Enter")


async def test_answer_with_citations_and_verdicts(tmp_path: Path) -> None:
    async with serving(tmp_path / "data") as served:
        await add_docs_version(served.app)
        served.answerer.script = checked_answer
        async with browsing(served, viewport={"width": 1280, "height": 900}) as page:
            await ask(page, "How are answers checked?")
            answer = page.locator("article.answer")
            await expect(answer).to_have_attribute("aria-busy", "false")
            await expect(answer.locator(".text")).to_contain_text("compared with the page it cites.")
            await expect(answer.locator(".sentence[data-ok=true]")).to_have_count(2)
            await expect(answer.locator(".sources a").first).to_have_attribute(
                "href", f"{served.url}/docs/answers#the-sentence-gate"
            )
            await expect(answer.locator(".withheld")).to_contain_text("1 sentence of the language model was withheld")
            await expect(page.locator("#announcer")).to_have_text(
                re.compile("^Answer: Every sentence .* never shown. 3 passages ranked, 2 of 2 sentences supported, 1 ")
            )
            await expect(page).to_have_url(f"{served.url}/?q=How%20are%20answers%20checked%3F")
            await page.screenshot(path=tmp_path / "answer-wide.png", full_page=True)


async def test_the_trail_shows_every_step(tmp_path: Path) -> None:
    async with serving(tmp_path / "data") as served:
        await add_docs_version(served.app)
        served.answerer.script = checked_answer
        async with browsing(served, viewport={"width": 1280, "height": 900}) as page:
            await ask(page, "How are answers checked?")
            steps = page.locator("#trail > ol > li")
            await expect(page.locator("#trail > ol > li[data-state=done]")).to_have_count(6)
            assert all(re.fullmatch(r"[\d,]+ ms", text) for text in await steps.locator(".when").all_inner_texts())
            passages = page.locator(".passages > li")
            await expect(passages).to_contain_text(["The sentence gate", "Refusals", "Models"])
            await expect(passages.locator(".score")).to_contain_text(["0.96", "0.70", "0.22"])
            lines = page.locator(".verdicts > li")
            await expect(lines.nth(0)).to_contain_text("word for word on the page, 1.00")
            await expect(lines.nth(1)).to_contain_text("entailed by the page, 0.93")
            await expect(lines.nth(2).locator("s")).to_have_text("A sentence of the language model")
            await expect(lines.nth(2)).to_contain_text("not entailed by “How answers are made”, 0.12: withheld")
            await expect(page.locator(".threads path")).to_have_count(2)


async def test_a_citation_leads_to_its_passage_and_back(tmp_path: Path) -> None:
    async with serving(tmp_path / "data") as served:
        await add_docs_version(served.app)
        served.answerer.script = checked_answer
        async with browsing(served, viewport={"width": 1280, "height": 900}) as page:
            await ask(page, "How are answers checked?")
            await expect(page.locator("article.answer")).to_have_attribute("aria-busy", "false")
            citation = page.locator(".answer .mark").nth(1)
            passages = page.locator(".passages > li")
            await citation.focus()
            await expect(passages.nth(1)).to_have_class("followed")
            await expect(page.locator(".threads .followed")).to_have_count(1)
            await page.keyboard.press("Enter")
            await expect(passages.nth(1).get_by_role("link", name="Refusals")).to_be_focused()
            await page.keyboard.press("Tab")
            await page.keyboard.press("Enter")
            await expect(citation).to_be_focused()
            await passages.nth(0).hover()
            await expect(page.locator(".answer .mark").first).to_have_class("mark followed")


async def test_refusal_on_a_phone_in_the_dark(tmp_path: Path) -> None:
    async with serving(tmp_path / "data") as served:
        await add_docs_version(served.app)
        served.answerer.script = refusal
        async with browsing(served, viewport={"width": 360, "height": 740}, color_scheme="dark") as page:
            await page.goto("/")
            await page.screenshot(path=tmp_path / "home-narrow.png", full_page=True)
            await page.get_by_role("button", name="What does it need to run?").click()
            await expect(page.locator("article.answer")).to_have_attribute("data-outcome", "refused")
            await expect(page.locator(".answer").get_by_role("link", name="Models")).to_be_visible()
            await page.get_by_role("heading", name="Source Trail").click()
            await expect(page.locator("[data-step=done]")).to_contain_text("Refused, with the nearest pages.")
            await expect(page.locator("[data-state=skipped]")).to_have_count(3)
            await page.screenshot(path=tmp_path / "refusal-narrow.png", full_page=True)
            assert await page.evaluate("document.documentElement.scrollWidth") == 360


async def test_escape_and_the_button_stop_the_generation(tmp_path: Path) -> None:
    async with serving(tmp_path / "data") as served:
        await add_docs_version(served.app)
        served.answerer.hold_back()
        async with browsing(served) as page:
            for stop in (page.get_by_role("button", name="Stop").click, lambda: page.keyboard.press("Escape")):
                await ask(page, "How long?")
                await expect(page.locator(".answer .text")).to_contain_text("30 days")
                await stop()
                await expect(page.locator(".answer .state")).to_have_text("Stopped. What is shown was checked.")
                async with asyncio.timeout(2):
                    await served.answerer.until_running(0)
                await expect(page.get_by_role("button", name="Ask", exact=True)).to_be_visible()


async def test_what_sites_and_models_write_stays_text(tmp_path: Path) -> None:
    async with serving(tmp_path / "data") as served:
        await add_docs_version(served.app)
        served.answerer.script = unsafe
        async with browsing(served) as page:
            await ask(page, "<i>hello</i>")
            await expect(page.locator(".answer .text")).to_contain_text("<img src=x onerror=alert(1)>")
            assert await page.locator("#demo :is(img, b, i, script)").count() == 0
            assert await page.locator("[href^=javascript]").count() == 0


async def test_unsupported_sentences_of_an_annotating_key_are_struck_out(tmp_path: Path) -> None:
    async with serving(tmp_path / "data") as served:
        await add_docs_version(served.app)
        served.answerer.script = annotated
        async with browsing(served) as page:
            await ask(page, "Is it free?")
            await expect(page.locator(".answer .state")).to_have_text("1 of 1 sentence not supported by a page")
            await expect(page.locator(".sentence")).to_have_css("text-decoration-line", "line-through")
            await expect(page.locator(".verdicts > li")).to_contain_text("not entailed by the page, 0.10")


async def test_errors_and_the_empty_state_are_told(tmp_path: Path) -> None:
    async with serving(tmp_path / "data", questions_per_minute=1) as served:
        served.answerer.script = refusal
        async with browsing(served) as page:
            await ask(page, "one")
            await expect(page.get_by_text("still being indexed")).to_be_visible()
            await expect(page.locator("article.answer")).to_have_attribute("data-outcome", "refused")
            await ask(page, "two")
            await expect(page.locator(".failure")).to_contain_text("Try again in")
            await expect(page.get_by_role("button", name="Ask again (in")).to_be_visible()
            await page.screenshot(path=tmp_path / "error.png", full_page=True)
            await page.goto("/docs/none")
            await expect(page.get_by_role("heading", name="Not Found")).to_be_visible()
            await page.screenshot(path=tmp_path / "404.png", full_page=True)


async def test_the_demo_comes_alive_by_itself(tmp_path: Path) -> None:
    async with serving(tmp_path / "data") as served, browsing(served) as page:
        await page.clock.install()
        await page.goto("/")
        await add_docs_version(served.app)
        await page.clock.run_for(5000)
        await expect(page.get_by_text("The documentation is indexed now")).to_be_visible()


async def test_a_broken_off_answer_keeps_what_was_shown_and_can_be_asked_again(tmp_path: Path) -> None:
    async with serving(tmp_path / "data") as served:
        await add_docs_version(served.app)
        served.answerer.script = broken
        async with browsing(served) as page:
            await ask(page, "Is it free?")
            await expect(page.locator(".failure")).to_have_text("The answer took too long. Ask again.")
            await expect(page.locator(".answer .text")).to_contain_text("It is free.")
            await expect(page.locator("[data-step=done]")).to_have_attribute("data-state", "failed")
            served.answerer.script = checked_answer
            await page.get_by_role("button", name="Ask again").click()
            await expect(page.locator("article.answer")).to_have_attribute("data-outcome", "answered")
            await expect(page.get_by_label("Ask FlowChat")).to_be_focused()


async def test_a_busy_and_an_unreachable_server_are_told(tmp_path: Path) -> None:
    async with serving(tmp_path / "data") as served:
        await add_docs_version(served.app)
        served.app.stopping.set()
        async with browsing(served, is_offline_expected=True) as page:
            await ask(page, "Is it free?")
            await expect(page.locator(".answer .state")).to_have_text("Busy just now")
            await expect(page.get_by_role("button", name="Ask again (in")).to_be_visible()
            await page.context.set_offline(True)
            await page.keyboard.press("Enter")
            await expect(page.locator(".failure")).to_have_text("You are offline. Ask again once you are connected.")


async def test_a_question_in_the_address_waits_in_the_box(tmp_path: Path) -> None:
    async with serving(tmp_path / "data") as served:
        await add_docs_version(served.app)
        async with browsing(served, reduced_motion="reduce") as page:
            await page.goto("/?q=Is+it+%22free%22%3F")
            box = page.get_by_label("Ask FlowChat")
            await expect(box).to_have_value('Is it "free"?')
            await expect(box).to_be_focused()
            assert served.answerer.questions == []
            await page.keyboard.press("Enter")
            await expect(page.locator("article.answer")).to_have_attribute("aria-busy", "false")
            assert [question.query for question in served.answerer.questions] == ['Is it "free"?']
            assert await page.evaluate("document.getAnimations().length") == 0
