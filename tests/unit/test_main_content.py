"""Which part of a page is read, on small pages of each kind."""

import pytest

from flowchat.ingest.extract.main_content import main_content
from flowchat.ingest.extract.parse import parse_html

PROSE = (
    "Sprockets turn the wheel that drives the chain, and each of them has to be oiled twice a year or it will rust. "
)


def kept(body: str) -> str:
    """The text that is left of a page."""
    root = main_content(parse_html(f"<html><body>{body}</body></html>"))
    return " ".join(root.text(separator=" ").split()) if root is not None else ""


def test_documentation_keeps_its_matter_and_loses_what_surrounds_it() -> None:
    text = kept(
        f"""<header><a href="/">Logo</a></header><div class="sidebar-left"><ul><li><a href="/a">Install</a></ul></div>
        <main><nav aria-label="Breadcrumb">Docs</nav><h1>Oiling</h1><p>{PROSE}</p>
        <div class="admonition warning"><p>Never oil it while it turns.</p></div>
        <dl class="py function"><dt>oil(sprocket, grams=3)</dt><dd>Oil one sprocket.</dd></dl>
        <pre><code>oil(s)  # Share</code></pre><table><tr><td>Menu</td><td>Edit</td></tr></table>
        <h2>See also</h2><ul><li><a href="/rust">Rust</a></ul>
        <a href="https://example.org/edit">Edit this page</a><div class="feedback-prompt">Was this page helpful?</div>
        <p>Last updated on 3 May 2025</p><div class="prev-next"><a href="/p">Before</a></div></main>
        <div id="toc"><h2>On this page</h2><a href="#x">Oiling</a></div><footer>© 2025 Sprocket Ltd</footer>"""
    )
    for part in ("Oiling", PROSE.strip(), "while it turns", "oil(sprocket, grams=3)", "Oil one", "# Share", "See also"):
        assert part in text
    for part in ("Logo", "Install", "Docs", "Edit this", "helpful", "updated", "Before", "On this page", "©"):
        assert part not in text
    assert "Menu" in text  # in a table of data, it is no control


def test_sections_named_after_their_headings_are_content() -> None:
    text = kept(
        f"""<main><h1>Guide</h1><section id="cookies"><h2>Cookies</h2><p>{PROSE}</p></section>
        <h2>Comments</h2><p>A comment begins with a number sign.</p><pre># so</pre>
        <h2>Related products</h2><table><tr><td>Field</td><td>Type</td></tr></table></main>"""
    )
    assert "Cookies" in text
    assert "A comment begins" in text
    assert "Related products Field" in text


def test_heading_linked_to_the_table_of_contents_stays() -> None:
    text = kept(f'<main><h1><a class="toc-backref" href="#id1">Oiling</a></h1><p>{PROSE}</p></main>')
    assert text.startswith("Oiling")


def test_forum_thread_is_all_of_its_posts() -> None:
    posts = "".join(
        f'<article class="post"><div class="message-user">Member {n}</div><div class="body">Answer {n}: {PROSE}</div>'
        f'<div class="signature">Sent from my phone {n}</div></article>'
        for n in range(4)
    )
    text = kept(f'<form action="/reply"><h1>Which oil?</h1>{posts}<textarea>Your reply</textarea></form>')
    assert all(f"Answer {n}" in text for n in range(4))
    assert "Sent from my phone" not in text
    assert "Your reply" not in text


def test_thread_that_is_only_served_for_clients_without_scripts() -> None:
    text = kept(f"<div id='app'>Loading</div><noscript><h1>Which oil?</h1><p>{PROSE * 3}</p></noscript>")
    assert "Which oil?" in text


def test_product_keeps_name_price_and_folded_details() -> None:
    text = kept(
        f"""<main><h1>Sprocket 12</h1><span class="price">$ 12.50</span><button>Add to cart</button>
        <p>{PROSE * 6}</p><div aria-hidden="true" class="accordion-content"><p>Material: steel, hardened and oiled,
        made to last for a hundred years in any weather that you may meet on the road.</p></div>
        <div role="dialog"><p>We and our partners use cookies to measure advertising and to find out what you like,
        and you may refuse that at any time in your preferences.</p></div>
        <section class="related-products"><h2>You may also like</h2><a href="/13">Sprocket 13</a></section>
        <h2>Customer reviews</h2><p>Fine sprocket!</p></main>"""
    )
    for part in ("Sprocket 12", "$ 12.50", "Material: steel"):
        assert part in text
    for part in ("Add to cart", "partners", "Sprocket 13", "Fine sprocket"):
        assert part not in text


