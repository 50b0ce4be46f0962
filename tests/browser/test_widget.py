"""The widget on a customer's page: a conversation, from opening it to its follow-up."""

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect
from widget_page import CONTACT, STARTERS, ask, begin, refusal, shop

from flowchat.answer.pipeline import Answer, Question
from flowchat.domain import Event

pytestmark = pytest.mark.browser


async def test_an_answer_with_its_sources(tmp_path: Path) -> None:
    async with shop(tmp_path) as site:
        page = await site.visit()
        turn = await ask(page)
        await expect(turn.locator(".text")).to_have_text(
            "You may return any item within 30 days of delivery.1 Sending it back is free within the EU.2"
            " The item must be unused.1"
        )
        sources = turn.get_by_role("list", name="Sources").get_by_role("link")
        await expect(sources).to_have_text(["1Returns \u203a How long do I have?", "2Delivery and costs"])
        await expect(sources.first).to_have_attribute("href", "https://shop.example/returns#time")
        await turn.get_by_text("Checked against its sources").click()
        await expect(turn.locator("details")).to_contain_text("A second model compared each sentence")


async def test_a_chip_opens_the_passage_and_closes_it_again(tmp_path: Path) -> None:
    async with shop(tmp_path) as site:
        page = await site.visit()
        turn = await ask(page)
        chips = turn.locator(".chip")
        first = turn.get_by_role("button", name="Source 1: Returns. Checked: this page supports the sentence.").first
        await first.press("Enter")
        card = turn.get_by_role("complementary", name="Returns")
        await expect(card).to_contain_text("You may return any item within 30 days of delivery.")
        await expect(card.get_by_role("link", name="Open the page")).to_have_attribute(
            "href", "https://shop.example/returns#time:~:text=You%20may%20return%20any%20item%20within%2030%20days"
        )
        await chips.nth(1).click()
        await expect(turn.locator(".card")).to_have_count(1)
        await expect(chips.nth(0)).to_have_attribute("aria-expanded", "false")
        await expect(turn.get_by_role("complementary", name="Delivery and costs")).to_be_visible()
        await page.keyboard.press("Escape")
        await expect(turn.locator(".card")).to_have_count(0)
        await expect(chips.nth(1)).to_be_focused()


async def test_the_panel_opens_closes_and_gives_the_focus_back(tmp_path: Path) -> None:
    async with shop(tmp_path) as site:
        page = await site.visit()
        launcher = page.get_by_role("button", name="Ask a question")
        await launcher.press("Enter")
        await expect(page.get_by_role("dialog", name="Ask a question")).to_be_visible()
        await expect(page.get_by_role("textbox", name="Your question")).to_be_focused()
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("dialog")).to_be_hidden()
        await expect(launcher).to_be_focused()
        await page.locator("#own").focus()
        await page.locator("flowchat-widget").evaluate("widget => widget.open()")
        await expect(page.get_by_role("textbox", name="Your question")).to_be_focused()
        await page.get_by_role("button", name="Close").click()
        await expect(page.locator("#own")).to_be_focused()


async def test_starter_questions_and_a_new_conversation(tmp_path: Path) -> None:
    async with shop(tmp_path) as site:
        page = await site.visit()
        await page.get_by_role("button", name="Ask a question").click()
        starters = page.get_by_role("group", name="Questions to begin with")
        await expect(starters.get_by_role("button")).to_have_text(list(STARTERS))
        await starters.get_by_role("button", name=STARTERS[0]).click()
        await expect(page.locator(".turn")).to_have_attribute("data-state", "answered")
        await expect(starters).to_be_hidden()
        await page.get_by_role("button", name="New conversation").click()
        await expect(page.locator(".turn")).to_have_count(0)
        await expect(starters).to_be_visible()


async def test_a_refusal_shows_where_to_go_on(tmp_path: Path) -> None:
    async with shop(tmp_path) as site:
        site.served.answerer.script = refusal
        page = await site.visit()
        turn = await ask(page, "Do you sell cars?")
        await expect(turn).to_have_attribute("data-state", "refused")
        await expect(turn.get_by_role("link", name="Help")).to_have_attribute("href", "https://shop.example/help")
        await expect(turn.get_by_role("link", name="Ask a person")).to_have_attribute("href", CONTACT)


