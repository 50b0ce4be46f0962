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
_PLAIN = frozenset("b i em strong sub sup kbd code tr td th tbody thead".split())  # their attributes tell nothing here


class Page:
    """The body and its elements. Sizes are characters of text not dropped, as of the last `recount`."""

    def __init__(self, body: LexborNode) -> None:
        self.nodes: list[LexborNode] = []
        self.tags: list[str] = []
        self.parents: list[int] = []
        self.attributes: list[dict[str, str | None]] = []
        self.has_own_text: set[int] = set()
        self.dropped = bytearray()
        self._texts: list[str] = []  # of the text nodes, as _chars and _linked are
        self._chars: list[int] = []  # 0 for dropped text
        self._linked: list[int] = []  # of _chars those inside a link
        self._first_text: list[int] = []  # of each element, the number of texts before it
        self._read(body)
        self._first_text.append(len(self._texts))
        self.ends = self._subtree_ends()
        self.recount()

    def _read(self, body: LexborNode) -> None:
        index: dict[int, int] = {}
        in_link: list[bool] = []
        nodes, tags, texts, first_text = self.nodes, self.tags, self._texts, self._first_text
        for node in body.traverse(include_text=True, skip_empty=True):
            parent = node.parent
            above = index.get(parent.mem_id, -1) if parent is not None else -1
            if above < 0 and nodes:
                continue  # inside an element that is dropped
            tag = node.tag or _COMMENT
            if tag == _TEXT:
                text = node.text_content or ""
                self.has_own_text.add(above)
                is_linked = in_link[above]
            elif tag[0] in _MARKUP or tag in _EMPTY:
                continue
            else:
                is_never = tag in _NEVER
                is_linked = tag == "a" or (above >= 0 and in_link[above])
                in_link.append(is_linked)
                self.parents.append(above)
                self.attributes.append(_NO_ATTRIBUTES if is_never or tag in _PLAIN else node.attributes)
                self.dropped.append(is_never)
                first_text.append(len(texts))
                tags.append(tag)
                nodes.append(node)
                if tag not in _WHOLE:
                    if not is_never:
                        index[node.mem_id] = len(nodes) - 1
                    continue
                text = node.text()
            chars = len(text.strip())
            texts.append(text)
            self._chars.append(chars)
            self._linked.append(chars if is_linked else 0)

    def _subtree_ends(self) -> list[int]:
        ends = list(range(1, len(self.nodes) + 1))
        parents = self.parents
        for number in range(len(ends) - 1, 0, -1):
            if ends[number] > ends[parents[number]]:
                ends[parents[number]] = ends[number]
        return ends

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
