"""What becomes of a page's elements."""

import pytest
from selectolax.lexbor import LexborHTMLParser

from flowchat.domain import Block
from flowchat.ingest.extract.anchors import settle_anchors
from flowchat.ingest.extract.blocks import BlockReader, Heading


def read(html: str) -> BlockReader:
    tree = LexborHTMLParser(html)
    settle_anchors(tree)
    reader = BlockReader()
    assert tree.body is not None
    reader.read(tree.body)
    return reader


def texts(html: str) -> list[tuple[str, str]]:
    return [(block.kind, block.text) for block in read(html).blocks]


def code(html: str) -> list[str]:
    return [block.text for block in read(html).blocks if block.kind == "code"]


@pytest.mark.parametrize(
    ("html", "anchor"),
    [
        ("<h2 id=x>Title</h2>", "x"),
        ("<section id=x><h2>Title</h2>text</section>", "x"),
        ("<div id=x><div class=titlepage><div><h2>Title</h2></div></div></div>", "x"),
        ("<section id=x><header><h2>Title</h2></header></section>", "x"),
        ("<a name=x></a>\n<h2>Title</h2>", "x"),
        ("<p><a id=x></a></p><h2>Title</h2>", "x"),
        ("<h2><a name=x></a>Title</h2>", "x"),
        ("<h2><a name=x>Title</a></h2>", "x"),
        ("<h2><span id=x></span>Title</h2>", "x"),
        ("<h2>Title<a class=headerlink href='#x' title='Link to this heading'>\u00b6</a></h2>", "x"),
        ("<section id=x><span id=y></span><h2>Title<a class=headerlink href='#x'>\u00b6</a></h2></section>", "x"),
        ("<h2><a class=anchor href='#x'><svg></svg></a>Title</h2>", "x"),
        ("<h2>Title <a href='#x'>Link to this heading</a></h2>", "x"),
        ("<h2>Title <a href='#x'>Permalink</a></h2>", "x"),
        ("<h2>Title<a href='#x' class=hash-link>\u200b</a></h2>", "x"),
        ("<h2 id=x>Title <a href='#x'>#</a></h2>", "x"),
        ("<h2>Title<a href='#gr%C3%B6%C3%9Fe'>\u00b6</a></h2>", "gr\u00f6\u00dfe"),
        ("<div class=markdown-heading><h2>Title</h2><a id=user-content-x href='#x'><svg></svg></a></div>", "x"),
        ("<h2 id=user-content-x>Title</h2>", "x"),
        ("<h2>Title <a href='#top'>#</a></h2>", ""),
        ("<div id=main-content><h2>Title</h2></div>", ""),
        ("<article id=post-12><h2>Title</h2></article>", ""),
        ("<p><a id=y></a>Of another paragraph.</p><h2>Title</h2>", ""),
    ],
)
def test_a_heading_has_its_real_anchor(html: str, anchor: str) -> None:
    reader = read(html + "<p>Text.")
    assert reader.outline == [Heading(2, "Title", anchor)]
    assert reader.blocks[-1] == Block("text", "Text.", ("Title",), anchor)


def test_headings_are_the_path_to_a_block() -> None:
    reader = read("<h1>A</h1><h3 id=b>B</h3><p>1<h4>C#</h4><p>2<h2>D</h2><h2>E <code>f()</code></h2><p>3")
    assert [(block.headings, block.anchor, block.text) for block in reader.blocks] == [
        (("A", "B"), "b", "1"),
        (("A", "B", "C#"), "", "2"),
        (("A", "E f()"), "", "3"),
    ]
    assert [heading.level for heading in reader.outline] == [1, 3, 4, 2, 2]
    assert reader.title == "A"


