"""Retrieval: where the right sections or pages stand after each stage of the search, and how long each stage takes.

The stages are the pipeline's own: words (FTS5) alone, vectors alone, both fused, and the best of those reranked. A
section or page stands where its best chunk does.
"""

import asyncio
import html
import math
import statistics
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import msgspec

from flowchat import settings as settings_table
from flowchat.answer.query import standalone_query
from flowchat.answer.rerank import rank_spans, rerank
from flowchat.answer.retrieve import distinct, fuse, retrieve, search
from flowchat.app import open_appliance, prepare_folder
from flowchat.domain import Chunk, Version
from flowchat.errors import FlowChatError
from flowchat.evaluation.answers import is_one_of
from flowchat.evaluation.report import Measure, Report
from flowchat.services import documents, sources, worker
from flowchat.services.context import Appliance
from flowchat.services.source_requests import NewSource
from flowchat.services.tenants import actor_for_cli
from flowchat.services.uploads import MAX_FILES, UploadedFile
from flowchat.store import chunks as chunk_store
from flowchat.store import versions as version_store

SECTIONS = "retrieval/product_docs_sections.jsonl"
QUESTIONS = "retrieval/product_docs_questions.jsonl"
T = TypeVar("T")
DEPTHS = (1, 3, 5, 8, 20)
NDCG_DEPTH = 10
PARTS = ("words", "vectors")
STAGES = (*PARTS, "fused", "reranked")
_SLUG = "sections"
_RIGHT = "a right page"


class Section(msgspec.Struct, frozen=True):
    id: str
    heading: str
    text: str


class Asked(msgspec.Struct, frozen=True):
    """A question with all that answers it (`gold`: ids of sections), or with pages any of which does (`pages`)."""

    question: str
    gold: list[str] = []
    pages: list[str] = []


@dataclass(frozen=True, slots=True)
class Targets:
    """The least recall@3 and MRR (0-1) of what is reranked. 0: none."""

    recall_at_3: float
    mrr: float


@dataclass(frozen=True, slots=True)
class Figures:
    """recall: {depth: mean share of a question's gold that is among the first so many}; MRR of the first gold."""

    recall: dict[int, float]
    mrr: float
    ndcg: float


Name = Callable[[Chunk], Sequence[str]]  # the sections or pages that a chunk is of


def run(questions: Path, targets: Targets, *, sections: Path | None = None, source: str | None = None) -> Report:
    """Rank what a source has for each question: a temporary one made of `sections`, or one of the data folder.

    Raises FlowChatError for missing or malformed files, an unknown source, and missing models.
    """
    asked = [item for item in read_jsonl(questions, Asked) if item.gold or item.pages]
    if sections is not None:
        return asyncio.run(_of_sections(asked, read_jsonl(sections, Section), targets))
    return asyncio.run(_of_source(asked, source or "", targets))


def read_jsonl(path: Path, kind: type[T]) -> list[T]:
    """One object a line; other fields are ignored. Raises FlowChatError `no_test_data` or `bad_test_data`."""
    if not path.is_file():
        raise FlowChatError("no_test_data", f"No {path}: --data or FLOWCHAT_TEST_DATA names the folder of test data.")
    try:
        return [msgspec.json.decode(line, type=kind) for line in path.read_bytes().splitlines() if line.strip()]
    except msgspec.DecodeError as error:
        raise FlowChatError("bad_test_data", f"{path}: {error}.") from None


async def _of_sections(asked: Sequence[Asked], sections: Sequence[Section], targets: Targets) -> Report:
    async with _appliance(temporary=True) as app:
        name = await index_sections(app, sections)
        return await measure(app, asked, _SLUG, name, targets)


async def _of_source(asked: Sequence[Asked], source: str, targets: Targets) -> Report:
    async with _appliance(temporary=False) as app:
        return await measure(app, asked, source, _page, targets)


