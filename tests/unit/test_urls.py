"""URLs: one form for each page, and which of them a crawl takes in."""

from pathlib import Path

import pytest

from flowchat.evaluation import urls as check
from flowchat.evaluation.report import Options
from flowchat.net.urls import MAX_URL_CHARS, is_trap, matches, normalise, resolve, shape


def test_whatwg_cases(test_data: Path) -> None:
    if not (test_data / check.CORPUS).exists():
        pytest.skip(f"no {test_data / check.CORPUS}: FLOWCHAT_TEST_DATA names the folder of test data")
    report = check.run(Options(data=test_data, sites=Path(), cases=0, pages=0))
    assert report.ok, report.notes


def test_resolve_leaves_to_the_crawl_what_it_refuses() -> None:
    assert resolve("//user:secret@y.test/a#b", "https://x.test/") == "https://user:secret@y.test/a#b"
    assert resolve("mailto:a@x.test") == "mailto:a@x.test"
    assert resolve("a") is None
    assert resolve("https://x.test/\ud800") is None


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
        ("https://example.com./a", "https://example.com/a"),
        ("http://foo.09../a", "http://foo.09../a"),
        ("http://./", "http://./"),
        ("https://example.com.:8443/a", "https://example.com:8443/a"),
        ("https://example.com/#!/a", "https://example.com/"),
        ("https://example.com/index.html", "https://example.com/index.html"),
        ("https://example.com/a//b/", "https://example.com/a//b/"),
        ("https://example.com/%7euser/%c3%a4%2f", "https://example.com/~user/%C3%A4%2F"),
        ("https://example.com/a?q=%41%26%2b%7E", "https://example.com/a?q=A%26%2B~"),
        ("https://example.com/100%", "https://example.com/100%"),
        ("https://example.com/%%34%31", "https://example.com/%%341"),
        ("https://example.com/%4%31", "https://example.com/%4%31"),
        ("https://example.com/%25%34%31", "https://example.com/%2541"),
        ("https://example.com/a?gad_source=1&_hsenc=2&mtm_campaign=3&replytocom=4&b=5", "https://example.com/a?b=5"),
        ("https://example.com/a?ref=main&source=2&campaign=3", "https://example.com/a?ref=main&source=2&campaign=3"),
        ("https://example.com/a?s=0123456789abcdef0123456789abcdef&t=1", "https://example.com/a?t=1"),
        ("https://example.com/talk?session_id=42", "https://example.com/talk?session_id=42"),
        ("https://example.com/a;sid=42/b;c=1", "https://example.com/a/b;c=1"),
        ("https://example.com/docs/..;sid=42/b?c", "https://example.com/b?c"),
        ("https://example.com/a?b;jsessionid=1", "https://example.com/a?b;jsessionid=1"),
        ("https://example.com/(S(lit3py55t21z5v55vlm25s55))/a.aspx", "https://example.com/a.aspx"),
        ("https://example.com/(a)/b_(c)", "https://example.com/(a)/b_(c)"),
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


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://x.test/", False),
        ("https://docs.x.test/en/3.11/library/os.path.html", False),
        ("https://x.test/2024/05/12/a-post/", False),
        ("https://x.test/shop/shoes/red/?color=red&size=m&page=2", False),
        ("https://x.test/shop?filter[]=red&filter[]=blue&filter[]=green&filter[]=m", False),
        ("https://x.test/a/a/a/b", False),
        ("https://x.test/a/b/a/b/a/b/a/b/", True),
        ("https://x.test/blog/blog/blog/blog/post", True),
        ("https://x.test/a//b//c//d//e", True),
        ("https://x.test/search?q=a&q=a&q=a&q=a", True),
        ("https://x.test/" + "/".join(str(n) for n in range(25)), False),
        ("https://x.test/" + "/".join(str(n) for n in range(26)), True),
        ("https://x.test/" + "%D0%B9" * 150, False),
        ("https://x.test/?q=" + "a" * 1100, True),
    ],
)
def test_is_trap(url: str, expected: bool) -> None:
    assert is_trap(url) is expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://x.test/", "https://x.test/"),
        ("https://x.test", "https://x.test"),
        ("https://docs2.x.test:8080/en/3.11/os.html", "https://docs2.x.test:8080/en/0.0/os.html"),
        ("https://x.test/2024/05/12/a-post/", "https://x.test/0/0/0/a-post/"),
        ("https://x.test/calendar?month=2031-05", "https://x.test/calendar?month"),
        ("https://x.test/shop?size=m&color=red&color=blue", "https://x.test/shop?color&size"),
        ("https://x.test/shop?color=green&size=s", "https://x.test/shop?color&size"),
        ("https://x.test/%D0%B9%32/12", "https://x.test/%D0%B9%32/0"),
        ("https://x.test/a?b", "https://x.test/a?b"),
    ],
)
def test_shape(url: str, expected: str) -> None:
    assert shape(url) == expected