async def test_a_follow_up_belongs_to_the_conversation(tmp_path: Path) -> None:
    async with shop(tmp_path) as site:
        page = await site.visit()
        await ask(page, "May I return it?")
        await ask(page, "And how long?")
        assert site.served.answerer.questions[-1].history == ("May I return it?",)


async def test_the_visitor_stops_and_retries(tmp_path: Path) -> None:
    async with shop(tmp_path) as site:
        go_on = site.served.answerer.hold_back()
        page = await site.visit()
        turn = await begin(page)
        await expect(turn.locator(".text")).to_contain_text("You may return it within 30 days.")
        await page.get_by_role("button", name="Stop").click()
        await expect(turn).to_have_attribute("data-state", "stopped")
        await expect(turn.locator(".state")).to_have_text("Stopped.")
        go_on.set()
        await turn.get_by_role("button", name="Try again").click()
        await expect(turn).to_have_attribute("data-state", "answered")
        await expect(turn.locator(".text")).to_contain_text("Sending it back is free.")


async def test_an_opinion_with_its_reason(tmp_path: Path) -> None:
    async with shop(tmp_path) as site:
        page = await site.visit()
        turn = await ask(page)
        await turn.get_by_role("button", name="Helpful", exact=True).click()
        await expect(turn.get_by_text("Thank you.")).to_be_visible()
        await turn.get_by_role("button", name="Not helpful").click()
        await turn.get_by_label("What was wrong? (optional)").fill("It is 14 days.")
        await page.keyboard.press("Enter")
        await expect(turn.get_by_label("What was wrong? (optional)")).to_be_hidden()
        while not (given := await _feedback(site.served)) or given[0]["reason"] != "It is 14 days.":
            await page.wait_for_timeout(20)
        assert [one["rating"] for one in given] == ["down"]


async def _feedback(served: Any) -> list[dict[str, Any]]:
    return list((await served.call("GET", "/v1/feedback")).json()["data"])


async def test_copying_the_answer_takes_its_addresses_along(tmp_path: Path) -> None:
    async with shop(tmp_path, permissions=["clipboard-read", "clipboard-write"]) as site:
        page = await site.visit()
        turn = await ask(page)
        await turn.get_by_role("button", name="Copy").click()
        await expect(turn.get_by_role("button", name="Copied")).to_be_visible()
        assert await page.evaluate("navigator.clipboard.readText()") == (
            "You may return any item within 30 days of delivery. Sending it back is free within the EU."
            " The item must be unused.\n\n"
            "[1] https://shop.example/returns#time\n\n[2] https://shop.example/delivery"
        )


async def test_the_page_is_told_by_events(tmp_path: Path) -> None:
    async with shop(tmp_path) as site:
        page = await site.visit()
        await page.evaluate(
            """() => {
                window.told = [];
                for (const name of ["open", "close", "ask", "answer", "feedback"])
                    document.addEventListener(`flowchat:${name}`, ({ type, detail }) => told.push([type, detail]));
            }"""
        )
        widget = page.locator("flowchat-widget")
        await widget.evaluate("widget => widget.ask('May I return it?')")
        turn = page.locator(".turn")
        await expect(turn).to_have_attribute("data-state", "answered")
        await turn.get_by_role("button", name="Helpful", exact=True).click()
        await expect(turn.get_by_text("Thank you.")).to_be_visible()
        await widget.evaluate("widget => widget.close()")
        told = await page.evaluate("told")
        assert [name for name, _ in told] == [
            f"flowchat:{name}" for name in ("open", "ask", "answer", "feedback", "close")
        ]
        answer = told[2][1]
        assert answer["refusal"] is False and answer["answer"].startswith("You may return any item")
        assert answer["citations"][1] == {"ref": 2, "ok": True, "url": "https://shop.example/delivery"}
        assert answer["messageId"].startswith("msg_") and told[3][1]["messageId"] == answer["messageId"]


