"""The widget on pages that make it hard: strict policies, loud style sheets, frameworks, no storage, several of it."""

from base64 import b64encode
from collections.abc import AsyncGenerator
from hashlib import sha384
from pathlib import Path

import loopback
import pytest
from playwright.async_api import Frame, Page, expect
from widget_page import CHUNKS, ask, begin, shop

from flowchat.answer.pipeline import Answer, Question
from flowchat.domain import Event

pytestmark = pytest.mark.browser

POLICY = (  # the picture is the page's own icon
    "default-src 'none'; img-src data:; script-src {server}; connect-src {server};"
    " require-trusted-types-for 'script'; trusted-types 'none'"
)
VIOLATIONS = """window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => violations.push(event.effectiveDirective))"""
TEXT = "You may return it within 30 days.1 Sending it back is free.1"
ANSWER = (
    "Call it like this:",
    "\n\n```python\nprint('returned')\n```",
    "\n\n| Country | Days |\n| --- | --- |\n| France | 30 |",
    "\n\n- **Free** within the EU, see [returns](https://shop.example/returns).",
)
# Everything that a visitor sees of the panel, as numbers: what a page's style changes must not change it.
LOOK = """(widget) => {
  const seen = [];
  const names = ["font-size", "line-height", "letter-spacing", "text-transform", "color", "display", "direction",
    "visibility", "writing-mode", "text-align", "text-indent", "word-spacing", "white-space", "cursor", "opacity",
    "padding", "margin", "border-width", "background-color", "font-weight", "font-style", "user-select",
    "text-shadow", "text-decoration-line", "list-style-type", "pointer-events", "zoom"];
  for (const element of widget.shadowRoot.querySelectorAll("*")) {
    if (element.closest("svg")) continue;
    const style = getComputedStyle(element);
    const { width, height } = element.getBoundingClientRect();
    seen.push([element.localName, element.className, Math.round(width), Math.round(height),
      ...names.map((name) => `${name}: ${style.getPropertyValue(name)}`)].join(" | "));
  }
  return seen;
}"""
LOUD = """
* { all: unset !important; font-family: Arial !important; display: block !important;
  font-size: 40px !important; line-height: 3 !important;
  letter-spacing: 5px !important; word-spacing: 20px !important; text-transform: uppercase !important;
  color: red !important; direction: rtl; visibility: hidden; text-indent: 50px !important; white-space: pre !important;
  text-align: right !important; cursor: crosshair !important;
  background: yellow !important; text-shadow: 1px 1px blue !important; user-select: none !important;
  pointer-events: none !important; padding: 30px !important; margin: 30px !important }
main, flowchat-widget { writing-mode: vertical-rl !important } head { display: none !important }
#own { visibility: visible }
button, textarea, a, svg { position: static !important; width: 300px !important; fill: lime !important }
dialog { display: none !important } [popover] { inset: 0 !important } h2, p { margin: 99px !important }
"""
SHEETS = {
    "small-root": "html { font-size: 62.5% } body { font-size: 1.6rem }",
    "large-root": "html { font-size: 200% }",
    "reset": "*, ::before, ::after { box-sizing: border-box; border: 0 solid; margin: 0; padding: 0 }"
    "button, input, textarea { font: inherit; color: inherit; background: transparent; border-radius: 0 }"
    "svg { display: block; vertical-align: middle } a { color: inherit; text-decoration: inherit }",
    "owl": "body > * + * { margin-top: 99px } body { user-select: none; cursor: wait; text-align: center }",
    "loud": LOUD,
}


async def a_rich_answer(question: Question, answer: Answer) -> AsyncGenerator[Event, None]:
    yield Event("retrieval.started", {"query": question.query})
    yield Event("retrieval.reranked", {"chunks": CHUNKS})
    for ref, sentence in enumerate(ANSWER, start=1):
        yield Event("generation.token", {"text": sentence})
        yield Event("generation.cited", {"ref": ref, "chunkId": "chk_1"})
        yield Event("nli.verified", {"ref": ref, "ok": True, "score": 0.9, "evidence": "It is free."})
        answer.text += sentence


