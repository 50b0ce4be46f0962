"""Makes pairs for the verifier: true and false claims about passages of documentation, and about invented facts.

Run by `scripts/train_verifier`, or alone, from the checkout's root:
    PYTHONPATH=scripts:. python -m _train_verifier.documentation_pairs --pages FOLDER... --out FILE.jsonl.gz
"""

import argparse
import gzip
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

from _train_verifier.copied_pairs import copied_claims
from _train_verifier.fact_pairs import LICENCE, fact_claims
from _train_verifier.false_edits import FALSE_EDITS
from _train_verifier.grammar import TERM, articled
from _train_verifier.passages import HELD_OUT_EVERY, Passage, is_claim, premise_sentences, read_passages
from _train_verifier.rewordings import answered, as_statement, reworded
from _train_verifier.true_edits import TRUE_EDITS
from _train_verifier.written_pairs import written_claims

TESTED = Path(__file__).parents[2] / "tests/data/verifier"
MAX_PER_KIND = 1_500
MAX_VERBATIM = 1_200
MAX_COPIED = 5_500  # each with a false twin
MAX_PREMISE_CHARS = 900
MAX_OF_PASSAGE = 4
FACT_TIMES = 8
PARAPHRASED = 0.4  # share of the false claims that are made of a paraphrase


Made = tuple[str, str, str, str]  # kind, label, premise, claim
About = dict[str, list[tuple[int, str]]]  # term -> number of a passage and a sentence of it that has the term


@dataclass(frozen=True, slots=True)
class Pair:
    """One pair in the format of the folder of pairs (`../shared/nli`)."""

    premise: str
    hypothesis: str
    label: str
    source: str
    split: str
    licence: str


def main() -> None:
    """Reads the pages and writes the pairs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", nargs="+", type=Path, required=True, help="folders of HTML or Markdown pages")
    parser.add_argument("--out", type=Path, required=True, help="the .jsonl.gz to write")
    parser.add_argument("--held-out", action="store_true", help="the pages kept for choosing instead")
    parser.add_argument("--seed", type=int, default=5)
    options = parser.parse_args()
    apart_from = premise_sentences(sorted(TESTED.glob("*.jsonl")))
    passages = list(read_passages(options.pages, held_out=options.held_out, apart_from=apart_from))
    split = "dev" if options.held_out else "train"
    pairs = documentation_pairs(passages, _seeded(options.seed), split)
    if not options.held_out:
        pairs += fact_pairs(FACT_TIMES, _seeded(options.seed))
        pairs += [_pair(made, split) for made in written_claims()]
    most = MAX_COPIED // HELD_OUT_EVERY if options.held_out else MAX_COPIED
    pairs += [_pair(made, split) for made in copied_claims(passages, most, _seeded(options.seed))]
    write_pairs(options.out, pairs)
    for (source, label), number in sorted(Counter((pair.source, pair.label) for pair in pairs).items()):
        print(f"{number:6} {label:15} {source}")
    print(f"{len(pairs):6} pairs of {len(passages)} passages")


def _pair(made: tuple[str, str, str, str, str], split: str) -> Pair:
    premise, claim, label, source, licence = made
    return Pair(premise, claim, label, source, split, licence)


def _seeded(seed: int) -> Random:
    return Random(seed)  # noqa: S311


def fact_pairs(times: int, random: Random) -> list[Pair]:
    """Pairs about invented facts, each family filled so many times."""
    made = [
        Pair(premise, claim, label, f"fact_{kind}", "train", LICENCE)
        for kind, label, premise, claim in fact_claims(times, random)
    ]
    return list(dict.fromkeys(made))


def write_pairs(path: Path, pairs: Sequence[Pair]) -> None:
    """Writes JSONL.gz; the same pairs give the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(asdict(pair), ensure_ascii=False) + "\n" for pair in pairs)
    path.write_bytes(gzip.compress(lines.encode(), mtime=0))


def documentation_pairs(passages: list[Passage], random: Random, split: str) -> list[Pair]:
    """Pairs of all kinds, each bounded, about half of them entailed, in random order."""
    kinds: dict[str, list[Pair]] = defaultdict(list)
    about = _about_terms(passages)
    for number in random.sample(range(len(passages)), len(passages)):
        passage = passages[number]
        full = {kind for kind, found in kinds.items() if len(found) >= most_of(kind)}
        for kind, label, premise, claim in _claims(passage, passages, about, number, full, random):
            if kind not in full and (claim not in premise or kind == "verbatim"):
                kinds[kind].append(Pair(premise, claim, label, f"documentation_{kind}", split, passage.licence))
    chosen = [pair for kind, found in sorted(kinds.items()) for pair in found[: most_of(kind)]]
    random.shuffle(chosen)
    return chosen


