"""Websites that try to exhaust whoever crawls them."""

import asyncio
import itertools
import zlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeAlias

import brotli
import zstandard

from flowchat.evaluation.local_site import NOT_FOUND, Respond, Response, page

DRIP_TIMEOUT_S = 2.0
_BLOCK_BYTES = 10_000_000
_PAGE_BYTES = 9_900_000  # just below FLOWCHAT_CRAWL_MAX_BYTES: such a page is read
_TEXT = "This is a good page of a site that is a bomb. It says what nothing else on the site says. "
_DATES = "".join(f"<td>{day}</td>" for day in range(1, 29))

Answer: TypeAlias = Response | Callable[[Mapping[str, str]], Response]


@dataclass(frozen=True, slots=True)
class Bomb:
    """`ends`: the status of the job. `settings` are those of whoever crawls the site, `max_s` is what it may take."""

    name: str
    respond: Respond
    ends: str = "succeeded"
    settings: dict[str, Any] = field(default_factory=dict)
    max_s: float = 60.0


def _site(answers: Mapping[str, Answer], otherwise: Callable[[str], Response] = lambda path: NOT_FOUND) -> Respond:
    """By paths; unless given, the start is a good page that links to all of them."""
    links = "".join(f'<p><a href="{path}">{path}</a></p>' for path in answers)
    whole = {"/": page("Home", f"<h1>Home</h1><p>{_TEXT}</p>{links}"), **answers}

    def respond(path: str, headers: Mapping[str, str]) -> Response:
        answer = whole.get(path)
        if answer is None:
            return NOT_FOUND if path in ("/robots.txt", "/sitemap.xml", "/llms.txt") else otherwise(path)
        return answer if isinstance(answer, Response) else answer(headers)

    return respond


def _html(body: bytes, **headers: str) -> Response:
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(body, headers={"content-type": "text/html; charset=utf-8"} | headers)


