"""The smallest parts of a passage that can answer by themselves."""

import pytest

from flowchat.answer.quote import select_quotes
from flowchat.answer.rerank import Evidence
from flowchat.answer.spans import MAX_SPAN_CHARS, split_spans
from flowchat.domain import Chunk, Hit


def texts(passage: str) -> list[str]:
    return [span.text for span in split_spans(passage)]


def test_a_sentence_that_leans_on_the_one_before_comes_with_it() -> None:
    spans = split_spans("Three projects are free. Paid plans have no limit. They renew every month.")
    assert [span.sentences for span in spans] == [
        ("Three projects are free.",),
        ("Paid plans have no limit.",),
        ("Paid plans have no limit.", "They renew every month."),
    ]


def test_an_announced_list_comes_with_its_announcement() -> None:
    passage = "There are two modes:\n- fast. Less safe.\n- safe\n\nBoth are free."
    assert texts(passage) == [
        "There are two modes:\n- fast. Less safe.\n- safe",
        "- fast. Less safe.",
        "- safe",
        "Both are free.",
    ]


def test_a_list_that_lost_its_marks() -> None:
    assert texts("It is one of these:\n\nINT\n\nTEXT\n\nNothing else is allowed there.")[0] == (
        "It is one of these:\nINT\nTEXT"
    )


def test_a_listing_comes_with_its_announcement_only() -> None:
    assert texts("Run this:\n\n```\nserve --now\n```\n\nThen wait.") == [
        "Run this:\n```\nserve --now\n```",
        "Then wait.",
    ]


def test_a_table_row_comes_with_the_head() -> None:
    head = "| Plan | Price |\n| --- | --- |\n"
    assert texts(f"{head}| Pro | 20 |\n| Max | 30 |") == [f"{head}| Pro | 20 |", f"{head}| Max | 30 |"]
    assert texts("| Pro | 20 |\n| Max | 30 |") == ["| Pro | 20 |", "| Max | 30 |"]


def test_numbered_items_are_items() -> None:
    assert texts("To start:\n1. Open it. Wait.\n2. Press go.")[1:] == ["1. Open it. Wait.", "2. Press go."]


@pytest.mark.parametrize("item", ["- {} is allowed. " + "This takes a while. " * 12, "- {} " + "and so on " * 20])
def test_a_long_list_comes_by_its_first_sentences_or_items(item: str) -> None:
    listed = texts("Modes:\n" + "\n".join(item.format(name) for name in ("One", "Two", "Three", "Four")))[0]
    assert len(listed) <= MAX_SPAN_CHARS
    assert listed.startswith("Modes:\n- One") and "This takes" not in listed


def test_nothing_gives_nothing() -> None:
    assert split_spans("") == () == split_spans(" \n\n ")


def test_quotes_are_the_best_and_others_that_are_good_and_new() -> None:
    hit = Hit(Chunk("chk_1", 1, "ver_1", "http://site/", "Plans", (), ""), 0.9)
    first, second, same = split_spans("Three projects are free. Paid plans have none. Three projects are all free.")
    ranked = [Evidence(hit, first, 0.4), Evidence(hit, same, 0.39), Evidence(hit, second, 0.3)]
    assert [quote.sentences for quote in select_quotes(ranked, 3, 0.2)] == [first.sentences, second.sentences]
    assert [quote.sentences for quote in select_quotes(ranked, 3, 0.5)] == [first.sentences]
    certain = [Evidence(hit, first, 0.99), Evidence(hit, second, 0.8)]  # odds of 99 and of 4
    assert [quote.sentences for quote in select_quotes(certain, 3, 0.5)] == [first.sentences]
    assert select_quotes([], 3, 0.5) == []