def test_short_bold_paragraphs_head_what_follows() -> None:
    reader = read("<h2 id=a>A</h2><p><strong>Note well</strong></p><p>Text <b>bold</b>.</p>")
    assert reader.blocks == [Block("text", "Text bold.", ("A", "Note well"), "a")]
    assert len(reader.outline) == 1


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<pre>a\n\tb  \n</pre>", "a\n\tb  "),
        ("<pre>\n\na</pre>", "\na"),
        ("<pre><code>\na\n\n</code></pre>", "\na\n"),
        ("<pre>\n  <code class=x>a\n</code>\n</pre>", "a"),
        ("<pre>a &lt;b&gt; &amp;amp; \u00ad\u200b</pre>", "a <b> &amp; \u00ad\u200b"),
        ("<pre>a\r\nb</pre>", "a\nb"),
        ("<pre>a<br>b<br><br>c<br></pre>", "a\nb\n\nc"),
        ("<div class=highlight><pre><span></span><span class=k>if</span> x:\n  y\n</pre></div>", "if x:\n  y"),
        ("<pre><span class=linenos>1</span>a\n<span class=linenos>2</span>b\n</pre>", "a\nb"),
        ("<pre><code><span class=line><span class=ln> 1</span><span class=cl>a\n</span></span></code></pre>", "a"),
        ("<pre><span style='user-select:none'>1\n</span>a</pre>", "a"),
        (
            "<table class=highlighttable><tr><td class=linenos><pre>1\n2</pre><td class=code><pre>a\nb\n</pre></table>",
            "a\nb",
        ),
        (
            "<pre><code><table class=rouge-table><tr><td class=gutter><pre class=lineno>1\n2\n</pre></td>"
            "<td class=code><pre>a\nb\n</pre></td></tr></table></code></pre>",
            "a\nb",
        ),
        (
            "<pre><code class=hljs><table class=hljs-ln><tr><td class='hljs-ln-numbers'><div data-line-number=1>"
            "</div></td><td class=hljs-ln-code>a</td></tr><tr><td class='hljs-ln-numbers'></td><td></td></tr>"
            "<tr><td></td><td>b</td></tr></table></code></pre>",
            "a\n\nb",
        ),
        ("<pre><code><div class=line>a</div><div class=line></div><div class=line>b</div></code></pre>", "a\n\nb"),
        ("<pre><code>a\n</code><button class=copy>Copy</button></pre>", "a"),
        ("<pre class=line-numbers><code>42</code></pre>", "42"),
        ("<div class=line-numbers-mode><pre><code>42</code></pre></div>", "42"),
        ("<pre>a<clipboard-copy class=btn-clipboard>Copy</clipboard-copy></pre>", "a"),
        ("<pre>1.0</pre>", "1.0"),
    ],
)
def test_code_is_what_a_reader_copies(html: str, expected: str) -> None:
    assert code(html) == [expected]


def test_tables() -> None:
    table = (
        "<table><caption>Prices</caption><thead><tr><th>Name<th>What <code>a|b</code></thead>"
        "<tr><td>one<br>two<td><ul><li>x</li><li>y</li></ul><tr><td><td>z</table>"
    )
    assert texts(table) == [
        ("text", "Prices"),
        ("table", "| Name | What a\\|b |\n| --- | --- |\n| one two | x; y |\n|  | z |"),
    ]


def test_cells_over_several_rows_and_columns() -> None:
    table = (
        "<table><tr><th rowspan=2>A<th colspan=2>B<tr><th>C<th>D"
        "<tr><td rowspan=2>1<td>2<td>3<tr><td colspan=2>4<tr><td colspan=9999999>5</table>"
    )
    assert texts(table)[0][1].splitlines() == [
        "| A | B C | B D |",
        "| --- | --- | --- |",
        "| 1 | 2 | 3 |",
        "| 1 | 4 |  |",
        "| 5 |  |  |",
    ]


