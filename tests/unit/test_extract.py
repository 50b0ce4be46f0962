"""What is made of a page, a Markdown document, a plain text."""

import pytest

from flowchat.ingest.decode import decode
from flowchat.ingest.extract import extract_fragment, extract_html, extract_markdown, extract_text, render_markdown
from flowchat.ingest.extract.parse import MAX_NESTING, MAX_TAGS, parse_html


@pytest.mark.parametrize(
    ("body", "charset", "expected"),
    [
        ("caf\u00e9".encode(), None, "caf\u00e9"),
        ("caf\u00e9".encode("latin-1"), None, "caf\u00e9"),
        ("\u0434\u0430".encode("cp1251"), "Windows-1251", "\u0434\u0430"),
        ("\u65e5\u672c".encode("shift_jis"), "Shift_JIS", "\u65e5\u672c"),
        (b"<meta charset=koi8-r>\xc4\xc1", None, "<meta charset=koi8-r>\u0434\u0430"),
        *[(b"a\\u0062-+AGI-", name, "a\\u0062-+AGI-") for name in ("unicode_escape", "utf-7", "punycode", "idna")],
        (b"\x61", "hex", "a"),
        (b"a", "no\0such", "a"),
    ],
)
def test_decode(body: bytes, charset: str | None, expected: str) -> None:
    assert decode(body, charset) == expected


def test_titles_and_headings_are_bounded() -> None:
    long = "long " * 1000
    document = extract_html(f"<title>{long}</title><h1>{long}</h1><p>Text.</p>")
    assert len(document.title) == 200
    assert [len(heading) for heading in document.blocks[0].headings] == [200]


def test_links_are_read_before_the_navigation_is_removed() -> None:
    document = extract_html("<nav><a href=/a>A</a></nav><main><h1>Title</h1><p>Text.</p></main>")
    assert (document.links, [block.text for block in document.blocks]) == (("/a",), ["Text."])


def test_a_fragment_is_nothing_but_content() -> None:
    document = extract_fragment("<h2>Title</h2><nav>Kept</nav><script>not()</script>")
    assert (document.title, [block.text for block in document.blocks]) == ("Title", ["Kept"])


@pytest.mark.parametrize(
    "html",
    [
        "",
        "\0",
        "<",
        "<!doctype html><frameset><frame src=x>",
        "<table><tr><td rowspan=0 colspan=-1>a<td>b<tr>",
        "<ol start=x><li value=99999999999999999999>a</ol>",
        "<pre></pre><dl><dt></dt><dd></dd></dl><table></table><ul></ul><h1></h1>",
        "</p></html><p>after<html><body><head>",
    ],
)
def test_malformed_pages_are_read(html: str) -> None:
    extract_html(html)


@pytest.mark.parametrize("tag", ["<div>", "<ul><li>", "<dl><dd>", "<section><p>", "<span><div></span>"])
def test_hostile_nesting_takes_bounded_time(tag: str) -> None:
    """Without a bound most of them take half a minute."""
    blocks = extract_html(tag * 40_000 + "Enough words to be a page's text").blocks
    assert "".join(block.text for block in blocks).endswith("text")


@pytest.mark.parametrize(
    "page",
    [
        "<p>x</p>" + "<table><tr><td>" * 5000,
        "<ul><li>" * 5000,
        "</div>" * 5000 + "<div>" * 5000,  # end tags of nothing don't hide what follows them
        "<p>" + "<sup>" * 2000,
        "<p>" + "<b><sup><i>" * 400,
    ],
)
def test_nesting_of_small_pages_is_bounded(page: str) -> None:
    blocks = extract_html(page + "Enough words to be a page's text").blocks
    assert "".join(block.text for block in blocks).replace(" |", "").endswith("text")


def test_hostile_attributes_take_bounded_time() -> None:
    attributes = " ".join(f"a{number}=1" for number in range(300_000))
    assert [block.text for block in extract_html(f"<h1>Title</h1><p {attributes}>text").blocks] == ["text"]


