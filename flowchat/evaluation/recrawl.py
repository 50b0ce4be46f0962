"""Recrawls of real sites: what has not changed is neither fetched again nor embedded, what has is found exactly.

Each site is copied, and crawled through the whole pipeline: as it is, then unchanged, from a server without ETags,
rebuilt so that all files differ but not what they say, and with a few pages changed, added and removed.
"""

import asyncio
import mimetypes
import re
import shutil
import time
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import unquote, urlsplit

from flowchat.domain import Job, Page, Source, Version
from flowchat.errors import FlowChatError
from flowchat.evaluation import appliance
from flowchat.evaluation.local_site import NOT_FOUND, Response, local_site
from flowchat.evaluation.report import Measure, Options, Report
from flowchat.evaluation.sites import FOLDERS
from flowchat.ingest.embed import passage
from flowchat.services.context import Appliance
from flowchat.store import chunks, pages, versions

SITES = ("git-doc", "mkdocs-doc", "sqlite3-doc")
CHANGED = 5
_PHRASE_WORDS = 6
_PHRASE = re.compile(r"[a-z]+(?: [a-z]+)*")
_GENERATOR = re.compile(rb'<meta name="?generator"?[^>]*>', re.IGNORECASE)


def run(options: Options) -> Report:
    """Needs one of SITES at least; raises FlowChatError `no_test_data` without."""
    there = [name for name in SITES if (options.sites / FOLDERS[name] / "index.html").is_file()]
    if not there:
        raise FlowChatError(
            "no_test_data",
            f"None of the sites is in {options.sites}: install {', '.join(SITES)}, or unpack them with 'dpkg -x' "
            "and name the folder with --sites.",
        )
    measures = [measure for name in there for measure in asyncio.run(_site(name, options.sites / FOLDERS[name]))]
    missing = [name for name in SITES if name not in there]
    notes = [f"Not installed, so not crawled: {', '.join(missing)}."] if missing else []
    return Report("Recrawls", tuple(measures), (*notes, appliance.NOTE))


