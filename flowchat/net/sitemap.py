"""Sitemaps as sitemaps.org describes them: XML or a list of lines, plain or gzip."""

import codecs
import contextlib
import io
import zlib
from dataclasses import dataclass
from itertools import islice
from xml.parsers import expat

from flowchat.net.urls import MAX_URL_CHARS, normalise

MAX_URLS = 50_000  # both limits of one file: sitemaps.org/protocol.html
MAX_BYTES = 50 * 1024 * 1024
_MAX_XML_DEPTH = 32
_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_WBITS = 31


@dataclass(frozen=True, slots=True)
class Sitemap:
    """What one sitemap names, normalised, without duplicates, in its order: pages, and further sitemaps."""

    pages: tuple[str, ...]
    nested: tuple[str, ...]


def parse_sitemap(body: bytes) -> Sitemap:
    """Read a sitemap (urlset or sitemapindex in any namespace, or one URL a line). Never raises.

    Stops at 50,000 URLs (or lines) or 50 MiB of text; of a damaged file, what comes before the damage counts. A file
    with a document type is ignored, so that no entity is ever expanded.
    """
    text = _decompressed(body)[:MAX_BYTES].removeprefix(codecs.BOM_UTF8).lstrip()
    is_xml = text.startswith((b"<", codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return _parse_xml(text) if is_xml else _parse_lines(text)


def _decompressed(body: bytes) -> bytes:
    if not body.startswith(_GZIP_MAGIC):
        return body
    try:
        return zlib.decompressobj(_GZIP_WBITS).decompress(body, MAX_BYTES)
    except zlib.error:
        return b""


def _parse_lines(text: bytes) -> Sitemap:
    lines = islice(io.BytesIO(text), MAX_URLS)
    urls = dict.fromkeys(normalise(line.decode("utf-8", "replace")) for line in lines)
    return Sitemap(tuple(url for url in urls if url), ())


def _parse_xml(text: bytes) -> Sitemap:
    reader = _XmlReader()
    with contextlib.suppress(_Stop, expat.ExpatError, ValueError, LookupError):  # the last two: unknown encodings
        reader.read(text)
    return Sitemap(tuple(reader.urls["url"]), tuple(reader.urls["sitemap"]))


class _Stop(Exception):
    """There is nothing more to be had from this file."""


class _XmlReader:
    """Collects the text of url/loc and sitemap/loc; `urls` maps those parents to ordered sets of URLs."""

    def __init__(self) -> None:
        self.urls: dict[str, dict[str, None]] = {"url": {}, "sitemap": {}}
        self._path: list[str] = []
        self._text = ""

    def read(self, text: bytes) -> None:
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.Parse(text, True)

    def _doctype(self, *_: object) -> None:
        raise _Stop

    def _start(self, name: str, _attributes: dict[str, str]) -> None:
        self._path.append(name.rpartition(" ")[2])
        self._text = ""
        if len(self._path) > _MAX_XML_DEPTH:
            raise _Stop

    def _characters(self, text: str) -> None:
        if self._path[-1] == "loc" and len(self._text) <= MAX_URL_CHARS:
            self._text += text

    def _end(self, _name: str) -> None:
        is_loc = self._path.pop() == "loc"
        if not is_loc or not self._path or self._path[-1] not in self.urls:
            return
        url = normalise(self._text)
        if url:
            self.urls[self._path[-1]][url] = None
        if sum(map(len, self.urls.values())) == MAX_URLS:
            raise _Stop
