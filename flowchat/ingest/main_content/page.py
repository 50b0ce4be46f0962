"""A page's elements as flat lists in document order, so that every question about a subtree is a slice or a difference.

Nothing here recurses, and each pass over the page takes time linear in its size: `ends[i]` is the index after the last
descendant of node `i`, and sizes are differences of running totals.
"""

import re
from collections.abc import Iterator
from itertools import accumulate

from selectolax.lexbor import LexborNode

_TEXT = "-text"
_SPACE = re.compile(r"\s+")
# Elements whose inside nobody needs to see: they are dropped from the start.
_NEVER = frozenset(
    "script style template iframe svg canvas object embed audio video map select textarea input datalist nav".split()
)


class Page:
    """The body. Sizes are characters of text that has not been dropped, as of the last `recount`."""

    def __init__(self, body: LexborNode) -> None:
        self.nodes: list[LexborNode] = []
        self.tags: list[str] = []  # "" for text
        self.parents: list[int] = []
        self.attributes: list[dict[str, str | None]] = []
        self.texts: list[str] = []  # "" for elements
        self.has_own_text: set[int] = set()
        self.dropped = bytearray()
        self._chars: list[int] = []
        self._linked: list[int] = []  # of _chars those inside a link
        self._read(body)
        self.ends = self._subtree_ends()
        self.recount()

    def _read(self, body: LexborNode) -> None:
        index: dict[int, int] = {}
        in_link: list[bool] = []
        for node in body.traverse(include_text=True, skip_empty=True):
            tag, parent = node.tag or "", node.parent
            above = index.get(parent.mem_id) if index and parent is not None else -1
            if above is None:
                continue  # inside an element that is dropped
            number = len(self.nodes)
            is_linked = above >= 0 and in_link[above]
            if tag == _TEXT:
                text = node.text_content or ""
                chars = len(text.strip())
                self._add(node, "", above, {}, text)
                self._chars.append(chars)
                self._linked.append(chars if is_linked else 0)
                self.has_own_text.add(above)
            elif tag[:1].isalpha():
                is_never = tag in _NEVER
                if not is_never:
                    index[node.mem_id] = number
                self._add(node, tag, above, {} if is_never else node.attributes, "")
                self._chars.append(0)
                self._linked.append(0)
                self.dropped[number] = is_never
                is_linked = is_linked or tag == "a"
            else:
                continue
            in_link.append(is_linked)

    def _add(self, node: LexborNode, tag: str, above: int, attributes: dict[str, str | None], text: str) -> None:
        self.nodes.append(node)
        self.tags.append(tag)
        self.parents.append(above)
        self.attributes.append(attributes)
        self.texts.append(text)
        self.dropped.append(0)

    def _subtree_ends(self) -> list[int]:
        ends = list(range(1, len(self.nodes) + 1))
        for number in range(len(ends) - 1, 0, -1):
            parent = self.parents[number]
            ends[parent] = max(ends[parent], ends[number])
        return ends

    def recount(self) -> None:
        """Bring the sizes up to date with what was dropped."""
        self._total = list(accumulate(self._chars, initial=0))
        self._total_linked = list(accumulate(self._linked, initial=0))

    def drop(self, number: int) -> None:
        end = self.ends[number]
        length = end - number
        self.dropped[number:end] = b"\1" * length
        self._chars[number:end] = self._linked[number:end] = [0] * length

    def snapshot(self) -> tuple[bytes, list[int], list[int]]:
        return bytes(self.dropped), self._chars[:], self._linked[:]

    def restore(self, state: tuple[bytes, list[int], list[int]]) -> None:
        """Take back what was dropped since the snapshot."""
        self.dropped[:] = state[0]
        self._chars, self._linked = state[1][:], state[2][:]
        self.recount()

    def size(self, number: int) -> int:
        return self._total[self.ends[number]] - self._total[number]

    def linked(self, number: int) -> int:
        return self._total_linked[self.ends[number]] - self._total_linked[number]

    def prose(self, number: int) -> int:
        """Characters outside links."""
        return self.size(number) - self.linked(number)

    def size_between(self, start: int, end: int) -> int:
        return self._total[end] - self._total[start]

    def is_prose(self, number: int, chars: int = 100) -> bool:
        """Whether it is mainly text outside links, and enough of it to say something."""
        return self.prose(number) >= chars and self.linked(number) < 0.4 * self.size(number)

    def text(self, number: int) -> str:
        dropped, texts = self.dropped, self.texts
        pieces = [texts[i] for i in range(number, self.ends[number]) if texts[i] and not dropped[i]]
        return _SPACE.sub(" ", " ".join(pieces)).strip()

    def contains(self, number: int, tags: frozenset[str]) -> bool:
        return not tags.isdisjoint(self.tags[number : self.ends[number]])

    def elements(self, root: int) -> Iterator[int]:
        """The elements under `root` that are not dropped, also while they are being dropped."""
        tags, ends, dropped = self.tags, self.ends, self.dropped
        number, end = root + 1, ends[root]
        while number < end:
            if dropped[number]:
                number = ends[number]
            else:
                if tags[number]:
                    yield number
                number += 1

    def children(self, number: int) -> Iterator[int]:
        child, end = number + 1, self.ends[number]
        while child < end:
            if not self.dropped[child] and self.tags[child]:
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
