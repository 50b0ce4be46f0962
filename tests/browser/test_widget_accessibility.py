"""The widget for everybody: WCAG 2.2 AA, as far as a machine can tell."""

from collections.abc import Awaitable
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect
from widget_page import STARTERS, Shop, ask, refusal, shop, three_sentences
from widget_states import failure, states, submit

AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 780}, "has_touch": True, "is_mobile": True}
CONTEXTS: dict[str, dict[str, Any]] = {
    "light": {},
    "dark": {"color_scheme": "dark"},
    "phone": PHONE,
    "dark phone": {**PHONE, "color_scheme": "dark"},
    "zoomed": {"viewport": {"width": 640, "height": 400}, "device_scale_factor": 2},
    "narrow": {"viewport": {"width": 320, "height": 640}},
    "forced": {"forced_colors": "active"},
}
CHECKS = Path(__file__).with_name("widget_checks.js").read_text(encoding="utf-8")

LANGUAGES = [
    "header",
    ".question",
    ".text p",
    ".card .page",
    ".card .ruling",
    ".card blockquote",
    ".pages li span:last-child",
    ".buttons",
]

pytestmark = pytest.mark.browser


@pytest.mark.slow
@pytest.mark.parametrize(("name", "locale"), [*((name, "en") for name in CONTEXTS), ("light", "ar"), ("phone", "ar")])
async def test_every_state(tmp_path: Path, name: str, locale: str) -> None:
    """axe-core, the sizes of targets, what is cut off (also with the spacing of WCAG 1.4.12), the contrast of lines."""
    found: dict[str, list[str]] = {}
    async with shop(tmp_path, reduced_motion="reduce", **CONTEXTS[name]) as site:
        async for state, page in states(site, locale=locale):
            wrong = await violations(page) + await check(page, "small()") + await check(page, "cutOff()")
            found[state] = wrong + ([] if name == "forced" else await check(page, "faint()"))
            if state == "inline":
                await check(page, "space()")
                found["spaced"] = await check(page, "cutOff()")
    assert {state: wrong for state, wrong in found.items() if wrong} == {}
    assert len(found) == 13


async def check(page: Page, call: str) -> Any:
    """What one of the functions of widget_checks.js returns."""
    await page.evaluate(CHECKS)
    return await page.evaluate(f"CHECKS.{call}")


async def violations(page: Page) -> list[str]:
    await page.evaluate(AXE)
    found = await page.evaluate("axe.run({exclude: ['main']}, {resultTypes: ['violations']})")
    return [f"{rule['id']}: {node['target']}" for rule in found["violations"] for node in rule["nodes"]]


async def test_what_screen_readers_are_told(tmp_path: Path) -> None:
    """Each finished answer once, with its verdict and its sources, and no word of what comes piece by piece."""
    async with shop(tmp_path, permissions=["clipboard-read", "clipboard-write"]) as site:
        page = await site.visit()
        await check(page, "listen()")
        turn = await ask(page)
        await turn.get_by_role("button", name="Helpful", exact=True).click()
        await expect(turn.get_by_text("Thank you.")).to_be_visible()
        await turn.get_by_role("button", name="Copy").click()
        await expect(turn.get_by_role("button", name="Copied")).to_be_visible()
        site.served.answerer.script = refusal
        await ask(page, "Do you sell cars?")
        site.served.answerer.script = failure
        await ask(page, "And bicycles?")
        told = await page.evaluate("read")
    print(*told, sep="\n")
    assert told == [
        "Searching\u2026",
        "Answer: You may return any item within 30 days of delivery. Sending it back is free within the EU."
        " The item must be unused. Checked against its sources. Sources: Returns; Delivery and costs.",
        "Thank you.",
        "Copied",
        "Searching\u2026",
        "Answer: I could not find an answer to that on this site.",
        "Searching\u2026",
        "The answer broke off. Try again.",
    ]