def test_listing_keeps_its_cards() -> None:
    cards = "".join(
        f'<li class="card"><header><h3><a href="/{n}">Sprocket {n}</a></h3></header><a href="/{n}">Read more</a></li>'
        for n in range(20)
    )
    text = kept(f'<main><h1>Sprockets</h1><div class="filters">Filter by size</div><ul>{cards}</ul></main>')
    assert all(f"Sprocket {n}" in text for n in range(20))
    assert "Filter by" not in text
    assert "Read more" not in text


def test_article_loses_newsletter_comments_and_related() -> None:
    text = kept(
        f"""<div class="cookie-banner"><p>{PROSE}</p></div>
        <article><h1>On rust</h1><p>{PROSE * 3}</p><aside class="newsletter-signup"><p>{PROSE}</p></aside>
        <h2>Related articles</h2><ul><li><a href="/oil">On oil</a></ul>
        <section class="comments"><h2>Comments</h2><p>First!</p></section></article>"""
    )
    assert text == f"On rust {(PROSE * 3).strip()}"


def test_words_of_controls_stay_inside_sentences() -> None:
    text = kept(f'<main><p>{PROSE}</p><p>Open the <a href="/m">Menu</a> and choose <b>Edit</b>.</p></main>')
    assert "Open the Menu and choose Edit" in text


def test_article_inside_an_article_and_main_with_more_than_that() -> None:
    text = kept(f"<main><h1>A</h1><article><p>{PROSE}</p><article><p>Inner {PROSE}</p></article></article></main>")
    assert "Inner" in text


def test_skeleton_main_falls_back_to_the_body() -> None:
    text = kept(f"<main><p>Please wait</p></main><div class='page'><h1>Oiling</h1><p>{PROSE * 4}</p></div>")
    assert PROSE.strip() in text


def test_name_on_nearly_everything_is_not_believed() -> None:
    assert PROSE.strip() in kept(f'<div class="sidebar"><p>{PROSE * 8}</p></div>')


def test_streamed_content_of_react_is_content() -> None:
    assert PROSE.strip() in kept(f'<div id="root">Loading</div><div hidden id="S:0"><p>{PROSE * 3}</p></div>')


def test_links_beside_the_text_go_also_without_names() -> None:
    links = "".join(f'<a href="/{n}">Chapter {n}</a> ' for n in range(30))
    text = kept(f"<div><div>{links}</div><div><p>{PROSE * 5}</p></div></div>")
    assert "Chapter" not in text


def test_table_of_contents_of_the_page_goes() -> None:
    links = "".join(f'<li><a href="#s{n}">Part {n}</a>' for n in range(5))
    assert "Part" not in kept(f"<main><h1>Guide</h1><ul>{links}</ul><p>{PROSE * 2}</p></main>")


def test_table_of_contents_stays_where_it_is_all_that_there_is() -> None:
    links = "".join(f'<li><a href="part{n}.html">Part {n} of it</a>' for n in range(9))
    chapter = f'<body><div class="chapter"><h1>Indexes</h1><div class="toc"><ul>{links}</ul></div></div>'
    assert "Part 8 of it" in kept(chapter)
    assert "Part 8 of it" in kept(chapter.replace('href="', 'href="#').replace(' class="toc"', ""))


def test_what_is_marked_as_main_is_believed_however_short_it_is() -> None:
    assert kept("<main><p>Only in red.</p></main>") == "Only in red."
    assert kept('<nav><a href="/">Home</a></nav><article>Yes.</article>') == "Yes."
    assert kept('<main><a href="/a">One</a></main>') == ""


def test_pictures_of_links_and_icons_have_nothing_to_say() -> None:
    root = main_content(
        parse_html(
            f"""<main><p>{PROSE}</p><a href="/x"><img alt="A sprocket on a table"></a><img alt="logo of the shop here">
            <figure><img alt="How the chain runs over both sprockets"></figure></main>"""
        )
    )
    assert root is not None
    assert [image.attributes["alt"] for image in root.css("img")] == ["How the chain runs over both sprockets"]


def test_page_of_nothing_but_navigation_gives_nothing() -> None:
    assert kept('<div><a href="/a">One</a> <a href="/b">Two</a> <a href="/c">Three</a></div>') == ""
    assert main_content(parse_html("")) is None


def test_deep_and_broken_markup() -> None:
    assert "core" in kept("<div class='nav-x'>" * 5000 + "core " + PROSE * 3)
    assert kept("<main><ul><li class='menu'><nav><nav class='menu'><form><dialog>") == ""


@pytest.mark.parametrize("name", ["member-signature", "tsd-signature", "signature", "method-signature"])
def test_signatures_of_documented_functions_stay(name: str) -> None:
    page = (
        f'<main><h1>Class Sum</h1><div class="{name}"><span>int add(int a, int b)</span></div><p>{PROSE * 5}</p></main>'
    )
    assert "int add(int a, int b)" in kept(page)
