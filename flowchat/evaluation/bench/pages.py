"""Crawling beside Scrapy, and the main content of pages beside trafilatura and Resiliparse."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from flowchat.evaluation.bench.row import Row, rates
from flowchat.evaluation.extraction import OURS, tools
from flowchat.evaluation.scale import GeneratedSite
from flowchat.evaluation.sites import CONCURRENCY, crawl, scrapy
from flowchat.evaluation.static_site import serving

PAGES = 400
EXTRACTED = 60


def rows() -> Iterator[Row]:
    with TemporaryDirectory() as name:
        folder = Path(name)
        pages = GeneratedSite(PAGES).write(folder)
        yield from _crawling(folder)
        yield from _extracting(pages[:EXTRACTED])


def _crawling(folder: Path) -> Iterator[Row]:
    """Fetched, extracted, compared and cut into chunks; Scrapy takes title and text."""
    with serving(folder) as address:
        for at_once in CONCURRENCY:
            outcomes, seconds = asyncio.run(crawl(f"{address}/", at_once))
            theirs = scrapy(f"{address}/", at_once)
            ours = len(outcomes) / seconds
            what = f"crawling, {at_once} at once"
            yield Row(what, "pages/s", ours, "Scrapy", theirs["pages"] / theirs["seconds"])


def _extracting(pages: list[str]) -> Iterator[Row]:
    extractors, _ = tools()
    works = {name: (lambda extract=extract: [extract(html) for html in pages]) for name, extract in extractors.items()}
    measured = rates(len(pages), works)
    for name, rate in measured.items():
        if name != OURS:
            yield Row("extraction", "pages/s", measured[OURS], name, rate)