async def look(page: Page) -> list[str]:
    """With the panel open and an answer in it."""
    turn = await ask(page)
    await turn.locator(".chip").first.click()
    await page.evaluate("document.activeElement.shadowRoot.activeElement.blur()")
    await page.mouse.move(1, 1)
    await page.wait_for_timeout(400)  # the last sentence has faded in
    seen: list[str] = await page.locator("flowchat-widget").evaluate(LOOK)
    return seen


def differences(plain: list[str], styled: list[str]) -> list[str]:
    found = []
    for before, after in zip(plain, styled, strict=True):
        element = " | ".join(before.split(" | ")[:2])
        pairs = zip(before.split(" | "), after.split(" | "), strict=True)
        found += [f"{element} | {one} -> {other}" for one, other in pairs if one != other]
    return found


async def converse(page: Page) -> None:
    """All that a visitor can do."""
    turn = await ask(page)
    await turn.get_by_role("button", name="Copy").first.click()
    await turn.locator(".chip").first.click()
    await expect(turn.locator(".card")).to_be_visible()
    await turn.get_by_role("button", name="Not helpful").click()
    await turn.get_by_label("What was wrong? (optional)").fill("All of it.")
    await page.keyboard.press("Enter")
    await expect(turn.get_by_text("Thank you.")).to_be_visible()
    await turn.locator("summary").click()
    await page.keyboard.press("Escape")
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_be_hidden()
    await ask(page, "And how long?")
    await page.get_by_role("button", name="New conversation").click()


@pytest.mark.parametrize("header", ["content_security_policy", "content_security_policy_report_only"])
async def test_a_strict_policy_needs_to_name_the_server_twice(tmp_path: Path, header: str) -> None:
    async with shop(tmp_path) as site:
        site.served.answerer.script = a_rich_answer
        site.put("/", **{header: POLICY.format(server=site.served.url)})
        await site.context.add_init_script(VIOLATIONS)
        page = await site.visit()
        await converse(page)
        await ask(page, "And to Norway?")
        await page.screenshot(path=tmp_path / "policy.png")
        assert await page.evaluate("violations") == []


async def test_a_policy_that_does_not_let_it_connect(tmp_path: Path) -> None:
    async with shop(tmp_path) as site:
        site.put("/", content_security_policy=f"default-src 'none'; img-src data:; script-src {site.served.url}")
        page = await site.visit()
        turn = await ask(page)
        await expect(turn.locator(".state")).to_have_text("The chat can\u2019t be reached. Try again in a moment.")
        (hint,) = [text for text in site.console if text.startswith("FlowChat:")]
        assert "Content-Security-Policy" in hint and "connect-src" in hint and site.served.url in hint
        site.errors.clear()  # the browser's own words


@pytest.mark.parametrize("name", SHEETS)
async def test_a_page_s_style_changes_nothing(tmp_path: Path, name: str) -> None:
    async with shop(tmp_path) as site:
        site.served.answerer.script = a_rich_answer
        site.put("/styled", head=f"<style>html {{ font-family: Arial }} {SHEETS[name]}</style>")
        site.put("/", head="<style>html { font-family: Arial }</style>")
        plain = await look(await site.visit())
        page = await site.visit("/styled")
        styled = await look(page)
        await page.screenshot(path=tmp_path / f"{name}.png")
        assert differences(plain, styled) == []


@pytest.mark.parametrize("name", SHEETS)
async def test_a_page_s_style_changes_little_of_it_inline(tmp_path: Path, name: str) -> None:
    """Its size is the page's to set; the text and what is in it are not."""
    async with shop(tmp_path) as site:
        site.served.answerer.script = a_rich_answer
        inline = site.element(mode="inline")
        site.put("/", inline, head=f"<style>html {{ font-family: Arial }} {SHEETS[name]}</style>")
        page = await site.visit()
        await ask(page)
        await page.screenshot(path=tmp_path / f"{name}.png", full_page=True)
        style = (
            "element => ['fontSize', 'color', 'direction', 'visibility'].map(name => getComputedStyle(element)[name])"
        )
        assert await page.locator(".text").evaluate(style) == ["16px", "rgb(27, 31, 35)", "ltr", "visible"]
        box = await page.locator(".panel").bounding_box()
        assert box and box["width"] > 250 and 300 < box["height"] <= 720


