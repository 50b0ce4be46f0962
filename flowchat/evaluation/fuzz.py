"""Malformed robots files, sitemaps, feeds, llms.txt, pages and URLs: nothing that a site sends may raise.

Each case is made of a real file or a typical one by a random number generator of its own, so that the seed and the
number of a case are enough to have it again.
"""

import base64
import gzip
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from flowchat.errors import FlowChatError
from flowchat.evaluation.corpora import read_corpus
from flowchat.evaluation.mutations import mutated
from flowchat.evaluation.report import Measure, Options, Report
from flowchat.evaluation.robots import CORPUS as ROBOTS
from flowchat.evaluation.urls import CORPUS as URLS
from flowchat.ingest.decode import decode
from flowchat.ingest.extract import extract_html
from flowchat.net.feed import parse_feed
from flowchat.net.llms_txt import parse_llms_txt
from flowchat.net.robots import RobotsRules, header_directives, page_directives
from flowchat.net.sitemap import parse_sitemap
from flowchat.net.urls import is_trap, matches, normalise, shape

SEED = 9309
PAGES = "extraction/wcxb_dev"
_MAX_PAGES = 60
_MAX_PAGE_BYTES = 8_000  # of a page, so that 100,000 cases take minutes
_MAX_SHOWN = 5
_BASE = "https://x.test/docs/a.html?page=2"
_CHARSETS = (None, "utf-8", "utf-16", "windows-1252", "shift_jis", "x-user-defined", "idna", "\0")
_STATUSES = (None, 200, 200, 200, 204, 301, 404, 500)

_SITEMAP = """<?xml version="1.0" encoding="UTF-8"?>
<!-- made by hand --><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" xmlns:xhtml="http://www.w3.org/1999/xhtml"
  xmlns:image="http://www.google.com/schemas/sitemap-image/1.1">
  <url><loc>https://x.test/a?b=1&amp;c=2</loc><lastmod>2024-05-12T10:00:00+02:00</lastmod><priority>0.5</priority>
    <xhtml:link rel="alternate" hreflang="de" href="https://x.test/de/a"/>
    <image:image><image:loc>https://x.test/a.png</image:loc></image:image></url>
  <url><loc><![CDATA[https://x.test/b]]></loc><lastmod>2024-05-12</lastmod></url>
</urlset>"""
_SITEMAP_INDEX = """<sitemapindex xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">
  <sitemap><loc>https://x.test/1.xml.gz</loc><lastmod>2024-05-12</lastmod></sitemap>
  <sitemap><loc>/2.xml</loc></sitemap></sitemapindex>"""
_RSS = """<?xml version="1.0"?><rss version="2.0" xmlns:atom="http://www.w3.org/2005/Atom"><channel>
  <title>X &#8211; Y</title>
  <link>https://x.test/</link><atom:link href="https://x.test/feed" rel="self"/><item><title>a</title>
  <link>https://x.test/a</link><guid isPermaLink="false">1</guid><description><![CDATA[<p>A <a href="/b">b</a></p>]]>
  </description></item><item><guid>https://x.test/b?c=1&amp;d=2</guid></item></channel></rss>"""
_RDF = """<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/">
  <channel rdf:about="https://x.test/"><link>https://x.test/</link></channel>
  <item rdf:about="https://x.test/a"><title>a</title><link>https://x.test/a</link></item></rdf:RDF>"""
_ATOM = """<feed xmlns="http://www.w3.org/2005/Atom" xml:base="/blog/"><link rel="self" href="feed"/><entry>
  <title type="html">a &lt;b></title><link href="a" title="a > b"/>
  <source><link href="https://y.test/"/></source></entry>
  <entry><link rel="alternate" type="text/html" href="https://x.test/b"/></entry></feed>"""
_JSON_FEED = '{"version": "https://jsonfeed.org/version/1.1", "items": [{"id": "1", "url": "/a"}, {"id": "2"}]}'
_LLMS_TXT = """# X
> The documentation of X.

## Docs
- [Quick start](https://x.test/start.md): begin here
- [A [nested] name](</a b.md> "title"), ![image](/i.png), [w](https://en.x.test/a_(b))

## Optional
- [More](../more)
"""


@dataclass(frozen=True, slots=True)
class _Target:
    """A parser, and what its input is made of."""

    name: str
    read: Callable[[Random, bytes], object]
    samples: Sequence[bytes]


@dataclass(slots=True)
class _Tally:
    cases: int = 0
    taken_s: float = 0.0
    slowest_s: float = 0.0
    slowest: int = 0

    def add(self, number: int, taken_s: float) -> None:
        self.cases += 1
        self.taken_s += taken_s
        if taken_s > self.slowest_s:
            self.slowest_s, self.slowest = taken_s, number


