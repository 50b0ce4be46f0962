"""robots.txt: Google's expectations, RFC 9309's rules for missing files, and files made to hurt."""

import base64
import json
from pathlib import Path

import pytest

from flowchat.net.robots import MAX_CRAWL_DELAY_S, MAX_ROBOTS_BYTES, RobotsRules

PAGE = "https://x.test/docs/a"


def allowed(robots: str, url: str = PAGE) -> bool:
    return RobotsRules.parse(200, robots.encode()).allowed(url)


def test_google_expectations(test_data: Path) -> None:
    path = test_data / "robots/google_spec.jsonl"
    if not path.exists():
        pytest.skip(f"no {path}: FLOWCHAT_TEST_DATA names the folder of test data")
    cases = [json.loads(line) for line in path.read_text().splitlines()]
    met = 0
    for case in cases:
        rules = RobotsRules.parse(200, base64.b64decode(case["robots_txt_base64"]), case["user_agent"])
        met += rules.allowed(case["url"]) is case["allowed"]
    assert len(cases) == 400
    assert met >= 379  # what protego reaches by itself


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
        ("\ufeffUser-agent: *\nDisallow: /", False),
        ("User-agent: *\nDisallow: /*.pdf$", True),
    ],
)
def test_rules(robots: str, expected: bool) -> None:
    assert allowed(robots) is expected


@pytest.mark.parametrize(("asked", "expected"), [("2.5", 2.5), ("-1", 0), ("nan", 0), ("soon", 0), ("1e9", 30.0)])
def test_crawl_delay(asked: str, expected: float) -> None:
    assert RobotsRules.parse(200, f"User-agent: *\nCrawl-delay: {asked}".encode()).crawl_delay_s == expected
    assert expected <= MAX_CRAWL_DELAY_S


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
    # Read as it stands, this file would take hours and tens of gigabytes.
    robots = "".join(f"User-agent: r{n}\n" for n in range(15_000)) + "".join(f"Disallow: /{n}\n" for n in range(15_000))
    assert allowed(robots)
    stars = "".join(f"User-agent: {'*' * n}FlowChatBot\n" for n in range(600))
    assert not allowed(stars + "".join(f"Disallow: /d{n}\n" for n in range(9_000)), "https://x.test/d8999")
