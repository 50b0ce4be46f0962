"""Takes out of a page's content what belongs to its reading aids: line numbers, copy buttons, footnote marks."""

import re
from collections.abc import Callable

from selectolax.lexbor import LexborNode

_MAX_BUTTON_CHARS = 30
_MAX_MARK_CHARS = 4
_LINE_NUMBERS = (
    "[class*=ineno],[class*=ine-num],[class*=ineNum],[class*=inenum],[class*=gutter],[class*=hljs-ln-n],"
    "[class*=blob-num],.ln,.lnt,[style*=user-select]"
)
_BUTTONS = "[class*=copy],[class*=clipboard]"
_MARKS = 'sup a[href^="#"],[role=doc-noteref],[role=doc-backlink],[class*=footnote-],[class*=backlink]'
_IN_BRACKETS = 'sup,a[href^="#"]'
_ALWAYS = ".mw-editsection,.katex-html"
_DIGITS = re.compile(r"[\s\d]*")
_COPY = re.compile(r"(?:^|[\s_-])(?:copy|clipboard)|copy(?:btn|button|code)", re.IGNORECASE)
_BRACKETED = re.compile(r"\[(?:\d{1,3}|\W|[a-z])\]")
_MARK = re.compile(r"\[?(?:\w{1,3}|\W)\]?|\W*")


def tidy(root: LexborNode) -> None:
    """Remove them from the tree."""
    for selector, is_aid in _AIDS:
        for node in root.css(selector):
            if is_aid(node):
                node.decompose()


def _is_line_number(node: LexborNode) -> bool:
    return _DIGITS.fullmatch(node.text()) is not None and node.tag != "code" and node.css_first("code") is None


def _is_copy_button(node: LexborNode) -> bool:
    name = node.attrs.get("class") or ""
    return _COPY.search(name) is not None and len(node.text(strip=True)) <= _MAX_BUTTON_CHARS and node.tag != "pre"


def _is_footnote_mark(node: LexborNode) -> bool:
    text = node.text(strip=True)
    return len(text) <= _MAX_MARK_CHARS and node.tag in ("a", "sup", "span") and _MARK.fullmatch(text) is not None


def _is_bracketed_mark(node: LexborNode) -> bool:
    return _BRACKETED.fullmatch(node.text(strip=True)) is not None


_AIDS: tuple[tuple[str, Callable[[LexborNode], bool]], ...] = (
    (_LINE_NUMBERS, _is_line_number),
    (_BUTTONS, _is_copy_button),
    (_MARKS, _is_footnote_mark),
    (_IN_BRACKETS, _is_bracketed_mark),
    (_ALWAYS, lambda node: True),
)
