"""URLs: one form for each page, and which of them a crawl takes in."""

import pytest

from flowchat.net.urls import MAX_URL_CHARS, in_scope, matches, normalise


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("HTTP://Example.COM", "http://example.com/"),
        ("https://example.com:443/a/../b/./c", "https://example.com/b/c"),
        ("http://example.com:80/", "http://example.com/"),
        ("http://example.com:8080/", "http://example.com:8080/"),
        ("https://example.com/a#part", "https://example.com/a"),
        ("https://example.com/a?", "https://example.com/a"),
        ("https://example.com/a?&&", "https://example.com/a"),
        ("https://bücher.example/ä b", "https://xn--bcher-kva.example/%C3%A4%20b"),
        ("https://example.com/%2e%2e/a", "https://example.com/a"),
        ("  https://example.com/a\n", "https://example.com/a"),
        ("https://example.com/a?b=1&c=2", "https://example.com/a?b=1&c=2"),
        ("https://example.com/a?c=2&b=1", "https://example.com/a?c=2&b=1"),
        ("https://example.com/a?q=x%26y&e", "https://example.com/a?q=x%26y&e"),
        ("https://example.com/a?utm_source=x&b=1&utm_medium=y", "https://example.com/a?b=1"),
        ("https://example.com/a?UTM_Source=x&gclid=1&fbclid=2&msclkid=3", "https://example.com/a"),
        ("https://example.com/a?utm%5Fsource=x", "https://example.com/a"),
        ("https://example.com/a?PHPSESSID=abc&page=2", "https://example.com/a?page=2"),
        ("https://example.com/a?sid=0123456789abcdef0123456789ABCDEF", "https://example.com/a"),
        ("https://example.com/a?sid=42", "https://example.com/a?sid=42"),
        ("https://example.com/a;jsessionid=F00?b=1", "https://example.com/a?b=1"),
        ("https://[2606:4700::1]:443/", "https://[2606:4700::1]/"),
    ],
)
def test_normalise(url: str, expected: str) -> None:
    assert normalise(url) == expected
    assert normalise(expected) == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("b.html", "https://x.test/docs/b.html"),
        ("../b", "https://x.test/b"),
        ("/b", "https://x.test/b"),
        ("//y.test/b", "https://y.test/b"),
        ("?page=2", "https://x.test/docs/a.html?page=2"),
        ("#part", "https://x.test/docs/a.html"),
        ("\\b", "https://x.test/b"),
        ("http:b", "http://b/"),
        ("mailto:a@x.test", None),
    ],
)
def test_normalise_relative_to_a_page(url: str, expected: str | None) -> None:
    assert normalise(url, "https://x.test/docs/a.html") == expected


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/a",
        "example.com",
        "https://",
        "https://a b/",
        "https://x.test:99999/",
        "https://user@x.test/",
        "https://user:secret@x.test/",
        "ftp://x.test/",
        "javascript:void(0)",
        "data:text/plain,x",
        "file:///etc/passwd",
        "tel:123",
        "https://x.test/\ud800",
        "https://x.test/" + "a" * MAX_URL_CHARS,
    ],
)
def test_nothing_else_is_fetched(url: str) -> None:
    assert normalise(url) is None


@pytest.mark.parametrize(
    ("url", "root", "expected"),
    [
        ("https://x.test/docs/a", "https://x.test/docs/intro.html", True),
        ("https://x.test/docs/", "https://x.test/docs/intro.html", True),
        ("https://x.test/docs/a/b?c", "https://x.test/docs/", True),
        ("http://x.test/docs/a", "https://x.test/docs/", True),
        ("https://x.test/docs", "https://x.test/docs/", False),
        ("https://x.test/blog", "https://x.test/docs/", False),
        ("https://x.test/docs-old/a", "https://x.test/docs/", False),
        ("https://x.test/docs/../blog", "https://x.test/docs/", False),
        ("https://x.test/anything", "https://x.test/docs", True),
        ("https://x.test/anything", "https://x.test", True),
        ("https://www.x.test/docs/", "https://x.test/docs/", False),
        ("https://x.test:8443/docs/", "https://x.test/docs/", False),
        ("mailto:a@x.test", "https://x.test/", False),
        ("https://x.test/", "mailto:a@x.test", False),
    ],
)
def test_in_scope(url: str, root: str, expected: bool) -> None:
    assert in_scope(url, root) is expected


@pytest.mark.parametrize(
    ("patterns", "url", "expected"),
    [
        ((), "https://x.test/docs/a", False),
        (("/docs/*",), "https://x.test/docs/a/b", True),
        (("/docs/*",), "https://x.test/docs/", True),
        (("/docs/*",), "https://x.test/blog/docs/a", False),
        (("/blog/*", "*.html"), "https://x.test/a.html", True),
        (("*.html",), "https://x.test/a.html?page=2", True),
        (("*page=*",), "https://x.test/a?page=2", True),
        (("/a",), "https://x.test/a", True),
        (("/A",), "https://x.test/a", False),
        (("/v[12]/*",), "https://x.test/v2/a", True),
        (("*",), "mailto:a@x.test", False),
        (("/" + "*a" * 50 + "b",), "https://x.test/" + "a" * 1000, False),
    ],
)
def test_matches(patterns: tuple[str, ...], url: str, expected: bool) -> None:
    assert matches(patterns, url) is expected
