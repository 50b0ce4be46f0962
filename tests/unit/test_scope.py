"""Which addresses belong to a source, and which translation of a page."""

import pytest

from flowchat.domain import CrawlConfig
from flowchat.ingest.locale import better_locale
from flowchat.ingest.scope import MAX_LINKS, Scope

ROOT = "https://example.com/docs/intro.html"


@pytest.mark.parametrize(
    ("link", "wanted"),
    [
        ("setup", "https://example.com/docs/setup"),
        ("http://example.com/docs/setup", "https://example.com/docs/setup"),
        ("//EXAMPLE.com/docs/setup?utm_source=x#y", "https://example.com/docs/setup"),
        ("/docs", None),
        ("/blog/", None),
        ("https://www.example.com/docs/", None),
        ("https://example.com:8443/docs/", None),
        ("logo.png", None),
        ("mailto:a@example.com", None),
        ("paper.pdf", "https://example.com/docs/paper.pdf"),
    ],
)
def test_the_folder_of_the_root(link: str, wanted: str | None) -> None:
    assert Scope(ROOT, CrawlConfig()).wanted(link, ROOT) == wanted


def test_a_root_without_a_folder_is_the_whole_host() -> None:
    for root in ("https://example.com/", "https://example.com/docs"):
        assert Scope(root, CrawlConfig()).wants("https://example.com/blog")


def test_what_the_owner_leaves_out() -> None:
    scope = Scope("https://example.com/", CrawlConfig(include=("/docs/*",), exclude=("*/old/*",)))
    assert scope.wants("https://example.com/docs/a")
    assert not scope.wants("https://example.com/blog")
    assert not scope.wants("https://example.com/docs/old/a")


def test_links_are_bounded_and_once_each() -> None:
    scope = Scope("https://example.com/", CrawlConfig())
    assert scope.outlinks(["a", "/a", "a#b"], "https://example.com/") == ("https://example.com/a",)
    assert len(scope.outlinks(map(str, range(MAX_LINKS + 5)), "https://example.com/")) == MAX_LINKS


ALTERNATES = [("en", "/en"), ("de", "/de"), ("de-ch", "/ch"), ("x-default", "/all")]


@pytest.mark.parametrize(
    ("locale", "own", "better"),
    [
        ("de", "en", "/de"),
        ("de", "de", None),
        ("de-CH", "de", "/ch"),
        ("de-AT", "fr", "/de"),
        ("de-AT", "de-ch", None),
        ("fr", "en", "/all"),
        ("en", "", None),
    ],
)
def test_the_translation_that_suits_the_source(locale: str, own: str, better: str | None) -> None:
    assert better_locale(locale, own, ALTERNATES) == better


def test_without_a_suitable_translation_the_page_stays() -> None:
    assert better_locale("fr", "en", [("en", "/en"), ("de", "/de")]) is None