class FolderSite:
    """Serves a folder of files, with ETags or without, and counts what it has sent of each path."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.has_etags = True
        self.sent: Counter[str] = Counter()
        self.missing: Counter[str] = Counter()

    def respond(self, target: str, headers: Mapping[str, str]) -> Response:
        path = target.partition("?")[0]
        file = self.file(path)
        if file.is_dir() and not path.endswith("/"):
            return Response(status=301, headers={"location": path + "/"})
        file = file / "index.html" if file.is_dir() else file
        if not file.is_file():
            self.missing[path] += 1
            return NOT_FOUND
        body = file.read_bytes()
        etag = {"etag": f'"{zlib.crc32(body):08x}"'} if self.has_etags else {}
        if etag and headers.get("if-none-match") == etag["etag"]:
            return Response(status=304, headers=etag)
        self.sent[path] += 1
        return Response(body, headers=etag | {"content-type": mimetypes.guess_type(file.name)[0] or "text/plain"})

    def file(self, path: str) -> Path:
        return self.folder / unquote(path).lstrip("/")


@dataclass(frozen=True, slots=True)
class _Crawled:
    """What a crawl came to. `bodies`: paths of pages that were sent, `gone`: those that were not there."""

    job: Job
    version: Version
    indexed: dict[str, str | None]  # {url: content hash}
    bodies: list[str]
    gone: list[str]
    seconds: float


class _Recrawling:
    """One source, crawled again and again."""

    def __init__(self, app: Appliance, site: FolderSite, root: str) -> None:
        self.app = app
        self.site = site
        self.root = root
        self.source: Source | None = None

    async def crawl(self) -> _Crawled:
        """Raises FlowChatError where the job fails."""
        self.site.sent.clear()
        self.site.missing.clear()
        began = time.perf_counter()
        if self.source is None:
            self.source, job = await appliance.new_source(self.app, self.root)
        else:
            job = await appliance.another_crawl(self.app, self.source)
        job = await appliance.done(self.app, job)
        took_s = time.perf_counter() - began
        version = await versions.get(self.app.db, job.version_id or "")
        if job.status != "succeeded" or version is None:
            raise FlowChatError("crawl_failed", f"The crawl of {self.root} has {job.status}: {job.error}")
        known = await pages.all_of(self.app.db, version.seq)
        paths = {urlsplit(page.url).path for page in known}
        return _Crawled(
            job,
            version,
            {page.url: page.content_hash for page in known if page.status == "indexed"},
            sorted(path for path in self.site.sent.elements() if path in paths),
            sorted(path for path in self.site.missing.elements() if path in paths),
            took_s,
        )


async def _site(name: str, folder: Path) -> list[Measure]:
    with TemporaryDirectory() as copy:
        shutil.copytree(folder, copy, dirs_exist_ok=True, ignore=_dangling)
        site = FolderSite(Path(copy))
        async with appliance.temporary_appliance() as app, local_site(site.respond) as address:
            measures = await _recrawls(_Recrawling(app, site, address + "/"))
    return [Measure(f"{name}: {measure.name}", measure.value, measure.target, measure.ok) for measure in measures]


def _dangling(folder: str, names: list[str]) -> list[str]:
    """Links to what another package would bring."""
    return [name for name in names if not Path(folder, name).exists()]


async def _recrawls(source: _Recrawling) -> list[Measure]:
    first = await source.crawl()
    again = await source.crawl()
    source.site.has_etags = False
    without_etags = await source.crawl()
    source.site.has_etags = True
    _rebuild(source.site.folder)
    rebuilt = await source.crawl()
    edits = await _edit(source, rebuilt)
    edited = await source.crawl()
    told = f"{len(first.indexed)}, {first.job.progress.embedded}, {first.seconds:.1f}"
    return [
        Measure("pages indexed, chunks embedded, seconds", told),
        _none("unchanged: chunks embedded, page bodies fetched", again.job.progress.embedded, len(again.bodies)),
        _none("unchanged: pages that are not what they were", len(_different(first, again))),
        _none("unchanged, without ETags: chunks embedded", without_etags.job.progress.embedded),
        Measure("unchanged, without ETags: page bodies fetched", float(len(without_etags.bodies))),
        _none(
            "rebuilt: chunks embedded, pages changed", rebuilt.job.progress.embedded, len(_different(first, rebuilt))
        ),
        *await _edits_found(source, edits, rebuilt, edited),
    ]


def _none(name: str, *counts: int) -> Measure:
    return Measure(name, _listed(*counts), _listed(*(0 for _ in counts)), not any(counts))


def _different(before: _Crawled, after: _Crawled) -> set[str]:
    return {url for url, _ in before.indexed.items() ^ after.indexed.items()}


def _rebuild(folder: Path) -> None:
    """As another build of the same pages by another version of its tool."""
    for file in folder.rglob("*.htm*"):
        html = _GENERATOR.sub(b"", file.read_bytes())
        head, end, rest = html.rpartition(b"</html>")
        comment = b"<!-- built on 2031-05-17T09:26:53Z -->"
        html = head + comment + end + rest if end else html + comment
        file.write_bytes(html.replace(b"<head>", b'<head><meta name="generator" content="Tool 7.3">', 1))


@dataclass(frozen=True, slots=True)
class _Edits:
    added: str
    changed: list[str]
    removed: str


async def _edit(source: _Recrawling, crawled: _Crawled) -> _Edits:
    """Change a sentence of some pages, one of which gets a link to a new page, and remove one page."""
    db, seq = source.app.db, crawled.version.seq
    known = [page for url in await _urls(source, seq) if (page := await pages.find(db, seq, url)) is not None]
    twins = {page.facts.duplicate_of for page in known}
    sole = [page for page in known if page.status == "indexed" and page.url not in twins and page.url != source.root]
    leads = {page.url: page.facts.outlinks for page in known}
    removed = next(page for page in reversed(sole) if _is_needed_by_none(source.root, leads, page.url))
    changed: list[str] = []
    for page in sole[:: max(1, len(sole) // (4 * CHANGED))]:
        file = source.site.file(urlsplit(page.url).path)
        file = file / "index.html" if file.is_dir() else file
        link = "" if changed else ' <a href="added-page.html">about what was added</a>'
        if page != removed and len(changed) < CHANGED and await _change(source, page, file, link):
            changed.append(page.url)
    source.site.file(urlsplit(removed.url).path).unlink()
    first = source.site.file(urlsplit(changed[0]).path)
    text = "<p>This page was added between two crawls, and says what no other page of the site does say.</p>"
    (first.parent / "added-page.html").write_text(f"<title>Added</title><main><h1>Added</h1>{text}</main>")
    return _Edits(changed[0].rpartition("/")[0] + "/added-page.html", changed, removed.url)


async def _urls(source: _Recrawling, seq: int) -> list[str]:
    return [page.url for page in await pages.all_of(source.app.db, seq)]


def _is_needed_by_none(root: str, leads: Mapping[str, Iterable[str]], page: str) -> bool:
    """Whether all other pages can still be reached without this one."""
    return _reached(root, leads, "") - _reached(root, leads, page) == {page}


def _reached(root: str, leads: Mapping[str, Iterable[str]], without: str) -> set[str]:
    reached, waiting = {root}, [root]
    while waiting:
        new = {url for url in leads[waiting.pop()] if url in leads and url != without} - reached
        reached |= new
        waiting += new
    return reached


async def _change(source: _Recrawling, page: Page, file: Path, link: str) -> bool:
    """Lengthen a phrase that the page's main content has, once in the file; False if it has none."""
    html = file.read_text("utf-8", "surrogateescape")
    for chunk in await chunks.of_page(source.app.db, page.id):
        words = chunk.text.split(" ")
        for start in range(0, len(words) - _PHRASE_WORDS, _PHRASE_WORDS):
            phrase = " ".join(words[start : start + _PHRASE_WORDS])
            if _PHRASE.fullmatch(phrase) and html.count(phrase) == 1:
                file.write_text(html.replace(phrase, f"{phrase} (as changed){link}"), "utf-8", "surrogateescape")
                return True
    return False


