"""Markdown as the pages and the widget draw it, in a real browser."""

from pathlib import Path

import hostile_markup
import pytest
from test_home import browsing
from web_server import serving

pytestmark = pytest.mark.browser

# Drawn inside a shadow root, and written down again: text, or [tag, attributes, children].
DRAW = """async ([texts, options]) => {
  const { renderMarkdown } = await import("/static/markdown.js");
  const told = (node) => node.nodeType === Node.TEXT_NODE ? node.data
    : `<${[node.localName, ...[...node.attributes].map(({ name, value }) => `${name}=${value}`)].join(" ")}>`
      + [...node.childNodes].map(told).join("") + `</${node.localName}>`;
  return texts.map((text) => {
    const root = document.createElement("div").attachShadow({ mode: "open" });
    root.append(renderMarkdown(text, options));
    return [...root.childNodes].map(told).join("");
  });
}"""
LINK = "rel=noopener nofollow noreferrer target=_blank"
CASES = {
    "": "",
    "One line\nand another.\n\nNext.": "<p>One line<br></br>and another.</p><p>Next.</p>",
    "One  \ntwo\\\nthree": "<p>One <br></br>two<br></br>three</p>",
    "## Prices": "<p class=heading>Prices</p>",
    "a *b* **c *d*** _e_ ***f***": (
        "<p>a <em>b</em> <strong>c <em>d</em></strong> <em>e</em> <strong><em>f</em></strong></p>"
    ),
    "2*3*4 __init__ count(*) sum(*) a_b_c *.md": "<p>2*3*4 __init__ count(*) sum(*) a_b_c *.md</p>",
    "\\*not\\* C:\\*": "<p>*not* C:*</p>",
    "**open *and": "<p>**open *and</p>",
    "`a*b*` ``c`d`` `open": "<p><code>a*b*</code> <code>c`d</code> `open</p>",
    "```sql\nselect *\n  from t;\n```\nafter": "<pre tabindex=0><code>select *\n  from t;</code></pre><p>after</p>",
    "~~~\nopen ```\n": "<pre tabindex=0><code>open ```\n</code></pre>",
    "Do:\n- one\n- two\n  more\n  1. inner\n  2. inner\n\nEnd": (
        "<p>Do:</p><ul><li>one</li><li>two<br></br>more<ol><li>inner</li><li>inner</li></ol></li></ul><p>End</p>"
    ),
    "3. three\n4) four": "<ol start=3><li>three</li><li>four</li></ol>",
    "- a\n\n- b": "<ul><li>a</li><li>b</li></ul>",
    "* a\n1. b": "<ul><li>a</li></ul><ol><li>b</li></ol>",
    "> quoted\n> - item": "<blockquote><p>quoted</p><ul><li>item</li></ul></blockquote>",
    "---": "<hr></hr>",
    "| Plan | Price |\n|---|:-:|\n| Basic \\| S | 5 € |\n| Pro |": (
        "<div class=table-box tabindex=0><table><thead><tr><th scope=col>Plan</th><th scope=col>Price</th></tr></thead>"
        "<tbody><tr><td>Basic | S</td><td>5 €</td></tr><tr><td>Pro</td></tr></tbody></table></div>"
    ),
    "| Basic | **5 €** |": (
        "<div class=table-box tabindex=0><table><tbody><tr><td>Basic</td><td><strong>5 €</strong></td></tr></tbody>"
        "</table></div>"
    ),
    "a | b": "<p>a | b</p>",
    "[Shop](https://a.example/x_(y) \"t\")": f"<p><a href=https://a.example/x_(y) {LINK}>Shop</a></p>",
    "[m](mailto:a@b.example) <https://a.example>": (
        f"<p><a href=mailto:a@b.example {LINK}>m</a> <a href=https://a.example {LINK}>https://a.example</a></p>"
    ),
    "See https://a.example/b?c=d. (https://a.example)": (
        f"<p>See <a href=https://a.example/b?c=d {LINK}>https://a.example/b?c=d</a>."
        f" (<a href=https://a.example {LINK}>https://a.example</a>)</p>"
    ),
    "[a](javascript:alert(1)) [b](/path) [c](http://a.example) [d](data:x,y)": "<p>a b c d</p>",
    "![alt](https://a.example/i.png) [![alt](x)](https://a.example)": (
        f"<p>alt <a href=https://a.example {LINK}>alt</a></p>"
    ),
    "[a [b](https://a.example) c](https://b.example)": f"<p><a href=https://b.example {LINK}>a b c</a></p>",
    "[1] and […] https://a.example": f"<p>[1] and […] <a href=https://a.example {LINK}>https://a.example</a></p>",
    "[half](https://a.exam": f"<p>[half](<a href=https://a.exam {LINK}>https://a.exam</a></p>",
    "<b onclick=x>hi</b><script>alert(1)</script>": "<p><b onclick=x>hi</b><script>alert(1)</script></p>",
}  # fmt: skip
BIG = 500_000
BOMBS = (
    *("[", "![", "](", "](a ", '](a "', "[*", "[a](", "[](https://a", "(", "https://", "<https://", "https://.", "<a"),
    *("*a ", "**", "*", "a*", "*a*", "**a*", "_a", "`", "`` ` ", "``a`", "\\", " ", "a  "),
    *("> ", ">", "- ", "  - a\n", "1. ", "- - ", "* * ", "#", "# ", "-", "~~~", "```\n", "\n", "\n\n", "a\n", "\r"),
    *("| ", "|\n", "|-", "| a |\n| - |\n"),
)