async def test_an_answer_to_a_closed_panel_is_told_too(tmp_path: Path) -> None:
    async with shop(tmp_path) as site:
        go_on = site.served.answerer.hold_back()
        page = await site.visit()
        await check(page, "listen()")
        await page.get_by_role("button", name="Ask a question").click()
        await submit(page, "May I return it?")
        await page.keyboard.press("Escape")
        go_on.set()
        await page.get_by_role("button", name="Ask a question (Answer)").press("Enter")
        told = await page.evaluate("read")
        await expect(page.get_by_role("button", name="Ask a question (Answer)")).to_have_count(0)
    assert [text.split(":")[0] for text in told] == ["Searching\u2026", "Answer"]


async def test_the_tree_that_assistive_technology_sees(tmp_path: Path) -> None:
    async with shop(tmp_path) as site:
        page = await site.visit()
        turn = await ask(page)
        await turn.locator(".chip").first.click()
        await expect(page.get_by_role("log")).to_have_attribute("aria-live", "off")
        tree = await accessibility_tree(page)
    print(*tree, sep="\n")
    told = "\n".join(line.strip() for line in tree)
    for part in (
        "dialog 'Ask a question' modal=False",
        "heading 'Ask a question'",
        "button 'New conversation'",
        "log 'Conversation'",
        "button 'Source 1: Returns. Checked: this page supports the sentence.' expanded=True",
        "complementary 'Returns'",
        "link 'Open the page'",
        "button 'Helpful' pressed=false",
        "list 'Sources'",
        "textbox 'Your question'",
        "button 'Send'",
        "status '' live=polite",
        "button 'Ask a question' expanded=True",
    ):
        assert part in told, part


async def accessibility_tree(page: Page) -> list[str]:
    """Lines of role, name and state, indented; what is ignored is left out."""
    session = await page.context.new_cdp_session(page)
    nodes = {node["nodeId"]: node for node in (await session.send("Accessibility.getFullAXTree"))["nodes"]}
    lines: list[str] = []

    def walk(node: dict[str, Any], depth: int) -> None:
        role = node.get("role", {}).get("value", "")
        is_told = not node["ignored"] and role not in ("generic", "none", "InlineTextBox")
        if is_told:
            state = {each["name"]: each["value"].get("value") for each in node["properties"]}
            named = [f"{name}={state[name]}" for name in ("modal", "live", "expanded", "pressed") if name in state]
            lines.append("  " * depth + " ".join([role, repr(node["name"]["value"]), *named]))
        for child in node.get("childIds", ()):
            walk(nodes[child], depth + is_told)

    walk(next(iter(nodes.values())), 0)
    return lines


async def test_the_keyboard_reaches_everything_and_is_not_trapped_beside_a_page(tmp_path: Path) -> None:
    async with shop(tmp_path) as site:
        page = await site.visit()
        turn = await ask(page)
        await turn.locator(".chip").first.click()
        await page.locator("#own").focus()
        stops = [await _tab(page) for _ in range(19)]
    print(*stops, sep="\n")
    assert [name for name, _ in stops] == [
        "New conversation",
        "Close",
        "Conversation",
        "Source 1: Returns. Checked: this page supports the sentence.",
        "Source 2: Delivery and costs. Checked: this page supports the sentence.",
        "Source 1: Returns. Checked: this page supports the sentence.",
        "Open the page",
        "Checked against its sources",
        "1Returns \u203a How long do I have?",
        "2Delivery and costs",
        "Copy",
        "Helpful",
        "Not helpful",
        "Your question",
        "Send",
        "Ask a question",
        "",
        "things",
        "Of the page",
    ]
    assert [name for name, is_seen in stops[:16] if not is_seen] == []


async def _tab(page: Page) -> tuple[str, bool]:
    """The name of what the Tab key reaches, and whether its focus is seen."""
    await page.keyboard.press("Tab")
    return tuple(await check(page, "focused()"))  # type: ignore[return-value]


async def test_the_keyboard_stays_in_a_dialog_that_covers_the_page(tmp_path: Path) -> None:
    async with shop(tmp_path, **PHONE) as site:
        page = await site.visit()
        await page.get_by_role("button", name="Ask a question").press("Enter")
        await expect(page.get_by_role("log", name="Conversation")).to_be_focused()  # no keyboard on the screen unasked
        assert await page.locator("dialog").evaluate("dialog => dialog.matches(':modal')")
        stops = {(await _tab(page))[0] for _ in range(12)}
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("button", name="Ask a question")).to_be_focused()
    assert stops - {""} == {"Close", "Conversation", *STARTERS, "Your question", "Send"}


