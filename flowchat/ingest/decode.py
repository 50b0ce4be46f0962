"""Bytes of a page -> text, as browsers do it: by byte order mark, header, declaration in the page, else by its bytes.

HTML Standard, "Determining the character encoding"; see charsets.py for the names.
"""

import codecs
import re
from collections.abc import Iterator

from flowchat.ingest.charsets import UTF_8, UTF_16, WINDOWS_1252, codec_for, decode_as, guess_codec

PRESCAN_BYTES = 1024
LATE_PRESCAN_BYTES = 65_536  # of a page that is not UTF-8; browsers obey a late declaration too
RIGHT_PER_WRONG = 3  # characters beyond ASCII for each undecodable one, before an encoding is believed

_MARKS = ((codecs.BOM_UTF8, UTF_8), (codecs.BOM_UTF16_LE, UTF_16[0]), (codecs.BOM_UTF16_BE, UTF_16[1]))
_WIDE_XML = ((b"<\0?\0x\0", UTF_16[0]), (b"\0<\0?\0x", UTF_16[1]))
_XML = re.compile(rb"""<\?xml[^>]*?\sencoding\s*=\s*["']([^"'>]+)""")
_MARKUP = re.compile(rb"<!(?=--).*?(?:-->|\Z)|</?([a-z][^\s/>]*)|<[!/?][^>]*(?:>|\Z)", re.IGNORECASE | re.DOTALL)
_ATTRIBUTE = re.compile(
    rb"""[\s/]*([^\s/>][^\s/>=]*)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>"'][^\s>]*)))?""", re.DOTALL
)
_CHARSET = re.compile(rb"""charset\s*=\s*["']?([^\s;"']+)""", re.IGNORECASE)


def decode(body: bytes, charset: str | None) -> str:
    """The text of a body whose header names `charset`. Never fails: what can't be decoded becomes U+FFFD.

    An encoding under which much of the body can't be decoded is not believed. Neither is a declared windows-1252 (or
    Latin-1, which is read as that) for valid UTF-8: many servers declare it for whatever they serve.
    """
    for mark, codec in _MARKS:
        if body.startswith(mark):
            return decode_as(codec, body[len(mark) :])
    declared = codec_for(charset or "") or _declared_in(body[:PRESCAN_BYTES])
    if declared in (None, UTF_8, WINDOWS_1252):
        try:
            return body.decode()
        except UnicodeDecodeError:
            pass
    for codec in _candidates(body, declared):
        text = decode_as(codec, body)
        if _is_mostly_right(text):
            return text
    return decode_as(guess_codec(body), body)


def _candidates(body: bytes, declared: str | None) -> Iterator[str]:
    if declared:
        yield declared
    yield UTF_8
    late = _declared_in(body[:LATE_PRESCAN_BYTES])
    if late:
        yield late


def _is_mostly_right(text: str) -> bool:
    wrong = text.count("\ufffd")
    if not wrong:
        return True
    foreign = len(text) - len(text.encode("ascii", "ignore"))
    return foreign - wrong >= RIGHT_PER_WRONG * wrong


def _declared_in(head: bytes) -> str | None:
    """The encoding that a `<meta>` or an XML declaration names ("prescan a byte stream"). It can't be UTF-16."""
    for start, codec in _WIDE_XML:
        if head.startswith(start):
            return codec
    xml = _XML.match(head)
    for label in (*_meta_labels(head), xml[1] if xml else b""):
        codec_found = codec_for(label.decode("latin-1"))
        if codec_found:
            return UTF_8 if codec_found in UTF_16 else codec_found
    return None


def _meta_labels(head: bytes) -> Iterator[bytes]:
    position = 0
    while markup := _MARKUP.search(head, position):
        position = markup.end()
        attributes: dict[bytes, bytes] = {}
        while markup[1] and (attribute := _ATTRIBUTE.match(head, position)):
            position = attribute.end()
            attributes.setdefault(attribute[1].lower(), attribute[2] or attribute[3] or attribute[4] or b"")
        if (markup[1] or b"").lower() == b"meta":
            yield from _labels_of_meta(attributes)


def _labels_of_meta(attributes: dict[bytes, bytes]) -> Iterator[bytes]:
    if b"charset" in attributes:
        yield attributes[b"charset"]
    elif attributes.get(b"http-equiv", b"").lower() == b"content-type":
        named = _CHARSET.search(attributes.get(b"content", b""))
        if named:
            yield named[1]
