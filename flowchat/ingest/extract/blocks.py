"""A node of a page's tree -> its text as blocks, each with its headings and the nearest anchor.

Inline text gathers in a buffer, and the edge of a block element closes it: into a paragraph, or into a line of the
list that is being read.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from selectolax.lexbor import LexborNode

from flowchat.domain import Block
from flowchat.ingest.extract.anchors import HEADINGS, is_layout
from flowchat.ingest.extract.code import code_text
from flowchat.ingest.extract.inline import SKIPPED, alt_text, clean, is_short_and_bold, math_text, plain_text, raised
from flowchat.ingest.extract.tables import read_table
from flowchat.ingest.extract.tidy import tidy

MAX_HEADING_CHARS = 200  # of a title too: both stand before every chunk, and longer ones are no headings
_MAX_DEPTH = 150  # deeper nesting is flattened to text: no page needs it, and hostile ones exhaust the stack
_PSEUDO_LEVEL = 7  # a paragraph that is nothing but short bold text heads what follows it
_MAX_TERM_CHARS = 200
_CONTAINERS = (
    "address article aside blockquote body caption center details div fieldset figcaption footer form header "
    "hgroup hr html legend li main menu nav option search section summary tbody td tfoot th thead tr"
).split()
_LAYOUT_TAGS = frozenset("div article main body".split())
_BLOCKS = "h1,h2,h3,h4,h5,h6,pre,ul,ol,table,p"
_TITLES = (
    "[class*=admonition-title],[class*=admonitionHeading],[class*=alert-title],[class*=custom-block-title],"
    ".admonitionblock .title"
)
# Of a definition: of several groups of digits, which name something for programs.
_MACHINE_ID = re.compile(r"(?:[A-Z]{1,3}-)?[0-9a-f]{4,}(?:-[0-9a-f]{4,}){3,}", re.IGNORECASE)
_ENDS = (":", "?", "!", ".", "\u2026")


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading as the page has it: `level` 1 to 6, `anchor` '' where it has none."""

    level: int
    text: str
    anchor: str