def test_flattening_keeps_what_is_not_too_deep() -> None:
    """Comments, scripts and quotes can't hide end tags from it."""
    page = "<ul>" + "<li title='a > b'>x<br><b>y</b></li>" * 10_000 + "</ul>"
    assert len(parse_html(page).css("li")) == 10_000
    for opens in (
        "<div><!--</div>-->",
        "<div><!</div>",
        "<div title='</div>'>",
        "<div><xmp></div></xmp>",
        "<x-y><div></x-y>",
    ):
        tree = parse_html(opens * 20_000 + "<p>end")
        depth, node = 0, tree.css("p")[-1]
        while (parent := node.parent) is not None:
            depth, node = depth + 1, parent
        assert depth <= MAX_NESTING + 5


MARKDOWN = """---
title: "Getting: started"
description: >-
  How to
  begin
tags: [a, b]
---

# Begin

Use <kbd>X</kbd> and List<String> or <your-key>.<br>Then.

<details><summary>More</summary>

```
a < b
```

</details>

<a name="old"></a>

## Next

| a | b |
|---|---|
| ~~c~~ | `d\\|e` |

<script>no()</script>
"""


def test_markdown() -> None:
    document = extract_markdown(MARKDOWN)
    assert (document.title, document.description) == ("Getting: started", "How to begin")
    assert [(block.kind, block.text, block.headings, block.anchor) for block in document.blocks] == [
        ("text", "Use X and List<String> or <your-key>. Then.", ("Begin",), "begin"),
        ("text", "More", ("Begin",), "begin"),
        ("code", "a < b", ("Begin",), "begin"),
        ("table", "| a | b |\n| --- | --- |\n| c | d\\|e |", ("Begin", "Next"), "next"),
    ]


@pytest.mark.parametrize(
    ("text", "title", "first"),
    [
        ("+++\ntitle = 'Toml'\n+++\nText.", "Toml", "Text."),
        ("\ufeff---\r\ntitle: Windows\r\n---\r\nText.", "Windows", "Text."),
        ("---\nnot a field\n---\nText.", "not a field", "Text."),
        ("# Heading\n\n---\ntitle: x\n---\n", "Heading", None),
        ("---\n---\nText.", "", "Text."),
        ("Text.", "", "Text."),
    ],
)
def test_front_matter(text: str, title: str, first: str | None) -> None:
    document = extract_markdown(text)
    assert document.title == title
    assert (document.blocks[0].text if document.blocks else None) == first


def test_documentation_of_our_own_escapes_raw_html() -> None:
    assert render_markdown("# A\n\n<b>x</b>") == '<h1 id="a">A</h1>\n<p>&lt;b&gt;x&lt;/b&gt;</p>\n'


def test_plain_text() -> None:
    document = extract_text(
        "# No heading, *no* emphasis\r\ngoes on here.\r\n\r\n    $ run --it\r\n      twice\r\n\r\n"
        "- one\n  goes on\n- two\n\nname      size\na.txt     10\nb.txt     200\n\n\n1) first\n2) second\n"
    )
    assert [(block.kind, block.text) for block in document.blocks] == [
        ("text", "# No heading, *no* emphasis goes on here."),
        ("code", "$ run --it\n  twice"),
        ("list", "- one goes on\n- two"),
        ("code", "name      size\na.txt     10\nb.txt     200"),
        ("list", "1) first\n2) second"),
    ]


def test_plain_text_may_be_indented_as_a_whole() -> None:
    text = "1. Introduction\n\n" + "   The text of an RFC\n   is indented.\n\n" * 3 + "      code = 1\n"
    assert [block.kind for block in extract_text(text).blocks] == ["list", "text", "text", "text", "code"]


def test_of_a_page_with_too_many_tags_the_beginning_is_read() -> None:
    document = extract_html(
        "<main><p>The beginning of the page.</p>" + "<b>x</b> " * MAX_TAGS + "<p>The end.</p></main>"
    )
    text = "\n".join(block.text for block in document.blocks)
    assert "The beginning of the page." in text and "The end." not in text
