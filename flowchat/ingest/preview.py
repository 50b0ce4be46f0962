"""The first pages of a crawl, to look at before there is one. Nothing is stored."""

import asyncio
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Literal

from flowchat.domain import PageOutcome, Source
from flowchat.engines.protocols import Embedder
from flowchat.errors import FlowChatError
from flowchat.ingest.crawl import Crawl, Limits
from flowchat.ingest.former import Former
from flowchat.ingest.pipeline import ADVICE
from flowchat.ingest.site import ROBOTS_UNREACHABLE, Site
from flowchat.store.database import Database

PAGES = 5
PREVIEW_S = 15.0
MAX_SITEMAPS = 5

RobotsVerdict = Literal["allowed", "disallowed", "unreachable"]


@dataclass(slots=True)
class Preview:
    """What a crawl finds first. `start` is where it begins: the site may have moved.

    `in_sitemaps` and `found` count addresses, of the sitemaps and in all. `problem` says why nothing can be used, ''
    where something can. `is_cut_short`: there was no time for more.
    """

    start: str
    robots: RobotsVerdict = "unreachable"
    in_sitemaps: int = 0
    found: int = 0
    pages: list[PageOutcome] = field(default_factory=list)
    problem: str = ""
    is_cut_short: bool = False


async def preview(source: Source, site: Site, embedder: Embedder, db: Database) -> Preview:
    """Crawl up to 5 pages in at most 15 seconds, without a renderer. `source` need not be stored."""
    seen = Preview(source.url or "")
    crawl = Crawl(source, site, [], {}, Former(db, None, None), embedder.count_tokens, Limits(PAGES, 1))
    try:
        async with asyncio.timeout(PREVIEW_S), aclosing(crawl.outcomes()) as outcomes:
            async for outcome in outcomes:
                seen.pages.append(outcome)
                if len(seen.pages) == PAGES:
                    break
    except TimeoutError:
        seen.is_cut_short = True
    except FlowChatError as error:
        seen.problem = error.message
    seen.start, seen.robots = site.root, _verdict(site)
    seen.in_sitemaps, seen.found = crawl.named, crawl.found
    seen.problem = seen.problem or _problem(seen, site)
    return seen


def _verdict(site: Site) -> RobotsVerdict:
    if site.robots_reason == ROBOTS_UNREACHABLE:
        return "unreachable"
    return "allowed" if site.robots.allowed(site.root) else "disallowed"


def _problem(seen: Preview, site: Site) -> str:
    if any(page.status == "indexed" for page in seen.pages):
        return ""
    if seen.robots == "unreachable":
        return f"Its robots.txt could not be had, so nothing may be crawled. {site.robots_fault}".strip()
    for page in seen.pages:
        if page.reason in ADVICE:
            return ADVICE[page.reason]
    if seen.is_cut_short:
        return "The site took too long to answer."
    return "None of its first pages can be used." if seen.pages else "No page was found."