async def test_markdown_becomes_nodes_inside_a_shadow_root(tmp_path: Path) -> None:
    async with serving(tmp_path / "data") as served, browsing(served) as page:
        await page.goto("/")
        drawn = await page.evaluate(DRAW, [list(CASES), {}])
        headings = await page.evaluate(DRAW, [["# One *two*"], {"headingTag": "h4"}])
    assert dict(zip(CASES, drawn, strict=True)) == CASES
    assert headings == ["<h4>One <em>two</em></h4>"]


async def test_hostile_texts_run_nothing_and_lead_nowhere(tmp_path: Path) -> None:
    """Under Trusted Types that allow no markup at all, and word for word where there is no Markdown in them."""
    async with serving(tmp_path / "data") as served, browsing(served) as page:
        await page.route("**/guarded", lambda route: route.fulfill(content_type="text/html", body="", headers=GUARD))
        await page.goto("/guarded")
        foreign: list[str] = []
        page.on("request", lambda request: None if request.url.startswith(served.url) else foreign.append(request.url))
        wrong = await page.evaluate(WRONG, [hostile_markup.payloads(), NAMES])
        await page.wait_for_timeout(100)
    assert wrong == [] and foreign == []


async def test_whatever_is_cut_off_is_drawn_with_all_its_words(tmp_path: Path) -> None:
    async with serving(tmp_path / "data") as served, browsing(served) as page:
        await page.goto("/")
        assert await page.evaluate(CUT, ["\n\n".join(CASES)]) == []


@pytest.mark.slow
async def test_half_a_megabyte_of_anything_is_drawn(tmp_path: Path) -> None:
    """A text that took the square of its length would take hours; nesting is bounded."""
    async with serving(tmp_path / "data") as served, browsing(served) as page:
        await page.goto("/")
        for bomb in BOMBS:
            depth = await page.evaluate(DEPTH, bomb * (BIG // len(bomb)))
            assert depth < 50, bomb


GUARD = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; require-trusted-types-for 'script';"
    " trusted-types 'none'"
}
NAMES = ["class", "tabindex", "scope", "start", "href", "rel", "target"]
WRONG = """async ([texts, allowed]) => {
  const { renderMarkdown } = await import("/static/markdown.js");
  const wrong = [];
  const tags = "P EM STRONG CODE PRE UL OL LI A TABLE THEAD TBODY TR TH TD DIV BLOCKQUOTE HR BR".split(" ");
  for (const text of texts.flatMap((text) => [text, `[${text}](${text})`, `| ${text} |`, `- ${text}`, `<${text}>`])) {
    const box = document.body.appendChild(document.createElement("div"));
    box.append(renderMarkdown(text));
    for (const element of box.querySelectorAll("*")) {
      const names = [...element.attributes].map(({ name }) => name);
      if (!tags.includes(element.tagName)) wrong.push(element.tagName);
      if (names.some((name) => !allowed.includes(name))) wrong.push(names);
      if (element.href && !/^(https|mailto):$/.test(element.protocol)) wrong.push(element.href);
    }
    box.remove();
  }
  return "ran" in window ? [...wrong, "a script ran"] : wrong;
}"""
CUT = r"""async ([text]) => {
  const { renderMarkdown } = await import("/static/markdown.js");
  const lost = [];
  for (let end = 0; end <= text.length; end += 1) {
    const shown = renderMarkdown(text.slice(0, end)).textContent;
    const words = text.slice(0, end).match(/[A-Z][a-z]{2,}/g) ?? [];
    lost.push(...words.filter((word) => !shown.includes(word)).map((word) => [end, word]));
  }
  return lost;
}"""
DEPTH = """async (text) => {
  const { renderMarkdown } = await import("/static/markdown.js");
  let deepest = 0;
  const walk = (node, depth) => {
    deepest = Math.max(deepest, depth);
    if (depth < 100) node.childNodes.forEach((child) => walk(child, depth + 1));
  };
  walk(renderMarkdown(text), 0);
  return deepest;
}"""
