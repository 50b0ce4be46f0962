"""What a page says about itself."""

import pytest
from selectolax.lexbor import LexborHTMLParser

from flowchat.domain import Document
from flowchat.ingest.extract import extract_html
from flowchat.ingest.extract.metadata import page_name, read_metadata, rfc3339
from flowchat.ingest.extract.scripted import is_made_by_scripts


def read(html: str) -> Document:
    return read_metadata(LexborHTMLParser(html))


@pytest.mark.parametrize(
    ("title", "headings", "expected"),
    [
        ("Install \u2014 Acme docs", ["Install"], "Install"),
        ("Install | Guides | Acme", ["Acme", "Install"], "Install"),
        ("Acme: Docs: Install", ["Install"], "Install"),
        ("Acme \u00bb Install", ["Install"], "Install"),
        ("C# - Acme", ["C#"], "C#"),
        ("Installing Acme", ["Installing"], "Installing Acme"),
        ("Install - Acme", ["Something else"], "Install - Acme"),
        ("Install", ["Install"], "Install"),
        ("A - B", [""], "A - B"),
        ("", ["Install"], ""),
    ],
)
def test_the_sites_name_is_no_part_of_the_title(title: str, headings: list[str], expected: str) -> None:
    assert page_name(title, headings) == expected


def test_where_the_title_comes_from() -> None:
    assert read("<svg><title>Icon</title></svg><title>Page</title>").title == "Page"
    assert read("<meta property=og:title content='Og'><p>x").title == "Og"
    assert extract_html("<svg><title>Icon</title></svg><p>x<h2>First</h2><p>y").title == "First"
    assert extract_html("<title>Install <b> - Acme</title><h1>Install &lt;b&gt;</h1>").title == "Install <b>"


@pytest.mark.parametrize(
    ("html", "language"),
    [
        ("<html lang=de-AT>", "de-at"),
        ("<html xml:lang=fr>", "fr"),
        ("<html lang=pt_BR>", "pt-br"),
        ("<html lang='{{lang}}'><meta http-equiv=Content-Language content='es, en'>", "es"),
        ("<meta property=og:locale content=en_US>", "en-us"),
        ("<p>x", ""),
    ],
)
def test_language(html: str, language: str) -> None:
    assert read(html).language == language


def test_description() -> None:
    assert read("<meta name=Description content=' How\n to '><meta name=description content=x>").description == "How to"
    assert read("<meta property=og:description content=Og>").description == "Og"
    assert len(read(f"<meta name=description content={'x' * 9000}>").description) == 500


@pytest.mark.parametrize(
    ("html", "published", "modified"),
    [
        (
            '<script type="application/ld+json">{"@graph": [{"@type": "Organization"}, {"@type": "Comment", '
            '"datePublished": "2020-01-01"}, {"@type": "Article", "datePublished": "2024-05-01T10:00:00+02:00", '
            '"dateModified": "2024-05-02"}]}</script><meta name=date content=2025-01-01>',
            "2024-05-01T10:00:00+02:00",
            "2024-05-02",
        ),
        ("<meta property=article:published_time content=2024-05-01T10:00:00Z>", "2024-05-01T10:00:00Z", ""),
        ("<time itemprop=datePublished datetime=2024-05-01>May</time>", "2024-05-01", ""),
        ("<time pubdate datetime=2024-05-01>May</time><time datetime=2020-01-01>", "2024-05-01", ""),
        ("<meta itemprop=dateModified content=2024-05-03>", "", "2024-05-03"),
        ("<meta name=DCTERMS.modified content=2024-05-03><meta name=dcterms.created content=x>", "", "2024-05-03"),
        ('<script type="application/ld+json">{"datePublished": 5, "dateModified": "soon"}</script>', "", ""),
        ('<script type="application/ld+json">{nothing</script>', "", ""),
        ('<script type="application/ld+json">' + "[" * 200_000 + "</script>", "", ""),
        (f'<script type="application/ld+json">["{"x" * 400_000}"]</script>', "", ""),
    ],
)
def test_dates(html: str, published: str, modified: str) -> None:
    document = read(html)
    assert (document.published, document.modified) == (published, modified)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-05-01", "2024-05-01"),
        ("2024-05-01 10:00:00+0000", "2024-05-01T10:00:00Z"),
        ("2024-05-01T10:00:00.123-05:00", "2024-05-01T10:00:00-05:00"),
        ("2024-05-01T10:00", "2024-05-01"),
        ("Wed, 01 May 2024 10:00:00 GMT", "2024-05-01T10:00:00Z"),
        ("0001-01-01T00:00:00Z", ""),
        ("2024-13-01", ""),
        ("yesterday", ""),
        ("Wed, 99 May 99999 10:00", ""),
        ("", ""),
    ],
)
def test_dates_are_rfc3339(text: str, expected: str) -> None:
    assert rfc3339(text) == expected


def test_robots() -> None:
    def directives(html: str) -> tuple[bool, bool]:
        document = read(html)
        return document.noindex, document.nofollow

    assert directives("<meta name=ROBOTS content='NoIndex, follow'>") == (True, False)
    assert directives("<meta name=robots content=index><meta name=flowchatbot content=none>") == (True, True)
    assert directives("<meta name=otherbot content=noindex>") == (False, False)
    assert directives("<meta name=robots content=max-image-preview:none>") == (False, False)


