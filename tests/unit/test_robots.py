"""robots.txt: Google's expectations, RFC 9309's rules for missing files, and files made to hurt."""

from pathlib import Path

import pytest

from flowchat.evaluation import robots as check
from flowchat.evaluation.report import Options
from flowchat.net.robots import (
    MAX_CRAWL_DELAY_S,
    MAX_ROBOTS_BYTES,
    RobotsRules,
    header_directives,
    page_directives,
)

PAGE = "https://x.test/docs/a"


def allowed(robots: str, url: str = PAGE) -> bool:
    return RobotsRules.parse(200, robots.encode()).allowed(url)


def test_google_expectations(test_data: Path) -> None:
    if not (test_data / check.CORPUS).exists():
        pytest.skip(f"no {test_data / check.CORPUS}: FLOWCHAT_TEST_DATA names the folder of test data")
    report = check.run(Options(data=test_data, sites=Path(), cases=0, pages=0))
    assert report.ok
    assert report.measures[0].value == 397
    assert all("RFC 9309" in note for note in report.notes)  # each miss is explained


@pytest.mark.parametrize(
    ("status", "expected"),
    [(200, False), (204, False), (301, True), (401, True), (404, True), (410, True), (500, False), (503, False)],
)
def test_status(status: int, expected: bool) -> None:
    assert RobotsRules.parse(status, b"User-agent: *\nDisallow: /").allowed(PAGE) is expected


def test_no_answer_disallows_everything() -> None:
    rules = RobotsRules.parse(None, b"")
    assert (rules.allowed(PAGE), rules.crawl_delay_s, rules.sitemaps) == (False, 0.0, ())


@pytest.mark.parametrize(
    ("robots", "expected"),
    [
        ("", True),
        ("User-agent: *\nDisallow:", True),
        ("User-agent: *\nDisallow: /docs/", False),
        ("User-agent: *\nDisallow: /\nAllow: /docs/", True),
        ("User-agent: FlowChatBot\nDisallow: /", False),
        ("user-AGENT: flowchatbot\ndisallow: /", False),
        ("User-agent: FlowChatBot*\nDisallow: /", False),
        ("User-agent: FlowChatBot # ours\nDisallow: /", False),
        ("User-agent: other\nDisallow: /", True),
        ("User-agent: other\nUser-agent: FlowChatBot\nDisallow: /", False),
        ("User-agent: other\nDisallow: /\n\nUser-agent: FlowChatBot\nAllow: /", True),
        ("User-agent: FlowChatBot\nAllow: /\n\nUser-agent: *\nDisallow: /", True),
        ("User-agent: FlowChatBot\nUser-agent: other\nAllow: /\n\nUser-agent: *\nDisallow: /", True),
        ("User-agent: other\nAllow: /\n\nUser-agent: *\nDisallow: /", False),
        ("User-agent: (other)\nDisallow: /", True),
        ("User-agent: FlowChatBot/1.0 (+https://flowchat.test)\nDisallow: /", False),
        ("User-agent: FlowChatBotPro\nDisallow: /", True),
        ("User-agent: Chat\nDisallow: /", True),
        ("User-agent: *bot\nDisallow: /", True),
        ("User-agent: * # all\nDisallow: /", False),
        ("User-agent: FlowChatBot\n\nUser-agent: *\nDisallow: /", False),
        ("User-agent: FlowChatBot\nDisallow:\n\nUser-agent: *\nDisallow: /", True),
        ("User-agent: FlowChatBot\nCrawl-delay: 1\nUser-agent: *\nSitemap: https://x.test/s\nDisallow: /", False),
        ("User-agent: FlowChatBot\nDisallow: /x\n\nUser-agent: flowchatbot\nDisallow: /docs", False),
        ("Disallow: /\nUser-agent: other\nAllow: /", True),
        ("User agent: *\nDissalow: /", False),
        ("User-agent *\nDisallow /", False),
        ("User-agent: *\rDisallow: /", False),
        ("User-agent: *\n<br />\nDisallow: /", False),
        ("User-agent: *\nDisallow: /docs/\nAllow: /docs/", True),
        ("User-agent: *\nDisallow: /docs/a$", False),
        ("User-agent: *\nDisallow: /docs/$", True),
        ("User-agent: *\nDisallow: /*a$", False),
        ("User-agent: *\nDisallow: /*/*/", True),
        ("User-agent: *\nDisallow: *", False),
        ("User-agent: *\nDisallow: docs", True),
        ("User-agent: *\nDisallow: /DOCS", True),
        ("\ufeffUser-agent: *\nDisallow: /", False),
        ("User-agent: *\nDisallow: /*.pdf$", True),
    ],
)
def test_rules(robots: str, expected: bool) -> None:
    assert allowed(robots) is expected


@pytest.mark.parametrize(
    ("rule", "path", "expected"),
    [
        ("/à", "/%C3%A0", False),
        ("/%c3%a0", "/à", False),
        ("/%7Euser", "/~user", False),
        ("/~user", "/%7euser", False),
        ("/a%2fb", "/a%2Fb", False),
        ("/a%2Fb", "/a/b", True),
        ("/my files/", "/my%20files/", False),
        ("/a%2A", "/a*", False),
        ("/a%2A", "/abc", True),
        ("/a%24", "/a$", False),
        ("/a$b", "/a$b", False),
        ("/a$", "/a$", True),
        ("/*?", "/a?b", False),
        ("/a?b=*&d", "/a?b=c&d=e", False),
        ("/a*b*c", "/acb", True),
        ("/a*aa$", "/aa", True),
        ("/a*aa$", "/aaa", False),
        ("/index.html", "/", True),
    ],
)
def test_patterns(rule: str, path: str, expected: bool) -> None:
    assert allowed(f"User-agent: *\nDisallow: {rule}", "https://x.test" + path) is expected


