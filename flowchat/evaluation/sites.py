"""Real sites, crawled from loopback: every page that links lead to, none twice, beside Scrapy in the same run."""

import asyncio
import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from flowchat.domain import CrawlConfig, PageOutcome, Source, now
from flowchat.errors import FlowChatError
from flowchat.evaluation.reach import reachable
from flowchat.evaluation.report import Measure, Options, Report
from flowchat.evaluation.static_site import serving
from flowchat.ingest.crawl import Crawl, Limits
from flowchat.ingest.former import Former
from flowchat.ingest.site import Site
from flowchat.net.fetch import Fetcher
from flowchat.settings import Settings
from flowchat.store.database import open_database
from flowchat.store.migrate import migrate

FOLDERS = {  # of Debian's packages, inside /usr/share/doc
    "sqlite3-doc": "sqlite3",
    "postgresql-doc-15": "postgresql-doc-15/html",
    "python3.11-doc": "python3.11/html",
    "python-django-doc": "python-django-doc/html",
    "git-doc": "git-doc",
    "mkdocs-doc": "mkdocs/html",
}
CONCURRENCY = (1, 8)
_READ = ("indexed", "duplicate", "near_duplicate", "no_content", "noindex", "canonical_elsewhere", "redirected")


def run(options: Options) -> Report:
    """Crawl each site with the same number of requests at once as Scrapy does, one after the other."""
    measures: list[Measure] = []
    missing = [name for name, folder in FOLDERS.items() if not (options.sites / folder / "index.html").is_file()]
    seconds: Counter[tuple[str, int]] = Counter()
    for name, folder in FOLDERS.items():
        if name not in missing:
            with serving(options.sites / folder) as address:
                measures += _site(name, options.sites / folder, address + "/", seconds)
    if len(missing) == len(FOLDERS):
        raise FlowChatError(
            "no_test_data",
            f"None of the sites is in {options.sites}: install {', '.join(FOLDERS)}, or unpack them with "
            "'dpkg -x' and name the folder with --sites.",
        )
    for concurrency in CONCURRENCY:
        ratio = seconds["scrapy", concurrency] / seconds["flowchat", concurrency]
        measures.append(Measure(f"all: speed against Scrapy, {concurrency} at once", ratio, ">= 1", ratio >= 1))
    notes = [f"Not installed, so not crawled: {', '.join(missing)}."] if missing else []
    notes.append("FlowChat: fetch, extract, normalise links, find duplicates, cut chunks. Scrapy: fetch, links, text.")
    return Report("Real sites", tuple(measures), tuple(notes))


def _site(name: str, folder: Path, root: str, seconds: Counter[tuple[str, int]]) -> list[Measure]:
    expected = reachable(folder, root)
    measures: list[Measure] = []
    for concurrency in CONCURRENCY:
        outcomes, took_s = asyncio.run(crawl(root, concurrency))
        read = {outcome.url for outcome in outcomes if (outcome.reason or outcome.status) in _READ}
        hashes = Counter(outcome.content_hash for outcome in outcomes if outcome.status == "indexed")
        twice = len(outcomes) - len({outcome.url for outcome in outcomes})
        outside = sum(not outcome.url.startswith(root) for outcome in outcomes)
        by_scrapy = scrapy(root, concurrency)
        seconds["flowchat", concurrency] += took_s  # type: ignore[assignment]
        seconds["scrapy", concurrency] += by_scrapy["seconds"]  # type: ignore[assignment]
        if concurrency == CONCURRENCY[0]:
            missed = sorted(urlsplit(url).path for url in expected - read)
            found = f"{len(expected) - len(missed)} of {len(expected)}"
            copies = sum(count - 1 for count in hashes.values())
            measures += [
                Measure(f"{name}: reachable pages read", found, "all", not missed),
                Measure(f"{name}: pages twice, out of scope", f"{twice}, {outside}", "0, 0", not twice and not outside),
                Measure(f"{name}: indexed, same text left out", f"{len(hashes)}, {copies}"),
            ]
        rates = f"{len(read) / took_s:.0f} / {by_scrapy['pages'] / by_scrapy['seconds']:.0f}"
        measures.append(Measure(f"{name}: pages/s, ours / Scrapy's, {concurrency} at once", rates))
    return measures


async def crawl(root: str, concurrency: int) -> tuple[list[PageOutcome], float]:
    """(outcomes, seconds) of a crawl whose pages are not stored."""
    settings = Settings(allow_private_hosts=("127.0.0.1",))
    source = Source(
        id="src_eval",
        tenant_id="ten_eval",
        slug="eval",
        name="eval",
        url=root,
        status="crawling",
        locale="en",
        config=CrawlConfig(),
        live_version=None,
        pages=0,
        chunks=0,
        last_crawl=None,
        created_at=now(),
    )
    fetcher = Fetcher(settings)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "flowchat.db"
        migrate(path)
        async with open_database(path) as db:
            crawling = Crawl(
                source,
                Site(root, fetcher, {}, 0.0),
                [],
                {},
                Former(db, None, None),
                lambda texts: [len(text.split()) for text in texts],
                Limits(1_000_000, concurrency),
            )
            began = time.perf_counter()
            outcomes = [outcome async for outcome in crawling.outcomes()]
            took_s = time.perf_counter() - began
    await fetcher.aclose()
    return outcomes, took_s


def scrapy(root: str, concurrency: int) -> dict[str, float]:
    """How many pages in how many seconds. Raises FlowChatError `no_scrapy`."""
    command = [sys.executable, "-m", "flowchat.evaluation.spider", root, str(concurrency)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise FlowChatError("no_scrapy", f"Scrapy could not be run; it is among the development tools: {done.stderr}")
    result: dict[str, float] = json.loads(done.stdout)
    return result