async def test_the_focus_is_never_lost(tmp_path: Path) -> None:
    """What goes away under it hands it on."""
    async with shop(tmp_path) as site:
        page = await site.visit()
        box = page.get_by_role("textbox", name="Your question")
        await page.get_by_role("button", name="Ask a question").press("Enter")
        await page.get_by_role("button", name=STARTERS[0]).press("Enter")
        await expect(box).to_be_focused()
        await expect(page.locator(".turn")).to_have_attribute("data-state", "answered")
        await page.get_by_role("button", name="Not helpful").press("Enter")
        await expect(page.get_by_label("What was wrong? (optional)")).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("button", name="Not helpful")).to_be_focused()
        site.served.answerer.script = failure
        await _ended(page, submit(page, "Again?"), "failed")
        site.served.answerer.script = three_sentences
        await _ended(page, page.get_by_role("button", name="Try again").press("Enter"), "answered")
        await expect(box).to_be_focused()
        await page.get_by_role("button", name="New conversation").press("Enter")
        await expect(box).to_be_focused()
        await site.served.client.post(f"/v1/keys/{site.served.key_id}/revoke", headers=_admin(site))
        await _ended(page, submit(page, "And now?"), "failed")
        await expect(page.get_by_role("log", name="Conversation")).to_be_focused()


async def _ended(page: Page, act: Awaitable[None], state: str) -> None:
    await act
    await expect(page.locator(".turn").last).to_have_attribute("data-state", state)


def _admin(site: Shop) -> dict[str, str]:
    return {"Authorization": f"Bearer {site.served.admin}"}


async def test_escape_closes_a_card_first_and_the_panel_from_the_launcher_too(tmp_path: Path) -> None:
    async with shop(tmp_path) as site:
        page = await site.visit()
        turn = await ask(page)
        await turn.locator(".chip").first.click()
        launcher = page.get_by_role("button", name="Ask a question")
        await launcher.focus()
        await page.keyboard.press("Escape")
        await expect(turn.locator(".card")).to_have_count(0)
        await expect(launcher).to_have_attribute("aria-expanded", "true")
        await launcher.focus()
        await page.keyboard.press("Escape")
        await expect(launcher).to_have_attribute("aria-expanded", "false")
        await expect(launcher).to_be_focused()


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
async def test_motion_only_for_those_who_want_it(tmp_path: Path, motion: str) -> None:
    async with shop(tmp_path, reduced_motion=motion) as site:
        site.served.answerer.hold_back()
        page = await site.visit()
        await page.locator(".launcher").click()
        await submit(page, "May I return it?")
        await expect(page.locator(".sentence")).to_have_count(1)
        names = await check(page, "root().getAnimations().map((animation) => animation.animationName)")
        assert (names == []) == (motion == "reduce")


async def test_each_text_says_its_language_and_direction(tmp_path: Path) -> None:
    """The widget speaks the visitor's language, answers and pages that of the site."""
    async with shop(tmp_path) as site:
        site.put("/", site.element(locale="ar"))
        page = await site.visit()
        await page.locator(".launcher").click()
        await submit(page, "هل يمكنني إرجاعه؟")
        await expect(page.locator(".turn")).to_have_attribute("data-state", "answered")
        await page.locator(".chip").first.click()
        told = await check(page, f"languages({LANGUAGES})")
        site.served.answerer.script = refusal
        await submit(page, "?")
        await expect(page.locator(".turn").last).to_have_attribute("data-state", "refused")
        assert await page.locator(".turn .text").last.get_attribute("lang") == "ar"
    site_texts = (".text p", ".card .page", ".card blockquote", ".pages li span:last-child")
    assert told == {name: ["en", "ltr"] if name in site_texts else ["ar", "rtl"] for name in LANGUAGES}
