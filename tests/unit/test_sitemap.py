"""Sitemaps: the forms that occur, and files that are damaged or made to hurt."""

import gzip
import random

import pytest

from flowchat.net.sitemap import MAX_BYTES, MAX_URLS, Sitemap, parse_sitemap

NS = "http://www.sitemaps.org/schemas/sitemap/0.9"
A, B = "https://x.test/a", "https://x.test/b?c=1&d=2"
URLSET = f"""<?xml version="1.0" encoding="UTF-8"?>
<urlset xmlns="{NS}" xmlns:image="http://www.google.com/schemas/sitemap-image/1.1">
  <url><loc> {A} </loc><lastmod>2024-01-01</lastmod>
    <image:image><image:loc>https://x.test/picture.png</image:loc></image:image></url>
  <url><loc><![CDATA[{B}]]></loc></url>
  <url><loc>https://x.test/b?c=1&amp;d=2#again</loc></url>
  <url><loc>mailto:nobody@x.test</loc></url>
</urlset>""".encode()
PAGES = (A, B)
LASTMOD = {A: "2024-01-01"}


@pytest.mark.parametrize(
    "body",
    [
        URLSET,
        gzip.compress(URLSET),
        b"\xef\xbb\xbf" + URLSET,
        b"\n  " + URLSET,
        b"<!-- made by hand: <url><loc>https://x.test/no</loc></url> -->\n" + URLSET,
        b"<br />\n<b>Warning</b>: Undefined variable in <b>/srv/sitemap.php</b><br />\n" + URLSET,
        b"Warning: Undefined variable\n" + URLSET,
        b"<!DOCTYPE urlset>" + URLSET,
        b"\xef\xbb\xbf\r\n" + URLSET,
        URLSET.decode().replace("UTF-8", "UTF-16").encode("utf-16"),
        URLSET.replace(NS.encode(), b"http://www.google.com/schemas/sitemap/0.84"),
        URLSET.replace(f'xmlns="{NS}" '.encode(), b""),
        URLSET.replace(b"xmlns=", b"xmlns:s=")
        .replace(b"<", b"<s:")
        .replace(b"<s:/", b"</s:")
        .replace(b"s:image:", b"i:"),
        URLSET.replace(b"<image:image>", b"").replace(b"</image:image>", b""),
        URLSET.replace(
            b"</url>\n  <url>", b"<xhtml:link rel='alternate' hreflang='de' href='https://x.test/de'/></url><url>"
        ),
        URLSET.replace(b"&amp;", b"&").replace(b"<![CDATA[", b"").replace(b"]]>", b""),
        URLSET.replace(b"&amp;", b"&#38;"),
        URLSET.replace(b"<urlset", b"<urlset\x00\x08"),
        URLSET.replace(b"</urlset>", b""),
        URLSET.decode().encode("utf-16-le"),
        URLSET.decode().encode("utf-16-be"),
        URLSET.replace(b"?c=1", b"?c=1\n"),
    ],
)
def test_pages(body: bytes) -> None:
    sitemap = parse_sitemap(body)
    assert (sitemap.pages, sitemap.nested) == (PAGES, ())
    assert sitemap.lastmod == LASTMOD


@pytest.mark.parametrize(
    "body",
    [
        f"{A}\n{B}\n".encode(),
        f"\ufeff{A}\r\n\r\n# a remark\r\n/relative\r\n{B}".encode(),
        f"{A}\r{B}".encode(),
        f"{A}\n{B}".encode("utf-16"),
        gzip.compress(f"{A}\n{B}\n".encode()),
    ],
)
def test_lines(body: bytes) -> None:
    assert parse_sitemap(body) == Sitemap(PAGES, ())


def test_index() -> None:
    body = f'<sitemapindex xmlns="{NS}"><sitemap><loc>{A}</loc></sitemap><sitemap><loc>{A}2</loc></sitemap>'.encode()
    assert parse_sitemap(body + b"</sitemapindex>") == Sitemap((), (A, A + "2"))


def test_addresses_relative_to_the_sitemap() -> None:
    body = b"<urlset><url><loc>/a</loc></url><url><loc>b</loc></url><url><loc>//y.test/c</loc></url></urlset>"
    assert parse_sitemap(body, "https://x.test/maps/1.xml").pages == (
        "https://x.test/a",
        "https://x.test/maps/b",
        "https://y.test/c",
    )
    assert parse_sitemap(body).pages == ()