@asynccontextmanager
async def _appliance(*, temporary: bool) -> AsyncIterator[Appliance]:
    """The search's models, and the data folder's database or an empty one."""
    settings = replace(settings_table.load(), generator="extractive")
    with TemporaryDirectory() as folder:
        if temporary:
            settings = replace(settings, data_dir=Path(folder), models_dir=settings.models_path.resolve())
        await asyncio.to_thread(prepare_folder, settings)
        async with open_appliance(settings) as (app, _):
            yield app


async def index_sections(app: Appliance, sections: Sequence[Section]) -> Name:
    """Make each section a page of a new source, through the pipeline. Sections that are the same share a page."""
    actor = await actor_for_cli(app.db, None)
    source, _ = await sources.create(app, actor, NewSource(slug=_SLUG))
    ids: dict[bytes, list[str]] = defaultdict(list)
    for section in sections:
        ids[_as_html(section)].append(section.id)
    files = [UploadedFile(name=f"{n}.html", content_type="text/html", content=text) for n, text in enumerate(ids)]
    for start in range(0, len(files), MAX_FILES):
        request = documents.NewDocuments(file=tuple(files[start : start + MAX_FILES]))
        uploaded = await documents.create(app, actor, source.id, request)
    await worker.run(app, uploaded.job.id)
    by_url = {f"#{file.name}": ids[file.content] for file in files}
    return lambda chunk: by_url[chunk.url]


def _as_html(section: Section) -> bytes:
    lines = (line for line in section.text.splitlines() if line.strip())
    paragraphs = "".join(f"<p>{html.escape(line)}</p>" for line in lines)
    title = html.escape(section.heading)
    return f"<html><head><title>{title}</title></head><body><main>{paragraphs}</main></body></html>".encode()


def _page(chunk: Chunk) -> Sequence[str]:
    return (chunk.url.partition("#")[0],)


async def measure(app: Appliance, asked: Sequence[Asked], source: str, name: Name, targets: Targets) -> Report:
    """Every question's ranks at every stage. Raises NotFound for an unknown source."""
    found = await sources.find(app, await actor_for_cli(app.db, None), source)
    versions = await version_store.live(app.db, [found.id])
    took_ms: dict[str, list[float]] = defaultdict(list)
    ranked: dict[str, list[list[str]]] = defaultdict(list)
    for item in asked:
        for stage, chunks in (await _stages(app, item.question, versions, took_ms)).items():
            ranked[stage].append(_distinct_names(chunks, name, item))
    gold = [item.gold or [_RIGHT] for item in asked]
    figures = {stage: summarise(ranked[stage], gold) for stage in STAGES}
    return _report(source, len(asked), figures, took_ms, targets, any(item.pages for item in asked))


async def _stages(
    app: Appliance, question: str, versions: Sequence[Version], took_ms: dict[str, list[float]]
) -> dict[str, list[Chunk]]:
    """The chunks that each stage ranks, best first. Adds the milliseconds that the pipeline's steps took."""
    engines, query = app.engines, standalone_query(question, ())
    clock = _Clock(took_ms)
    vector = await asyncio.to_thread(engines.embedder.embed_query, query)
    clock.stop("embedding the question")
    candidates = await retrieve(app.db, engines.embedder.name, query, vector, versions)
    clock.stop("searching and fusing")
    hits = await asyncio.to_thread(rerank, engines.reranker, query, candidates)
    clock.stop("reranking")
    await asyncio.to_thread(rank_spans, engines.reranker, query, hits)
    clock.stop("ranking sentences")
    rankings = await search(app.db, engines.embedder.name, query, vector, versions)
    words, vectors, fused = [
        await chunk_store.by_rowids(app.db, rowids)
        for rowids in ([rowid for rowid, _ in rankings[0]], [rowid for rowid, _ in rankings[1]], fuse(rankings))
    ]
    return {"words": words, "vectors": vectors, "fused": distinct(fused), "reranked": [hit.chunk for hit in hits]}