@pytest.mark.parametrize(
    ("rows", "head"),
    [
        ("<tr><th>Plan<th>Price<tr><td>Basic<td>5", "| Plan | Price |"),
        ("<tr><td><th>Basic<th>Pro<tr><th>Price<td>5<td>9", "|  | Basic | Pro |"),
        ("<tr><td><b>Plan</b><td><strong>For</strong><tr><td>Basic<td>one", "| Plan | For |"),
        ("<tr><td>Plan<td>Price<tr><td>Basic<td>5 €<tr><td>Team<td>25 €", "| Plan | Price |"),
        ("<tr><th>Weight<td>450 g<tr><th>Colour<td>black", "|  |  |"),
        ("<tr><td>Weight<td>450 g<tr><td>Colour<td>black", "|  |  |"),
        ("<tr><td>Colour<td>black<tr><td>Weight<td>450 g<tr><td>Cable<td>none", "|  |  |"),
        ("<tr><td>1.<td>Open it<tr><td>2.<td>Close it", "|  |  |"),
    ],
)
def test_a_table_has_a_header_only_where_its_first_row_names_the_columns(rows: str, head: str) -> None:
    [(_, table)] = texts(f"<table>{rows}</table>")
    assert table.splitlines()[0] == head


def test_columns_without_a_word_are_none() -> None:
    assert texts("<table><tr><th>A<th><th>B<tr><td>c<td><td>d</table>")[0][1] == "| A | B |\n| --- | --- |\n| c | d |"
    assert texts("<table><tr><th>Name<tr><td>Ada<tr><td>Bob</table>") == [
        ("text", "Name"),
        ("text", "Ada"),
        ("text", "Bob"),
    ]


def test_ids_for_programs_and_footnote_marks_are_no_text() -> None:
    assert texts("<dl><dt>R-57255-33789-60728-42833<dd>It rolls back.<dt>depth<dd>How deep.</dl>") == [
        ("text", "It rolls back."),
        ("text", "depth: How deep."),
    ]
    marked = "<p>It is so<sup>[1]</sup><a href='#n'>[2]</a> at x<sup>2</sup> and a[0] <a href='#b'>[more]</a>."
    assert texts(marked) == [("text", "It is so at x^2 and a[0] [more].")]


def test_tables_that_arrange_a_page_are_none() -> None:
    assert texts("<table><tr><td>Left<td>Right</table>") == [("text", "Left"), ("text", "Right")]
    assert texts("<table><tr><td><h2>A</h2><p>Text<tr><td>b</table>") == [("text", "Text"), ("text", "b")]
    assert texts("<table role=presentation><tr><th>a<th>b<tr><td>c<td>d</table>")[0] == ("text", "a")
    assert texts("<table><tr><td>1<td><table><tr><th>a<th>b<tr><td>c<td>d</table></table>")[1][0] == "table"


def test_lists_keep_their_nesting_and_numbers() -> None:
    html = "<ol start=3><li>a<ul><li>b<li><p>c</p><p>d</p></ul></li><li>e<li value=9>f</ol>"
    assert texts(html) == [("list", "3. a\n  - b\n  - c\n    d\n4. e\n9. f")]


def test_code_in_a_list_item_stays_between_its_lines() -> None:
    html = "<ol><li>First:<pre>x\n  y</pre>goes on<li>Then.</ol><p>After."
    assert texts(html) == [
        ("list", "1. First:"),
        ("code", "x\n  y"),
        ("text", "goes on"),
        ("list", "2. Then."),
        ("text", "After."),
    ]


def test_items_with_headings_are_sections() -> None:
    blocks = read("<ul><li><h3>A</h3><p>1<li><h3>B</h3><p>2</ul><p>3").blocks
    assert [(block.kind, block.headings, block.text) for block in blocks] == [
        ("text", ("A",), "1"),
        ("text", ("B",), "2"),
        ("text", ("B",), "3"),
    ]


def test_definitions_begin_with_their_term() -> None:
    html = "<dl><dt>a<dt>b?<dd><p>1<p>2<dt>c<dd><pre>x</pre><dt>d<dd></dl>"
    assert texts(html) == [("text", "a, b? 1"), ("text", "2"), ("text", "c"), ("code", "x"), ("text", "d")]


