"""The text of a code block, to the byte: what a reader copies."""

import re

from selectolax.lexbor import LexborNode

from flowchat.ingest.extract.inline import SKIPPED

_MAX_DEPTH = 150
_NEEDS_WALK = "br,div,tr,li,p,button,svg,script,style,template"
_LINES = frozenset("div tr li p".split())
_IS_LINE = re.compile(r"(?:^|[\s_-])line(?:$|[\s_-])", re.IGNORECASE)


def code_text(pre: LexborNode) -> str:
    """The code, without its final newline. Line numbers and copy buttons must have been removed."""
    node = _only_code(pre)
    if node.css_first(_NEEDS_WALK) is None:
        return node.text().removesuffix("\n")
    parts: list[str] = []
    _gather(node, parts, 0)
    return "".join(parts).removesuffix("\n")


def _only_code(pre: LexborNode) -> LexborNode:
    """The `<code>` in it, where there is but white space around: that is the template's."""
    code = None
    for child in pre.iter(include_text=True):
        if child.tag == "code" and code is None:
            code = child
        elif child.tag == "code" or (child.tag not in SKIPPED and child.text().strip()):
            return pre
    return pre if code is None else code


def _gather(node: LexborNode, parts: list[str], depth: int) -> None:
    for child in node.iter(include_text=True):
        tag = child.tag or ""
        if tag == "-text":
            parts.append(child.text_content or "")
        elif tag == "br":
            parts.append("\n")
        elif tag in SKIPPED:
            continue
        elif depth >= _MAX_DEPTH:
            parts.append(child.text())
        elif tag in _LINES:
            _gather_line(child, tag, parts, depth)
        else:
            _gather(child, parts, depth + 1)


def _gather_line(node: LexborNode, tag: str, parts: list[str], depth: int) -> None:
    """An element that is a line by itself, whether the page's text says so or not."""
    if parts and not _ends_line(parts):
        parts.append("\n")
    before = len(parts)
    _gather(node, parts, depth + 1)
    is_line = tag in ("tr", "li") or _IS_LINE.search(node.attributes.get("class") or "") is not None
    if len(parts) > before and "".join(parts[before:]):
        if not _ends_line(parts):
            parts.append("\n")
    elif is_line:
        parts.append("\n")


def _ends_line(parts: list[str]) -> bool:
    return next((part for part in reversed(parts) if part), "\n").endswith("\n")