class _Clock:
    def __init__(self, took_ms: dict[str, list[float]]) -> None:
        self._took_ms = took_ms
        self._since = time.perf_counter()

    def stop(self, step: str) -> None:
        now = time.perf_counter()
        self._took_ms[step].append((now - self._since) * 1000)
        self._since = now


def _distinct_names(chunks: Sequence[Chunk], name: Name, asked: Asked) -> list[str]:
    """The sections or pages in the order of their best chunks. All right pages of a question are one."""
    names = [one for chunk in chunks for one in name(chunk)]
    if asked.pages:
        names = [_RIGHT if is_one_of(one, asked.pages) else one for one in names]
    return list(dict.fromkeys(names))


def summarise(ranked: Sequence[Sequence[str]], gold: Sequence[Sequence[str]]) -> Figures:
    """Means over the questions: ranked and gold have one entry for each."""
    pairs = list(zip(ranked, gold, strict=True))
    return Figures(
        {depth: statistics.fmean(_recall(names, wanted, depth) for names, wanted in pairs) for depth in DEPTHS},
        statistics.fmean(_reciprocal_rank(names, wanted) for names, wanted in pairs),
        statistics.fmean(_ndcg(names, wanted) for names, wanted in pairs),
    )


def _recall(names: Sequence[str], wanted: Sequence[str], depth: int) -> float:
    return len(set(names[:depth]) & set(wanted)) / len(set(wanted))


def _reciprocal_rank(names: Sequence[str], wanted: Sequence[str]) -> float:
    return next((1 / rank for rank, name in enumerate(names, 1) if name in wanted), 0.0)


def _ndcg(names: Sequence[str], wanted: Sequence[str]) -> float:
    """Järvelin, Kekäläinen: Cumulated gain-based evaluation of IR techniques, 2002; gain 1 for each gold."""
    gain = sum(1 / math.log2(rank + 1) for rank, name in enumerate(names[:NDCG_DEPTH], 1) if name in wanted)
    best = sum(1 / math.log2(rank + 1) for rank in range(1, min(NDCG_DEPTH, len(set(wanted))) + 1))
    return gain / best


def _report(
    source: str,
    questions: int,
    figures: dict[str, Figures],
    took_ms: dict[str, list[float]],
    targets: Targets,
    of_pages: bool,
) -> Report:
    measures: list[Measure] = [Measure("questions", questions)]
    for stage, figure in figures.items():
        for depth, recall in figure.recall.items():
            is_aimed = stage == "reranked" and depth == 3 and targets.recall_at_3 > 0
            measures.append(_aimed(f"{stage}: recall@{depth}", recall, targets.recall_at_3 if is_aimed else None))
        is_aimed = stage == "reranked" and targets.mrr > 0
        measures.append(_aimed(f"{stage}: MRR", figure.mrr, targets.mrr if is_aimed else None))
        measures.append(Measure(f"{stage}: nDCG@{NDCG_DEPTH}", figure.ndcg))
    parts = [figures[part] for part in PARTS]
    gains = {
        "recall@8": figures["fused"].recall[8] - max(part.recall[8] for part in parts),
        "MRR": figures["fused"].mrr - max(part.mrr for part in parts),
    }
    measures += [_aimed(f"fused against its best part: {what}", gain, 0.0) for what, gain in gains.items()]
    measures += [Measure(f"{step}: ms (median)", statistics.median(times)) for step, times in took_ms.items()]
    meaning = (
        "recall: the share of questions with a right page among the first so many pages"
        if of_pages
        else "recall: the mean share of a question's gold sections among the first so many sections"
    )
    return Report(
        f"Retrieval: {source}",
        tuple(measures),
        (f"{meaning}; MRR: of the first right one.", "The reranked are the passages that answers may cite."),
    )


def _aimed(name: str, value: float, least: float | None) -> Measure:
    return Measure(name, value) if least is None else Measure(name, value, f">= {least:g}", value >= least)
