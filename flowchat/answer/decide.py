"""Decide: does the site answer the question at all?

The reranker alone says yes to whatever is about the question's subject: to "When is the conference in Tokyo?" it finds
a conference in Frankfurt. So the words count as well: what a question is about stands in the passage that answers it,
the more certainly the rarer it is on the site. The weights are a logistic regression over questions to several
sites (README, Decisions).
"""

import math
import re
from collections.abc import Sequence

from flowchat.answer.query import query_words, without_contractions
from flowchat.answer.rerank import Evidence, logit, probability
from flowchat.domain import Version
from flowchat.store import chunks as chunk_store
from flowchat.store.chunks import WordUse
from flowchat.store.database import Database

MAX_COUNT = 2000  # a word of so many chunks says little, however many more there are
MAX_TERMS = 32
MIN_SCORE = 0.1  # of the best evidence; below it even a question of common words only is not answered
_INTERCEPT, _SCORE_WEIGHT, _MISSING_WEIGHT = 3.0, 0.38, -6.4
_MAX_MISSING = 0.8  # visitors use words that the site doesn't, and mistype
_WORDLESS_INTERCEPT = -0.4  # where the words tell nothing, a score of 0.9 makes 0.6
_MAX_LOGIT = 9.0

_TERM = re.compile(r"\w+(?:[-.:/']\w+)*")
_GENERAL_WORDS = frozenset(  # of which a question has some whatever it is about; small sites don't have them all
    """
    able after again all also always another anyone anything anywhere available before best better bring call called
    come comes different doing done each either else enough ever every everything exactly find first full get gets
    getting give given gives go goes going good got happen happened happens help here instead just keep keeps kind
    know last left less let lets like little long longer look made make makes making many mean means more most much
    must near need needed needs never new next no nobody none not now off often old once one only other others out
    over own part people per place possible put quite rather really reason right safe same say says see seem seems
    sent single someone somebody something sometimes sort still stop stopped such suddenly sure take takes taken
    tell thing things time times together too try turn two type under until up use used useful uses using usually
    very want wants way ways well whatever whether while whole without work working works yes yet
    """.split()
)


async def answerability(db: Database, query: str, ranked: Sequence[Evidence], versions: Sequence[Version]) -> float:
    """How likely (0-1) the evidence, best first, answers the question; 0 without any.

    The words of other languages than English are not looked at: neither the index nor the lists know their forms.
    """
    if not ranked or ranked[0].score < MIN_SCORE:
        return 0.0
    best, seqs = ranked[0], [version.seq for version in versions]
    weighted = _SCORE_WEIGHT * min(max(logit(best.score), -_MAX_LOGIT), _MAX_LOGIT)
    if any(version.language not in ("", "en") for version in versions if version.id == best.hit.chunk.version_id):
        return probability(_WORDLESS_INTERCEPT + weighted)
    uses = await chunk_store.word_uses(db, seqs, terms(query), best.hit.chunk.rowid, MAX_COUNT)
    missing = _rarest_missing(uses, await chunk_store.count(db, seqs))
    return probability(_INTERCEPT + weighted + _MISSING_WEIGHT * min(missing, _MAX_MISSING))


def terms(query: str) -> list[str]:
    """The telling words of a question, at most MAX_TERMS; "two-factor" and "core.editor" are one each."""
    query = without_contractions(query)
    telling = set(query_words(query)) - _GENERAL_WORDS
    found = [term for term in _TERM.findall(query.lower()) if telling & set(query_words(term))]
    return list(dict.fromkeys(found))[:MAX_TERMS]


def _rarest_missing(uses: dict[str, WordUse], chunks: int) -> float:
    """How rare (0 on every page, 1 on none) the rarest word is that does not stand in the evidence; 0 for none."""
    missing = [use.chunks for use in uses.values() if not use.is_held]
    if not missing:
        return 0.0
    return max(0.0, math.log((chunks + 1) / (min(missing) + 0.5)) / math.log((chunks + 1) / 0.5))
