"""Pairs of a premise and a hypothesis: reading, mixing and varying them, and batches of alike length."""

import gzip
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

OPENERS = (
    "Yes, {}", "Yeah, {}", "Sure! {}", "Well, {}", "Oh, {}", "Actually, {}", "So {}", "In short, {}", "Note that {}",
    "According to the documentation, {}", "As the page says, {}", "Based on the text, {}", "I believe {}", "I think {}",
    "I know that {}", "From what I can see, {}", "Did you know that {}", "It seems that {}", "Good question! {}",
    "Oh, I like that one! {}", "I'm no expert, but {}", "That's interesting. {}", "I love it too. {}",
)  # fmt: skip
SHORT_PREMISE_WORDS = 30
POOL_BATCHES = 32
FAMILIES = ("documentation", "fact", "synth", "copied", "written")


@dataclass(frozen=True, slots=True)
class Pair:
    """`label`: entailment, neutral, contradiction, or not_entailment where the last two are not told apart."""

    premise: str
    hypothesis: str
    label: str
    source: str


@dataclass(frozen=True, slots=True)
class Variation:
    """How likely (0-1) a short premise is padded with sentences of others, and a hypothesis gets an opener."""

    padded: float = 0.35
    opened: float = 0.12


def read_pairs(path: Path) -> list[Pair]:
    """The pairs of a JSON lines file, gzipped or not."""
    content = path.read_bytes()
    lines = (gzip.decompress(content) if path.suffix == ".gz" else content).decode().split("\n")
    rows = [json.loads(line) for line in lines if line]
    return [Pair(row["premise"], row["hypothesis"], row["label"], row["source"]) for row in rows]


def stem(path: Path) -> str:
    """The name by which the mix knows a file."""
    return path.name.removesuffix(".gz").removesuffix(".jsonl")


def by_kind(pairs: Sequence[Pair]) -> dict[str, list[Pair]]:
    """By source; claims about the same text, true and false ones, count as one."""
    kinds: dict[str, list[Pair]] = {}
    for pair in pairs:
        family = next((family for family in FAMILIES if pair.source.startswith(f"{family}_")), pair.source)
        kinds.setdefault(family, []).append(pair)
    return kinds


def by_premise(pairs: Sequence[Pair]) -> list[list[Pair]]:
    """The pairs that stand side by side and are about the same premise, together."""
    return [list(group) for _, group in groupby(pairs, key=lambda pair: pair.premise)]


def mixed(
    files: Mapping[str, Sequence[Sequence[Pair]]], shares: Mapping[str, float], chance: random.Random
) -> Iterator[Pair]:
    """Pairs without end: a file is drawn by its share, then its next group, shuffled anew each time round.

    Groups stay together, so that a claim and its false twin mostly come into the same batch.
    """
    names = [name for name in files if files[name]]
    queues: dict[str, list[Sequence[Pair]]] = {name: [] for name in names}
    weights = [shares[name] * len(files[name]) / sum(map(len, files[name])) for name in names]
    while True:
        (name,) = chance.choices(names, weights)
        if not queues[name]:
            queues[name] = chance.sample(files[name], len(files[name]))
        yield from queues[name].pop()


def varied(pair: Pair, others: Sequence[Pair], variation: Variation, chance: random.Random) -> Pair:
    """The pair, perhaps with a longer premise and an opened hypothesis; its label holds as before."""
    premise, hypothesis = pair.premise, pair.hypothesis
    if len(premise.split()) < SHORT_PREMISE_WORDS and chance.random() < variation.padded:
        before, after = chance.choice(others).premise, chance.choice(others).premise
        whole = chance.choice(((before, premise), (premise, after), (before, premise, after)))
        premise = " ".join(_ended(text) for text in whole if len(text.split()) < 2 * SHORT_PREMISE_WORDS)
        premise = premise if pair.premise.rstrip(".") in premise else pair.premise
    if chance.random() < variation.opened:
        small = hypothesis[:2].istitle() and not hypothesis.startswith("I ")
        hypothesis = chance.choice(OPENERS).format(hypothesis[0].lower() + hypothesis[1:] if small else hypothesis)
    return replace(pair, premise=premise, hypothesis=hypothesis)


def _ended(text: str) -> str:
    text = text.strip()
    return text if text.endswith((".", "!", "?", ":")) else f"{text}."


def batches_of_alike_length(lengths: Sequence[int], batch_size: int, order: random.Random) -> Iterator[list[int]]:
    """Indices of a pool, cut into batches of nearly equal length, in an order drawn from `order`.

    Processes that share `order` get batches of about the same length at the same time, so that none waits long.
    """
    by_length = sorted(range(len(lengths)), key=lengths.__getitem__)
    batches = [by_length[start : start + batch_size] for start in range(0, len(lengths), batch_size)]
    order.shuffle(batches)
    yield from batches
