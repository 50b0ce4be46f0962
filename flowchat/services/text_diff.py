"""How the text of a page differs between two versions: passages first, then the sentences of those that differ.

Patience diff (Bram Cohen): what stands once on both sides and in the same order is kept as it is, and so between those,
again and again. It takes O(n log n) a round, where difflib is quadratic on pages of repeated rows.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

from flowchat.domain import NewChunk
from flowchat.sentences import split_sentences

MAX_LINES = 400  # that are told of a page
MAX_SPLIT_CHUNKS = 200  # of a stretch that differs, on each side: longer ones are told by passage
_MOST_ROUNDS = 12
_AROUND = 2  # unchanged sentences that are told before and after one that is not

LineChange = Literal["added", "removed", "unchanged"]
Stretch = tuple[int, int, int, int]  # first and end in what was, first and end in what is


@dataclass(frozen=True, slots=True)
class Line:
    """A sentence, list item, table row or line of code."""

    change: LineChange
    text: str


@dataclass(frozen=True, slots=True)
class Hunk:
    """Lines that stand together, under these headings."""

    headings: tuple[str, ...]
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class TextDiff:
    """`added` and `removed` count lines; `is_cut` says that more differ than the hunks tell."""

    hunks: tuple[Hunk, ...]
    added: int
    removed: int
    is_cut: bool


def compare(was: Sequence[NewChunk], now: Sequence[NewChunk]) -> TextDiff:
    """Of the chunks of a page, in their order. Takes long for long pages: call it in a thread."""
    hunks: list[Hunk] = []
    counts: Counter[LineChange] = Counter()
    told = 0
    is_cut = False
    for was_from, was_to, now_from, now_to in stretches(was, now):
        before, after = was[was_from:was_to], now[now_from:now_to]
        lines = _lines(before, after)
        counts.update(line.change for line in lines)
        for part in _around_changes(lines):
            kept = part[: MAX_LINES - told]
            told += len(kept)
            is_cut = is_cut or len(kept) < len(part)
            if kept:
                hunks.append(Hunk((after or before)[0].headings, tuple(kept)))
    return TextDiff(tuple(hunks), counts["added"], counts["removed"], is_cut)


def stretches(was: Sequence[Hashable], now: Sequence[Hashable]) -> list[Stretch]:
    """Where two sequences differ, in their order: `was[a:b]` has become `now[c:d]`."""
    found: list[Stretch] = []
    open_ones: list[tuple[int, int, int, int, int]] = [(0, len(was), 0, len(now), 0)]
    while open_ones:
        from_was, to_was, from_now, to_now, rounds = open_ones.pop()
        a, b, c, d = _trimmed(was, now, from_was, to_was, from_now, to_now)
        anchors = _anchors(was[a:b], now[c:d]) if rounds < _MOST_ROUNDS else []
        if anchors:
            places = [(a, c), *((a + x + 1, c + y + 1) for x, y in anchors)]
            gaps = zip(places, [*((a + x, c + y) for x, y in anchors), (b, d)], strict=True)
            open_ones += [(x, x_to, y, y_to, rounds + 1) for (x, y), (x_to, y_to) in gaps][::-1]
        elif a < b or c < d:
            found.append((a, b, c, d))
    return found


def _trimmed(was: Sequence[Hashable], now: Sequence[Hashable], a: int, b: int, c: int, d: int) -> Stretch:
    """Without what is the same at both ends."""
    while a < b and c < d and was[a] == now[c]:
        a, c = a + 1, c + 1
    while a < b and c < d and was[b - 1] == now[d - 1]:
        b, d = b - 1, d - 1
    return a, b, c, d


def _anchors(was: Sequence[Hashable], now: Sequence[Hashable]) -> list[tuple[int, int]]:
    """The most places of what stands once on each side that can be had in the order of both sides."""
    once_was, once_now = _once(was), _once(now)
    shared = [(place, once_now[item]) for item, place in once_was.items() if item in once_now]
    ends: list[int] = []  # the lowest end, in `now`, of a run of each length
    last: list[int] = []  # which of `shared` that is
    before: list[int | None] = []
    for number, (_, place) in enumerate(shared):
        length = bisect_left(ends, place)
        ends[length : length + 1] = [place]
        last[length : length + 1] = [number]
        before.append(last[length - 1] if length else None)
    return list(_walk_back(shared, before, last[-1] if last else None))[::-1]


def _once(items: Sequence[Hashable]) -> dict[Hashable, int]:
    """{item: place} of what stands there once."""
    counts = Counter(items)
    return {item: place for place, item in enumerate(items) if counts[item] == 1}


def _walk_back(
    shared: Sequence[tuple[int, int]], before: Sequence[int | None], number: int | None
) -> Iterator[tuple[int, int]]:
    while number is not None:
        yield shared[number]
        number = before[number]


def _lines(was: Sequence[NewChunk], now: Sequence[NewChunk]) -> list[Line]:
    """A stretch of chunks as lines. Headings are lines too, so that a new one shows."""
    is_long = max(len(was), len(now)) > MAX_SPLIT_CHUNKS
    before, after = _texts(was, is_long=is_long), _texts(now, is_long=is_long)
    lines: list[Line] = []
    reached = 0
    for a, b, c, d in stretches(before, after):
        lines += (Line("unchanged", text) for text in before[reached:a])
        lines += (Line("removed", text) for text in before[a:b])
        lines += (Line("added", text) for text in after[c:d])
        reached = b
    return lines + [Line("unchanged", text) for text in before[reached:]]


def _texts(chunks: Sequence[NewChunk], *, is_long: bool) -> list[str]:
    texts: list[str] = []
    headings: tuple[str, ...] = ()
    for chunk in chunks:
        if chunk.headings and chunk.headings != headings:
            headings = chunk.headings
            texts.append(f"{'#' * len(headings)} {headings[-1]}")
        texts += [chunk.text] if is_long else _split(chunk.text)
    return texts


def _split(text: str) -> Iterator[str]:
    for sentence in split_sentences(text):
        if sentence.startswith("```"):
            yield from (line for line in sentence.splitlines() if line.strip("` "))
        else:
            yield sentence


def _around_changes(lines: Sequence[Line]) -> Iterator[list[Line]]:
    """The changed lines with some before and after; those that overlap are one."""
    changed = [0, *accumulate(line.change != "unchanged" for line in lines)]
    part: list[Line] = []
    for place, line in enumerate(lines):
        if changed[min(place + _AROUND + 1, len(lines))] > changed[max(place - _AROUND, 0)]:
            part.append(line)
        elif part:
            yield part
            part = []
    if part:
        yield part
