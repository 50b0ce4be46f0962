"""Sitemaps as sitemaps.org describes them: XML or a list of lines, plain or gzip."""

import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice

from flowchat.net.markup import declares_entities, decode_markup, tags, unescape
from flowchat.net.urls import MAX_URL_CHARS, normalise

MAX_URLS = 50_000  # both limits of one file: sitemaps.org/protocol.html
MAX_BYTES = 50 * 1024 * 1024
_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_WBITS = 31
_LINE = re.compile(r"[^\r\n]+")
_START_OF_XML = re.compile(r"\s*+<")
_MAX_LOC_CHARS = 10 * MAX_URL_CHARS  # each character may be a reference
_MAX_LASTMOD_CHARS = 40  # a date and time with a zone has 35


@dataclass(frozen=True, slots=True)
class Sitemap:
    """What one sitemap names, normalised, without duplicates, in its order: pages, and further sitemaps.

    `lastmod` says when some of those changed: a date or time by W3C's profile of ISO 8601, as the file writes it.
    """

    pages: tuple[str, ...]
    nested: tuple[str, ...]
    lastmod: Mapping[str, str] = field(default_factory=dict)


def parse_sitemap(body: bytes, base: str = "") -> Sitemap:
    """Read a sitemap (urlset or sitemapindex in any namespace, or one absolute URL a line). Never raises.

    `base` is its own address, to which XML may name others relatively. Stops at 50,000 URLs (or lines) or 50 MiB of
    text; of a damaged file, all that can be made out counts. One that declares entities is ignored.
    """
    text = decode_markup(_decompressed(body)[:MAX_BYTES])
    is_xml = _START_OF_XML.match(text) is not None or "loc>" in text  # a server's warning may stand before it
    return _parse_xml(text, base) if is_xml else _parse_lines(text)


def _decompressed(body: bytes) -> bytes:
    """One layer: a bomb inside another is no sitemap."""
    if not body.startswith(_GZIP_MAGIC):
        return body
    try:
        return zlib.decompressobj(_GZIP_WBITS).decompress(body, MAX_BYTES)
    except zlib.error:
        return b""


def _parse_lines(text: str) -> Sitemap:
    lines = islice(_LINE.finditer(text), MAX_URLS)
    urls = dict.fromkeys(normalise(line[0]) for line in lines if line.end() - line.start() <= _MAX_LOC_CHARS)
    return Sitemap(tuple(url for url in urls if url), ())


def _parse_xml(text: str, base: str) -> Sitemap:
    """Entries are `url` or `sitemap`. Their `loc` has the same prefix; an image's or a video's has another."""
    found: dict[str, dict[str, str]] = {"url": {}, "sitemap": {}}
    prefix = entry = ""
    url: str | None = None
    for tag, _, content in tags("" if declares_entities(text) else text):
        local_name = tag.rpartition(":")[2]
        if local_name in found:
            prefix, entry, url = tag[: -len(local_name)], local_name, None
        elif not entry:
            continue
        elif tag == prefix + "loc":
            url = normalise(unescape(content), base or None) if len(content) <= _MAX_LOC_CHARS else None
            if url:
                found[entry].setdefault(url, "")
        elif tag == prefix + "lastmod" and url:
            found[entry][url] = content.strip()[:_MAX_LASTMOD_CHARS]
        elif tag == f"/{prefix}{entry}":
            entry = ""
            if len(found["url"]) + len(found["sitemap"]) >= MAX_URLS:
                break
    lastmod = {url: moment for entries in found.values() for url, moment in entries.items() if moment}
    return Sitemap(tuple(found["url"]), tuple(found["sitemap"]), lastmod)