@pytest.mark.parametrize(
    "html",
    [
        "<div class='admonition note'><p class=admonition-title>Note</p><p>Text.</p></div>",
        "<div class=theme-admonition><div class=admonitionHeading_x><svg></svg>note</div><div>Text.</div></div>",
        "<div class=markdown-alert><p class=markdown-alert-title><svg></svg>Note</p><p>Text.</p></div>",
        "<div class=admonitionblock><table><tr><td class=icon><div class=title>Note</div><td>Text.</table></div>",
    ],
)
def test_admonitions(html: str) -> None:
    assert [text.lower() for _, text in texts(html)] == ["note: text."]


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("Water boils.<sup><a href='#n1'>[1]</a></sup> Always.", "Water boils. Always."),
        ("Text<sup class=reference><a href='#cite_note-1'><span>[</span>1<span>]</span></a></sup>.", "Text."),
        ("Text<a class=footnote-ref href='#fn1' role=doc-noteref><sup>1</sup></a>.", "Text."),
        ("10<sup>6</sup> m<sup>2</sup>, 1<sup>st</sup>, H<sub>2</sub>O", "10^6 m^2, 1st, H2O"),
        ("<kbd>Ctrl</kbd>+<kbd>C</kbd> <abbr title=x>HTML</abbr>", "Ctrl+C HTML"),
        ("soft\u00adhyphen zero\u200bwidth", "softhyphen zerowidth"),
        ("a<br>b", "a b"),
        ("<math alttext='{\\displaystyle E=mc^2}'><mi>E</mi></math>", "E=mc^2"),
        (
            "<span class=katex><math><semantics><mi>x</mi><annotation encoding='application/x-tex'>x^2</annotation>"
            "</semantics></math><span class=katex-html>x2</span></span>",
            "x^2",
        ),
        ("<math><mi>a</mi> <mo>+</mo> <mi>b</mi></math>", "a+b"),
        ("<details><summary>More</summary></details>", "More"),
        ("x <script>no</script><svg><text>no</text></svg><button>no</button>", "x"),
        ("<h2>Heading<span class=mw-editsection>[<a>edit</a>]</span></h2>x", "x"),
    ],
)
def test_inline(html: str, expected: str) -> None:
    assert [text for _, text in texts(f"<p>{html}")] == [expected]


@pytest.mark.parametrize(
    ("image", "alt"),
    [
        ("<img src=a.png alt='The main window'>", "The main window"),
        ("<img src=a.png alt=''>", ""),
        ("<img src=a.png>", ""),
        ("<img src=/x/main-window.png?v=1 alt='Main Window'>", ""),
        ("<img src=a.png alt=window.png>", ""),
        ("<img src=a.png alt=Star class='icon small'>", ""),
        ("<img src=a.png alt=Line role=presentation>", ""),
        ("<img src=a.png alt=image>", ""),
        ("<figure><img src=a.png alt='A cat'><figcaption>A cat</figcaption></figure>", "A cat"),
    ],
)
def test_alt_texts(image: str, alt: str) -> None:
    assert texts(image) == ([("text", alt)] if alt else [])


def test_two_line_breaks_part_paragraphs() -> None:
    assert texts("one<br> <br>two<br>three<br><br><br>") == [("text", "one"), ("text", "two three")]


def test_backlinks_of_footnotes_are_no_text() -> None:
    html = "<ol><li id=fn1>See it. <a href='#ref1' class=footnote-backref role=doc-backlink>\u21a9\ufe0e</a></ol>"
    assert texts(html) == [("list", "1. See it.")]
    assert read("<h2><a class=toc-backref href='#id1' role=doc-backlink>Title</a></h2>").title == "Title"


def test_deep_nesting_is_flattened() -> None:
    assert texts("<div>" * 3000 + "x") == [("text", "x")]
    assert texts("<ul><li>" * 500 + "x")[0][1].endswith("x")
    assert code("<pre>" + "<span>" * 2000 + "x<br>y") == ["xy"]
