"""The smallest parts of a passage that can answer by themselves."""

import pytest

from flowchat.answer.quote import MAX_BEST_CHARS, MAX_DEFAULT_CHARS, Quote, pieces_of, select_quotes
from flowchat.answer.rerank import Evidence
from flowchat.answer.spans import MAX_SPAN_CHARS, Span, joined, split_head, split_spans
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


def test_the_lines_of_an_item_are_sentences_of_their_own() -> None:
    told = "It is told of at length, and there is nothing that it leaves out. " * 4
    listed = "  It bounds:\n  - The columns of a table\n  - Those of a view\n  The default is 2000."
    item = f"2. Columns\n  {told.strip()}\n{listed}"
    span, *others = split_spans(item)
    assert span.sentences == ("2. Columns\n  It is told of at length, and there is nothing that it leaves out.",)
    assert span.following[-4:] == (
        *("It bounds:", "- The columns of a table", "- Those of a view", "The default is 2000."),
    )
    assert joined(span.following[-4:-1]) == "It bounds:\n- The columns of a table\n- Those of a view"
    assert others[-1].text == "The default is 2000."


def test_a_row_below_an_empty_head_keeps_it() -> None:
    head = "|  |  |\n| --- | --- |\n"
    assert texts(f"{head}| Weight | 450 g |\n| Colour | black |") == [
        f"{head}| Weight | 450 g |",
        f"{head}| Colour | black |",
    ]
    assert split_head(f"{head}| Weight | 450 g |") == (head, "| Weight | 450 g |")
    assert split_head("| Weight | 450 g |") == ("", "| Weight | 450 g |")


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


def test_no_sentence_is_quoted_twice_and_none_that_only_announces() -> None:
    first = Span(("Three projects are free.",), ("Members pay nothing at all.",))
    leaning = Span(("Members pay nothing at all.", "They need an invitation by mail."))
    announcing = Span(("For more, ask the people below:",))
    quotes = select_quotes(evidence((first, 0.9), (announcing, 0.9), (leaning, 0.9)), 3)
    assert [quote.sentences[-1] for quote in quotes] == [first.following[0], leaning.sentences[-1]]
    quotes = select_quotes(evidence((first, 0.9), (Span(("Members pay nothing at all.",)), 0.9), (leaning, 0.9)), 3)
    assert [quote.sentences for quote in quotes] == [
        ("Three projects are free.", "Members pay nothing at all."),
        ("They need an invitation by mail.",),
    ]


def test_rows_of_one_table_say_different_things() -> None:
    rows = split_spans(
        "| Plan | Price a month | Users included |\n| --- | --- | --- |\n| Basic | 5 | 1 |\n| Team | 25 | 10 |"
    )
    assert len(select_quotes(evidence((rows[0], 0.9), (rows[1], 0.9)), 3)) == 2


@pytest.mark.parametrize(
    ("passage", "sentence", "shown"),
    [
        ("", "2. Press Save.", "Press Save."),
        ("", "- Press Save.", "Press Save."),
        ("", "3. Files\n  They are kept.\n  - For a day\n  - For two", "Files\nThey are kept.\n- For a day\n- For two"),
        ("", "- one\n- two", "- one\n- two"),
        ("", "Modes:\n1. one\n2. two", "Modes:\n1. one\n2. two"),
        ("", "3. Oktober ist ein Feiertag.", "3. Oktober ist ein Feiertag."),
        ("", "3. oktober er en helligdag.", "3. oktober er en helligdag."),
        ("1. open it\n2. press it", "2. press it", "press it"),
        ("", "2.5 seconds.", "2.5 seconds."),
        ("", "-5 degrees.", "-5 degrees."),
    ],
)
def test_an_item_that_is_quoted_alone_has_no_mark(passage: str, sentence: str, shown: str) -> None:
    chunk = Chunk("chk_1", 1, "ver_1", "http://site/", "Plans", (), passage)
    assert Quote(chunk, (sentence, "1. More.")).pieces == [("\n\n", shown), ("\n", "1. More.")]


def test_sentences_are_parted_as_in_their_passage() -> None:
    chunk = Chunk("chk_1", 1, "ver_1", "http://site/", "", (), "1. One. Two.\n  - a\n  - b. c.\n  Three.")
    quote = Quote(chunk, ("1. One.", "Two.", "- a", "- b.", "c.", "Three."))
    assert quote.text == "1. One. Two.\n- a\n- b. c.\n\nThree."


@pytest.mark.parametrize(
    "text",
    [
        "We have plans.\n\n| Plan | Price |\n|---|---|\n| Basic | 5 |\n| Team | 25 |\n\nAsk us. Or write.",
        "| a |\n| - |\n| b |",
        "| a |\n| - |",
        "One sentence.",
        "a\n\n```\n| --- |\n```\n",
    ],
)
def test_all_of_a_text_comes_in_pieces(text: str) -> None:
    pieces = pieces_of(text)
    assert "".join(glue + piece for glue, piece in pieces) == text.rstrip()
    assert all(not piece.startswith(("| -", "|-")) for _, piece in pieces)


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
    last = split_spans("The default is 1000. Most never change it. It need not be.")[2]
    [quote] = select_quotes(evidence((last, 0.9)), 3)
    assert quote.sentences == ("The default is 1000.", "Most never change it.", "It need not be.")
    [_, second] = select_quotes(evidence((Span(("Another thing.",)), 0.9), (span, 0.9)), 3)
    assert second.sentences == ("depth: How deep it may be.", "The default is 1000.")
