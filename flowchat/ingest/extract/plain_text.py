"""Plain text -> blocks: paragraphs, lists, and what is laid out in columns or indented as code."""

import re
import textwrap

from flowchat.domain import Block

_ITEM = re.compile(r"\s*(?:[-*+\u2022\u2013]|\(?\w{1,3}[.)])\s+\S")
_COLUMNS = re.compile(r"\S(?: {3,}|\t+)\S|^\s*[|+][-=|+ ]|\S\s*\|\s*\S.*\|")
_MIN_INDENT = 2  # more than most of the text
_PARAGRAPHS = re.compile(r"\n(?:[ \t\f\v]*\n)+")


def text_blocks(text: str) -> list[Block]:
    """One for each paragraph; paragraphs are parted by empty lines. Lines of a paragraph are joined."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n\n").expandtabs(4)
    margin = _margin(lines)
    blocks: list[Block] = []
    for paragraph in _PARAGRAPHS.split(lines):
        if paragraph.strip():
            blocks.append(_block(paragraph.strip("\n"), margin))
    return blocks


def _margin(text: str) -> int:
    """How far most of the text is indented: whole documents are, such as RFCs."""
    margins = [len(line) - len(line.lstrip()) for line in text.split("\n") if line.strip()]
    return max(set(margins), key=margins.count, default=0) if margins else 0


def _block(paragraph: str, margin: int) -> Block:
    lines = [line.rstrip() for line in paragraph.split("\n")]
    if _ITEM.match(lines[0]):
        return Block("list", "\n".join(_items(lines)))
    if _is_preformatted(lines, margin):
        return Block("code", textwrap.dedent("\n".join(lines)))
    return Block("text", " ".join(" ".join(lines).split()))


def _items(lines: list[str]) -> list[str]:
    """Each item with the lines that go on with it."""
    items: list[str] = []
    for line in lines:
        if items and not _ITEM.match(line):
            items[-1] += " " + line.strip()
        else:
            items.append(line)
    return textwrap.dedent("\n".join(items)).split("\n")


def _is_preformatted(lines: list[str], margin: int) -> bool:
    indented = sum(len(line) - len(line.lstrip()) >= margin + _MIN_INDENT for line in lines)
    if indented == len(lines):
        return True
    return len(lines) > 1 and 2 * sum(_COLUMNS.search(line) is not None for line in lines) > len(lines)
