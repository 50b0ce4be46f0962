"""Feeds: RSS (0.9x, 1.0, 2.0), Atom (RFC 4287) and JSON Feed (jsonfeed.org)."""

import json
from collections.abc import Iterator
from itertools import islice

from flowchat.net.markup import attributes, declares_entities, decode_markup, tags, unescape
from flowchat.net.urls import MAX_URL_CHARS, normalise, resolve

MAX_LINKS = 1_000
_MAX_LINK_CHARS = 10 * MAX_URL_CHARS  # each character may be a reference


def parse_feed(body: bytes, base: str) -> tuple[str, ...]:
    """The pages that a feed's entries link to, normalised, without duplicates, in its order. Never raises.

    `base` is the feed's own address. Stops at 1,000 links. A feed that declares entities is ignored.
    """
    text = decode_markup(body).lstrip("\ufeff \t\r\n")
    urls = _json_urls(text, base) if text.startswith("{") else _xml_urls(text, base)
    return tuple(url for url in dict.fromkeys(islice(urls, MAX_LINKS)) if url)


def _json_urls(text: str, base: str) -> Iterator[str | None]:
    try:
        items = json.loads(text).get("items")
    except (ValueError, RecursionError):
        return
    for item in items if isinstance(items, list) else ():
        url = item.get("url") if isinstance(item, dict) else None
        if isinstance(url, str):
            yield normalise(url, base)


def _xml_urls(text: str, base: str) -> Iterator[str | None]:
    """Of an RSS item its link, else its guid; of an Atom entry its links to itself, by the feed's `xml:base`.

    What an entry quotes as its `source` has links of its own.
    """
    entry = guid = ""
    has_link = in_source = False
    for tag, inside, content in tags("" if declares_entities(text) else text):
        name = tag.rpartition(":")[2]
        if tag == f"/{entry}":
            if guid and not has_link:
                yield normalise(guid)
            entry = ""
        elif name == "feed":
            base = resolve(attributes(inside).get("xml:base", ""), base) or base
        elif name in ("item", "entry"):
            entry, guid, has_link, in_source = tag, "", False, False
        elif not entry or len(inside) + len(content) > _MAX_LINK_CHARS:
            continue
        elif name in ("source", "/source"):
            in_source = name == "source" and not inside.endswith("/")
        elif name == "link" and not in_source and (link := _own_link(inside, content)):
            has_link = True
            yield normalise(link, base)
        elif name == "guid" and content.strip().startswith("http"):
            guid = unescape(content)


def _own_link(inside: str, content: str) -> str:
    """RSS writes the address between the tags, Atom into an attribute."""
    found = attributes(inside)
    if "href" not in found:
        return unescape(content).strip()
    return found["href"] if found.get("rel", "alternate") == "alternate" else ""
