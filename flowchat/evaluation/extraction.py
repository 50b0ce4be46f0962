"""The main content of real pages, beside trafilatura and Resiliparse: the WCXB development split (CC BY 4.0).

Word F1: lower-case `\\w+` tokens as multisets, averaged over the pages of a type. A snippet is kept or leaked when it
occurs in the text, in any case.
"""

import gzip
import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from statistics import fmean

from flowchat.domain import Document
from flowchat.evaluation.corpora import read_corpus
from flowchat.evaluation.report import Measure, Options, Report
from flowchat.ingest.extract import extract_html

CORPUS = "extraction/wcxb_dev"
OURS = "flowchat"
MIN_DOCUMENTATION_F1 = 0.95
MAX_DOCUMENTATION_LEAKED = 0.02
MAX_MS = 15
_WORD = re.compile(r"\w+")
_SPACE = re.compile(r"\s+")

Extract = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class _Page:
    type: str
    html: str
    gold: str
    wanted: tuple[str, ...]
    unwanted: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Score:
    """Of one type's pages: mean word F1, share of the snippets kept, and of those leaked."""

    f1: float
    kept: float
    leaked: float


def run(options: Options) -> Report:
    """Extract every page with each tool. A target is to be met by ours."""
    pages = _pages(options)
    extractors, notes = tools()
    scores: dict[str, dict[str, Score]] = {}
    ms: dict[str, float] = {}
    for name, extract in extractors.items():
        started = time.process_time()
        texts = [extract(page.html) for page in pages]
        ms[name] = (time.process_time() - started) * 1000 / len(pages)
        scores[name] = _scores(pages, texts)
    measures = [measure for type_ in scores[OURS] for measure in _measures(type_, scores)]
    measures += [_speed(name, value) for name, value in ms.items()]
    notes += (
        "Snippets are compared after runs of white space became one space, in all texts alike.",
        "ms/page is processor time, so that a busy machine does not count.",
    )
    return Report(f"Main content of {len(pages)} pages", tuple(measures), notes)


def document_text(document: Document) -> str:
    """The blocks in order, each heading before the first block that stands under it."""
    lines: list[str] = []
    before: tuple[str, ...] = ()
    for block in document.blocks:
        same = sum(1 for _ in _common(before, block.headings))
        lines += [*block.headings[same:], block.text]
        before = block.headings
    return "\n".join(lines)


def _common(one: tuple[str, ...], other: tuple[str, ...]) -> Iterable[str]:
    for a, b in zip(one, other, strict=False):
        if a != b:
            return
        yield a


def _pages(options: Options) -> list[_Page]:
    pages = []
    for line in read_corpus(options.data, f"{CORPUS}.jsonl").splitlines():
        row = json.loads(line)
        html = gzip.decompress(read_corpus(options.data, f"{CORPUS}/{row['id']}.html.gz")).decode("utf-8", "replace")
        page = _Page(row["page_type"], html, row["main_content"], tuple(row["with"]), tuple(row["without"]))
        pages.append(page)
    return sorted(pages, key=lambda page: page.type)


def tools() -> tuple[dict[str, Extract], tuple[str, ...]]:
    """Ours and those that are installed, and what is to be known of them."""
    found: dict[str, Extract] = {OURS: lambda html: document_text(extract_html(html))}
    notes: tuple[str, ...] = ()
    if find_spec("trafilatura"):
        import trafilatura

        found["trafilatura"] = lambda html: trafilatura.extract(html, include_comments=True, include_tables=True) or ""
        notes += (f"trafilatura {version('trafilatura')}: its defaults, with comments and tables.",)
    if find_spec("resiliparse"):
        from resiliparse.extract.html2text import extract_plain_text

        found["resiliparse"] = lambda html: str(extract_plain_text(html, main_content=True, alt_texts=False))
        notes += (f"Resiliparse {version('resiliparse')}: main content, without alternative texts.",)
    missing = {"trafilatura", "resiliparse"} - set(found)
    if missing:
        notes += (f"Not installed, so not compared with: {', '.join(sorted(missing))} (dependency group dev).",)
    return found, notes


def _scores(pages: list[_Page], texts: list[str]) -> dict[str, Score]:
    scores = {}
    for type_ in dict.fromkeys(page.type for page in pages):
        own = [(page, text) for page, text in zip(pages, texts, strict=True) if page.type == type_]
        scores[type_] = Score(
            fmean(word_f1(page.gold, text) for page, text in own),
            _share((page.wanted, text) for page, text in own),
            _share((page.unwanted, text) for page, text in own),
        )
    return scores


def word_f1(gold: str, text: str) -> float:
    expected, found = (Counter(_WORD.findall(part.lower())) for part in (gold, text))
    total = expected.total() + found.total()
    return 2 * (expected & found).total() / total if total else 1.0


def _share(snippets: Iterable[tuple[tuple[str, ...], str]]) -> float:
    """Of all the snippets, those that occur in their text."""
    found = [_plain(snippet) in plain for some, text in snippets for plain in [_plain(text)] for snippet in some]
    return fmean(found) if found else 0.0


def _plain(text: str) -> str:
    return _SPACE.sub(" ", text).strip().lower()


def _measures(type_: str, scores: dict[str, dict[str, Score]]) -> list[Measure]:
    ours = scores[OURS][type_]
    others = {name: score[type_] for name, score in scores.items() if name != OURS}
    return [
        _f1_measure(type_, ours.f1, max((score.f1 for score in others.values()), default=0.0)),
        *(Measure(f"{type_}: F1 of {name}", score.f1) for name, score in others.items()),
        Measure(f"{type_}: kept", ours.kept),
        *(Measure(f"{type_}: kept by {name}", score.kept) for name, score in others.items()),
        _leak_measure(type_, ours.leaked),
        *(Measure(f"{type_}: leaked by {name}", score.leaked) for name, score in others.items()),
    ]


def _f1_measure(type_: str, f1: float, best: float) -> Measure:
    """Never under the better of the other tools; documentation has a floor of its own."""
    least = max(best, MIN_DOCUMENTATION_F1) if type_ == "documentation" else best
    if not least:
        return Measure(f"{type_}: F1", f1)
    return Measure(f"{type_}: F1", f1, f">= {least:.4g}", f1 >= least)


def _leak_measure(type_: str, leaked: float) -> Measure:
    if type_ != "documentation":
        return Measure(f"{type_}: leaked", leaked)
    ok = leaked <= MAX_DOCUMENTATION_LEAKED
    return Measure(f"{type_}: leaked", leaked, f"<= {MAX_DOCUMENTATION_LEAKED}", ok)


def _speed(name: str, ms: float) -> Measure:
    if name != OURS:
        return Measure(f"ms/page of {name}", ms)
    return Measure("ms/page", ms, f"<= {MAX_MS}", ms <= MAX_MS)