def _repeated(piece: bytes, size: int) -> bytes:
    return piece * (size // len(piece))


@cache
def gzip_of(piece: bytes, blocks: int) -> bytes:
    """Ten megabytes of a piece, as often as asked for. After a full flush each block is compressed as the first."""
    block = _repeated(piece, _BLOCK_BYTES)
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    first, other = (packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    return first + other * (blocks - 1)


@cache
def brotli_of(blocks: int) -> bytes:
    packer = brotli.Compressor(quality=5)
    first, other = (packer.process(b" " * _BLOCK_BYTES) + packer.flush() for _ in range(2))
    return bytes(first + other * (blocks - 1))


@cache
def zstd_of(blocks: int) -> bytes:
    """Frame after frame."""
    return zstandard.ZstdCompressor().compress(b" " * _BLOCK_BYTES) * blocks


async def _pieces(piece: bytes, count: int, pause_s: float = 0.0) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield piece
        await asyncio.sleep(pause_s)


def _sitemaps(*names: str) -> Callable[[Mapping[str, str]], Response]:
    """A robots.txt that names them."""

    def robots(headers: Mapping[str, str]) -> Response:
        lines = "".join(f"Sitemap: http://{headers['host']}{name}\n" for name in names)
        return Response(lines.encode(), headers={"content-type": "text/plain"})

    return robots


def _sitemap_index(path: str) -> Response:
    """Ten more of them in each."""
    names = "".join(f"<sitemap><loc>{path.removesuffix('.xml')}-{n}.xml</loc></sitemap>" for n in range(10))
    return Response(f"<sitemapindex>{names}</sitemapindex>".encode(), headers={"content-type": "application/xml"})


def _laughs(around: str) -> Response:
    """A billion of them: each entity is ten of the one before."""
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    xml = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l0 "lol">{entities}]>{around.replace("X", "&l9;")}'
    return Response(xml.encode(), headers={"content-type": "application/xml"})


def _next_number(path: str) -> int:
    return int("".join(filter(str.isdigit, path)) or 0) + 1


def _redirect(path: str) -> Response:
    return Response(status=302, headers={"location": f"/hop/{_next_number(path)}"})


def _refresh(path: str) -> Response:
    head = f'<meta http-equiv="refresh" content="0; url=/hop/{_next_number(path)}">'
    return page("Moved", f"<p>The page {path} has moved on.</p>", head)


def _canonical(path: str) -> Response:
    head = f'<link rel="canonical" href="/hop/{_next_number(path)}">'
    return page("Other", f"<p>The page {path} is a copy of the next one.</p>", head)


def _calendar(path: str) -> Response:
    """Months without events, before and after each other, and their days."""
    month = int("".join(filter(str.isdigit, path.partition("day")[0])) or 24_000)
    days = "".join(f'<td><a href="/calendar/{month}/day/{day}">{day}</a></td>' for day in range(1, 29))
    links = f'<a href="/calendar/{month - 1}">before</a> <a href="/calendar/{month + 1}">after</a>'
    text = f"<h1>{path}</h1><p>No events take place in {month % 12 + 1} {month // 12}.</p>"
    return page(f"Calendar {path}", f"{text}{links}<table><tr>{days}</tr></table>")


def _facets(path: str) -> Response:
    """A shop's products, filtered by each value of each property, on top of the filters that are set."""
    names = [f"{name}={value}" for name in "abcde" for value in range(8)]
    present = path.partition("?")[2]
    links = "".join(f'<li><a href="/shop?{present}&{one}">{one}</a></li>' for one in names)
    items = "".join(
        f"<li>Product {n} costs {n * 7} crowns and is blue</li>" for n in range(zlib.crc32(path.encode()) % 9)
    )
    return page("Shop", f"<h1>Shop</h1><ul>{items}</ul><nav>{links}</nav>")


def _sessions(numbers: "itertools.count[int]") -> Callable[[str], Response]:
    """Twenty pages, at an address of its own for each link to them."""

    def respond(path: str) -> Response:
        links = "".join(
            f'<p><a href="/{zlib.crc32(b"%d" % next(numbers)):08x}/page-{n}">{n}</a></p>' for n in range(20)
        )
        number = path.rpartition("-")[2]
        return page(f"Page {number}", f"<h1>Page {number}</h1><p>What page {number} says stays the same.</p>{links}")

    return respond


def _growing(path: str) -> Response:
    return page(path, f"<h1>{path}</h1><p>A page with the address {path}.</p><a href=a/>a</a> <a href=b/>b</a>")


def _soft_404(path: str) -> Response:
    return page(
        "Oh no",
        f"<p>We could not find this page, but you may like another.</p><a href=/{zlib.crc32(path.encode()):x}z>it</a>",
    )


def _deep(opening: bytes, closing: bytes = b"") -> Response:
    return _html(_repeated(opening, _PAGE_BYTES - len(closing)) + closing)


def _million_links() -> Response:
    return _html(
        b"<main><h1>Links</h1><p>A page of links.</p>" + b"".join(b"<a href=%x>x</a>" % n for n in range(1_000_000))
    )


def _million_cells() -> Response:
    row = b"<tr>" + b"<td>cell" * 20
    return _html(b"<main><h1>Table</h1><table>" + row * 50_000 + b"</table></main>")


def _link_to_feed(headers: Mapping[str, str]) -> Response:
    return page("Home", f"<p>{_TEXT}</p>", '<link rel="alternate" type="application/rss+xml" href="/feed.xml">')


_ENDLESS = {"crawl_max_pages": 500}
_BUSY = Response(status=429, headers={"retry-after": "0"})
_BUSY_S = 400.0  # it is asked ever more slowly, until the crawl gives up
_SLOW = {"crawl_timeout_s": DRIP_TIMEOUT_S}

BOMBS = (
    Bomb("gzip page, 10 MB to 10 GB", _site({"/bomb": lambda _: _html(gzip_of(b" ", 1000), content_encoding="gzip")})),
    Bomb("gzip start page", _site({"/": lambda _: _html(gzip_of(b" ", 1000), content_encoding="gzip")}), "failed"),
    Bomb("br page, 10 GB", _site({"/bomb": lambda _: _html(brotli_of(1000), content_encoding="br")})),
    Bomb("zstd page, 10 GB", _site({"/bomb": lambda _: _html(zstd_of(1000), content_encoding="zstd")})),
    Bomb("page without end", _site({"/bomb": lambda _: Response(_pieces(b"<p>more</p>" * 1000, 1_000_000))})),
    Bomb("sitemap indexes without end", _site({"/robots.txt": _sitemaps("/sitemap-0.xml")}, _sitemap_index)),
    Bomb(
        "sitemaps in gzip, 10 MB to 4-10 GB",
        _site(
            {
                "/robots.txt": _sitemaps("/spaces.gz", "/xml.gz", "/lines.gz"),
                "/spaces.gz": lambda _: Response(gzip_of(b" ", 1000)),
                "/xml.gz": lambda _: Response(gzip_of("<url><loc>/\U0001f36f</loc></url>".encode(), 400)),
                "/lines.gz": lambda _: Response(gzip_of("http://other.test/\U0001f36f\n".encode(), 400)),
            }
        ),
    ),
    Bomb(
        "billion laughs in the sitemap", _site({"/sitemap.xml": _laughs("<urlset><url><loc>/X</loc></url></urlset>")})
    ),
    Bomb(
        "billion laughs in a feed",
        _site({"/": _link_to_feed, "/feed.xml": _laughs("<rss><channel><item><link>/X</link></item></channel></rss>")}),
    ),
    Bomb("redirects, each to a new address", _site({"/hop/1": _redirect("/hop/1")}, _redirect)),
    Bomb("redirects in a circle", _site({"/": Response(status=302, headers={"location": "/"})}), "failed"),
    Bomb("refreshes without end", _site({"/hop/1": _refresh("/hop/1")}, _refresh), settings=_ENDLESS),
    Bomb("canonical pages without end", _site({"/hop/1": _canonical("/hop/1")}, _canonical), settings=_ENDLESS),
    Bomb(
        "page with a million links",
        _site({"/links/": lambda _: _million_links()}),
        settings=_ENDLESS | {"crawl_max_bytes": 20_000_000},
    ),
    Bomb("10 MB of nested <div>", _site({"/deep": _deep(b"<div>", b"deep")})),
    Bomb("10 MB of nested <b>", _site({"/deep": _deep(b"<b>x", b"deep")})),
    Bomb("10 MB of nested <p><font>", _site({"/deep": _deep(b"<p><font size=1>x")})),
    Bomb("10 MB of nested tables", _site({"/deep": _deep(b"<table><tr><td>x")})),
    Bomb("10 MB of nested lists", _site({"/deep": _deep(b"<ul><li>x")})),
    Bomb("10 MB of one word", _site({"/word": _html(b"<main><p>" + b"a" * _PAGE_BYTES)})),
    Bomb("10 MB of plain text without spaces", _site({"/word.txt": Response(b"ab" * 4_900_000)})),
    Bomb("10 MB of one-letter words", _site({"/words": _html(b"<main><p>" + b"a " * (_PAGE_BYTES // 2))})),
    Bomb("million table cells", _site({"/table": lambda _: _million_cells()})),
    Bomb(
        "robots.txt of 100 MB",
        _site({"/robots.txt": lambda _: Response(_pieces(b"Disallow: /x\n" * 80_000, 100))}),
        "failed",
    ),
    Bomb("page of a byte a second", _site({"/drip": lambda _: Response(_pieces(b"x", 10_000, 1.0))}), settings=_SLOW),
    Bomb(
        "calendar without end", _site({"/calendar/24000": _calendar("/calendar/24000")}, _calendar), settings=_ENDLESS
    ),
    Bomb("filters without end", _site({"/shop": _facets("/shop")}, _facets), settings=_ENDLESS),
    Bomb(
        "session ids in paths",
        _site({"/0/page-0": page("0", "<a href=/1/page-1>1</a>")}, _sessions(itertools.count())),
        settings=_ENDLESS,
    ),
    Bomb("paths that grow", _site({"/a/": _growing("/a/"), "/b/": _growing("/b/")}, _growing), settings=_ENDLESS),
    Bomb("every address a page", _site({"/x": _soft_404("/x")}, _soft_404), settings=_ENDLESS),
    Bomb("429 for everything", lambda path, headers: _BUSY, "failed", max_s=_BUSY_S),
    Bomb("429 for all but the start", _site({f"/busy{n}": _BUSY for n in range(500)}), "failed", max_s=_BUSY_S),
)