async def test_ancestors_that_move_hide_and_contain(tmp_path: Path) -> None:
    styles = "transform: rotate(20deg); filter: blur(4px); overflow: hidden; contain: strict; height: 1px; opacity: .1"
    over = "position: fixed; inset: 0; z-index: 2147483647; background: #ccca"
    async with shop(tmp_path) as site:
        hidden = (
            f'<div style="{styles}"><div style="perspective: 1px; will-change: transform">{site.element()}</div></div>'
        )
        site.put("/", f'{hidden}<div style="{over}">over everything</div>')
        page = await site.visit()
        box = await page.get_by_role("button", name="Ask a question").bounding_box()
        await ask(page)
        await page.screenshot(path=tmp_path / "ancestors.png")
        assert box and (round(box["width"]), round(box["height"])) == (56, 56)
        panel = await page.get_by_role("dialog").bounding_box()
        assert panel and panel["x"] + panel["width"] == 1280 - 20


async def test_a_modal_dialog_of_the_page(tmp_path: Path) -> None:
    dialog = '<dialog id="modal"><button id="help" onclick="widget.open()">Help</button></dialog>'
    async with shop(tmp_path) as site:
        site.put("/", f"{site.element()}{dialog}")
        page = await site.visit()
        await page.evaluate("window.widget = document.querySelector('flowchat-widget'); modal.showModal()")
        await page.locator("#help").click()
        await ask(page)
        await page.screenshot(path=tmp_path / "over-modal.png")
        await page.keyboard.press("Escape")
        await expect(page.locator("#help")).to_be_focused()
        await page.evaluate("modal.close()")
        await ask(page, "And how long?")


async def test_a_framework_moves_it_in_the_middle_of_an_answer(tmp_path: Path) -> None:
    async with shop(tmp_path) as site:
        go_on = site.served.answerer.hold_back()
        page = await site.visit()
        turn = await begin(page)
        await expect(turn.locator(".text")).to_contain_text("within 30 days.")
        await page.evaluate("document.querySelector('main').prepend(document.querySelector('flowchat-widget'))")
        await expect(page.get_by_role("dialog")).to_be_visible()
        go_on.set()
        await expect(turn).to_have_attribute("data-state", "answered")
        await expect(turn.locator(".text")).to_have_text(TEXT)
        assert len(site.served.answerer.questions) == 1


async def test_it_is_moved_on_a_small_screen(tmp_path: Path) -> None:
    async with shop(tmp_path, viewport={"width": 375, "height": 667}) as site:
        page = await site.visit()
        await ask(page)
        await page.evaluate("document.querySelector('main').prepend(document.querySelector('flowchat-widget'))")
        await expect(page.get_by_role("dialog")).to_be_visible()
        await page.get_by_role("button", name="Close").click()
        await page.evaluate("document.body.append(document.querySelector('flowchat-widget'))")
        await expect(page.locator(".panel")).to_be_hidden()


@pytest.mark.parametrize(
    "change",
    [
        "widget.remove(); setTimeout(() => document.body.append(widget), 50)",
        "widget.replaceWith(widget.cloneNode())",
        "widget.dataset.locale = 'de'",
        "widget.dataset.mode = 'inline'; widget.dataset.mode = ''",
    ],
)
async def test_a_framework_makes_it_anew_in_the_middle_of_an_answer(tmp_path: Path, change: str) -> None:
    async with shop(tmp_path) as site:
        go_on = site.served.answerer.hold_back()
        page = await site.visit()
        turn = await begin(page)
        await expect(turn.locator(".text")).to_contain_text("within 30 days.")
        await page.evaluate(f"() => {{ const widget = document.querySelector('flowchat-widget'); {change} }}")
        await page.wait_for_timeout(200)
        await expect(page.locator(".turn .text")).to_contain_text("within 30 days.")
        go_on.set()
        await expect(page.locator(".turn")).to_have_attribute("data-state", "answered")
        await expect(page.locator(".turn .text")).to_have_text(TEXT)
        await expect(page.get_by_role("dialog")).to_be_visible()
        assert len(site.served.answerer.questions) == 1


