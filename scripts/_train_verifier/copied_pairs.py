"""Makes pairs that copy: claims that keep most words of a sentence, each beside its false twin.

The twin is the very same claim with one thing changed, about the same premise: what tells them apart is the change, not
how much is copied. Without these pairs a verifier learns that near-identical claims are false, as most edited ones are.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from random import Random

from _train_verifier.false_edits import FALSE_EDITS
from _train_verifier.false_edits import Edit as FalseEdit
from _train_verifier.grammar import articled
from _train_verifier.passages import Passage, is_claim
from _train_verifier.rewordings import as_statement, reworded, said_in_words, weaker
from _train_verifier.true_edits import (
    addressed,
    clauses_reordered,
    half,
    imperative,
    impersonal,
    listed,
    shortened,
)

VERBATIM = 0.4  # share of the true claims that change nothing at all
ABSENT = 0.15  # share of the twins that are a sentence from beside the premise, unchanged
MAX_PREMISE_CHARS = 700

_LIGHT_EDITS = (
    reworded, shortened, half, listed, weaker, said_in_words, clauses_reordered, impersonal, addressed, imperative,
    reworded, shortened, half,
)  # fmt: skip


def copied_claims(passages: Sequence[Passage], most: int, random: Random) -> Iterator[tuple[str, str, str, str, str]]:
    """Premise, claim, label, source, licence: at most so many true claims, each followed by its twin."""
    used: Counter[str] = Counter()
    for passage in random.sample(list(passages), len(passages)):
        places = [at for at, sentence in enumerate(passage.sentences) if is_claim(sentence)]
        for at in random.sample(places, min(2, len(places))):
            if used.total() >= most:
                return
            made = _twins(passage, at, used, random)
            if made:
                premise, claim, kind, twin = made
                used[kind] += 1
                yield premise, claim, "entailment", "copied_true", passage.licence
                yield premise, twin, "not_entailment", f"copied_{kind}", passage.licence


def _twins(passage: Passage, at: int, used: Counter[str], random: Random) -> tuple[str, str, str, str] | None:
    """Premise, a true claim, what was done to it and the false one."""
    start = max(0, at - random.choice((0, 0, 1, 2)))
    end = min(len(passage.sentences), max(at + 1 + random.choice((0, 0, 1, 2)), start + 1))
    premise = " ".join(passage.sentences[start:end])
    if len(premise) > MAX_PREMISE_CHARS:
        start, end, premise = at, at + 1, passage.sentences[at]
    claim = _copy(passage.sentences[at], random)
    beside = [other for other in passage.sentences[:start] + passage.sentences[end:] if is_claim(other)]
    if beside and random.random() < ABSENT:
        other = random.choice(beside)
        return None if other in premise else (premise, claim, "absent", other)
    others = [other for other in passage.sentences if other != passage.sentences[at]]
    edits: list[FalseEdit] = sorted(FALSE_EDITS, key=lambda edit: (used[edit.__name__], random.random()))
    for edit in edits:
        twin = edit(claim, others, random)
        if twin and is_claim(twin) and articled(twin) not in premise:
            return premise, claim, edit.__name__, articled(twin)
    return None


def _copy(sentence: str, random: Random) -> str:
    """The sentence itself, or lightly reworded, cut or put together anew."""
    sentence = as_statement(sentence)
    if random.random() < VERBATIM:
        return sentence
    for edit in random.sample(_LIGHT_EDITS, len(_LIGHT_EDITS)):
        claim = edit(sentence, "", random)
        if claim and is_claim(claim):
            return claim
    return sentence
