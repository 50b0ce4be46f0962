"""What a crawl fetches next, and what it takes for a trap."""

from flowchat.domain import Page, PageFacts, PageOutcome
from flowchat.ingest.duplicates import simhash
from flowchat.ingest.frontier import MAX_BARREN, MAX_NUMBERED, MAX_VARIANTS, Frontier, Traps

SITE = "https://example.com"


def test_pages_come_before_their_variants() -> None:
    frontier = Frontier([], 100)
    for path in ("/a?x=1&y=2", "/a?x=1", "/a", "/b"):
        assert frontier.add(SITE + path, 1)
    assert not frontier.add(SITE + "/a", 1)
    paths = [item[0].removeprefix(SITE) for item in iter(frontier.next, None)]
    assert paths == ["/a", "/b", "/a?x=1", "/a?x=1&y=2"]


def test_an_interrupted_crawl_goes_on_with_what_was_queued() -> None:
    pages = [Page(1, SITE + "/done", 0, "indexed"), Page(2, SITE + "/next", 3, "queued")]
    frontier = Frontier(pages, 2)
    assert not frontier.add(SITE + "/one-too-many", 1)
    assert frontier.next() == (SITE + "/next", 3)
    assert not frontier
    frontier.again(SITE + "/done", 0)
    assert frontier and frontier.next() == (SITE + "/done", 0)


def page(path: str, text: str, *links: str) -> PageOutcome:
    return PageOutcome(SITE + path, 0, "indexed", links=links, facts=PageFacts(simhash=simhash(text)))


def test_a_calendar_is_a_trap_and_articles_are_none() -> None:
    traps = Traps()
    days = "Mo Tu We Th Fr Sa Su " + " ".join(map(str, range(1, 29)))
    for month in range(MAX_BARREN + 1):
        assert not traps.holds(f"{SITE}/calendar?month={month}", is_chained=True)
        traps.learn(page(f"/calendar?month={month}", days, f"{SITE}/calendar?month={month + 1}"))
        traps.learn(page(f"/articles/{month}", f"An article on subject{month} by author{month} in place{month}."))
    assert traps.holds(f"{SITE}/calendar?month=99", is_chained=True)
    assert not traps.holds(f"{SITE}/articles/99", is_chained=True)


def test_a_chain_of_pages_that_differ_in_numbers_is_given_more_time() -> None:
    traps = Traps()
    for number in range(MAX_NUMBERED):
        assert not traps.holds(f"{SITE}/{number}", is_chained=True)
        parts = " ".join(f"Item {number} has part {part} in drawer {number * part}." for part in range(1, 60))
        traps.learn(page(f"/{number}", parts, f"{SITE}/{number + 1}"))


def test_what_another_kind_of_page_leads_to_is_no_trap() -> None:
    frontier = Frontier([], 100)
    frontier.add(SITE + "/calendar?month=2", 1, found_on=SITE + "/calendar?month=1")
    frontier.add(SITE + "/product/2", 1, found_on=SITE + "/product/1")
    assert frontier.is_chained(SITE + "/calendar?month=2") and frontier.is_chained(SITE + "/product/2")
    frontier.add(SITE + "/product/2", 1, found_on=SITE + "/products")
    frontier.add(SITE + "/product/3", 1, found_on=SITE + "/products")
    assert not frontier.is_chained(SITE + "/product/2") and not frontier.is_chained(SITE + "/product/3")
    traps = Traps()
    for number in range(MAX_BARREN + 5):
        traps.learn(page(f"/product/{number}", "The same words about every product."))
    assert not traps.holds(SITE + "/product/99", is_chained=False)


def test_a_list_that_leads_to_pages_is_no_trap() -> None:
    traps = Traps()
    for number in range(MAX_BARREN + 5):
        traps.learn(page(f"/list?page={number}", "The same words above every list.", f"{SITE}/item-{number}.html"))
    assert not traps.holds(f"{SITE}/list?page=99", is_chained=True)


def test_pages_that_say_nothing_of_their_kind_teach_nothing() -> None:
    traps = Traps()
    for number in range(MAX_BARREN + 5):
        traps.learn(PageOutcome(f"{SITE}/old/{number}", 0, "skipped", "redirected"))
        traps.learn(PageOutcome(f"{SITE}/old/{number}", 0, "failed", "http_404"))
    assert not traps.holds(f"{SITE}/old/99", is_chained=True)


def test_combinations_of_filters_are_bounded() -> None:
    traps = Traps()
    held = [
        traps.holds(f"{SITE}/shop?color={n}&size={n}&sort={n}", is_chained=True) for n in range(MAX_VARIANTS[3] + 10)
    ]
    assert held == [False] * MAX_VARIANTS[3] + [True] * 10
    assert not traps.holds(f"{SITE}/shop?page=1", is_chained=True)
    assert not traps.holds(f"{SITE}/other?color=1&size=2&sort=3", is_chained=True)


def test_paths_that_repeat_themselves() -> None:
    assert Traps().holds(SITE + "/a/b" * 8, is_chained=False)
