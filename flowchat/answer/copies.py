"""Copies: a claim that repeats a sentence of its evidence word for word, but for a few words that change what it says.

Cross-encoders read past such small edits. They are found by aligning the words of both (difflib), and only where
nearly all the rest is the same: in a free paraphrase other words mean nothing.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import combinations

from flowchat.sentences import split_sentences

MIN_SAME_SHARE = 0.7  # of the claim's words
MIN_SAME_WORDS = 4
MAX_EDIT_WORDS = 4
MAX_SENTENCE_WORDS = 150  # an alignment takes the product of the lengths, or worse

_WORD = re.compile(r"--?\w[\w-]*|\w+(?:[./_:@-]\w+)*|[,;]")
_NAME = re.compile(r"--?\w|[A-Z]|\w*[._/:@\d]\w*")
_STRONG = frozenset("always never only all every must none entirely exclusively solely".split())
_JOINING = frozenset("and or , ; nor as well plus".split())
_SMALL = frozenset("a an the this that these those it its they their he his she her we our you your i my".split())
_OPPOSITES = (
    "allow/forbid allow/prevent allows/prevents allowed/forbidden enable/disable enabled/disabled "
    "enables/disables increase/decrease increases/decreases increased/decreased before/after above/below "
    "more/less more/fewer most/least larger/smaller greater/smaller greater/less higher/lower longer/shorter "
    "faster/slower first/last minimum/maximum minimal/maximal min/max earlier/later start/end starts/ends "
    "begin/end begins/ends open/closed opens/closes open/close add/remove adds/removes added/removed "
    "create/delete creates/deletes insert/delete include/exclude includes/excludes included/excluded "
    "accept/reject accepts/rejects accepted/rejected required/optional public/private local/remote "
    "internal/external input/output read/write reads/writes with/without true/false yes/no on/off same/different "
    "single/multiple unique/duplicate old/new older/newer true/untrue free/paid success/failure succeeds/fails "
    "present/absent inside/outside upper/lower left/right top/bottom ascending/descending "
    "synchronous/asynchronous import/export upload/download send/receive sends/receives server/client "
    "parent/child possible/impossible valid/invalid safe/unsafe supported/unsupported known/unknown always/never "
    "often/rarely cheap/expensive strong/weak full/empty all/some all/none every/some early/late up/down "
    "wins/loses buy/sell"
)
_OPPOSITE = {frozenset(pair.split("/")) for pair in _OPPOSITES.split()}


@dataclass(frozen=True, slots=True)
class _Alignment:
    """`same` words of a claim stand in a sentence, too; the others are `replaced` (with what) or `inserted`."""

    same: int
    replaced: Sequence[tuple[Sequence[str], Sequence[str]]]
    inserted: Sequence[Sequence[str]]


def is_altered(claim: str, evidence: str) -> bool:
    """Whether the claim is a sentence of the evidence with a name, a sense or an order exchanged."""
    words = _WORD.findall(claim)
    if len(words) > MAX_SENTENCE_WORDS:
        return False
    sentences = [_WORD.findall(sentence) for sentence in split_sentences(evidence)]
    aligned = [_align(words, others) for others in sentences if len(others) <= MAX_SENTENCE_WORDS]
    closest = max(aligned, key=lambda alignment: alignment.same, default=None)
    if closest is None or closest.same < max(MIN_SAME_WORDS, MIN_SAME_SHARE * len(words)):
        return False
    replaced = closest.replaced
    is_stronger = any(_STRONG & {*map(str.lower, inserted)} for inserted in closest.inserted)
    return is_stronger or any(_is_other(said, given, evidence) for said, given in replaced) or _swaps(replaced, words)


def _align(words: Sequence[str], others: Sequence[str]) -> _Alignment:
    matcher = SequenceMatcher(None, [word.lower() for word in words], [word.lower() for word in others], autojunk=False)
    replaced, inserted = [], []
    for kind, start, end, other_start, other_end in matcher.get_opcodes():
        if kind == "delete" and start > 0 and end < len(words):
            inserted.append(words[start:end])
        elif kind == "replace" and max(end - start, other_end - other_start) <= MAX_EDIT_WORDS:
            replaced.append((words[start:end], others[other_start:other_end]))
    return _Alignment(sum(block.size for block in matcher.get_matching_blocks()), replaced, inserted)


def _is_other(said: Sequence[str], given: Sequence[str], evidence: str) -> bool:
    """Whether one name stands for another, or a word for its opposite, or a stronger word for a weaker one."""
    said_low, given_low = [word.lower() for word in said], [word.lower() for word in given]
    if any(frozenset((one, other)) in _OPPOSITE for one in said_low for other in given_low):
        return True
    if _STRONG & {*said_low} and not _STRONG & {*given_low}:
        return True
    return _are_names(said) and _are_names(given) and not _may_be_the_same(said_low, given_low, evidence)


def _are_names(words: Sequence[str]) -> bool:
    telling = [word for word in words if word.lower() not in _SMALL and word not in _JOINING]
    return bool(telling) and all(_NAME.match(word) for word in telling)


def _may_be_the_same(said: Sequence[str], given: Sequence[str], evidence: str) -> bool:
    """One name is a part of the other or its initials, or the evidence uses both side by side: "Foo (Bar)"."""
    one, other = "".join(said), "".join(given)
    if one in other or other in one or one[:4] == other[:4]:
        return True
    if one in ("".join(word[0] for word in given), other[0]) or other == "".join(word[0] for word in said):
        return True
    low = evidence.lower()
    pairs = ((" ".join(said), " ".join(given)), (" ".join(given), " ".join(said)))
    return any(re.search(rf"{re.escape(a)}\W{{0,2}}\((?:the )?{re.escape(b)}", low) for a, b in pairs)


def _swaps(replaced: Sequence[tuple[Sequence[str], Sequence[str]]], words: Sequence[str]) -> bool:
    """Whether two spans have changed places, but for the members of a list."""
    claim = [word.lower() for word in words]
    spans = [([word.lower() for word in said], [word.lower() for word in given]) for said, given in replaced]
    for (said, given), (other_said, other_given) in combinations(spans, 2):
        if said == other_given and given == other_said:
            start = _find(said, claim, 0) + len(said)
            return not _JOINING & {*claim[start : _find(other_said, claim, start)]}
    return False


def _find(span: Sequence[str], words: Sequence[str], start: int) -> int:
    places = range(start, len(words))
    return next((place for place in places if words[place : place + len(span)] == span), len(words))
