"""The parts of the verifier's training that need no torch."""

import gzip
import json
import random
from itertools import islice
from pathlib import Path

import numpy as np
from _train_verifier.measure import auc, figures
from _train_verifier.pairs import (
    Pair,
    Variation,
    batches_of_alike_length,
    by_kind,
    by_premise,
    mixed,
    read_pairs,
    varied,
)


def pair(source: str, number: int = 0, label: str = "entailment") -> Pair:
    return Pair(f"The {source} number {number} is open.", f"Number {number} is open.", label, source)


def test_pairs_are_read_from_plain_and_packed_lines(tmp_path: Path) -> None:
    row = {"premise": "A\u2028b.", "hypothesis": "A.", "label": "entailment", "source": "s", "licence": "own"}
    text = json.dumps(row, ensure_ascii=False) + "\n"
    (tmp_path / "a.jsonl").write_text(text)
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(text.encode()))
    expected = [Pair("A\u2028b.", "A.", "entailment", "s")]
    assert read_pairs(tmp_path / "a.jsonl") == read_pairs(tmp_path / "a.jsonl.gz") == expected


def test_a_mix_keeps_its_shares_and_uses_every_pair_before_one_comes_again() -> None:
    files = {"a": [pair("a", n) for n in range(30)], "b": [pair("b", n) for n in range(1000)], "c": []}
    grouped = {name: by_premise(pairs) for name, pairs in files.items()}
    drawn = list(islice(mixed(grouped, {"a": 1, "b": 3, "c": 5}, random.Random(1)), 400))
    of_a = [p for p in drawn if p.source == "a"]
    assert 70 < len(of_a) < 130
    assert len(set(of_a[:30])) == 30


def test_claims_about_one_premise_stay_together_and_keep_the_share() -> None:
    twins = [pair("twin", n, label) for n in range(30) for label in ("entailment", "not_entailment")]
    files = {"twin": by_premise(twins), "b": by_premise([pair("b", n) for n in range(100)])}
    assert [len(group) for group in files["twin"]] == [2] * 30
    drawn = list(islice(mixed(files, {"twin": 1, "b": 1}, random.Random(1)), 400))
    places = [at for at, p in enumerate(drawn) if p.source == "twin" and p.label == "entailment"]
    assert 70 < len(places) < 130
    assert all(drawn[at].premise in (drawn[at - 1].premise, drawn[at + 1].premise) for at in places[1:-1])


def test_a_padded_premise_holds_what_it_held_and_an_opened_claim_what_it_said() -> None:
    chance, others = random.Random(2), [pair("other", n) for n in range(5)]
    changed = [varied(pair("a"), others, Variation(padded=1, opened=1), chance) for _ in range(20)]
    assert all("The a number 0 is open." in p.premise and "The other" in p.premise for p in changed)
    assert all("umber 0 is open." in p.hypothesis and p.hypothesis != "Number 0 is open." for p in changed)
    assert varied(pair("a"), others, Variation(padded=0, opened=0), chance) == pair("a")


def test_batches_hold_every_index_once_and_alike_lengths() -> None:
    lengths = [random.Random(3).randrange(10, 100) for _ in range(64)]
    batches = list(batches_of_alike_length(lengths, 8, random.Random(4)))
    assert sorted(index for batch in batches for index in batch) == list(range(64))
    spans = [max(lengths[i] for i in batch) - min(lengths[i] for i in batch) for batch in batches]
    assert sum(spans) < 100


def test_edits_of_the_same_texts_are_one_set() -> None:
    pairs = [pair("synth_num"), pair("synth_pos", 1), *(pair("other", n) for n in range(50))]
    sets = by_kind(pairs)
    assert {name: len(found) for name, found in sets.items()} == {"synth": 2, "other": 50}


def test_figures_by_hand() -> None:
    entailed = np.array([True, True, False, False])
    found = figures(np.array([0.9, 0.4, 0.8, 0.1]), entailed, 0.8)
    assert (found.recall, found.false_support, found.balanced_accuracy, found.auc) == (0.5, 0.5, 0.5, 0.75)
    assert auc(np.array([1.0, 1.0]), np.array([True, False])) == 0.5
    assert np.isnan(figures(np.array([0.3]), np.array([False]), 0.5).recall)
