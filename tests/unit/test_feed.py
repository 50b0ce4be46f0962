"""Feeds: RSS in its versions, Atom, JSON Feed, and what is no feed."""

import json

import pytest

from flowchat.net.feed import MAX_LINKS, parse_feed

BASE = "https://x.test/blog/feed.xml"
A, B = "https://x.test/a", "https://x.test/b?c=1&d=2"

RSS_2 = f"""<?xml version="1.0"?>
<rss version="2.0" xmlns:atom="http://www.w3.org/2005/Atom"><channel>
  <title>X</title><link>https://x.test/</link><atom:link href="{BASE}" rel="self"/>
  <image><link>https://x.test/picture</link></image>
  <item><title>A</title><link> {A} </link><guid isPermaLink="false">1</guid><source url="https://y.test/">Y</source>
    <description><![CDATA[<p><link>https://x.test/no</link></item></p>]]></description></item>
  <item><guid>https://x.test/b?c=1&amp;d=2#comments</guid></item>
  <item><guid isPermaLink="false">tag:x.test,2024:3</guid></item>
</channel></rss>"""
RSS_091 = f"""<!DOCTYPE rss PUBLIC "-//Netscape Communications//DTD RSS 0.91//EN" "http://my.netscape.com/rss-0.91.dtd">
<rss version="0.91"><channel><link>https://x.test/</link>
<item><link>{A}</link></item><item><link><![CDATA[{B}]]></link></item></channel></rss>"""
RSS_1 = f"""<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/">
<channel rdf:about="https://x.test/"><link>https://x.test/</link></channel>
<item rdf:about="{A}"><link>{A}</link></item><item><link>/b?c=1&d=2</link></item></rdf:RDF>"""
ATOM = f"""<feed xmlns="http://www.w3.org/2005/Atom"><link href="https://x.test/"/><link rel="self" href="{BASE}"/>
  <entry><title type="html">a > b</title><link title="a > b" href='/a'/><link rel="replies" href="/a/comments"/>
    <source><link href="https://y.test/"/></source></entry>
  <entry><link rel="edit" href="/edit"/><link rel="alternate" type="text/html" href="{B}"/></entry>
</feed>"""
ATOM_WITH_PREFIX = ATOM.replace("<", "<a:").replace("<a:/", "</a:").replace("xmlns=", "xmlns:a=")
ITEMS = [{"id": "1", "url": "/a"}, {"id": "2"}, {"url": B}]
JSON_FEED = json.dumps({"version": "https://jsonfeed.org/version/1.1", "items": ITEMS})


@pytest.mark.parametrize(
    "feed",
    [
        RSS_2.encode(),
        b"\xef\xbb\xbf\n" + RSS_2.encode(),
        RSS_2.encode("utf-16"),
        RSS_091.encode(),
        RSS_1.encode(),
        ATOM.encode(),
        ATOM_WITH_PREFIX.encode(),
        JSON_FEED.encode(),
        b"\xef\xbb\xbf " + JSON_FEED.encode(),
    ],
)
def test_entries(feed: bytes) -> None:
    assert parse_feed(feed, BASE) == (A, B)


def test_addresses_relative_to_xml_base() -> None:
    feed = b'<feed xml:base="/posts/"><entry><link href="one"/></entry></feed>'
    assert parse_feed(feed, BASE) == ("https://x.test/posts/one",)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not a feed",
        b"<html><head><link rel='alternate' href='/feed'></head></html>",
        b"<item>",
        b"<item><link>mailto:a@x.test</link></item>",
        b"{}",
        b"{",
        b'{"items": 5}',
        b'{"items": [1, null, {"url": 2}, {}]}',
        b'{"items":' * 100_000,
        b"<entry>" * 100_000,
        b"<entry><link href='" + b"a" * 5_000_000,
        b"<feed " + b"a" * 5_000_000 + b">",
        b"<feed " + b"a " * 1_000_000 + b">",
        b"<feed a" + b" " * 1_000_000 + b">",
        b'<!DOCTYPE rss [<!ENTITY e "https://x.test/">]><rss><item><link>&e;</link></item></rss>',
    ],
)
def test_nothing_to_be_had(body: bytes) -> None:
    assert parse_feed(body, BASE) == ()


def test_number_of_links_is_capped() -> None:
    feed = "<rss>" + "".join(f"<item><link>https://x.test/{n}</link></item>" for n in range(MAX_LINKS + 10))
    assert len(parse_feed(feed.encode(), BASE)) == MAX_LINKS
