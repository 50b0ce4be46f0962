"""The verifier on pairs: a premise, a hypothesis, and whether the one entails the other.

Pairs are JSONL (or that gzipped): {"premise", "hypothesis", "label": entailment, or anything else}. A hypothesis is
judged as a sentence of an answer is: claims, rules and model, at the threshold of the settings. Beside it stand the
model alone at the same threshold, and two references that need no such model: the share of the hypothesis's words that
the premise has, none if it lacks one of its numbers; and the reranker's score. Those two get the one threshold that
suits them best over all sets together, which nobody could have known before.
"""

import gzip
import os
import re
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import msgspec

from flowchat.answer.claims import content_stems
from flowchat.answer.verify import support_of
from flowchat.engines.protocols import Reranker, Verifier
from flowchat.engines.registry import find_model, require
from flowchat.engines.reranker import FastembedReranker
from flowchat.engines.verifier import OnnxVerifier
from flowchat.errors import FlowChatError
from flowchat.evaluation.report import Measure, Report
from flowchat.settings import Settings

LIMIT = 400
CHECKED, MODEL, OVERLAP, RERANKER = "checked", "model alone", "word overlap and numbers", "reranker"
REFERENCES = (OVERLAP, RERANKER)
# Sets of everyday English: figures without a target of their own, as answers are about documentation.
_EVERYDAY = ("mnli", "snli", "conj")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_OWN = Path(__file__).parents[2] / "tests/data/verifier"


class Pair(msgspec.Struct, frozen=True):
    """Whether a premise entails a hypothesis: `label` is entailment, or something else."""

    premise: str
    hypothesis: str
    label: str


@dataclass(frozen=True, slots=True)
class Targets:
    """Least balanced accuracy and recall, most false support (0-1). Everyday sets have none of them."""

    accuracy: float
    recall: float
    false_support: float


@dataclass(frozen=True, slots=True)
class Scored:
    """A set's scores, one a pair and way of judging, beside what is right. `ms`: median of `checked`."""

    name: str
    truths: list[bool]
    scores: dict[str, list[float]]
    ms: float


@dataclass(frozen=True, slots=True)
class Figures:
    """Shares (0-1). `false_support`: of the pairs that are not entailed, those judged as entailed."""

    accuracy: float
    recall: float
    false_support: float


def default_files(data: Path) -> list[Path]:
    """The development sets beside the folder of test data, and those of a checkout."""
    return sorted((data.parent / "nli/dev").glob("*.jsonl.gz")) + sorted(_OWN.glob("*.jsonl"))


def run(files: Sequence[Path], limit: int, settings: Settings, targets: Targets) -> list[Report]:
    """Judge the pairs of the files with the models of the settings: a report for each file.

    Raises FlowChatError for missing or malformed files and missing models.
    """
    sets = read_sets(files, limit)
    threads = settings.threads or len(os.sched_getaffinity(0))
    verifier = find_model(settings.verifier, "verifier", settings.models_path)
    reranker = find_model(settings.reranker, "reranker", settings.models_path)
    return measure(
        sets,
        OnnxVerifier(require(verifier, settings.models_path), threads),
        FastembedReranker(reranker, require(reranker, settings.models_path), threads),
        settings.verify_threshold,
        targets,
    )


def read_sets(files: Sequence[Path], limit: int) -> dict[str, list[Pair]]:
    """At most `limit` pairs of each file, the same each time. Raises FlowChatError `no_test_data`, `bad_test_data`."""
    if not files:
        raise FlowChatError("no_test_data", "No pairs: name files of them with --pairs, or their folder with --data.")
    return {path.name.removesuffix(".gz").removesuffix(".jsonl"): _some(_read(path), limit) for path in files}


def _read(path: Path) -> list[Pair]:
    if not path.is_file():
        raise FlowChatError("no_test_data", f"No {path}: --pairs names a file of pairs, JSONL or .jsonl.gz.")
    try:
        data = path.read_bytes()
        lines = (gzip.decompress(data) if path.suffix == ".gz" else data).splitlines()
        pairs = [msgspec.json.decode(line, type=Pair) for line in lines if line.strip()]
    except (msgspec.DecodeError, gzip.BadGzipFile, EOFError) as error:
        raise FlowChatError("bad_test_data", f"{path}: {error}.") from None
    if len({pair.label == "entailment" for pair in pairs}) < 2:
        raise FlowChatError("bad_test_data", f"{path} needs pairs with the label entailment and pairs with another.")
    return pairs


def _some(pairs: list[Pair], limit: int) -> list[Pair]:
    """As many of both kinds as there are of each in the whole, where the limit cuts."""
    if len(pairs) <= limit:
        return pairs
    right = [pair for pair in pairs if pair.label == "entailment"]
    wrong = [pair for pair in pairs if pair.label != "entailment"]
    number = min(max(1, round(limit * len(right) / len(pairs))), limit - 1)
    random = Random(0)  # noqa: S311
    return random.sample(right, min(number, len(right))) + random.sample(wrong, min(limit - number, len(wrong)))