async def test_a_sentence_that_its_page_does_not_confirm(tmp_path: Path) -> None:
    async def annotated(question: Question, answer: Answer) -> Any:
        yield Event("retrieval.started", {"query": question.query})
        yield Event("retrieval.reranked", {"chunks": [{"id": "chk_1", "url": "https://shop.example/", "score": 0.5}]})
        yield Event("generation.token", {"text": "It is free."})
        yield Event("generation.cited", {"ref": 1, "chunkId": "chk_1"})
        yield Event("nli.verified", {"ref": 1, "ok": False, "score": 0.1})

    async with shop(tmp_path) as site:
        site.served.answerer.script = annotated
        page = await site.visit()
        turn = await ask(page)
        await expect(turn.get_by_role("button", name="This page does not confirm the sentence.")).to_be_visible()
        await expect(turn.locator("summary")).to_have_text("Not all of it is confirmed by its sources")


async def test_the_conversation_is_there_on_the_next_page(tmp_path: Path) -> None:
    async with shop(tmp_path) as site:
        site.put("/next")
        page = await site.visit()
        turn = await ask(page)
        before = await turn.inner_text()
        await page.goto(site.site.url + "/next")
        await expect(page.locator(".turn")).to_have_attribute("data-state", "answered")
        assert await page.locator(".turn").inner_text() == before
        await expect(page.get_by_role("dialog")).to_be_visible()
        assert not await page.evaluate("document.querySelector('flowchat-widget').matches(':focus-within')")
        await ask(page, "And how long?")
        assert site.served.answerer.questions[-1].history == ("May I return it?",)


async def test_an_answer_goes_on_on_the_next_page(tmp_path: Path) -> None:
    async with shop(tmp_path) as site:
        go_on = site.served.answerer.hold_back()
        page = await site.visit()
        turn = await begin(page)
        await expect(turn.locator(".text")).to_contain_text("You may return it within 30 days.")
        await page.reload()
        await expect(page.locator(".turn .text")).to_contain_text("You may return it within 30 days.")
        go_on.set()
        await expect(page.locator(".turn")).to_have_attribute("data-state", "answered")
        await expect(page.locator(".turn .text")).to_have_text(
            "You may return it within 30 days.1 Sending it back is free.1"
        )
        assert len(site.served.answerer.questions) == 1


async def test_enter_of_an_input_method_does_not_send(tmp_path: Path) -> None:
    async with shop(tmp_path) as site:
        page = await site.visit()
        await page.get_by_role("button", name="Ask a question").click()
        box = page.get_by_role("textbox", name="Your question")
        await box.fill("へんぴん")
        await box.dispatch_event("keydown", {"key": "Enter", "isComposing": True, "bubbles": True})
        await box.dispatch_event("keydown", {"key": "Enter", "keyCode": 229, "bubbles": True})
        await box.press("Shift+Enter")
        await expect(page.locator(".turn")).to_have_count(0)
        assert await box.input_value() == "へんぴん\n"


async def test_another_language(tmp_path: Path) -> None:
    async with shop(tmp_path) as site:
        site.put("/de", site.element(locale="de-AT"))
        site.put("/broken", site.element(locale="fr"))
        page = await site.visit("/de")
        await page.get_by_role("button", name="Frage stellen").click()
        await expect(page.get_by_role("dialog", name="Frage stellen")).to_have_js_property("isConnected", True)
        await site.context.route("**/locales/*", lambda route: route.abort())
        page = await site.visit("/broken")
        await expect(page.get_by_role("button", name="Ask a question")).to_be_visible()


async def test_the_page_asks_on_when_it_is_told_the_answer(tmp_path: Path) -> None:
    async with shop(tmp_path) as site:
        page = await site.visit()
        await page.locator("flowchat-widget").evaluate(
            """widget => {
                widget.addEventListener("flowchat:answer", () => widget.ask("And how long?"), { once: true });
                widget.ask("May I return it?");
            }"""
        )
        await expect(page.locator(".turn")).to_have_count(2)
        await expect(page.locator(".turn").last).to_have_attribute("data-state", "answered")


async def test_a_new_conversation_in_the_middle_of_an_answer(tmp_path: Path) -> None:
    async with shop(tmp_path) as site:
        site.served.answerer.hold_back()
        page = await site.visit()
        await expect((await begin(page)).locator(".text")).to_contain_text("You may return it within 30 days.")
        await page.get_by_role("button", name="New conversation").click()
        await expect(page.locator(".turn")).to_have_count(0)
        await expect(page.get_by_role("button", name="Send")).to_be_visible()
        site.served.answerer.script = refusal
        await expect(await ask(page, "Do you sell cars?")).to_have_attribute("data-state", "refused")