def test_lastmod_of_nested_sitemaps_and_of_addresses_named_twice() -> None:
    body = f"""<sitemapindex><sitemap><loc>{A}</loc><lastmod> 2024-05-12T10:00Z </lastmod></sitemap>
    <sitemap><loc>{A}</loc></sitemap><sitemap><loc>not a URL</loc><lastmod>2024</lastmod></sitemap></sitemapindex>"""
    assert parse_sitemap(body.encode()) == Sitemap((), (A,), {A: "2024-05-12T10:00Z"})


def test_of_a_damaged_file_what_can_be_made_out_counts() -> None:
    assert parse_sitemap(URLSET[: URLSET.index(b"<![CDATA")]).pages == (A,)
    assert parse_sitemap(URLSET.replace(b"<lastmod>", b"<last<mod>&nbsp;&", 1)).pages == PAGES
    assert parse_sitemap(URLSET.replace(b"</loc>", b"", 1)).pages == PAGES
    assert parse_sitemap(URLSET.replace(b"</url>", b"")).pages == PAGES
    assert parse_sitemap(gzip.compress(URLSET)[:-12]).pages[:1] == (A,)


@pytest.mark.parametrize(
    "declaration",
    [
        f'<!DOCTYPE urlset [<!ENTITY e "{A}">]>',
        '<!DOCTYPE urlset [<!ENTITY e SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE urlset [<!ENTITY a "ha"><!ENTITY e "&a;&a;&a;&a;&a;&a;&a;&a;">]>',
        '<!DOCTYPE urlset [<!ENTITY % p SYSTEM "http://127.0.0.1/evil.dtd"> %p;]>',
    ],
)
def test_a_file_with_entities_of_its_own_is_ignored(declaration: str) -> None:
    body = f"<?xml version='1.0'?>{declaration}<urlset><url><loc>{A}?&e;</loc></url></urlset>"
    assert parse_sitemap(body.encode()) == Sitemap((), ())


def test_no_document_type_is_read() -> None:
    body = f'<!DOCTYPE urlset SYSTEM "http://127.0.0.1/evil.dtd"><urlset><url><loc>{A}?e;</loc></url></urlset>'
    assert parse_sitemap(body.encode()).pages == (A + "?e;",)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\n",
        b"<",
        b"<urlset/>",
        b"</url>",
        b"<loc>https://x.test/</loc>",
        b"<!DOCTYPE html><html><body><a href='https://x.test/'>x</a></body></html>",
        b"<?xml version='1.0' encoding='no-such-encoding'?><urlset/>",
        b"<?xml version='1.0' encoding='utf-8'?><urlset>\xff\xfe</urlset>",
        b"\xff\xfe",
        b"\x1f\x8b",
        b"\x1f\x8b\x08\x00 not gzip",
        b"%PDF-1.7 \x00\x01",
        b"<urlset><image:image><image:loc>https://x.test/</image:loc></image:image></urlset>",
        b"<urlset><url><!-- <loc>https://x.test/</loc> --></url></urlset>",
        b"<urlset><url><loc>https://x.test/&#1114112;&#xd800;:</loc></url>".replace(b"https", b"mailto"),
        b"<a>" * 200_000,
        b"<" * 200_000,
        b"<a b='" * 200_000,
        b"<!--" * 200_000,
        b"<![CDATA[" * 200_000,
        gzip.compress(gzip.compress(URLSET)),
        b"<urlset><url><loc>" + b"https://x.test/a" * 100_000,
        b"\n" * 200_000,
    ],
)
def test_junk_is_empty(body: bytes) -> None:
    assert parse_sitemap(body) == Sitemap((), ())


def test_random_damage_never_raises() -> None:
    dice = random.Random(9309)
    for body in (URLSET, gzip.compress(URLSET, mtime=0)) * 500:
        damaged = bytearray(body)
        for _ in range(dice.randint(1, 20)):
            damaged[dice.randrange(len(damaged))] = dice.randrange(256)
        parse_sitemap(bytes(damaged))


def test_number_of_urls_is_capped() -> None:
    lines = [f"https://x.test/{n}" for n in range(MAX_URLS + 10)]
    xml = "<urlset>" + "".join(f"<url><loc>{line}</loc></url>" for line in lines) + "</urlset>"
    assert len(parse_sitemap("\n".join(lines).encode()).pages) == MAX_URLS
    assert len(parse_sitemap(xml.encode()).pages) == MAX_URLS


def test_decompressed_size_is_capped() -> None:
    tail = b"</urlset>" + b" " * (MAX_BYTES + 1)
    bomb = gzip.compress(b"<urlset>" + b" " * MAX_BYTES + f"<url><loc>{A}</loc></url></urlset>".encode(), 1)
    assert parse_sitemap(bomb) == Sitemap((), ())
    assert parse_sitemap(gzip.compress(f"<urlset><url><loc>{A}</loc></url>".encode() + tail, 1)).pages == (A,)
