"""What is searched for when a visitor asks."""

import pytest

from flowchat.answer.query import (
    MAX_QUERY_WORDS,
    query_words,
    standalone_query,
    without_contractions,
    without_courtesies,
)


def test_the_commonest_words_are_not_searched_for() -> None:
    assert query_words("How do I use the WAL?") == ["use", "wal"]
    assert query_words("What is it?") == ["what", "is", "it"]
    assert query_words("What\u2019s WAL, and why doesn't it work? I've read on; can't say.") == [
        "wal",
        "work",
        "read",
        "say",
    ]
    assert len(query_words(" ".join(f"word{number}" for number in range(600)))) == MAX_QUERY_WORDS


def test_contractions_leave_words() -> None:
    assert without_contractions("Who's John, WON'T he, you'd, I\u2019m and 'd'") == "who john, will he, you, i and 'd'"
    assert without_contractions("Python's isn't") == "python is"


@pytest.mark.parametrize(
    ("query", "plain"),
    [
        ("Hi, can you tell me what a savepoint is? Thanks!", "what a savepoint is?"),
        ("Please explain how backups work", "Please explain how backups work"),
        ("Could you please show me how to export my data", "how to export my data"),
        ("I would like to know whether invoices come by mail, thank you", "whether invoices come by mail"),
        ("Can I cancel at any time, please?", "Can I cancel at any time"),
        ("Hello", "Hello"),
        ("Thanks!", "Thanks!"),
        ("Can you export data?", "Can you export data?"),
    ],
)
def test_courtesies_are_left_out(query: str, plain: str) -> None:
    assert without_courtesies(query) == plain


@pytest.mark.parametrize(
    ("former", "query", "standalone"),
    [
        ("What is WAL mode?", "How do I turn it on?", "WAL mode: How do I turn it on?"),
        ("What is WAL mode?", "What is the default?", "WAL mode: What is the default?"),
        ("What is WAL?", "And how big is it?", "What is WAL? And how big is it?"),
        ("How do I export my data?", "On Windows?", "How do I export my data? On Windows?"),
        ("What does the export hold?", "How much free disk space does it need?", None),
        ("What is a workspace?", "Which size?", "workspace: Which size?"),
        ("What is WAL mode?", "What's the default?", "WAL mode: What's the default?"),
        ("What is WAL mode?", "Is this safe?", "WAL mode: Is this safe?"),
        ("What is WAL mode?", "Why?", "What is WAL mode? Why?"),
        ("What does the free plan cost?", "Does that include support?", "free plan cost: Does that include support?"),
    ],
)
def test_follow_ups_take_their_topic_along(former: str, query: str, standalone: str | None) -> None:
    expected = standalone or f"export hold: {query}"
    assert standalone_query(query, [former]) == expected


@pytest.mark.parametrize(
    "query",
    [
        "What is FTS5?",
        "Explain partial indexes",
        "tokenizer options",
        "Is it possible to rename a column?",
        "Is there a function that returns the last inserted rowid?",
        "I threw away a stash by mistake. Is there any way to get it back?",
        "How do I undo a commit without losing its changes?",
        "Which tokenizer does FTS5 use by default?",
        "Why do savepoints nest?",
        "How come savepoints nest?",
        "Who wrote these release notes?",
        "Opening hours?",
        "Wie lange dauert der Versand?",
    ],
)
def test_a_new_topic_is_not_led_astray(query: str) -> None:
    assert standalone_query(query, ["What is WAL mode?", "How do I turn it on?"]) == query


def test_a_topic_lasts_over_several_follow_ups() -> None:
    history = ["What is WAL mode?", "How do I turn it on?"]
    assert standalone_query("Is that persistent?", history) == "WAL mode: Is that persistent?"


def test_long_contexts_are_cut_to_their_topic() -> None:
    former = "What is the limit " + "of the very long thing " * 20 + "?"
    assert len(standalone_query("And on Windows?", [former]).split()) <= 15


@pytest.mark.parametrize("mark", [*",.!?:;-'\" \n\t", ", ", " . ", "? ", "hi,", "thanks ", "that ", "please, "])
@pytest.mark.parametrize("around", ["{}x", "hi{}x", "x{}", "thanks{}x", "why{}x", "{}"])
def test_what_repeats_takes_no_longer_than_it_is(mark: str, around: str) -> None:
    """Quadratic ones took seconds each: with them, this would not end."""
    question = around.format(mark * (20_000 // len(mark)))
    assert isinstance(standalone_query(question, [question]), str)