def most_of(kind: str) -> int:
    """How many pairs of a kind are made at most."""
    return {"verbatim": MAX_VERBATIM, "reworded": 2 * MAX_PER_KIND, "twice": 2 * MAX_PER_KIND}.get(kind, MAX_PER_KIND)


def _about_terms(passages: list[Passage]) -> About:
    about: About = defaultdict(list)
    for number, passage in enumerate(passages):
        for sentence in filter(is_claim, passage.sentences):
            for term in {found.group() for found in TERM.finditer(sentence)}:
                about[term].append((number, sentence))
    return about


def _claims(
    passage: Passage, passages: list[Passage], about: About, number: int, full: set[str], random: Random
) -> Iterator[Made]:
    """kind, label, premise and claim of what can be made of a passage."""
    claims = [(at, sentence) for at, sentence in enumerate(passage.sentences) if is_claim(sentence)]
    for at, sentence in random.sample(claims, min(MAX_OF_PASSAGE, len(claims))):
        premise = _premise(passage, at, passages, random)
        statement = as_statement(sentence)
        if statement == sentence:
            yield "verbatim", "entailment", premise, sentence
        else:
            yield "definition", "entailment", premise, _dressed(statement, random)
        before = passage.sentences[at - 1] if at else ""
        before = before if is_claim(before) and before in premise else ""
        trues = [(kind, claim) for kind, claim in _true_claims(statement, before, random) if kind not in full]
        for kind, claim in trues:
            yield kind, "entailment", premise, _dressed(claim, random)
        others = [other for other in passage.sentences if other in premise and other != sentence]
        for kind, claim in _false_claims([statement, *(claim for _, claim in trues)], others, full, random):
            if claim not in premise:
                yield kind, "not_entailment", premise, _dressed(claim, random)
        elsewhere = _elsewhere(sentence, about, number, random)
        if elsewhere and elsewhere not in passage.sentences and elsewhere not in premise:
            yield "other_passage", "not_entailment", premise, _dressed(as_statement(elsewhere), random)


def _true_claims(statement: str, before: str, random: Random) -> Iterator[tuple[str, str]]:
    """Paraphrases, and paraphrases of these."""
    for edit in TRUE_EDITS:
        claim = edit(statement, before, random)
        if claim and is_claim(claim):
            yield edit.__name__, claim
            again = random.choice(TRUE_EDITS)(claim, "", random)
            if again and again != claim and is_claim(again):
                yield "twice", again


def _false_claims(
    trues: Sequence[str], others: Sequence[str], full: set[str], random: Random
) -> Iterator[tuple[str, str]]:
    """The statement, first of the true ones, or a paraphrase of it, made untrue."""
    for edit in FALSE_EDITS:
        if edit.__name__ in full:
            continue
        base = random.choice(trues) if random.random() < PARAPHRASED else trues[0]
        claim = edit(base, others, random)
        if claim and is_claim(claim):
            yield edit.__name__, articled(claim)


def _premise(passage: Passage, at: int, passages: list[Passage], random: Random) -> str:
    """One to four sentences around the claimed one, as the product cuts them; sometimes with strangers or a heading."""
    before, after = random.choice([(0, 0), (1, 0), (1, 1), (0, 2), (2, 0), (1, 2), (0, 1)])
    sentences = list(passage.sentences[max(0, at - before) : at + 1 + after])
    if random.random() < 0.15:
        stranger = random.choice(passages)
        said = [sentence for sentence in stranger.sentences if is_claim(sentence)] or list(stranger.sentences)
        sentences.insert(random.choice([0, len(sentences)]), random.choice(said))
    if random.random() < 0.15 and passage.heading:
        sentences.insert(0, passage.heading)
    text = " ".join(sentences)
    return text if len(text) <= MAX_PREMISE_CHARS else passage.sentences[at]


def _elsewhere(sentence: str, about: About, number: int, random: Random) -> str | None:
    """What another passage says about the same thing."""
    terms = [found.group() for found in TERM.finditer(sentence)]
    found = [other for n, other in about[random.choice(terms)] if n != number] if terms else []
    return random.choice(found) if found else None


def _dressed(claim: str, random: Random) -> str:
    """True and false claims alike are reworded, and some put as answers: the wording must not tell which is which."""
    if random.random() < 0.35:
        claim = reworded(claim, "", random) or claim
    return answered(claim, random) if random.random() < 0.12 else claim


if __name__ == "__main__":
    main()
