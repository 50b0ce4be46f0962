"""How the text of a page differs between two versions."""

import random

from flowchat.domain import NewChunk
from flowchat.services import text_diff
from flowchat.services.text_diff import Hunk, Line, TextDiff, compare, stretches


def chunk(text: str, *headings: str) -> NewChunk:
    return NewChunk(text, headings, "")


def applied(was: list[str], now: list[str]) -> list[str]:
    """`was` with what has changed put in."""
    done: list[str] = []
    reached = 0
    for a, b, c, d in stretches(was, now):
        assert was[a:b] != now[c:d]
        done += was[reached:a] + now[c:d]
        reached = b
    return done + was[reached:]


def test_a_changed_sentence_is_told_with_what_is_around_it() -> None:
    same = [chunk("Nothing is new here.", "Top")]
    was = [*same, chunk("We ship on Mondays. It costs 5 euros. It is quick. You can track it. Ask us.", "Shop", "Post")]
    now = [*same, chunk("We ship on Mondays. It costs 7 euros. It is quick. You can track it. Ask us.", "Shop", "Post")]
    assert compare(was, now) == TextDiff(
        (
            Hunk(
                ("Shop", "Post"),
                (
                    Line("unchanged", "## Post"),
                    Line("unchanged", "We ship on Mondays."),
                    Line("removed", "It costs 5 euros."),
                    Line("added", "It costs 7 euros."),
                    Line("unchanged", "It is quick."),
                    Line("unchanged", "You can track it."),
                ),
            ),
        ),
        added=1,
        removed=1,
        is_cut=False,
    )


def test_new_headings_code_and_pages() -> None:
    renamed = compare([chunk("As it was.", "Old")], [chunk("As it was.", "New")])
    assert [line.change for line in renamed.hunks[0].lines] == ["removed", "added", "unchanged"]
    code = compare([chunk("```\na = 1\nb = 2\n```")], [chunk("```\na = 1\nb = 3\n```")])
    assert code.hunks[0].lines == (Line("unchanged", "a = 1"), Line("removed", "b = 2"), Line("added", "b = 3"))
    page = [chunk("It is new. All of it.")]
    assert (compare([], page).added, compare(page, []).removed, compare(page, page).hunks) == (2, 2, ())


def test_passages_that_are_cut_elsewhere_are_no_change() -> None:
    was = [chunk("One is here. Two is here."), chunk("Three is here. Four is here.")]
    now = [chunk("None is here. One is here."), chunk("Two is here. Three is here."), chunk("Four is here.")]
    told = compare(was, now)
    assert (told.added, told.removed) == (1, 0)
    assert told.hunks[0].lines[0] == Line("added", "None is here.")


def test_whatever_differs_is_found() -> None:
    dice = random.Random(6)
    for _ in range(300):
        was = [dice.choice("abcdefghij") + dice.choice("xyz" * 3 + "w" * 9) for _ in range(dice.randrange(40))]
        now = [item for item in was if dice.random() > 0.2]
        for _ in range(dice.randrange(8)):
            now.insert(dice.randrange(len(now) + 1), dice.choice([*was, "new"]))
        if dice.random() < 0.2:
            dice.shuffle(now)
        assert applied(was, now) == now


def test_a_page_of_megabytes_is_cut_and_compared_in_rounds() -> None:
    dice = random.Random(6)
    rows = [chunk(f"| {dice.randrange(50)} | {dice.randrange(3)} |" * 45) for _ in range(5000)]
    shuffled = dice.sample(rows, len(rows))
    told = compare(rows, shuffled)
    assert sum(len(row.text) for row in rows) > 2_000_000
    assert told.is_cut and sum(len(hunk.lines) for hunk in told.hunks) == text_diff.MAX_LINES
    assert told.added == told.removed > text_diff.MAX_LINES