class BlockReader:
    """Reads a node into `blocks`; `outline` has the headings, also those that nothing follows."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.outline: list[Heading] = []
        self._headings: list[tuple[int, str]] = []
        self._anchor = ""
        self._loose_anchor = ""  # of what encloses the next heading, or stands before it
        self._text: list[str] = []
        self._term = ""  # begins the next paragraph: what a definition defines, an admonition's title
        self._caption = ""  # of the figure that is being read: many an image's alt text repeats it
        self._lines: list[str] = []  # of the list that is being read
        self._indent = 0  # lists inside one another, 0: outside of any
        self._marker = ""  # of the list item whose first line is still to come
        self._titles: set[int] = set()
        self._handlers: dict[str, Callable[[LexborNode, int], None]] = {
            **dict.fromkeys(SKIPPED, self._skip),
            **dict.fromkeys(HEADINGS, self._heading),
            **dict.fromkeys(_CONTAINERS, self._container),
            **dict.fromkeys(("pre", "listing", "xmp"), self._code),
            **dict.fromkeys(("ul", "ol", "dir"), self._list),
            **dict.fromkeys(("a", "span"), self._inline),
            "p": self._paragraph,
            "table": self._table,
            "dl": self._definitions,
            "dt": self._definition_term,
            "dd": self._definition,
            "br": self._line_break,
            "img": self._image,
            "figure": self._figure,
            "sup": self._superscript,
            "math": self._math,
        }

    @property
    def title(self) -> str:
        """The first heading that the page has as such; '' where it has none."""
        return self.outline[0].text if self.outline else ""

    def read(self, node: LexborNode) -> None:
        """Add a node's blocks. Changes the tree: line numbers and the like are removed."""
        tidy(node)
        self._titles = {title.mem_id for title in node.css(_TITLES)}
        self._walk(node, 0)
        self._close_list()

    def _walk(self, node: LexborNode, depth: int) -> None:
        for child in node.iter(include_text=True):
            tag = child.tag or ""
            if tag == "-text":
                self._text.append(child.text_content or "")
            elif depth >= _MAX_DEPTH:
                self._text.append(child.text())
            elif (handler := self._handlers.get(tag)) is not None:
                handler(child, depth)
            else:
                self._walk(child, depth + 1)

    def _inline(self, node: LexborNode, depth: int) -> None:
        ident = node.id or (node.attrs.get("name") if node.tag == "a" else None)
        if ident:
            self._loose_anchor = ident
        self._walk(node, depth + 1)

    def _container(self, node: LexborNode, depth: int) -> None:
        self._flush()
        if self._titles and node.mem_id in self._titles:
            self._begin_with(plain_text(node))
            return
        if (ident := node.id) and not (node.tag in _LAYOUT_TAGS and is_layout(ident)):
            self._loose_anchor = ident
        self._walk(node, depth + 1)
        self._flush()

    def _paragraph(self, node: LexborNode, depth: int) -> None:
        self._flush()
        if not self._indent and not self._term and is_short_and_bold(node):
            self._add_heading(_PSEUDO_LEVEL, plain_text(node), node)
        else:
            self._container(node, depth)

    def _heading(self, node: LexborNode, depth: int) -> None:
        self._close_list()
        self._indent = 0  # what follows in a list item is no line of a list any more
        self._add_heading(HEADINGS[node.tag or ""], plain_text(node), node)

    def _add_heading(self, level: int, text: str, node: LexborNode) -> None:
        text = text.rstrip("¶").rstrip()[:MAX_HEADING_CHARS]
        if not text:
            return
        while self._headings and self._headings[-1][0] >= level:
            self._headings.pop()
        self._headings.append((level, text))
        # The prefix is GitHub's own, which no link has.
        anchor = (node.id or self._loose_anchor).removeprefix("user-content-")
        self._loose_anchor = ""
        if level == _PSEUDO_LEVEL:
            self._anchor = anchor or self._anchor
        else:
            self._anchor = anchor
            self.outline.append(Heading(level, text, anchor))

    def _code(self, node: LexborNode, depth: int) -> None:
        self._close_list()
        self._add("code", code_text(node))

    def _table(self, node: LexborNode, depth: int) -> None:
        self._flush()
        table = read_table(node)
        if not table:
            self._container(node, depth)
            return
        self._close_list()
        caption = next((child for child in node.iter() if child.tag == "caption"), None)
        if caption is not None:
            self._add("text", plain_text(caption))
        self._add("table", table)

    def _list(self, node: LexborNode, depth: int) -> None:
        self._flush()
        self._end_term()
        indent = self._indent
        number = _number(node, "start", 1) if node.tag == "ol" else None
        for child in node.iter(include_text=True):
            self._indent = indent + 1
            if child.is_text_node:
                self._text.append(child.text_content or "")
            elif child.tag == "li":
                if number is not None:
                    number = _number(child, "value", number)
                self._marker = "- " if number is None else f"{number}. "
                self._container(child, depth + 1)
                number = None if number is None else number + 1
            else:
                self._marker = "- "
                (self._handlers.get(child.tag or "") or self._container)(child, depth + 1)
                self._flush()
        self._indent = indent
        self._marker = ""
        if not indent:
            self._close_list()

    def _definitions(self, node: LexborNode, depth: int) -> None:
        self._flush()
        self._end_term()
        self._walk(node, depth + 1)
        self._flush()
        self._end_term()

    def _definition_term(self, node: LexborNode, depth: int) -> None:
        if node.css_first(_BLOCKS) is not None:
            self._container(node, depth)
            return
        self._flush()
        term = plain_text(node)
        if _MACHINE_ID.fullmatch(term):
            return
        if self._term and term:
            term = f"{self._term}, {term}"
        self._begin_with(term or self._term)

    def _definition(self, node: LexborNode, depth: int) -> None:
        self._container(node, depth)
        self._end_term()

    def _line_break(self, node: LexborNode, depth: int) -> None:
        """Two of them are how older pages part paragraphs."""
        while self._text and self._text[-1].isspace() and self._text[-1] != "\n\n":
            self._text.pop()
        if self._text and self._text[-1] == "\n\n":
            self._flush()
        elif self._text:
            self._text.append("\n\n")

    def _figure(self, node: LexborNode, depth: int) -> None:
        caption = node.css_first("figcaption")
        self._caption = plain_text(caption) if caption is not None else ""
        self._container(node, depth)
        self._caption = ""

    def _image(self, node: LexborNode, depth: int) -> None:
        alt = alt_text(node)
        if alt and alt != self._caption:
            self._text.append(f" {alt} ")

    def _superscript(self, node: LexborNode, depth: int) -> None:
        self._text.append(raised(node))

    def _math(self, node: LexborNode, depth: int) -> None:
        self._text.append(math_text(node))

    def _skip(self, node: LexborNode, depth: int) -> None:
        pass

    def _begin_with(self, term: str) -> None:
        if len(term) <= _MAX_TERM_CHARS:
            self._term = term
        else:
            self._term = ""
            self._add_text(term)

    def _end_term(self) -> None:
        """A term without a definition in words stands for itself."""
        term, self._term = self._term, ""
        if term:
            self._add_text(term)

    def _flush(self) -> None:
        """Close the paragraph that has gathered."""
        if not self._text:
            return
        text = clean("".join(self._text))
        self._text.clear()
        if text:
            if self._term:
                text = f"{self._term} {text}" if self._term.endswith(_ENDS) else f"{self._term}: {text}"
                self._term = ""
            self._add_text(text)

    def _add_text(self, text: str) -> None:
        """As a line of the list that is being read, or as a paragraph."""
        if self._indent and (self._marker or self._lines):
            self._lines.append("  " * (self._indent - 1) + (self._marker or "  ") + text)
            self._marker = ""
            self._loose_anchor = ""
        else:
            self._add("text", text)

    def _close_list(self) -> None:
        self._flush()
        self._end_term()
        if self._lines:
            lines, self._lines = self._lines, []
            margin = min(len(line) - len(line.lstrip(" ")) for line in lines)
            self._add("list", "\n".join(line[margin:] for line in lines))

    def _add(self, kind: Literal["text", "list", "code", "table"], text: str) -> None:
        if not text.strip():
            return
        self._loose_anchor = ""
        self.blocks.append(Block(kind, text, tuple(heading for _, heading in self._headings), self._anchor))


def _number(node: LexborNode, name: str, default: int) -> int:
    value = (node.attrs.get(name) or "").strip()
    return int(value) if value.isdecimal() and len(value) <= 9 else default
