"""Answers to questions that were asked before, kept in memory, by all that they depend on.

Two questions are the same where they differ only in case, spaces, punctuation, a polite wrapping, or words that say
nothing; by these rules, and by no model: every number, name and negation, and the words' order, stay. A new version, or
a curated answer that comes, changes or goes, makes another key, so that nothing has to be invalidated. Keys are
digests, so that no visitor's words are kept. Settings and models are those of the process, and so are not in them.
"""

import hashlib
import re
import unicodedata
from collections import OrderedDict
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, fields

import msgspec

from flowchat.answer.pipeline import Answer, Question
from flowchat.answer.query import standalone_query
from flowchat.domain import Event
from flowchat.store import curated_answers
from flowchat.store.database import Database

MAX_ENTRIES = 10_000
OBJECTS_PER_TEXT = 3  # what Python's objects take, over the bytes of their JSON (measured)

_OPENING = re.compile(
    r"(?:(?:hi|hello|hey|good (?:morning|afternoon|evening))(?: there| all| everyone)?\s?[,!.:-]{0,8}\s)?"
    r"(?:(?:can|could|would|will) (?:you|someone|anyone)(?: please)? tell me,?\s+|(?:please )?tell me,?\s+|"
    r"(?:i(?: would|'d) like|i want) to know,?\s+|i(?: was|'m| am) wondering,?\s+|do you know,?\s+)?"
)
_CLOSING = re.compile(
    r"[\s,.!?-]{0,8}(?:\b(?:thanks|thank you|thx|cheers)(?: a lot| so much| very much| in advance)?[\s.!]{0,8})$"
)
_IS = re.compile(r"\b(what|where|who|when|how)'s\b")
_SAYS_NOTHING = frozenset("please pls plz kindly the actually basically".split())
_QUOTES = str.maketrans("\u2018\u2019\u201c\u201d", "''\"\"")
_LEADING = "(\u00bf\u00a1"
_TRAILING = "?.,;:)\u2026\u3002\uff1f\uff0c"


@dataclass(frozen=True, slots=True)
class Remembered:
    """An answer with its events, but for the first, which repeats the question."""

    events: tuple[Event, ...]
    answer: Answer

    def fill(self, answer: Answer) -> None:
        """Make `answer` equal, but for the tokens: no model reads or writes any this time."""
        for field in fields(Answer):
            setattr(answer, field.name, copy(getattr(self.answer, field.name)))
        answer.tokens_in = answer.tokens_out = 0


class AnswerCache:
    """The answers asked for last, in at most about `max_bytes`. 0: keeps none."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._kept: OrderedDict[str, tuple[Remembered, int]] = OrderedDict()  # least recently asked first

    def get(self, key: str) -> Remembered | None:
        if key not in self._kept:
            return None
        self._kept.move_to_end(key)
        return self._kept[key][0]

    def put(self, key: str, events: Sequence[Event], answer: Answer) -> None:
        """Keep a finished answer; `events` less `retrieval.started`."""
        size = _size(events, answer)
        if size > self._max_bytes:
            return
        if key in self._kept:
            self._bytes -= self._kept.pop(key)[1]
        self._kept[key] = (Remembered(tuple(events), answer), size)
        self._bytes += size
        while self._bytes > self._max_bytes or len(self._kept) > MAX_ENTRIES:
            _, (_, dropped) = self._kept.popitem(last=False)
            self._bytes -= dropped

    def clear(self) -> None:
        self._kept.clear()
        self._bytes = 0


async def cache_key(db: Database, embedder: str, question: Question) -> str:
    """The digest of all that the answer to a question depends on."""
    curated = await curated_answers.stamp(
        db, question.tenant_id, question.source_ids, embedder, is_tenant_wide=question.is_tenant_wide
    )
    depends_on = (
        normal_question(question.query),
        normal_question(standalone_query(question.query, question.history)),
        sorted(version.id for version in question.versions),
        question.mode,
        question.locale.lower(),
        question.tenant_id,
        sorted(question.source_ids),
        question.is_tenant_wide,
        curated,
    )
    return hashlib.sha256(msgspec.json.encode(depends_on)).hexdigest()


def normal_question(text: str) -> str:
    """One form of the questions that differ in nothing that counts. The models that search read lower case only."""
    plain = unicodedata.normalize("NFKC", text).casefold().translate(_QUOTES)
    plain = " ".join(plain.split())
    bare = _IS.sub(r"\1 is", _CLOSING.sub("", _OPENING.sub("", plain, count=1)))
    words = [_bare_word(word) for word in bare.split()]
    return " ".join(word for word in words if word not in _SAYS_NOTHING) or plain


def _bare_word(word: str) -> str:
    """Without the punctuation of a sentence around it; a sign that stands alone is a word."""
    stripped = word.lstrip(_LEADING).rstrip(_TRAILING)
    if stripped[-1:] == "!" and stripped[-2:-1].isalpha():
        stripped = stripped.rstrip("!")
    return stripped or word


def _size(events: Sequence[Event], answer: Answer) -> int:
    texts = len(msgspec.json.encode([event.data for event in events]))
    chunks = sum(len(hit.chunk.text) for hit in answer.chunks)
    vector = answer.query_vector.nbytes if answer.query_vector is not None else 0
    return (texts + chunks) * OBJECTS_PER_TEXT + vector