def test_links() -> None:
    document = read(
        "<head><link rel=next href=/2><link rel='prev nofollow' href=/0><link rel=stylesheet href=s.css></head>"
        "<a href=a>1</a><a href='#x'>2</a><a rel='external NoFollow' href=b>3</a><a href=a>4</a><a>5</a>"
        "<map><area href=c></map><iframe src=d></iframe><noscript><a href=e>6</a></noscript><a href=' f '>7</a>"
    )
    assert document.links == ("/2", "a", "c", "d", "e", " f ")
    assert read("<frameset><frame src=menu.html><frame src=main.html></frameset>").links == ("menu.html", "main.html")


def test_addresses() -> None:
    document = read(
        "<base href=/docs/><base href=/x/><link rel=canonical href=a><link rel='Canonical' href=b>"
        "<link rel=alternate hreflang=de-AT href=/de><link rel=alternate hreflang=x-default href=/>"
        "<link rel=alternate type=application/rss+xml href=/feed><link rel=alternate type=application/pdf href=/p>"
    )
    assert (document.base, document.canonical) == ("/docs/", "a")
    assert document.alternates == (("de-at", "/de"), ("x-default", "/"))
    assert document.feeds == ("/feed",)


@pytest.mark.parametrize(
    ("meta", "leads_to"),
    [
        ("<meta http-equiv=refresh content='0; url=/new'>", "/new"),
        ("<meta http-equiv=Refresh content='3;URL=\"/new\" '>", "/new"),
        ("<meta http-equiv=refresh content='0;/new'>", "/new"),
        ("<meta http-equiv=refresh content='0.5, url = /new?a=1;b'>", "/new?a=1;b"),
        ("<meta http-equiv=refresh content='300; url=/new'>", ""),
        ("<meta http-equiv=refresh content=5>", ""),
        ("<meta http-equiv=refresh content='99999999999999999999;x'>", ""),
        ("<noscript><meta http-equiv=refresh content='0; url=/no-scripts'></noscript>", ""),
        ("<meta http-equiv=refresh content='soon; url=/new'>", ""),
    ],
)
def test_refresh(meta: str, leads_to: str) -> None:
    assert read(f"<head>{meta}</head>").refresh == leads_to


SHELLS = {
    "react": "<noscript>You need to enable JavaScript to run this app.</noscript><div id=root></div>"
    "<script src=/static/js/main.js></script>",
    "vue": "<noscript><strong>We're sorry but this doesn't work without JavaScript.</strong></noscript>"
    "<div id=app></div><script type=module src=/assets/index.js></script>",
    "angular": "<app-root></app-root><script src=runtime.js></script>",
    "angularjs": "<div ng-app=shop><div ng-view></div></div><script src=angular.js></script>",
    "next": "<div id=__next></div><script id=__NEXT_DATA__ type=application/json>{}</script><script src=n.js></script>",
    "nuxt": "<div id=__nuxt><div class=spinner>Loading\u2026</div></div><script src=/_nuxt/a.js></script>",
    "svelte": "<div style='display: contents'></div><script>" + "import('./start.js');" * 50 + "</script>",
    "own": "<div id=shell></div><noscript>Bitte JavaScript einschalten.</noscript><script src=a.js></script>",
    "framed": "<header>Acme</header><div id=root></div><footer>\u00a9 Acme 2024</footer><script src=a.js></script>",
}


@pytest.mark.parametrize("name", SHELLS)
def test_applications_are_named_as_such(name: str) -> None:
    assert extract_html(f"<html><head><title>App</title></head><body>{SHELLS[name]}</body></html>").needs_javascript


@pytest.mark.parametrize(
    "html",
    [
        "<h1>Contact</h1><p>Call 555-1234.</p><script src=analytics.js></script>",
        "<p>Short.</p><noscript>Some things need JavaScript.</noscript><script src=a.js></script>" + "<p>text " * 20,
        "<div id=root><p>Rendered on the server, " + "with much text " * 30 + "</div><script src=a.js></script>",
        "<div id=app><p>Rendered on the server: a short notice with a few words.</div><script src=a.js></script>",
        "<meta http-equiv=refresh content='0; url=/new'><div id=root></div><script src=a.js></script>",
        "<script>" + " " * 600 + "window.location.replace('/en/')</script>",
        "<img src=photo.jpg><script src=a.js></script>",
        "<frameset><frame src=a></frameset><script src=a.js></script>",
        "<div id=app></div>",
        "",
    ],
)
def test_other_short_pages_are_not(html: str) -> None:
    assert not extract_html(html).needs_javascript


def test_a_page_with_text_is_no_shell() -> None:
    assert is_made_by_scripts(SHELLS["react"], 0)
    assert not is_made_by_scripts(SHELLS["react"], 1000)


def test_a_short_script_fills_a_root_and_nothing_else() -> None:
    script = "<script>document.getElementById('root').textContent = 'Hello'</script>"
    assert extract_html(f'<body><div id="root"></div>{script}</body>').needs_javascript
    assert not extract_html(f"<body><img src=a.png>{script}</body>").needs_javascript