def test_an_allowed_index_page_allows_its_folder() -> None:
    robots = "User-agent: *\nDisallow: /\nAllow: /docs/index.html"
    assert allowed(robots, "https://x.test/docs/")
    assert not allowed(robots, "https://x.test/docs/a")


@pytest.mark.parametrize("url", ["https://x.test", "https://x.test?a", "https://x.test#a", "x", "", "//", "\ud800"])
def test_a_url_without_a_path_is_the_root(url: str) -> None:
    assert allowed("User-agent: *\nDisallow: /docs", url)
    assert not allowed("User-agent: *\nDisallow: /", url)


def test_part_of_a_byte_order_mark() -> None:
    for mark in (b"\xef", b"\xef\xbb", b"\xef\xbb\xbf"):
        assert not RobotsRules.parse(200, mark + b"User-agent: *\nDisallow: /").allowed(PAGE)


@pytest.mark.parametrize(("asked", "expected"), [("2.5", 2.5), ("-1", 0), ("nan", 0), ("soon", 0), ("1e9", 30.0)])
def test_crawl_delay(asked: str, expected: float) -> None:
    assert RobotsRules.parse(200, f"User-agent: *\nCrawl-delay: {asked}".encode()).crawl_delay_s == expected
    assert expected <= MAX_CRAWL_DELAY_S


def test_crawl_delay_of_the_robots_own_group() -> None:
    robots = b"User-agent: *\nCrawl-delay: 20\n\nUser-agent: FlowChatBot\nDisallow: /a\nCrawl-delay: 2"
    assert RobotsRules.parse(200, robots).crawl_delay_s == 2
    assert RobotsRules.parse(200, robots, "other").crawl_delay_s == 20


def test_sitemaps() -> None:
    robots = b"Sitemap: https://x.test/s.xml\nSitemap: /relative\nsitemap:https://x.test/s.xml\nSitemap: file:///etc"
    assert RobotsRules.parse(200, robots).sitemaps == ("https://x.test/s.xml",)


def test_only_the_first_500_kib_count() -> None:
    filler = "# filler\n" * (MAX_ROBOTS_BYTES // 9)
    assert allowed("User-agent: *\n" + filler + "Disallow: /\n")
    assert not allowed("User-agent: *\nDisallow: /\n" + filler * 2)


def test_a_rule_that_the_limit_cuts_in_two_is_dropped() -> None:
    head = "User-agent: *\nAllow: /a\n"
    filler = "#" * (MAX_ROBOTS_BYTES - len(head) - len("\nDisallow: /"))
    assert allowed(head + filler + "\nDisallow: /private")


def test_not_text() -> None:
    assert RobotsRules.parse(200, bytes(range(256)) * 100).allowed(PAGE)


def test_many_robots_times_many_rules_do_not_multiply() -> None:
    names = "".join(f"User-agent: r{n}\nUser-agent: *\n" for n in range(8_000))
    assert not allowed(names + "".join(f"Disallow: /{n}\n" for n in range(15_000)), "https://x.test/14999")


@pytest.mark.parametrize(
    "rule", ["/" + "*a" * 900 + "b", "*" + "a" * 1000 + "b", "*aab", "/" + "%41" * 600, "*" * 1000 + "b$"]
)
def test_no_pattern_takes_exponential_time(rule: str) -> None:
    robots = "User-agent: *\n" + f"Disallow: {rule}\n" * (MAX_ROBOTS_BYTES // (len(rule) + 11))
    assert allowed(robots, "https://x.test/" + "a" * 2000)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", (False, False)),
        ("noindex", (True, False)),
        ("NOINDEX,NoFollow", (True, True)),
        ("noindex nofollow", (True, True)),
        ("nofollow; noarchive", (False, True)),
        ("none", (True, True)),
        ("all", (False, False)),
        ("index, follow, max-image-preview: none, max-snippet:-1", (False, False)),
        ("unavailable_after: 25 Jun 2010 15:00:00 PST, noindex", (True, False)),
        ("noindexing", (False, False)),
        (":" * 100_000 + "noindex" * 100_000, (False, False)),
    ],
)
def test_page_directives(content: str, expected: tuple[bool, bool]) -> None:
    assert page_directives(content) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", (False, False)),
        ("noindex, nofollow", (True, True)),
        ("none", (True, True)),
        ("flowchatbot: noindex", (True, False)),
        ("FlowChatBot: nofollow, noindex", (True, True)),
        ("googlebot: noindex, nofollow", (False, False)),
        ("googlebot: noindex, flowchatbot: nofollow", (False, True)),
        ("noindex, googlebot: nofollow", (True, False)),
        ("max-snippet: 20, noindex", (True, False)),
        ("unavailable_after: 25 Jun 2010 15:00:00 PST, nofollow", (False, True)),
        ("unavailable_after: Friday, 25 Jun 2010 15:00:00 PST", (False, False)),
    ],
)
def test_header_directives(value: str, expected: tuple[bool, bool]) -> None:
    assert header_directives(value) == expected