async def test_a_wide_table_scrolls(tmp_path: Path) -> None:
    async def table(question: Question, answer: Answer) -> Any:
        yield Event("retrieval.started", {"query": question.query})
        yield Event("retrieval.reranked", {"chunks": [{"id": "chk_1", "url": "https://shop.example/", "score": 0.9}]})
        row = " | ".join("Wide-column-without-breaks" for _ in range(6))
        yield Event("generation.token", {"text": f"| {row} |\n|{'---|' * 6}\n| {row} |"})
        yield Event("generation.cited", {"ref": 1, "chunkId": "chk_1"})
        yield Event("nli.verified", {"ref": 1, "ok": True})

    async with shop(tmp_path) as site:
        site.served.answerer.script = table
        page = await site.visit()
        box = (await ask(page)).locator(".table-box")
        scrolled = await box.evaluate(
            "box => { box.scrollLeft = 200; return [box.scrollLeft, box.scrollWidth > box.clientWidth]; }"
        )
        assert scrolled[0] > 0 and scrolled[1]


async def test_a_locale_that_is_none(tmp_path: Path) -> None:
    async with shop(tmp_path) as site:
        site.put("/", site.element(locale="de_AT"))
        page = await site.visit()
        await page.get_by_role("button", name="Frage stellen").click()
        await page.get_by_role("textbox").fill("May I return it?")
        await page.keyboard.press("Enter")
        await expect(page.locator(".turn")).to_have_attribute("data-state", "answered")
        assert site.served.answerer.questions[0].locale == "de-AT"


async def test_pages_of_the_appliance_itself_are_links(tmp_path: Path) -> None:
    async def own(question: Question, answer: Answer) -> Any:
        yield Event("retrieval.started", {"query": question.query})
        yield Event("retrieval.reranked", {"chunks": [{"id": "chk_1", "url": "/docs/answers#gate", "score": 0.9}]})
        yield Event("generation.token", {"text": "It is checked."})
        yield Event("generation.cited", {"ref": 1, "chunkId": "chk_1"})
        yield Event("nli.verified", {"ref": 1, "ok": True})

    async with shop(tmp_path) as site:
        site.served.answerer.script = own
        page = await site.visit()
        link = (await ask(page)).get_by_role("list", name="Sources").get_by_role("link")
        await expect(link).to_have_attribute("href", f"{site.served.url}/docs/answers#gate")


async def test_nothing_is_kept_of_who_does_not_use_it(tmp_path: Path) -> None:
    async with shop(tmp_path) as site:
        page = await site.visit()
        await expect(page.get_by_role("button", name="Ask a question")).to_be_visible()
        await page.reload()
        assert await page.evaluate("sessionStorage.length") == 0


async def test_what_others_wrote_into_the_storage(tmp_path: Path) -> None:
    async with shop(tmp_path) as site:
        page = await site.visit()
        await ask(page)
        await page.goto("about:blank")
        await page.goto(site.site.url)
        await page.evaluate(
            """() => {
                const name = Object.keys(sessionStorage)[0];
                const junk = JSON.stringify({ turns: [null, { problem: { code: "constructor" } }] });
                addEventListener("pagehide", () => sessionStorage.setItem(name, junk));
            }"""
        )
        await page.reload()
        await expect(page.get_by_role("button", name="Ask a question").first).to_be_visible()
        await expect(await ask(page)).to_have_attribute("data-state", "answered")


async def test_what_a_page_asks_before_the_widget_is_there(tmp_path: Path) -> None:
    async with shop(tmp_path) as site:
        site.put("/", "")
        page = await site.visit()
        await page.evaluate(
            """(key) => {
                const widget = document.createElement("flowchat-widget");
                widget.ask("May I return it?");
                document.body.append(widget);
                widget.dataset.key = key;
            }""",
            site.served.key,
        )
        await expect(page.locator(".turn")).to_have_attribute("data-state", "answered")
        assert not [text for text in site.console if "data-key" in text]
