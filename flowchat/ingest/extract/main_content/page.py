"""A page's elements as flat lists in document order, so that every question about a subtree is a slice or a difference.

Nothing here recurses, and each pass over the page takes time linear in its size: `ends[i]` is the index after the last
descendant of node `i`, and sizes are differences of running totals.
"""

from collections.abc import Iterator
from itertools import accumulate, compress

from selectolax.lexbor import LexborNode

_TEXT = "-text"
_COMMENT = "-comment"
_MARKUP = "-!"  # how the names of comments and declarations begin
_NO_ATTRIBUTES: dict[str, str | None] = {}
# Elements whose inside nobody needs to see: they are dropped from the start.
_NEVER = frozenset(
    "script style template iframe svg canvas object embed audio video map select textarea input datalist nav".split()
)
_WHOLE = frozenset(("pre", "code"))  # nothing inside is judged by itself: often a thousand coloured words
_EMPTY = frozenset(("br", "hr", "wbr"))
# Their attributes tell nothing here.
_WITHOUT_ATTRIBUTES = _NEVER | frozenset("b i em strong sub sup kbd code tr td th tbody thead".split())


class Page:
    """The body and its elements. Sizes are characters of text not dropped, as of the last `recount`."""

    def __init__(self, body: LexborNode) -> None:
        self.nodes: list[LexborNode] = []
        self.tags: list[str] = []
        self.parents: list[int] = []
        self.ends: list[int] = []
        self.attributes: list[dict[str, str | None]] = []
        self.has_own_text: set[int] = set()
        self.dropped = bytearray()
        self._texts: list[str] = []  # of the text nodes, as _chars and _linked are
        self._chars: list[int] = []  # 0 for dropped text
        self._linked: list[int] = []  # of _chars those inside a link
        self._first_text: list[int] = []  # of each element, the number of texts before it
        self._read(body)
        self._first_text.append(len(self._texts))
        self.recount()

    def _read(self, body: LexborNode) -> None:
        tag = body.tag or ""
        self._add(body, tag, -1)
        above, in_link = 0, tag == "a"
        children = body.iter(include_text=True, skip_empty=True)
        around: list[tuple[int, bool, Iterator[LexborNode]]] = []
        while True:
            for node in children:
                tag = node.tag or _COMMENT
                if tag == _TEXT:
                    self._add_text(node.text_content or "", in_link)
                    self.has_own_text.add(above)
                elif tag in _WHOLE:
                    self._add(node, tag, above)
                    self._add_text(node.text(), in_link)
                elif tag in _NEVER:
                    self._add(node, tag, above)
                    self.dropped[-1] = True
                elif tag[0] not in _MARKUP and tag not in _EMPTY:
                    around.append((above, in_link, children))
                    above, in_link = self._add(node, tag, above), in_link or tag == "a"
                    children = node.iter(include_text=True, skip_empty=True)
                    break
            else:
                self.ends[above] = len(self.nodes)
                if not around:
                    return
                above, in_link, children = around.pop()

    def _add(self, node: LexborNode, tag: str, above: int) -> int:
        number = len(self.nodes)
        self.nodes.append(node)
        self.tags.append(tag)
        self.parents.append(above)
        self.ends.append(number + 1)
        self.attributes.append(_NO_ATTRIBUTES if tag in _WITHOUT_ATTRIBUTES else node.attributes)
        self.dropped.append(False)
        self._first_text.append(len(self._texts))
        return number

    def _add_text(self, text: str, in_link: bool) -> None:
        chars = len(text.strip())
        self._texts.append(text)
        self._chars.append(chars)
        self._linked.append(chars if in_link else 0)

    def recount(self) -> None:
        """Bring the sizes up to date with what was dropped."""
        total = list(accumulate(self._chars, initial=0))
        linked = list(accumulate(self._linked, initial=0))
        self._before = [total[text] for text in self._first_text]
        self._linked_before = [linked[text] for text in self._first_text]

    def drop(self, number: int) -> None:
        end = self.ends[number]
        self.dropped[number:end] = b"\1" * (end - number)
        first, last = self._first_text[number], self._first_text[end]
        self._chars[first:last] = self._linked[first:last] = [0] * (last - first)

    def snapshot(self) -> tuple[bytes, list[int], list[int]]:
        return bytes(self.dropped), self._chars[:], self._linked[:]

    def restore(self, state: tuple[bytes, list[int], list[int]]) -> None:
        """Take back what was dropped since the snapshot."""
        self.dropped[:] = state[0]
        self._chars, self._linked = state[1][:], state[2][:]
        self.recount()

    def size(self, number: int) -> int:
        return self._before[self.ends[number]] - self._before[number]

    def linked(self, number: int) -> int:
        return self._linked_before[self.ends[number]] - self._linked_before[number]

    def prose(self, number: int) -> int:
        """Characters outside links."""
        return self.size(number) - self.linked(number)

    def size_between(self, start: int, end: int) -> int:
        return self._before[end] - self._before[start]

    def prose_between(self, start: int, end: int) -> int:
        return self.size_between(start, end) - self._linked_before[end] + self._linked_before[start]

    def is_prose(self, number: int, chars: int = 100) -> bool:
        """Whether it is mainly text outside links, and enough of it to say something."""
        return self.prose(number) >= chars and self.linked(number) < 0.4 * self.size(number)

    def text(self, number: int) -> str:
        first, last = self._first_text[number], self._first_text[self.ends[number]]
        pieces = compress(self._texts[first:last], self._chars[first:last])
        return " ".join(" ".join(pieces).split())

    def contains(self, number: int, tags: frozenset[str]) -> bool:
        return not tags.isdisjoint(self.tags[number : self.ends[number]])

    def elements(self, root: int) -> Iterator[int]:
        """The elements under `root` that are not dropped, also while they are being dropped."""
        ends, dropped = self.ends, self.dropped
        number, end = root + 1, ends[root]
        while number < end:
            if dropped[number]:
                number = ends[number]
            else:
                yield number
                number += 1

    def tagged(self, root: int, tags: frozenset[str]) -> list[int]:
        """Those of `elements` that have one of these tags, as of now."""
        names, dropped = self.tags, self.dropped
        return [i for i in range(root + 1, self.ends[root]) if names[i] in tags and not dropped[i]]

    def sized(self, root: int, max_chars: int) -> list[int]:
        """Those of `elements` that have text, and no more than so many characters, as of now."""
        ends, dropped, before = self.ends, self.dropped, self._before
        elements = range(root + 1, ends[root])
        return [i for i in elements if not dropped[i] and 0 < before[ends[i]] - before[i] <= max_chars]

    def children(self, number: int) -> Iterator[int]:
        child, end = number + 1, self.ends[number]
        while child < end:
            if not self.dropped[child]:
                yield child
            child = self.ends[child]

    def ancestors(self, number: int) -> Iterator[int]:
        number = self.parents[number]
        while number >= 0:
            yield number
            number = self.parents[number]

    def names(self, number: int) -> str:
        attributes = self.attributes[number]
        return f"{attributes.get('class') or ''} {attributes.get('id') or ''}"

    def prune(self, root: int) -> LexborNode:
        """Remove from the tree what was dropped under `root`, each subtree once: a freed node must not be touched."""
        doomed = []
        number, end = root, self.ends[root]
        while number < end:
            if self.dropped[number]:
                doomed.append(self.nodes[number])
                number = self.ends[number]
            else:
                number += 1
        for node in doomed:
            node.decompose()
        return self.nodes[root]
