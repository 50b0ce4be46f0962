"""A large site, generated as it is asked for: memory and speed from the first page to the last, and the database.

Crawled through the whole pipeline by a process of its own, one request at a time, and then once more unchanged.
"""

import asyncio
import itertools
import random
from collections.abc import Mapping, Sequence
from pathlib import Path

from flowchat.errors import FlowChatError
from flowchat.evaluation import appliance
from flowchat.evaluation.local_site import NOT_FOUND, Response, local_site
from flowchat.evaluation.measured import Asked, Crawled, crawl_apart
from flowchat.evaluation.report import Measure, Options, Report

DIMS = 384  # as the default embedder's
STEPS = 20  # parts of the crawl that are compared
SETTLED = 5  # of them, after which memory should be flat
MAX_GROWTH_MB = 100.0  # addresses and fingerprints of all pages stay in memory
MIN_SPEED = 0.8  # of the last part, against the first
TIMEOUT_S = 3600.0

_SECTIONS = 40
_MENU = 20
_LINKS = 30
_MIN_WORDS, _MAX_WORDS = 300, 600
_PAGE_BYTES = 20_000
_SYLLABLES = "ba be bi bo bu da de di do du ka ke ki ko ku la le li lo lu ma me mi mo mu na ne ni no nu".split()
_WORDS = ["".join(syllables) for syllables in itertools.product(_SYLLABLES, repeat=3)]
_COMMON = list(itertools.accumulate(1 / rank for rank in range(1, len(_WORDS) + 1)))  # Zipf's law


def run(options: Options) -> Report:
    """Crawl options.pages pages, twice."""
    first, again = asyncio.run(_crawl(options.pages))
    if first.status != "succeeded" or again.status != "succeeded":
        raise FlowChatError("crawl_failed", f"A crawl of the generated site has failed: {first.error or again.error}")
    all_indexed = [first.indexed, again.indexed] == [options.pages] * 2
    measures = (
        Measure("pages indexed, at first and again", f"{first.indexed}, {again.indexed}", "all", all_indexed),
        *_steadiness("first crawl", first),
        Measure("first crawl: chunks embedded", float(first.embedded)),
        Measure("first crawl: database bytes a page", first.database_mb * 1e6 / options.pages),
        Measure("first crawl: largest write-ahead log, MB", max(mark.wal_mb for mark in first.marks)),
        *_steadiness("unchanged", again),
        Measure("unchanged: chunks embedded", float(again.embedded), "0", again.embedded == 0),
        Measure("unchanged: pages not fetched again", float(again.unchanged), "all", again.unchanged == options.pages),
        Measure("both versions: database bytes a page", again.database_mb * 1e6 / options.pages),
    )
    notes = (
        f"Vectors have {DIMS} dimensions, as the default embedder's. {appliance.NOTE}",
        "The default model takes far longer for a page than all the rest. A part is one of about "
        f"{STEPS} of the site; its speed depends on what else the machine does, its CPU time hardly.",
    )
    return Report("A large site", measures, notes)


