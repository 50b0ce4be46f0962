"""What a hostile model writes stays text in the playground: no script runs, nothing is asked for elsewhere.

The content policy is switched off, so that it is the page itself that holds. The appliance takes markup and addresses
out of answers before it sends them; so the page gets them once more as they were written, in the midst of each answer.
"""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import hostile_markup
import pytest
from chromium import browsing
from conversing import with_pipeline
from fakes import FakeGenerator, fake_engines
from playwright.async_api import Page, Route, expect
from signing_in import signed_in
from test_admin import entered
from test_stored_markup import provoked
from web_server import Served, serving

from flowchat.answer.pipeline import Answerer
from flowchat.services.limits import RateLimiter

pytestmark = [pytest.mark.browser, pytest.mark.slow]
TIMEOUT_MS = 60_000  # of a busy machine
QUESTION = "May I return it within thirty days?"
WORDS = 90  # of one answer: generation ends after 96 tokens
LONG = 500_000
LINKS = (
    "![a](https://evil.example/a.png)",
    "![a](//evil.example/a.png)",
    "[a](javascript:ran=1)",
    "[a](data:text/html,<script>ran=1</script>)",
    "<https://evil.example/a>",
    "[a]: https://evil.example/a.png ![a]",
)
MARKDOWN = re.compile(r"[`*_\[\]\\#|~\n\r\t]|https:|mailto:|^\s*[>+\-\d]")  # of which the page makes something else


def answers() -> list[str]:
    """All payloads and links as sentences, in as few answers as they fit into."""
    made: list[str] = []
    words = WORDS
    for text in (*hostile_markup.payloads(), *LINKS):
        sentence = f"{text} is what it says. "
        words += len(sentence.split())
        if words > WORDS:
            made.append("")
            words = len(sentence.split())
        made[-1] += sentence
    return made


@asynccontextmanager
async def playground(folder: Path, written: list[str]) -> AsyncIterator[tuple[Served, Page]]:
    """Each of its answers is the next of `written`; `Ask` has been pressed for the first."""
    texts = iter(written)
    async with (
        serving(folder, questions_per_minute=0, calls_per_minute=0, answer_patience_s=60) as served,
        signed_in(served) as me,
        browsing(served, bypass_csp=True) as page,
    ):
        await with_pipeline(served)
        served.app.engines = fake_engines(FakeGenerator(lambda messages: next(texts)))
        served.app.answerer = Answerer(served.app.settings, served.app.db, served.app.engines, served.app.gate)
        await entered(served, page, me)
        await page.goto("/admin/playground?mode=annotate")
        yield served, page


async def ask(page: Page) -> str:
    """The text of the answer and its trace, once it has ended; white space is one space."""
    await page.get_by_label("Question", exact=True).fill(QUESTION)
    await page.get_by_role("button", name="Ask", exact=True).click()
    run = page.get_by_role("article", name="Answer")
    await expect(run).to_have_attribute("data-outcome", "answered", timeout=TIMEOUT_MS)
    return " ".join((await run.inner_text()).split())


async def tell_raw(page: Page, texts: list[str]) -> None:
    """From now on an answer also says the last of the texts, as the model wrote it."""

    async def tell(route: Route) -> None:
        response = await route.fetch()
        begun, *others = (await response.text()).split("\n\n")
        said = json.dumps({"text": texts[-1]})
        body = "\n\n".join([begun, f"event: generation.token\ndata: {said}", *others])
        await route.fulfill(response=response, body=body)

    await page.route("**/admin/playground/ask", tell)


async def test_markup_of_a_model_stays_text(tmp_path: Path) -> None:
    texts = [*hostile_markup.payloads(), *LINKS]
    written = answers()
    async with playground(tmp_path / "data", written) as (served, page):
        foreign: list[str] = []
        page.on("request", lambda request: None if request.url.startswith(served.url) else foreign.append(request.url))
        wrong: dict[str, list[str]] = {}
        shown: set[str] = set()
        raw = [""]
        await tell_raw(page, raw)
        for text in written:
            raw.append(text)
            served.app.limiter = RateLimiter()  # as if a minute had gone by: the playground is asked 30 times in one
            told = await ask(page)
            wrong[text] = await provoked(page)
            shown |= {text for text in texts if " ".join(text.split()) in told}
    assert {text: found for text, found in wrong.items() if found} == {}
    assert foreign == []
    plain = {text for text in texts if not MARKDOWN.search(text)}
    assert len(plain) > 300 and plain <= shown
    print(f"{len(texts)} texts in {len(written)} answers, {len(shown)} seen word for word, the others as Markdown")


@pytest.mark.parametrize("text", ["a" * LONG, "<b>" * (LONG // 3), f"{'a' * (LONG // WORDS)} " * WORDS])
async def test_a_page_outlives_a_very_long_sentence(tmp_path: Path, text: str) -> None:
    async with playground(tmp_path / "data", [f"{text}.", "It is free."]) as (_, page):
        await ask(page)
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert await provoked(page) == []
        assert "You may return it within thirty days." in await ask(page)