async def _edits_found(source: _Recrawling, edits: _Edits, before: _Crawled, after: _Crawled) -> list[Measure]:
    both = before.indexed.keys() & after.indexed.keys()
    changed = {url for url in both if before.indexed[url] != after.indexed[url]}
    added, removed = after.indexed.keys() - both, before.indexed.keys() - both
    told = (after.version.added, after.version.changed, after.version.removed)
    is_exact = (added, changed, removed) == ({edits.added}, set(edits.changed), {edits.removed})
    urls = [*edits.changed, edits.added]
    new = await _new_passages(source, before.version, after.version, urls)
    embedded = after.job.progress.embedded
    gone = sorted([*before.gone, urlsplit(edits.removed).path])
    is_frugal = after.bodies == sorted(urlsplit(url).path for url in urls) and after.gone == gone
    return [
        Measure(
            "edited: pages added, changed, removed",
            _listed(len(added), len(changed), len(removed)),
            f"1, {CHANGED}, 1",
            is_exact,
        ),
        Measure(
            "edited: the same by the version's own counts", _listed(*told), f"1, {CHANGED}, 1", told == (1, CHANGED, 1)
        ),
        Measure("edited: chunks embedded, passages that are new", _listed(embedded, new), "the same", embedded == new),
        Measure(
            "edited: page bodies fetched, not found",
            _listed(len(after.bodies), len(after.gone)),
            _listed(CHANGED + 1, len(gone)),
            is_frugal,
        ),
    ]


def _listed(*counts: int | None) -> str:
    return ", ".join(map(str, counts))


async def _new_passages(source: _Recrawling, former: Version, version: Version, urls: Iterable[str]) -> int:
    """Of the passages that these pages have, how many each of them did not have before."""
    new = 0
    for url in urls:
        had = await _passages(source, former, url)
        new += sum(text not in had for text in await _passages(source, version, url))
    return new


async def _passages(source: _Recrawling, version: Version, url: str) -> list[str]:
    stored = await chunks.embedded(source.app.db, version.seq, [url], appliance.DIMS)
    return [passage(title, chunk.headings, chunk.text) for title, chunk, _ in stored]