async def test_another_key_is_another_conversation(tmp_path: Path) -> None:
    async with shop(tmp_path) as site:
        first = site.served.key
        page = await site.visit()
        await ask(page)
        await site.served.widget_key(origins=(site.site.url,), sources=("shop",))
        set_key = "(widget, key) => widget.dataset.key = key"
        widget = page.locator("flowchat-widget")
        await widget.evaluate(set_key, site.served.key)
        await expect(page.locator(".turn")).to_have_count(0)
        await ask(page, "And how long?")
        assert site.served.answerer.questions[-1].history == ()
        await widget.evaluate(set_key, first)
        await expect(page.locator(".turn .question")).to_have_text("You asked: May I return it?")


async def test_several_on_a_page_do_not_mix(tmp_path: Path) -> None:
    async with shop(tmp_path) as site:
        inline, first = site.element(mode="inline"), site.served.key
        await site.served.widget_key(origins=(site.site.url,), sources=("shop",))
        site.put("/", inline + inline + site.element(mode="inline") + site.element(key=first))
        page = await site.visit()
        questions = ["First?", "Second?", "Third?", "Fourth?"]
        for number, question in enumerate(questions):
            widget = page.locator("flowchat-widget").nth(number)
            await widget.evaluate("(widget, question) => widget.ask(question)", question)
            await expect(widget.locator(".turn")).to_have_attribute("data-state", "answered")
        await page.screenshot(path=tmp_path / "several.png", full_page=True)
        await page.reload()
        asked = page.locator("flowchat-widget .question")
        await expect(asked).to_have_text([f"You asked: {question}" for question in questions])
        assert all(question.history == () for question in site.served.answerer.questions)


WAYS = {
    "twice": '{widget}<script src="{server}/v1.js" defer></script><script src="{server}/v1.js?again"></script>',
    "module": '{widget}<script type="module" src="{server}/v1.js"></script>',
    "both": '{widget}<script type="module" src="{server}/v1.js"></script><script src="{server}/v1.js" async></script>',
    "import": '{host}<script type="module">import "{server}/v1.js"</script>',
    "first": '<script src="{server}/v1.js"></script>{widget}',
    "late": """{widget}<script>setTimeout(() => {{
        const script = document.createElement("script"); script.src = "{server}/v1.js"; document.head.append(script);
    }}, 200)</script>""",
    "made": """<body><script src="{server}/v1.js"></script><script>
        const widget = document.createElement("flowchat-widget"); document.currentScript.after(widget);
        widget.setAttribute("data-key", "{key}"); delete window.widget;</script>""",
    "integrity": '{widget}<script src="{server}/v1.js" integrity="{integrity}" crossorigin></script>',
}


@pytest.mark.parametrize("way", WAYS)
async def test_however_the_script_is_loaded(tmp_path: Path, way: str) -> None:
    async with shop(tmp_path) as site:
        script = (await site.served.client.get("/v1.js")).content
        page_of = f"<!doctype html><title>A shop</title><link rel=icon href='data:,'>{WAYS[way]}".format(
            widget=site.element(),
            host=site.element(host=site.served.url),
            server=site.served.url,
            key=site.served.key,
            integrity=f"sha384-{b64encode(sha384(script).digest()).decode()}",
        )
        site.site.answers["/way"] = loopback.answer(page_of.encode(), content_type="text/html")
        page = await site.visit("/way")
        await page.get_by_role("button", name="Ask a question").wait_for()
        turn = await ask(page)
        await expect(turn).to_have_attribute("data-state", "answered")
        await expect(page.locator(".launcher")).to_have_count(1)


async def test_nothing_is_left_in_the_page(tmp_path: Path) -> None:
    async with shop(tmp_path) as site:
        site.site.answers["/bare"] = loopback.answer(
            b"<!doctype html><title>Bare</title><link rel=icon href='data:,'>", content_type="text/html"
        )
        bare = await (await site.visit("/bare")).evaluate("Object.getOwnPropertyNames(window).sort()")
        page = await site.visit()
        await ask(page)
        left = set(await page.evaluate("Object.getOwnPropertyNames(window)")) - set(bare) - {"own"}
        assert left == set()
        assert await site.context.cookies() == []
        assert await page.evaluate("document.cookie") == ""
        assert await page.evaluate("Object.keys(localStorage).length") == 0
        assert await page.evaluate("document.head.children.length + document.body.children.length") == 4 + 3
        assert await page.evaluate("document.adoptedStyleSheets.length") == 0


