"""Verify: does a chunk entail a sentence?

A sentence is as well supported as the least of its claims. For every claim the model reads the chunk's sentences that
share the most with it (it was trained on short premises: on a long one it scores badly), and what can be decided
without a model, numbers, names, units, negation, is decided by rules (`checks`). A whole sentence of the chunk needs no
model: it is entailed by identity, whatever its marks.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from flowchat.answer.checks import failed_check
from flowchat.answer.claims import select_evidence, split_claims
from flowchat.domain import Chunk
from flowchat.engines.protocols import Verifier
from flowchat.sentences import split_sentences

_SPACE = re.compile(r"\s+")
_MARKS = re.compile(r"\*\*|[`\"\u201c\u201d]")


@dataclass(frozen=True, slots=True)
class Support:
    """The best-supporting chunk with its probability of entailment (0-1) and the text that was read."""

    chunk: Chunk
    score: float
    evidence: str


def verify(verifier: Verifier, sentence: str, chunks: Sequence[Chunk], query: str = "") -> Support:
    """The support of the chunk that supports the sentence best. Blocking. chunks: at least one.

    Names of the question may be repeated by an answer although the chunk writes them otherwise.
    """
    supports = []
    for chunk in chunks:
        score, evidence = support_of(verifier, sentence, chunk.text, chunk.place, query)
        supports.append(Support(chunk, score, evidence))
    return max(supports, key=lambda support: support.score)


def support_of(verifier: Verifier, sentence: str, passage: str, place: str = "", query: str = "") -> tuple[float, str]:
    """How well a passage supports a sentence (0-1), and the text of it that was read. Blocking.

    This is the whole judgement: claims, rules and model. `place` is the title and headings that the passage stands
    under. 0.0 is a rule's veto.
    """
    sentences = split_sentences(passage)
    if _flat(sentence) in {_flat(whole) for whole in sentences}:
        return 1.0, sentence
    if not sentences:
        return 0.0, ""
    known = f"{place}\n{passage}\n{query}"
    scores = [_score(verifier, claim, sentences, place, known) for claim in split_claims(sentence)]
    return min(score for score, _ in scores), scores[0][1]


def _score(verifier: Verifier, claim: str, sentences: Sequence[str], place: str, known: str) -> tuple[float, str]:
    """A claim's best score over its evidence, narrow and wide, with that evidence."""
    readings = select_evidence(claim, sentences)
    if failed_check(claim, f"{place}\n{readings[-1]}", known):
        return 0.0, ""
    scores = verifier.entailment([(reading, claim) for reading in readings])
    return max(zip(scores, readings, strict=True))


def _flat(text: str) -> str:
    """A sentence less what does not change what it says: bullet, emphasis, code marks, first capital, full stop."""
    plain = _SPACE.sub(" ", _MARKS.sub("", text)).strip().removeprefix("- ").removesuffix(".")
    return plain[:1].lower() + plain[1:]
