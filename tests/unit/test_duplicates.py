"""Pages that say nearly the same."""

from flowchat.domain import Page, PageFacts
from flowchat.ingest.duplicates import Twins, is_nearly_same, simhash

TEXT = " ".join(f"The {n}th paragraph speaks of topic{n} and why it matters to reader{n}." for n in range(60))


def same(a: str, b: str) -> bool:
    first, second = simhash(a), simhash(b)
    assert first is not None and second is not None
    return is_nearly_same(first, second)


def test_a_few_words_make_no_other_page() -> None:
    assert simhash(TEXT) == simhash(TEXT.upper())
    assert same(TEXT, TEXT + " Print this page.")


def test_another_text_or_another_number_is_another_page() -> None:
    assert not same(TEXT, "Something else entirely, about penguins and their eggs.")
    assert not same(TEXT + " It costs 10 francs.", TEXT + " It costs 20 francs.")
    assert not same("Press the red button.", "Press the green button.")


def test_a_text_without_words_is_like_no_other() -> None:
    assert simhash("") is None
    twins = Twins([])
    twins.add("/a", "T", None)
    assert twins.find("/b", "T", None) is None


def test_twins_have_one_title() -> None:
    twins = Twins([Page(1, "/a", 0, "indexed", title="T", facts=PageFacts(simhash=simhash(TEXT)))])
    assert twins.find("/b", "T", simhash(TEXT + " Print.")) == "/a"
    assert twins.find("/a", "T", simhash(TEXT)) is None
    assert twins.find("/b", "Other", simhash(TEXT)) is None
    twins.add("/c", "Other", simhash(TEXT))
    assert twins.find("/b", "Other", simhash(TEXT)) == "/c"
