"""The smallest parts of a passage that can answer by themselves."""

import pytest

from flowchat.answer.quote import MAX_BEST_CHARS, MAX_DEFAULT_CHARS, select_quotes
from flowchat.answer.rerank import Evidence
from flowchat.answer.spans import MAX_SPAN_CHARS, Span, split_spans
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


def evidence(*scored: tuple[Span, float]) -> list[Evidence]:
    hit = Hit(Chunk("chk_1", 1, "ver_1", "http://site/", "Plans", (), ""), 0.9)
    return [Evidence(hit, span, score) for span, score in scored]


def test_quotes_are_the_best_and_others_that_are_about_as_good_and_new() -> None:
    first, second, same = (Span((text,)) for text in ("Three are free.", "Paid have none.", "Three are all free."))
    ranked = evidence((first, 0.4), (same, 0.39), (second, 0.3))
    assert [quote.sentences for quote in select_quotes(ranked, 3)] == [first.sentences, second.sentences]
    assert [quote.sentences for quote in select_quotes(ranked, 1)] == [first.sentences]
    certain = evidence((first, 0.99), (second, 0.8))  # odds of 99 and of 4
    assert [quote.sentences for quote in select_quotes(certain, 3)] == [first.sentences]
    assert select_quotes([], 3) == []


def test_the_best_quote_goes_on_in_its_paragraph_while_there_is_room() -> None:
    text = "The limit says how deep it may be. It is 1000. Set it at the start.\n\nAnother paragraph."
    first, _, third, other = split_spans(text)
    assert [span.following for span in (first, third, other)] == [("It is 1000.", "Set it at the start."), (), ()]
    assert select_quotes(evidence((first, 0.9)), 3)[0].text == text.partition("\n")[0]
    assert [quote.text for quote in select_quotes(evidence((other, 0.9), (third, 0.9)), 3)] == [other.text, third.text]
    long = Span(("It begins.",), ("It goes on " + "and on " * 50, "It ends."))
    assert select_quotes(evidence((long, 0.9)), 3)[0].text == "It begins."
    announcing = Span(("It begins.",), ("It goes on.", "For example:"))
    assert select_quotes(evidence((announcing, 0.9)), 3)[0].text == "It begins. It goes on."


def test_a_setting_comes_with_its_default() -> None:
    told = "depth: How deep it may be. {} The default is 1000. By default it is on.".format("It goes on and on. " * 30)
    span = split_spans(told)[0]
    [quote] = select_quotes(evidence((span, 0.9)), 3)
    assert quote.sentences[0] == "depth: How deep it may be." and quote.sentences[-1] == "The default is 1000."
    assert quote.text.count("The default is 1000.") == 1 and len(quote.text) < MAX_BEST_CHARS + MAX_DEFAULT_CHARS
    [_, second] = select_quotes(evidence((Span(("Another thing.",)), 0.9), (span, 0.9)), 3)
    assert second.sentences == ("depth: How deep it may be.", "The default is 1000.")
