"""`flowchat eval retrieval`, with fake models and a few sections."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from appliance import running

from flowchat.domain import Chunk
from flowchat.errors import FlowChatError, NotFound
from flowchat.evaluation import retrieval
from flowchat.evaluation.report import Report

SECTIONS = [
    retrieval.Section("docs#backups", "Backups", "A backup is made every night.\nIt is kept for thirty days & nights."),
    retrieval.Section("docs#prices", "Prices", "The small plan costs five euros.\nInvoices come by mail."),
    retrieval.Section("docs#prices-again", "Prices", "The small plan costs five euros.\nInvoices come by mail."),
    retrieval.Section("docs#limits", "Limits", "A project holds at most ten gigabytes.\nLarger ones are refused."),
]
NO_TARGETS = retrieval.Targets(0, 0)


def value(report: Report, name: str) -> float:
    return next(float(measure.value) for measure in report.measures if measure.name == name)


async def measured(folder: Path, asked: Sequence[retrieval.Asked], targets: retrieval.Targets) -> Report:
    async with running(folder) as app:
        name = await retrieval.index_sections(app, SECTIONS)
        return await retrieval.measure(app, asked, "sections", name, targets)


async def test_sections_are_ranked_at_every_stage(tmp_path: Path) -> None:
    asked = [
        retrieval.Asked("How long is a backup kept?", gold=["docs#backups"]),
        retrieval.Asked("What does the small plan cost?", gold=["docs#prices", "docs#prices-again"]),
        retrieval.Asked("How many gigabytes may a project hold?", gold=["docs#limits", "docs#elsewhere"]),
    ]
    report = await measured(tmp_path, asked, retrieval.Targets(0.8, 0.9))
    assert value(report, "questions") == 3
    for stage in retrieval.STAGES:
        assert value(report, f"{stage}: recall@3") == pytest.approx((1 + 1 + 0.5) / 3)
        assert value(report, f"{stage}: recall@1") == pytest.approx((1 + 0.5 + 0.5) / 3)
        assert value(report, f"{stage}: MRR") == 1
    assert value(report, "fused against its best part: MRR") == 0
    assert value(report, "reranking: ms (median)") >= 0
    assert report.ok


async def test_a_missed_target_fails(tmp_path: Path) -> None:
    asked = [retrieval.Asked("How long is a backup kept?", gold=["docs#prices"])]
    report = await measured(tmp_path, asked, retrieval.Targets(0, 0.9))
    assert [measure.name for measure in report.measures if measure.ok is False] == ["reranked: MRR"]


async def test_of_several_pages_any_is_right(tmp_path: Path) -> None:
    right = [retrieval.Asked("What does the small plan cost?", pages=["prices", "prices-again"])]
    near = [retrieval.Asked("What does the small plan cost?", pages=["ices"])]
    async with running(tmp_path) as app:
        ids = await retrieval.index_sections(app, SECTIONS)

        def addresses(chunk: Chunk) -> list[str]:
            return [f"https://docs.example/{id_.removeprefix('docs#')}?lang=en" for id_ in ids(chunk)]

        report = await retrieval.measure(app, right, "sections", addresses, NO_TARGETS)
        other = await retrieval.measure(app, near, "sections", addresses, NO_TARGETS)
    assert value(report, "reranked: recall@1") == 1 and "a right page" in report.notes[0]
    assert value(other, "reranked: recall@20") == 0


async def test_an_unknown_source_is_named(tmp_path: Path) -> None:
    async with running(tmp_path) as app:
        with pytest.raises(NotFound):
            await retrieval.measure(app, [], "nowhere", lambda chunk: (chunk.url,), NO_TARGETS)


def test_figures_are_those_of_the_textbook() -> None:
    figures = retrieval.summarise([["a", "b", "c"], ["x", "y"]], [["b", "c"], ["z"]])
    assert figures.recall[1] == 0 and figures.recall[3] == 0.5 and figures.mrr == 0.25
    assert figures.ndcg == pytest.approx((1 / 1.58496 + 1 / 2) / (1 + 1 / 1.58496) / 2, abs=1e-4)


def test_files_are_read_or_refused_clearly(tmp_path: Path) -> None:
    path = tmp_path / "questions.jsonl"
    path.write_text(json.dumps({"question": "Why?", "gold": ["a"], "answer": "because"}) + "\n\n")
    assert retrieval.read_jsonl(path, retrieval.Asked) == [retrieval.Asked("Why?", ["a"])]
    path.write_text("{}")
    for file, code in ((path, "bad_test_data"), (tmp_path / "none", "no_test_data")):
        with pytest.raises(FlowChatError) as caught:
            retrieval.read_jsonl(file, retrieval.Asked)
        assert caught.value.code == code