async def _crawl(pages: int) -> list[Crawled]:
    site = GeneratedSite(pages)
    asked = Asked({"crawl_max_pages": pages}, DIMS, recrawls=1, step=max(1, pages // STEPS))
    async with local_site(site.respond) as address:
        return await crawl_apart(address + "/", asked, TIMEOUT_S)


def _steadiness(name: str, crawled: Crawled) -> list[Measure]:
    """Speed and memory, part by part."""
    marks = crawled.marks
    parts = list(itertools.pairwise(marks))
    rates = [(after.pages - before.pages) / (after.seconds - before.seconds) for before, after in parts]
    costs_ms = [(after.cpu_s - before.cpu_s) / (after.pages - before.pages) * 1000 for before, after in parts]
    ratio, cpu_ratio = rates[-1] / rates[0], costs_ms[0] / costs_ms[-1]
    growth = marks[-1].memory_mb - marks[min(SETTLED, len(marks) - 1)].memory_mb
    return [
        Measure(f"{name}: pages/s", crawled.indexed / crawled.seconds),
        Measure(f"{name}: pages/s of each part", _listed(rates)),
        Measure(f"{name}: speed of the last part, against the first", ratio),
        Measure(f"{name}: CPU time of a page in each part, ms", _listed(costs_ms)),
        Measure(f"{name}: speed by CPU time of the last part", cpu_ratio, f">= {MIN_SPEED}", cpu_ratio >= MIN_SPEED),
        Measure(f"{name}: memory in MB after each part", _listed([mark.memory_mb for mark in marks])),
        Measure(
            f"{name}: its growth in MB since part {SETTLED}", growth, f"<= {MAX_GROWTH_MB:g}", growth <= MAX_GROWTH_MB
        ),
    ]


def _listed(numbers: Sequence[float]) -> str:
    return " ".join(f"{number:.0f}" for number in numbers)


class GeneratedSite:
    """Pages 0 to `pages` - 1, each linking to its section's first and to others at random; 0 is the start."""

    def __init__(self, pages: int) -> None:
        self._pages = pages

    def respond(self, target: str, headers: Mapping[str, str]) -> Response:
        number = 0 if target == "/" else _number(target)
        if number is None or number >= self._pages or target != self._path(number):
            return NOT_FOUND
        etag = {"etag": f'"{number}"'}
        if headers.get("if-none-match") == etag["etag"]:
            return Response(status=304, headers=etag)
        return Response(self._html(number).encode(), headers=etag | {"content-type": "text/html; charset=utf-8"})

    def write(self, folder: Path) -> list[str]:
        """The pages as files, for a server of files; returns their HTML."""
        pages = [self._html(number) for number in range(self._pages)]
        for number, html in enumerate(pages):
            path = folder / (self._path(number).removeprefix("/") or "index.html")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(html, encoding="utf-8")
        return pages

    def _path(self, number: int) -> str:
        return f"/section-{number % _SECTIONS}/{_WORDS[number % len(_WORDS)]}-{number}.html" if number else "/"

    def _html(self, number: int) -> str:
        chance = random.Random(number)  # noqa: S311 (no secret)
        title = " ".join(chance.choices(_WORDS, k=4)).capitalize()
        links = self._links(number, chance)
        parts = [_text(chance) for _ in range(5)]
        linked = "".join(f'<li><a href="{path}">{_WORDS[n]}</a></li>' for n, path in enumerate(links))
        main = "".join(f'<h2 id="part-{n}">Part {n}</h2>{part}' for n, part in enumerate(parts))
        html = (
            f"<!doctype html><html lang=en><head><title>{title}</title></head><body><nav>{self._navigation()}</nav>"
            f"<main><h1>{title}</h1>{main}<ul>{linked}</ul></main></body></html>"
        )
        return html + f"<!--{'.' * (_PAGE_BYTES - len(html))}-->"

    def _navigation(self) -> str:
        menu = range(1, min(_MENU, self._pages))
        return "".join(f'<a href="{self._path(number)}">Menu {number}</a>' for number in menu)

    def _links(self, number: int, chance: random.Random) -> list[str]:
        """Every page can be reached: two of them follow from each, as in a heap."""
        numbers = [2 * number + 1, 2 * number + 2, *(chance.randrange(self._pages) for _ in range(_LINKS - 2))]
        return [self._path(n) for n in numbers if n < self._pages]


def _text(chance: random.Random) -> str:
    words = chance.choices(_WORDS, cum_weights=_COMMON, k=chance.randint(_MIN_WORDS // 5, _MAX_WORDS // 5))
    sentences = [" ".join(words[start : start + 12]).capitalize() + "." for start in range(0, len(words), 12)]
    return f"<p>{' '.join(sentences)}</p>"


def _number(path: str) -> int | None:
    digits = path.rpartition("-")[2].removesuffix(".html")
    return int(digits) if digits.isdecimal() else None
