"""Answers whose sentences are rows, items and listings, as the homepage draws them."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from playwright.async_api import expect
from test_home import CHUNKS, ask, browsing
from web_server import add_docs_version, serving

from flowchat.answer.pipeline import Answer, Question
from flowchat.domain import Event

pytestmark = pytest.mark.browser

SENTENCES = (
    ("We have three plans.", True),
    (" All of them are paid monthly.", True),
    ("\n\n| Plan | Price | Seats |\n| --- | --- | --- |\n| Basic | 5 € | 1 |", True),
    ("\n| Team | 25 € | 10 |", True),
    ("\n\n| Plan | Price | Seats |\n| --- | --- | --- |\n| Large | 90 € | 50 |", False),
    ("\n\nYou pay:\n- by card\n- by transfer", True),
    ("\n- by cash", True),
    ("\n\n2. Open the settings.", True),
    ("\n3. Press <b>Upgrade</b>.", True),
    ("\n\nOr by command:\n```\nupgrade --plan team\n```", True),
    (" It takes **one** minute.", True),
)
ONE_BY_ONE = """async (sentences) => {
  const { SentencesView } = await import("/static/sentences.js");
  const mark = ({ ref }) => Object.assign(document.createElement("b"), { textContent: ref });
  const [whole, pieces] = [document.createElement("div"), document.createElement("div")];
  const [one, other] = [new SentencesView(whole, mark), new SentencesView(pieces, mark)];
  for (const [number, [text]] of sentences.entries()) {
    const refs = [{ ref: number + 1, ok: null }];
    one.draw({ text, refs });
    const sentence = { text: "", refs: [] };
    for (const character of text) {
      sentence.text += character;
      other.draw(sentence);
    }
    sentence.refs = refs;
    other.draw(sentence);
  }
  return [whole.innerHTML, pieces.innerHTML];
}"""


async def rows_and_items(question: Question, answer: Answer) -> AsyncGenerator[Event, None]:
    yield Event("retrieval.started", {"query": question.query})
    yield Event("retrieval.reranked", {"chunks": CHUNKS})
    for ref, (text, ok) in enumerate(SENTENCES, start=1):
        yield Event("generation.token", {"text": text})
        yield Event("generation.cited", {"ref": ref, "chunkId": "chk_1"})
        yield Event("nli.verified", {"ref": ref, "ok": ok, "score": 0.9, "evidence": text.strip()})


async def test_rows_make_one_table_and_items_one_list(tmp_path: Path) -> None:
    async with serving(tmp_path / "data") as served:
        await add_docs_version(served.app)
        served.answerer.script = rows_and_items
        async with browsing(served) as page:
            await ask(page, "What does it cost?")
            text = page.locator(".answer .text")
            await expect(page.locator("article.answer")).to_have_attribute("aria-busy", "false")
            assert await text.locator(":scope > *").evaluate_all("all => all.map((one) => one.localName)") == [
                *("p", "div", "p", "ul", "ol", "p", "pre", "div", "p"),
            ]
            assert await text.locator("tbody tr").all_inner_texts() == [
                "Basic\t5 €\t13",
                "Team\t25 €\t104",
                "Large\t90 €\t505",
            ]
            await expect(text.locator("tr.sentence[data-ok=false] td").first).to_have_css(
                "text-decoration-line", "line-through"
            )
            await expect(text.locator("p").first).to_contain_text("We have three plans.")
            await expect(text.locator("ol")).to_have_attribute("start", "2")
            await expect(text.locator("ol li").last).to_have_text("Press <b>Upgrade</b>.9")
            assert await text.locator(".mark").all_inner_texts() == [str(n) for n in range(1, len(SENTENCES) + 1)]
            await expect(page.locator("#announcer")).to_contain_text("Basic, 5 €, 1; Team, 25 €, 10;")
            assert "|" not in await page.locator("#demo").inner_text()
            await page.screenshot(path=tmp_path / "answer.png", full_page=True)
            await page.set_viewport_size({"width": 360, "height": 800})
            await page.screenshot(path=tmp_path / "narrow.png", full_page=True)
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_a_sentence_that_comes_letter_by_letter_ends_up_the_same(tmp_path: Path) -> None:
    async with serving(tmp_path / "data") as served, browsing(served) as page:
        await page.goto("/")
        whole, pieces = await page.evaluate(ONE_BY_ONE, SENTENCES)
        assert pieces.replace(" grown", "") == whole  # the class of what is not faded in again
