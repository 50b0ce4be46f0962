"""Sitemaps and feeds as a row of tags, well-formed or not.

Many of those that sites serve are not: a bare `&`, a warning before the XML declaration, a stray control character, an
end that is missing. So this reads like browsers read HTML: what makes no sense is passed over. It has no stack that
deep nesting could exhaust, expands no entity but XML's own five, and takes time and memory in proportion to the text.
"""

import codecs
import re
from collections.abc import Iterator

MAX_TAGS = 1_000_000  # 20 for each of a sitemap's 50,000 entries

_BYTE_ORDER_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
# Name, attributes (a `>` in quotes does not end them), and the text behind. Possessive: nothing is read twice.
_TAG = re.compile(r"""<(/?[^\s/<>]++)([^<>"']*+(?:"[^"<]*+"[^<>"']*+|'[^'<]*+'[^<>"']*+)*+)>?([^<]*+)""")
_COMMENT, _CDATA = "<!--", "<![CDATA["
_ATTRIBUTE = re.compile(r"""(?<![^\s="'/<>])([^\s="'/<>]++)\s*+=\s*+(?:"([^"]*+)"|'([^']*+)')""")
_REFERENCE = re.compile("&(?:#([0-9]{1,7})|#[xX]([0-9a-fA-F]{1,6})|(amp|lt|gt|quot|apos));")
_ENTITIES = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
_MAX_CODE = 0x10FFFF


def decode_markup(body: bytes) -> str:
    """Text of a file: by its byte order mark, else UTF-16 if its first character has a zero byte, UTF-8, or Latin-1.

    The encoding that an XML declaration names matters only where addresses aren't ASCII, and is often wrong there.
    """
    for mark, encoding in _BYTE_ORDER_MARKS:
        if body.startswith(mark):
            return body[len(mark) :].decode(encoding, "replace")
    if b"\0" in body[:2]:
        return body.decode("utf-16-be" if body.startswith(b"\0") else "utf-16-le", "replace")
    try:
        return body.decode()
    except UnicodeDecodeError:
        return body.decode("latin-1")


def declares_entities(text: str) -> bool:
    """Whether a file brings entities of its own: no sitemap or feed needs them, but a billion laughs do."""
    return "<!ENTITY" in text


def tags(text: str) -> Iterator[tuple[str, str, str]]:
    """The first 1,000,000 tags of a text: name, attributes as they stand, and the text up to the next tag, escaped.

    A name has its prefix, and a `/` in front where the tag ends something. Comments are left out, CDATA sections belong
    to the text around them.
    """
    name, inside, content = "", "", ""
    position = max(text.find("<"), 0)
    for _ in range(MAX_TAGS):
        while text.startswith((_COMMENT, _CDATA), position):
            if text.startswith(_COMMENT, position):
                resumed = _behind("-->", text, position + len(_COMMENT))
            else:
                resumed = _behind("]]>", text, position + len(_CDATA))
                content += text[position + len(_CDATA) : resumed].removesuffix("]]>")
            position = _next_tag(text, resumed)
            content += text[resumed:position]
        if name:
            yield name, inside, content
        found = _TAG.search(text, position)
        if found is None:
            return
        if found.start() > position and text.startswith((_COMMENT, _CDATA), found.start()):
            position, name = found.start(), ""
        else:
            position = found.end()
            name, inside, content = found.groups()


def _behind(end: str, text: str, start: int) -> int:
    found = text.find(end, start)
    return len(text) if found < 0 else found + len(end)


def _next_tag(text: str, start: int) -> int:
    found = text.find("<", start)
    return len(text) if found < 0 else found


def attributes(inside: str) -> dict[str, str]:
    """The attributes of a tag, by their names with prefixes."""
    return {name: unescape(double or single) for name, double, single in _ATTRIBUTE.findall(inside)}


def unescape(text: str) -> str:
    """The text with XML's five entities and its numeric references replaced. A bare `&` stands for itself."""
    return _REFERENCE.sub(_character, text) if "&" in text else text


def _character(found: re.Match[str]) -> str:
    if found[3]:
        return _ENTITIES[found[3]]
    code = int(found[1]) if found[1] else int(found[2], 16)
    return chr(code) if code <= _MAX_CODE else found[0]