def run(options: Options) -> Report:
    """As many cases as asked for, shared out among the parsers."""
    targets = _targets(options.data)
    everything = [sample for target in targets for sample in target.samples]
    tallies = {target.name: _Tally() for target in targets}
    raised: list[str] = []
    for number in range(options.cases):
        target = targets[number % len(targets)]
        error, taken_s = _try(target, number, everything)
        tallies[target.name].add(number, taken_s)
        if error is not None:
            raised.append(f"case {number}, {target.name}: {type(error).__name__}: {str(error)[:200]}")
    return _report(options.cases, tallies, raised)


def _try(target: _Target, number: int, everything: Sequence[bytes]) -> tuple[Exception | None, float]:
    """What the parser raised, if anything, and how long it took, in seconds."""
    dice = Random(f"{SEED}:{number}")  # noqa: S311 (chance, no secret)
    body = mutated(dice, _cut(dice, dice.choice(target.samples)), everything)
    started = time.perf_counter()
    try:
        target.read(dice, body)
    except Exception as error:  # whatever it is, it is what this looks for
        return error, time.perf_counter() - started
    return None, time.perf_counter() - started


def _cut(dice: Random, sample: bytes) -> bytes:
    """A piece of a long page, as often as not its beginning."""
    start = dice.choice((0, dice.randint(0, max(0, len(sample) - _MAX_PAGE_BYTES))))
    return sample[start : start + _MAX_PAGE_BYTES]


def _report(cases: int, tallies: Mapping[str, _Tally], raised: Sequence[str]) -> Report:
    taken_s = sum(tally.taken_s for tally in tallies.values())
    shares = (
        f"{name}: {tally.cases} cases, {tally.taken_s / max(1, tally.cases) * 1e3:.2f} ms each, "
        f"the slowest {tally.slowest_s * 1e3:.0f} ms (case {tally.slowest})"
        for name, tally in tallies.items()
    )
    more = (f"and {len(raised) - _MAX_SHOWN} more",) if len(raised) > _MAX_SHOWN else ()
    return Report(
        "Malformed input",
        (
            Measure("cases", cases),
            Measure("exceptions", len(raised), "0", not raised),
            Measure("slowest case, ms", max(tally.slowest_s for tally in tallies.values()) * 1e3),
            Measure("cases per second", cases / taken_s if taken_s else 0.0),
        ),
        (f"seed {SEED}", *shares, *raised[:_MAX_SHOWN], *more),
    )


def _targets(data: Path) -> tuple[_Target, ...]:
    robots = [json.loads(line)["robots_txt_base64"] for line in read_corpus(data, ROBOTS).splitlines()]
    urls = [case["input"] for case in json.loads(read_corpus(data, URLS)) if isinstance(case, dict)]
    return (
        _Target("robots.txt", _read_robots, [base64.b64decode(text) for text in dict.fromkeys(robots)]),
        _Target("sitemap", _read_sitemap, [_SITEMAP.encode(), _SITEMAP_INDEX.encode(), b"https://x.test/a\r\n" * 5]),
        _Target("feed", _read_feed, [text.encode() for text in (_RSS, _RDF, _ATOM, _JSON_FEED)]),
        _Target("llms.txt", _read_llms_txt, [_LLMS_TXT.encode()]),
        _Target("page", _read_page, _pages(data)),
        _Target("URL", _read_url, [url.encode("utf-8", "surrogatepass") for url in urls]),
    )


def _pages(data: Path) -> list[bytes]:
    paths = sorted((data / PAGES).glob("*.html.gz"))
    if not paths:
        raise FlowChatError("no_test_data", f"No pages in {data / PAGES}: FLOWCHAT_TEST_DATA names the test data.")
    return [gzip.decompress(path.read_bytes()) for path in paths[:: max(1, len(paths) // _MAX_PAGES)]]


def _read_robots(dice: Random, body: bytes) -> object:
    rules = RobotsRules.parse(dice.choice(_STATUSES), body, dice.choice(("FlowChatBot", "", "*", "foo bar")))
    text = body[:1000].decode("latin-1")
    page_directives(text), header_directives(text)
    return rules.allowed(_BASE), rules.allowed(_text(body[:200])), rules.crawl_delay_s, rules.sitemaps


def _read_sitemap(dice: Random, body: bytes) -> object:
    return parse_sitemap(body, dice.choice(("", _BASE, "not a URL")))


def _read_feed(_dice: Random, body: bytes) -> object:
    return parse_feed(body, _BASE)


def _read_llms_txt(_dice: Random, body: bytes) -> object:
    return parse_llms_txt(_text(body), _BASE)


def _read_page(dice: Random, body: bytes) -> object:
    return extract_html(decode(body, dice.choice(_CHARSETS)))


def _read_url(dice: Random, body: bytes) -> object:
    """A normalised URL must stay as it is, too: a crawl knows pages by it."""
    url = normalise(_text(body), dice.choice((None, _BASE)))
    if url is not None and normalise(url) != url:
        raise ValueError(f"{url} is normalised to {normalise(url)}")
    return url and (is_trap(url), shape(url), matches(("/docs/*", "*?page=*"), url))


def _text(body: bytes) -> str:
    """With lone surrogates and whatever else text may hold."""
    return body.decode("utf-8", "surrogateescape")
