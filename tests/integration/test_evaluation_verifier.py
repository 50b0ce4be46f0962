"""`flowchat eval verifier`, with fake models and a few pairs."""

import gzip
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from fakes import FakeReranker, FakeVerifier

from flowchat.errors import FlowChatError
from flowchat.evaluation import verifier
from flowchat.evaluation.report import Report

PREMISE = "Backups are made every night. A backup is kept for 30 days and then deleted."
PAIRS = [
    (PREMISE, "A backup is kept for 30 days.", "entailment"),
    (PREMISE, "Backups are made every night and kept for 30 days.", "entailment"),
    (PREMISE, "A backup is kept for 90 days.", "contradiction"),
    (PREMISE, "Backups are encrypted with your own key.", "not_entailment"),
]
TARGETS = verifier.Targets(accuracy=0.8, recall=0.5, false_support=0.05)


def write(path: Path, pairs: Sequence[tuple[str, str, str]]) -> Path:
    lines = "".join(
        json.dumps({"premise": premise, "hypothesis": hypothesis, "label": label, "source": "test"}) + "\n"
        for premise, hypothesis, label in pairs
    )
    path.write_bytes(gzip.compress(lines.encode()) if path.suffix == ".gz" else lines.encode())
    return path


def measured(files: Sequence[Path], limit: int = 400) -> list[Report]:
    return verifier.measure(verifier.read_sets(files, limit), FakeVerifier(), FakeReranker(), 0.8, TARGETS)


def value(report: Report, name: str) -> float:
    return next(float(measure.value) for measure in report.measures if measure.name == name)


def missed(report: Report) -> list[str]:
    return [measure.name for measure in report.measures if measure.ok is False]


def test_every_file_gets_a_report(tmp_path: Path) -> None:
    plain, packed = write(tmp_path / "mine.jsonl", PAIRS), write(tmp_path / "mnli_dev.jsonl.gz", PAIRS)
    reports = measured([plain, packed])
    assert [report.title for report in reports] == ["verifier: mine", "verifier: mnli_dev"]
    for report in reports:
        assert (value(report, "pairs"), value(report, "of them entailed")) == (4, 2)
        assert value(report, "balanced accuracy") == value(report, "recall") == value(report, "ROC-AUC") == 1
        assert value(report, "false support") == 0
        assert "Threshold 0.8" in report.notes[0]
    mine, everyday = reports
    assert {measure.target for measure in mine.measures} == {"", ">= 0.8", ">= 0.5", "<= 0.05", "> 0"}
    assert {measure.target for measure in everyday.measures} == {"", "> 0"}


def test_what_is_no_better_than_word_overlap_misses_its_target(tmp_path: Path) -> None:
    report = measured([write(tmp_path / "easy.jsonl", PAIRS)])[0]
    assert value(report, "word overlap and numbers: balanced accuracy") == 1
    assert missed(report) == ["ahead of the better reference"]


def test_false_support_misses_its_target(tmp_path: Path) -> None:
    taken_for_true = (PREMISE, "Backups are made every night.", "not_entailment")
    report = measured([write(tmp_path / "hard.jsonl", [*PAIRS, taken_for_true])])[0]
    assert value(report, "false support") == pytest.approx(1 / 3)
    assert "false support" in missed(report)


def test_a_limit_keeps_both_kinds_and_always_the_same(tmp_path: Path) -> None:
    file = write(tmp_path / "many.jsonl", PAIRS * 20)
    some = verifier.read_sets([file], 10)["many"]
    assert len(some) == 10 and sum(pair.label == "entailment" for pair in some) == 5
    assert some == verifier.read_sets([file], 10)["many"]


def test_figures_of_known_scores() -> None:
    truths, scores = [True, True, False, False], [0.9, 0.5, 0.5, 0.1]
    assert verifier.figures(truths, scores, 0.5) == verifier.Figures(accuracy=0.75, recall=1, false_support=0.5)
    assert verifier.roc_auc(truths, scores) == 3.5 / 4


@pytest.mark.parametrize(
    ("name", "text", "code"),
    [
        ("gone.jsonl", None, "no_test_data"),
        ("torn.jsonl", '{"premise": "a"', "bad_test_data"),
        ("poor.jsonl", '{"premise": "a"}', "bad_test_data"),
        ("one.jsonl", '{"premise": "a", "hypothesis": "a", "label": "entailment"}', "bad_test_data"),
        ("not.jsonl.gz", "plain", "bad_test_data"),
    ],
)
def test_files_that_cannot_be_used_are_named(tmp_path: Path, name: str, text: str | None, code: str) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(FlowChatError, match=name) as caught:
        verifier.read_sets([tmp_path / name], 400)
    assert caught.value.code == code


def test_without_files_it_says_where_to_name_them(tmp_path: Path) -> None:
    with pytest.raises(FlowChatError, match="--pairs"):
        verifier.read_sets([], 400)


def test_the_checkout_has_sets_of_its_own(tmp_path: Path) -> None:
    sets = verifier.read_sets(verifier.default_files(tmp_path / "corpora"), 10_000)
    sizes = {name: len(pairs) for name, pairs in sets.items()}
    assert sizes == {"dialogues": 99, "documentation": 270, "products": 149}