async def test_a_frame_without_storage(tmp_path: Path) -> None:
    async with shop(tmp_path) as site:
        await site.served.widget_key(origins=("*",), sources=("shop",))
        site.put("/framed")
        site.put("/", '<iframe sandbox="allow-scripts allow-forms" src="/framed" width="900" height="700"></iframe>')
        page = await site.visit()
        frame = page.frames[-1]
        assert isinstance(frame, Frame)
        await frame.get_by_role("button", name="Ask a question").click()
        await frame.get_by_role("textbox").fill("May I return it?")
        await frame.get_by_role("textbox").press("Enter")
        await expect(frame.locator(".turn")).to_have_attribute("data-state", "answered")
        await page.screenshot(path=tmp_path / "frame.png")
        assert [text for text in site.console if "sessionStorage" in text] == []


async def test_a_storage_that_is_full(tmp_path: Path) -> None:
    fill = """() => {
        let text = "x".repeat(1 << 20);
        for (let number = 0; text; number += 1)
            try { sessionStorage.setItem(`filled${number}`, text) } catch { text = text.slice(text.length / 2 + 1) }
    }"""
    async with shop(tmp_path) as site:
        page = await site.visit()
        await page.evaluate(fill)
        await ask(page)
        await ask(page, "And how long?")
        assert site.served.answerer.questions[-1].history == ("May I return it?",)


DOCUMENTS = {
    "quirks": ("text/html", "<html><title>A shop</title><link rel=icon href='data:,'><body>{rest}</body></html>"),
    "xhtml": (
        "application/xhtml+xml",
        '<?xml version="1.0"?><!DOCTYPE html><html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en"><head>'
        '<title>A shop</title><link rel="icon" href="data:,"/></head><body><h1>A shop</h1>{rest}</body></html>',
    ),
}


@pytest.mark.parametrize("kind", DOCUMENTS)
async def test_old_and_strict_documents(tmp_path: Path, kind: str) -> None:
    async with shop(tmp_path) as site:
        site.served.answerer.script = a_rich_answer
        content_type, text = DOCUMENTS[kind]
        rest = f'{site.element()}<script src="{site.served.url}/v1.js" defer="defer"></script>'
        site.site.answers["/old"] = loopback.answer(text.format(rest=rest).encode(), content_type=content_type)
        plain = await look(await site.visit())
        page = await site.visit("/old")
        old = await look(page)
        await page.screenshot(path=tmp_path / f"{kind}.png")
        assert differences(plain, old) == []


async def test_it_is_not_printed(tmp_path: Path) -> None:
    async with shop(tmp_path) as site:
        page = await site.visit()
        await ask(page)
        await page.emulate_media(media="print")
        await expect(page.locator(".launcher")).to_be_hidden()
        await expect(page.locator(".panel")).to_be_hidden()


async def test_a_page_s_shortcuts_and_focus_traps_leave_the_question_alone(tmp_path: Path) -> None:
    trap = """() => {
        window.caught = [];
        document.addEventListener("keydown", (event) => {
            if (event.target.matches("input, textarea")) return;
            caught.push(event.key);
            event.preventDefault();
        });
        document.addEventListener("focusin", (event) => event.target.id !== "own" && own.focus());
    }"""
    async with shop(tmp_path) as site:
        page = await site.visit()
        await page.evaluate(trap)
        await page.get_by_role("button", name="Ask a question").click()
        await page.get_by_role("textbox").press_sequentially("s/?")
        await expect(page.get_by_role("textbox")).to_have_value("s/?")
        assert await page.evaluate("caught") == []


async def test_a_page_that_adds_to_the_language_s_own_objects(tmp_path: Path) -> None:
    add = """for (const one of [Object, Array, String, Map, Promise]) one.prototype.added = function () { return this };
    Array.prototype.toJSON = undefined; String.prototype.strip = String.prototype.trim;"""
    async with shop(tmp_path) as site:
        await site.context.add_init_script(add)
        page = await site.visit()
        turn = await ask(page)
        await expect(turn).to_have_attribute("data-state", "answered")
        await page.reload()
        await expect(page.locator(".turn")).to_have_attribute("data-state", "answered")
