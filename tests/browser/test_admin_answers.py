"""The playground and what is made of unanswered questions, in a real browser with fake models."""

import re
from pathlib import Path

import pytest
from conversing import answered, with_pipeline
from fakes import FakeGenerator, fake_engines
from playwright.async_api import expect
from signing_in import signed_in
from test_admin import PHONE, entered
from test_home import browsing
from web_server import Served, serving

from flowchat.answer.pipeline import Answerer

pytestmark = pytest.mark.browser
VOLCANO = "Which volcano erupted yesterday?"
QUESTION = "May I return it within thirty days?"
XSS = "<img src=x onerror=document.title='pwned'>"


async def with_generator(served: Served) -> None:
    await with_pipeline(served)
    served.app.engines = fake_engines(FakeGenerator(lambda messages: f"It costs nine {XSS} dollars. We also"))
    served.app.answerer = Answerer(served.app.settings, served.app.db, served.app.engines, served.app.gate)


async def test_a_curated_answer_mends_an_unanswered_question(tmp_path: Path) -> None:
    async with serving(tmp_path / "data") as served, signed_in(served) as me, browsing(served) as page:
        await with_pipeline(served)
        await answered(served, VOLCANO)
        await entered(served, page, me)
        await page.goto("/admin")
        await page.get_by_role("link", name="Unanswered").click()
        await page.get_by_role("link", name=f"Ask again: {VOLCANO}").click()
        await expect(page.locator(".run .state")).to_have_text("Refused: the pages don't answer it")
        await page.go_back()
        await page.get_by_role("link", name=f"Answer it: {VOLCANO}").click()
        await expect(page.get_by_label("Question")).to_have_value(VOLCANO)
        await page.get_by_label("Answer", exact=True).fill("None did.")
        await page.get_by_role("button", name="Save and ask it").click()
        await expect(page.locator(".run .state")).to_contain_text("Answered by the curated answer")
        await expect(page.locator(".run .answer")).to_contain_text("None did.")
        await page.get_by_role("link", name="Unanswered").click()
        await expect(page.get_by_role("heading", name="Nothing is unanswered")).to_be_visible()


async def test_the_playground_shows_every_stage_and_compares(tmp_path: Path) -> None:
    async with (
        serving(tmp_path / "data") as served,
        signed_in(served, "viewer") as me,
        browsing(served, viewport={"width": 1280, "height": 900}) as page,
    ):
        await with_generator(served)
        await entered(served, page, me)
        await page.goto("/admin/playground")
        await page.get_by_text("Sources and settings").click()
        await page.get_by_label("Compare with other settings").check()
        await page.get_by_label("Opening quotes").first.select_option("1")
        other = page.get_by_role("group", name="Compared with")
        await other.get_by_label("Sentences without support").select_option("annotate")
        await other.get_by_label("Opening quotes").select_option("0")
        await page.get_by_label("Question", exact=True).fill(QUESTION)
        await page.keyboard.press("Enter")
        one = page.get_by_role("article", name="Settings A")
        two = page.get_by_role("article", name="Settings B")
        await expect(two).to_have_attribute("data-outcome", "answered")
        await expect(one.locator(".answer")).to_contain_text("You may return it within thirty days.")
        await expect(one.get_by_text("not supported, held back")).to_be_visible()
        await expect(one.get_by_text("cut off, dropped")).to_be_visible()
        await expect(one.locator(".candidates .scores").first).to_contain_text("Reranker1.00")
        await expect(one.get_by_text("in the prompt").or_(one.get_by_text("cited 1"))).to_be_visible()
        await one.get_by_text("The prompt").click()
        await expect(one.locator("pre").last).to_contain_text(f"Question: {QUESTION}")
        await expect(two.locator(".answer .mark")).to_have_attribute("data-ok", "false")
        await expect(two.locator(".sentences")).to_contain_text(XSS)
        await expect(page.locator("#announcer")).to_contain_text("Answered. You may return it")
        await expect(page).to_have_url(re.compile(r"query=May\+I\+return.*b\.mode=annotate"))
        assert await page.title() == "Playground · FlowChat"
        await page.reload()
        await expect(two).to_have_attribute("data-outcome", "answered")


async def test_on_a_phone(tmp_path: Path) -> None:
    async with (
        serving(tmp_path / "data") as served,
        signed_in(served) as me,
        browsing(served, viewport=PHONE, has_touch=True, is_mobile=True) as page,
    ):
        await with_generator(served)
        await entered(served, page, me)
        long = "x" * 300
        first = await answered(served, f"{VOLCANO} {long}", visitor_id="v" * 120)
        await answered(served, QUESTION)
        for path in (
            f"/playground?query={QUESTION}&compare=true",
            "/conversations",
            f"/conversations/{first['conversation_id']}",
            "/conversations/feedback",
            "/questions",
            f"/curated-answers/new?question={long}",
            "/curated-answers",
        ):
            await page.goto(f"/admin{path}")
            await expect(page.locator("[aria-busy=true]")).to_have_count(0)
            assert await page.evaluate("document.documentElement.scrollWidth") == PHONE["width"], path