def measure(
    sets: dict[str, list[Pair]], verifier: Verifier, reranker: Reranker, threshold: float, targets: Targets
) -> list[Report]:
    """Judge pairs: a report for each set. threshold: from which a sentence counts as supported."""
    scored = [_score(name, pairs, verifier, reranker) for name, pairs in sets.items()]
    thresholds = {CHECKED: threshold, MODEL: threshold} | {way: _best_threshold(scored, way) for way in REFERENCES}
    return [_report(one, thresholds, targets) for one in scored]


def _score(name: str, pairs: Sequence[Pair], verifier: Verifier, reranker: Reranker) -> Scored:
    scores: dict[str, list[float]] = {way: [] for way in (CHECKED, MODEL, *REFERENCES)}
    times = []
    for pair in pairs:
        began = time.perf_counter()
        scores[CHECKED].append(support_of(verifier, pair.hypothesis, pair.premise)[0])
        times.append((time.perf_counter() - began) * 1000)
        scores[MODEL] += verifier.entailment([(pair.premise, pair.hypothesis)])
        scores[OVERLAP].append(word_overlap(pair.premise, pair.hypothesis))
        scores[RERANKER] += reranker.score(pair.hypothesis, [pair.premise])
    return Scored(name, [pair.label == "entailment" for pair in pairs], scores, statistics.median(times))


def word_overlap(premise: str, hypothesis: str) -> float:
    """Share (0-1) of the hypothesis's words that the premise has; 0 if it lacks a number of the hypothesis."""
    words = content_stems(hypothesis)
    if not words or set(_NUMBER.findall(hypothesis)) - set(_NUMBER.findall(premise)):
        return 0.0
    return len(words & content_stems(premise)) / len(words)


def _best_threshold(scored: Sequence[Scored], way: str) -> float:
    """The threshold with the highest balanced accuracy, on average over the sets."""
    candidates = sorted({score for one in scored for score in one.scores[way]})
    some = candidates[:: max(1, len(candidates) // 200)]
    return max(some, key=lambda t: statistics.mean(figures(one.truths, one.scores[way], t).accuracy for one in scored))


def figures(truths: Sequence[bool], scores: Sequence[float], threshold: float) -> Figures:
    """What a threshold makes of scores. Both kinds of truth must be there."""
    supported = [score >= threshold for score in scores]
    recall = statistics.mean(shown for shown, true in zip(supported, truths, strict=True) if true)
    false_support = statistics.mean(shown for shown, true in zip(supported, truths, strict=True) if not true)
    return Figures((recall + 1 - false_support) / 2, recall, false_support)


def roc_auc(truths: Sequence[bool], scores: Sequence[float]) -> float:
    """The probability that a true pair scores higher than a false one, ties counted half (Mann-Whitney U)."""
    right = [score for score, true in zip(scores, truths, strict=True) if true]
    wrong = [score for score, true in zip(scores, truths, strict=True) if not true]
    won = sum((high > low) + 0.5 * (high == low) for high in right for low in wrong)
    return won / (len(right) * len(wrong))


def _report(one: Scored, thresholds: dict[str, float], targets: Targets) -> Report:
    found = {way: figures(one.truths, scores, thresholds[way]) for way, scores in one.scores.items()}
    best = max(found[way].accuracy for way in REFERENCES)
    mine = found[CHECKED]
    has_targets = not one.name.startswith(_EVERYDAY)
    measures = [
        Measure("pairs", len(one.truths)),
        Measure("of them entailed", sum(one.truths)),
        _least("balanced accuracy", mine.accuracy, targets.accuracy if has_targets else 0),
        Measure("ROC-AUC", roc_auc(one.truths, one.scores[CHECKED])),
        _least("recall", mine.recall, targets.recall if has_targets else 0),
        _most("false support", mine.false_support, targets.false_support if has_targets else 1),
        Measure("ahead of the better reference", mine.accuracy - best, "> 0", mine.accuracy > best),
        Measure("ms a pair (median)", one.ms),
    ]
    for way in (MODEL, *REFERENCES):
        measures += [
            Measure(f"{way}: balanced accuracy", found[way].accuracy),
            Measure(f"{way}: ROC-AUC", roc_auc(one.truths, one.scores[way])),
            Measure(f"{way}: recall", found[way].recall),
            Measure(f"{way}: false support", found[way].false_support),
        ]
    chosen = ", ".join(f"{way} {thresholds[way]:.3g}" for way in REFERENCES)
    note = f"Threshold {thresholds[CHECKED]:g}, as shipped; the references' suit them best over all sets: {chosen}."
    return Report(f"verifier: {one.name}", tuple(measures), (note,))


def _least(name: str, value: float, target: float) -> Measure:
    return Measure(name, value, f">= {target:g}", value >= target) if target > 0 else Measure(name, value)


def _most(name: str, value: float, target: float) -> Measure:
    return Measure(name, value, f"<= {target:g}", value <= target) if target < 1 else Measure(name, value)
