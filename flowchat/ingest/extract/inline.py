"""Text inside a paragraph, a heading or a table's cell."""

import re

from selectolax.lexbor import LexborNode

SKIPPED = frozenset(
    "audio button canvas datalist dialog embed iframe input map noembed noframes noscript object script select style "
    "svg template textarea video".split()
)

_MAX_DEPTH = 50  # superscripts take three frames of the stack each, under the 450 that the blocks around may take
_MAX_BOLD_CHARS = 80
_WRAPPERS = frozenset("span em i u font a small".split())
_BREAKS = frozenset("br p div tr dd dt ul ol table blockquote pre h1 h2 h3 h4 h5 h6".split())
_INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u200b\u2060\ufeff"))  # soft hyphen, zero-width space, joiner, BOM
_DECORATIVE = re.compile(r"(?:^|[\s_-])(?:icon|avatar|spinner|badge|gravatar)s?(?:$|[\s_-])", re.IGNORECASE)
_SAYS_NOTHING = frozenset("image img icon logo photo picture figure thumbnail screenshot avatar".split())
_FILE = re.compile(r"\.(?:png|jpe?g|gif|svg|webp|avif|bmp|ico)$", re.IGNORECASE)
_SEPARATORS = re.compile(r"[\s_+-]+|%20")
_EXPONENT = re.compile(r"[+\u2212-]?(?:\d{1,3}|[nkmxyij])")
_TEX = re.compile(r"\{\\(?:displaystyle|textstyle) (.*)\}", re.DOTALL)
_INSIDE = r"\1"


def clean(text: str) -> str:
    """One line with single spaces, without invisible characters."""
    if not text.isascii():
        text = text.translate(_INVISIBLE)
    return " ".join(text.split())


def plain_text(node: LexborNode, depth: int = 0) -> str:
    """All text of a node in one line: that of images too; list items are parted by semicolons.

    `depth` is how deep the node is inside another whose text is being read.
    """
    only = node.first_child
    if only is None:
        return ""
    if only.is_text_node and only.next is None:
        return clean(only.text_content or "")
    parts: list[str] = []
    _gather(node, parts, depth)
    return clean("".join(parts)).lstrip("; ").replace(" ;", ";")


def _gather(node: LexborNode, parts: list[str], depth: int) -> None:
    for child in node.iter(include_text=True):
        tag = child.tag or ""
        if tag == "-text":
            parts.append(child.text_content or "")
        elif tag in SKIPPED:
            continue
        elif depth >= _MAX_DEPTH:
            parts.append(child.text())
        elif tag == "img":
            parts.append(f" {alt_text(child)} ")
        elif tag == "math":
            parts.append(math_text(child))
        elif tag == "sup":
            parts.append(raised(child, depth + 1))
        elif tag == "li":
            parts.append("; ")
            _gather(child, parts, depth + 1)
        elif tag in _BREAKS:
            parts.append(" ")
            _gather(child, parts, depth + 1)
            parts.append(" ")
        else:
            _gather(child, parts, depth + 1)


def alt_text(image: LexborNode) -> str:
    """What an image shows, in words; '' for decoration, and where it is only the name of its file."""
    attributes = image.attributes
    alt = clean(attributes.get("alt") or "")
    if not alt or alt.lower() in _SAYS_NOTHING or attributes.get("role") in ("presentation", "none"):
        return ""
    if _FILE.search(alt) or _DECORATIVE.search(attributes.get("class") or ""):
        return ""
    name = (attributes.get("src") or "").partition("?")[0].rpartition("/")[2]
    return "" if _words(alt) == _words(_FILE.sub("", name)) else alt


def _words(text: str) -> str:
    return _SEPARATORS.sub("", text).lower()


def math_text(node: LexborNode) -> str:
    """A formula as TeX where the page has it, else its symbols."""
    tex = node.attributes.get("alttext")
    if not tex:
        source = node.css_first('annotation[encoding="application/x-tex"]')
        tex = source.text() if source is not None else "".join(node.text().split())
    return f" {_TEX.sub(_INSIDE, tex.strip())} "


def raised(node: LexborNode, depth: int = 0) -> str:
    """Superscript: exponents with a caret, since 10 to the 6th is not 106."""
    text = plain_text(node, depth)
    return f"^{text}" if _EXPONENT.fullmatch(text) else text


def is_short_and_bold(node: LexborNode) -> bool:
    """Whether a paragraph is nothing but bold text, as headings are that are none by their markup."""
    first = node.first_child
    while first is not None and (first.is_text_node or first.tag in _WRAPPERS):
        if not first.is_text_node:
            first = first.first_child
        elif (first.text_content or "").isspace():
            first = first.next
        else:
            return False
    if first is None or first.tag not in ("b", "strong"):
        return False
    text = clean(node.text())
    return 0 < len(text) <= _MAX_BOLD_CHARS and clean("".join(bold.text() for bold in node.css("b,strong"))) == text
