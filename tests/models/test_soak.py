"""A soak of half a minute: what it counts is right. What it times says nothing in so short a time."""

from pathlib import Path

import pytest

from flowchat.evaluation import soak

pytestmark = [pytest.mark.models, pytest.mark.slow]


def test_a_soak_counts_all_that_was_asked_crawled_sent_and_billed(
    models_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLOWCHAT_MODELS_DIR", str(models_dir))
    out = tmp_path / "samples.jsonl"
    report = soak.run(soak.Amounts(minutes=0.5, questions_per_minute=30, crawl_every_s=10), out)
    counted = {measure.name: measure for measure in report.measures if "->" not in measure.name}
    assert {name: measure.value for name, measure in counted.items() if measure.ok is False} == {}
    assert float(counted["questions asked"].value) >= 3
    assert float(counted["crawls that succeeded"].value) >= 2
    assert float(counted["webhooks that arrived"].value) >= 5
    assert float(counted["billed: queries reported"].value) + float(counted["refused"].value) >= 3
    assert len(out.read_text().splitlines()) >= soak.LEAST_SAMPLES / 2
