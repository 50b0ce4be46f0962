"""Documentation pages -> passages, as FlowChat's own extraction reads them, with the licence of each."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from itertools import groupby
from pathlib import Path

from flowchat.domain import Document
from flowchat.ingest.extract import extract_html, extract_markdown
from flowchat.sentences import split_sentences

# One page in so many is kept for tests and for choosing: nothing of it is ever trained on.
HELD_OUT_EVERY = 12
_MAX_PAGE_BYTES = 600_000
_LICENCES = {
    "git-doc": "GPL-2.0-only (Git documentation)",
    "postgresql-doc-15": "PostgreSQL (PostgreSQL documentation)",
    "python3.11": "PSF-2.0 (Python documentation)",
    "python-django-doc": "BSD-3-Clause (Django documentation)",
    "mkdocs": "BSD-2-Clause (MkDocs documentation)",
    "docs": "FlowChat's own documentation",
}
_UNUSUAL = re.compile(r"/(?:_modules|_sources|releases|RelNotes|genindex|search)|changelog|whatsnew", re.I)
_SENTENCE = re.compile(r"[A-Z`\"'(\-*_a-z0-9].*[.!]$", re.S)
_WORDLIKE = re.compile(r"[A-Za-z ,.'\u2019]")
_POINTS_ELSEWHERE = re.compile(
    r"^(?:See|For (?:more|further|details|an? )|Part of|As (?:described|shown|mentioned))|"
    r"\b(?:Section|Table|Chapter|Appendix|Figure) [A-Z]?\d|"
    r"\b[Ss]ee (?:also|the|below|above|[A-Z])|[@\u00a7\u2026|]|https?:|\bPEP \d|\bissue \d"
)
_CUT_OFF = re.compile(
    r"(?:\b(?:which|that|and|or|the|an?|of|to|with|for|by|in|is|are|so|as|e\.g|i\.e)"
    r"|[-\u2014\u2013;:,(]|, \d[\d.]*)[.!]$"
)
_LOOSE = re.compile(r"^(?:-|\d+\.) +|^(?:Note|Warning|Caution|Tip|Important|Notes?): |\s+(?=\s)")


@dataclass(frozen=True, slots=True)
class Passage:
    """Consecutive sentences under one heading of a page."""

    sentences: tuple[str, ...]
    heading: str
    page: str
    licence: str


def read_passages(folders: list[Path], *, held_out: bool, apart_from: frozenset[str]) -> Iterator[Passage]:
    """The passages of all pages below the folders, in a fixed order.

    held_out: those of the pages kept apart from training. apart_from: sentences of premises that are tested with;
    a passage that has one of them is left out.
    """
    for folder in folders:
        licence = next((text for name, text in _LICENCES.items() if name in folder.parts), "unknown")
        for path in sorted(p for kind in ("*.html", "*.md") for p in folder.rglob(kind)):
            name = path.relative_to(folder).as_posix()
            if _UNUSUAL.search(f"/{name}") or path.stat().st_size > _MAX_PAGE_BYTES or path.is_symlink():
                continue
            if is_held_out(name) == held_out:
                passages = _passages(_read(path), name, licence)
                yield from (passage for passage in passages if apart_from.isdisjoint(map(plain, passage.sentences)))


def is_held_out(name: str) -> bool:
    """Whether the page of this name is never trained on."""
    return int(sha256(name.encode()).hexdigest(), 16) % HELD_OUT_EVERY == 0


def plain(sentence: str) -> str:
    """The sentence's letters and digits, by which it is known again."""
    return re.sub(r"\W+", " ", sentence).strip().lower()


def premise_sentences(files: list[Path]) -> frozenset[str]:
    """The sentences of the premises of sets of pairs (JSONL) that are tested with."""
    premises = [json.loads(line)["premise"] for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    return frozenset(plain(sentence) for premise in premises for sentence in split_sentences(premise))


def _read(path: Path) -> Document:
    text = path.read_text(encoding="utf-8", errors="replace")
    return extract_html(text) if path.suffix == ".html" else extract_markdown(text)


def _passages(document: Document, page: str, licence: str) -> Iterator[Passage]:
    for headings, blocks in groupby(document.blocks, key=lambda block: block.headings):
        texts = [block.text for block in blocks if block.kind in ("text", "list", "table")]
        sentences = tuple(_LOOSE.sub("", s) for text in texts for s in split_sentences(text))
        if sentences:
            yield Passage(sentences, headings[-1] if headings else document.title, page, licence)


def is_claim(sentence: str) -> bool:
    """Whether a sentence says something by itself, in words: neither a heading nor a listing nor a fragment."""
    if not 24 <= len(sentence) <= 300 or "\n" in sentence or "|" in sentence or not _SENTENCE.match(sentence):
        return False
    if _POINTS_ELSEWHERE.search(sentence) or _CUT_OFF.search(sentence) or sentence.count('"') % 2:
        return False
    words = len(_WORDLIKE.findall(sentence)) / len(sentence)
    return words > 0.88 and sentence.count(" ") >= 4 and sentence.count("(") == sentence.count(")")
