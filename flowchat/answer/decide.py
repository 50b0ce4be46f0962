"""Decide: does the site answer the question at all?

The reranker alone says yes to whatever is about the question's subject: to "When is the conference in Tokyo?" it finds
a conference in Frankfurt. So two more things count. What a question is about stands in the passage that answers it, the
more certainly the rarer it is on the site; and what answers stands out among what is only about the same. The weights
are a logistic regression over questions to several sites (README, Decisions).
"""

import math
import re
from collections.abc import Sequence
from statistics import fmean

from flowchat.answer.query import query_words, without_contractions
from flowchat.answer.rerank import Evidence, logit, probability
from flowchat.domain import Version
from flowchat.store import chunks as chunk_store
from flowchat.store.chunks import WordUse
from flowchat.store.database import Database

MAX_COUNT = 2000  # a word of so many chunks says little, however many more there are
MAX_TERMS = 32
MIN_SCORE = 0.02  # of the best evidence; below it even a question of common words only is not answered
MAX_MISSING = 3  # words that count, the rarest; visitors use words that the site doesn't, and mistype
_INTERCEPT, _SCORE_WEIGHT, _MARGIN_WEIGHT, _MISSING_WEIGHT = -0.15, 0.23, 0.28, -1.69
_MAX_LOGIT, _MAX_MARGIN = 6.0, 8.0  # beyond them a score or a margin says no more
_WORDLESS_INTERCEPT, _WORDLESS_SCORE_WEIGHT = -0.4, 0.38  # where words tell nothing, a score of 0.9 makes 0.6

_TERM = re.compile(r"\w+(?:[-.:/']\w+)*")
_GENERAL_WORDS = frozenset(  # of which a question has some whatever it is about; small sites don't have them all
    """
    able actually after again ago all almost already also although always another anyone anything anyway anywhere
    available away back before best better bring call called certain come comes currently different directly doing
    done down each early easily either else enough even ever every everybody everyone everything exactly find fine
    first full get gets getting give given gives go goes going good got happen happened happens help here however
    immediately instead just keep keeps kind know last later left less let lets like little long longer look made
    make makes making many maybe mean means mind more most much must myself near need needed needs never new next no
    nobody none not nothing now off often old once one ones only other others out over own part people per perhaps
    place possible put quickly quite rather really reason recently right safe same say says see seem seems sent
    several simply single slowly somebody someone something sometimes soon sort still stop stopped such suddenly
    sure take taken takes tell therefore thing things though time times today together too try turn two type under
    until up use used useful uses using usually very want wants way ways well whatever whether while whole without
    work working works yes yet
    """.split()
)


async def answerability(db: Database, query: str, ranked: Sequence[Evidence], versions: Sequence[Version]) -> float:
    """How likely (0-1) the evidence, best first, answers the question; 0 without any.

    The words of other languages than English are not looked at: neither the index nor the lists know their forms.
    """
    if not ranked or ranked[0].score < MIN_SCORE:
        return 0.0
    best, seqs = ranked[0], [version.seq for version in versions]
    score = min(logit(best.score), _MAX_LOGIT)
    if any(version.language not in ("", "en") for version in versions if version.id == best.hit.chunk.version_id):
        return probability(_WORDLESS_INTERCEPT + _WORDLESS_SCORE_WEIGHT * score)
    uses = await chunk_store.word_uses(db, seqs, terms(query), best.hit.chunk.rowid, MAX_COUNT)
    missing = _missing(uses, await chunk_store.count(db, seqs))
    weighted = _SCORE_WEIGHT * score + _MARGIN_WEIGHT * _margin(ranked) + _MISSING_WEIGHT * missing
    return probability(_INTERCEPT + weighted)


def terms(query: str) -> list[str]:
    """The telling words of a question, at most MAX_TERMS; "two-factor" and "core.editor" are one each."""
    query = without_contractions(query)
    telling = set(query_words(query)) - _GENERAL_WORDS
    found = [term for term in _TERM.findall(query.lower()) if telling & set(query_words(term))]
    return list(dict.fromkeys(found))[:MAX_TERMS]


def _margin(ranked: Sequence[Evidence]) -> float:
    """How far, in logits, the best stands above the mean of the others; 0 for one alone."""
    others = [logit(evidence.score) for evidence in ranked[1:]]
    return min(logit(ranked[0].score) - fmean(others), _MAX_MARGIN) if others else 0.0


def _missing(uses: dict[str, WordUse], chunks: int) -> float:
    """How rare, summed up, the rarest MAX_MISSING words are that don't stand in the best evidence's chunk.

    A word on every page counts 0, one on none counts 1.
    """
    counts = sorted(use.chunks for use in uses.values() if not use.is_held)[:MAX_MISSING]
    return sum(max(0.0, math.log((chunks + 1) / (count + 0.5)) / math.log((chunks + 1) / 0.5)) for count in counts)
