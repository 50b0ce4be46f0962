"""Copies: a claim that repeats a sentence of its evidence word for word, but for a few words that change what it says.

Cross-encoders read past such small edits. They are found by aligning the words of both (difflib), and only where
nearly all the rest is the same: in a free paraphrase other words mean nothing.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import combinations

from flowchat.answer.claims import content_stems
from flowchat.answer.quantities import UNITS
from flowchat.sentences import split_sentences

MIN_SAME_SHARE = 0.7  # of the claim's words
MIN_SAME_WORDS = 4
MAX_EDIT_WORDS = 4
MAX_SENTENCE_WORDS = 150  # an alignment takes the product of the lengths, or worse

_WORD = re.compile(r"--?\w[\w-]*|\w+n['\u2019]t\b|\w+(?:[./_:@-]\w+)*|[,;]")
_NAME = re.compile(r"--?\w|[A-Z]|\w*[._/:@\d]\w*")
_STRONG = frozenset("always never only all every must none entirely exclusively solely".split())
_PRONOUN = re.compile(r"(?:it|its|they|their|this|that|these|those|he|she|there|you|we)\b", re.IGNORECASE)
_EACH = _STRONG | {"each"}
_DENYING = frozenset("not no never cannot".split())
# What may come or go with a "not" and says nothing by itself.
_BESIDE_NOT = frozenset(
    "a an the any some do does did is are was were be been has have had can could will would may might must should "
    "to ever always still longer just also".split()
)
_DUTY = frozenset("must will shall has have need needs to".split())
_LEAVE = frozenset("may might can could".split())
_BE = frozenset("is are was were be been being".split())
_IF = frozenset("if when whenever".split())
_LIMITS = frozenset("if unless except provided".split())
_CONDITIONS = ("if ", "unless ", "except ", "provided ", "as long as ", "only if ", "only when ")
_LIMITED = re.compile(
    r"\b(?:if|unless|except|provided|when|whenever|only|case|once|assuming|until|without|where|while|otherwise|may|might"
    r"|can|could|whether|depending|some|sometimes)\b",
    re.IGNORECASE,
)
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
    "parent/child row/column rows/columns previous/following save/discard discouraged/recommended "
    "possible/impossible valid/invalid safe/unsafe supported/unsupported known/unknown always/never "
    "often/rarely cheap/expensive strong/weak full/empty all/some all/none every/some early/late up/down "
    "wins/loses buy/sell encode/decode encodes/decodes encoded/decoded encoding/decoding encrypt/decrypt "
    "encrypts/decrypts encrypted/decrypted commit/rollback push/pull newest/oldest smallest/largest shortest/longest "
    "fewest/most rarely/usually permit/deny allow/deny allowed/denied grant/revoke positive/negative online/offline "
    "source/destination source/target sender/receiver reader/writer readers/writers reading/writing inner/outer "
    "primary/replica explicit/implicit explicitly/implicitly automatically/manually automatic/manual static/dynamic "
    "absolute/relative global/local singular/plural forward/backward forwards/backwards prefix/suffix "
    "leading/trailing next/previous ancestor/descendant quicker/slower"
)
_UN = ("un", "in", "im", "ir", "il", "dis", "non", "non-", "non_")
_OPPOSITE = {frozenset(pair.split("/")) for pair in _OPPOSITES.split()}


@dataclass(frozen=True, slots=True)
class _Alignment:
    """A claim beside a sentence: how many words are the `same`, and what the claim and the sentence have in between.

    A span `(said, given)` is empty on one side where words were put in or left out.
    """

    words: Sequence[str]
    others: Sequence[str]
    same: int
    spans: Sequence[tuple[Sequence[str], Sequence[str]]]

    @property
    def replaced(self) -> list[tuple[Sequence[str], Sequence[str]]]:
        """The short spans with words on both sides."""
        return [
            (said, given)
            for said, given in self.spans
            if said and given and len(max(said, given, key=len)) <= MAX_EDIT_WORDS
        ]


def is_altered(claim: str, evidence: str) -> bool:
    """Whether the claim is a sentence of the evidence with a name, a sense, a duty, a role or a condition changed."""
    words = _WORD.findall(claim)
    if len(words) > MAX_SENTENCE_WORDS:
        return False
    sentences = [_WORD.findall(sentence) for sentence in split_sentences(evidence)]
    aligned = [_align(words, others) for others in sentences if len(others) <= MAX_SENTENCE_WORDS]
    closest = max(aligned, key=lambda alignment: alignment.same, default=None)
    if closest is None or closest.same < MIN_SAME_WORDS:
        return False
    if closest.same < MIN_SAME_SHARE * len(words):
        return _swaps(closest) or _moves(closest)
    return (
        any(_is_other(said, given, evidence) for said, given in closest.replaced)
        or any(fails(closest) for fails in (_is_stronger, _denies, _swaps, _moves, _leaves_out_condition))
        or _has_other_subject(closest, evidence)
    )


def _align(words: Sequence[str], others: Sequence[str]) -> _Alignment:
    matcher = SequenceMatcher(None, [word.lower() for word in words], [word.lower() for word in others], autojunk=False)
    spans = [
        (words[start:end], others[other_start:other_end])
        for kind, start, end, other_start, other_end in matcher.get_opcodes()
        if kind != "equal"
    ]
    return _Alignment(words, others, sum(block.size for block in matcher.get_matching_blocks()), spans)


def _is_stronger(alignment: _Alignment) -> bool:
    """Whether an "always" or its like was put in between."""
    ends = (alignment.words[:1], alignment.words[-1:])
    inserted = [said for said, given in alignment.spans if not given and said[:1] != ends[0] and said[-1:] != ends[1]]
    return any(_STRONG & {*_low(said)} - {*_low(alignment.others)} for said in inserted)


def _denies(alignment: _Alignment) -> bool:
    """Whether a "not" was put in or left out, or "if" and "unless" changed."""
    changes = 0
    for said, given in alignment.spans:
        said_low, given_low = _low(said), _low(given)
        if max(len(said), len(given)) > MAX_EDIT_WORDS or {"or", ","} & {*said_low, *given_low}:
            continue
        if _has_not(said_low) != _has_not(given_low):
            changes += _beside_not(said_low) == _beside_not(given_low)
        changes += any(
            "unless" in a and _IF & {*b} and "except" not in b
            for a, b in ((said_low, given_low), (given_low, said_low))
        )
    return changes % 2 == 1


def _low(words: Sequence[str]) -> list[str]:
    return [word.lower().replace("\u2019", "'") for word in words]


def _has_not(words: Sequence[str]) -> bool:
    return any(word in _DENYING or word.endswith("n't") for word in words)


def _beside_not(words: Sequence[str]) -> set[str]:
    rest = " ".join(word for word in words if word not in _DENYING | _BESIDE_NOT and not word.endswith("n't"))
    return {stem[:3] for stem in content_stems(rest)}


def _leaves_out_condition(alignment: _Alignment) -> bool:
    """Whether all but the "if …" of a sentence is said, and nothing in its place."""
    if not alignment.spans:
        return False
    first, last = alignment.spans[0][1], alignment.spans[-1][1]
    begins = not alignment.spans[0][0] and alignment.others[: len(first)] == first
    ends = not alignment.spans[-1][0] and alignment.others[-len(last) :] == last
    if begins and len(first) > 3 and first[0].lower() in _LIMITS and first[-1] in (",", "then"):
        return _is_gone(first, alignment.words, alignment.others[len(first) :])
    condition = last[1:] if last[:1] == [","] else last
    if ends and len(condition) > 2 and " ".join(_low(condition[:3])).startswith(_CONDITIONS) and ";" not in condition:
        return _is_gone(condition, alignment.words, alignment.others[: -len(last)])
    return False


def _is_gone(condition: Sequence[str], words: Sequence[str], rest: Sequence[str]) -> bool:
    """Whether the claim neither has the condition elsewhere nor another limit than the rest of the sentence has."""
    said, kept = " ".join(_low(words)), " ".join(_low(rest))
    if _stems(condition) <= _stems(words):
        return False
    return {*_LIMITED.findall(said)} <= {*_LIMITED.findall(kept)}


def _has_other_subject(alignment: _Alignment, evidence: str) -> bool:
    """Whether the claim says of one thing of the evidence what the sentence says of another."""
    said, given = alignment.spans[0] if alignment.spans else ((), ())
    start = 1 if alignment.words[0].lower() in _SMALL and _low(alignment.words[:1]) == _low(alignment.others[:1]) else 0
    is_first = (
        alignment.words[start : start + len(said)] == said and alignment.others[start : start + len(given)] == given
    )
    if not said or not given or not is_first or max(len(said), len(given)) > MAX_EDIT_WORDS or _PRONOUN.match(given[0]):
        return False
    ours, theirs = _stems(said), _stems(given)
    return bool(ours and theirs) and ours.isdisjoint(_stems(alignment.others)) and ours <= content_stems(evidence)


def _stems(words: Sequence[str]) -> set[str]:
    return content_stems(" ".join(words))


def _is_other(said: Sequence[str], given: Sequence[str], evidence: str) -> bool:
    """Whether one name or unit stands for another, a word for its opposite or a weaker one, or passive for active."""
    said_low, given_low = _low(said), _low(given)
    if _has_not(said_low) == _has_not(given_low) and any(_are_opposite(a, b) for a in said_low for b in given_low):
        return True
    if _STRONG & {*said_low} and not (_EACH | _DUTY) & {*given_low}:
        return True
    if {*said_low} <= _DUTY and {*given_low} <= _LEAVE:
        return True
    if len(said) == len(given) == 1 and _are_units(said_low[0], given_low[0]):
        return True
    if _turns_voice(said_low, given_low) or _turns_voice(given_low, said_low):
        return True
    return _are_names(said) and _are_names(given) and not _may_be_the_same(said_low, given_low, evidence)


def _are_opposite(one: str, other: str) -> bool:
    short, long = sorted((one, other), key=len)
    return frozenset((one, other)) in _OPPOSITE or (len(short) > 3 and long in {prefix + short for prefix in _UN})


def _are_units(one: str, other: str) -> bool:
    """Whether these are units, and not the same."""
    units = [UNITS.get(word) or UNITS.get(word.removesuffix("s")) for word in (one, other) if len(word) > 2]
    return len(units) == 2 and None not in units and units[0] != units[1]


def _turns_voice(passive: Sequence[str], active: Sequence[str]) -> bool:
    """Whether "is read by" stands for "reads", with the same words around it."""
    if len(passive) != 3 or passive[0] not in _BE or passive[2] != "by" or len(active) != 1:
        return False
    return passive[1][:4] == active[0][:4] and not active[0].endswith(("ed", "ing"))


def _are_names(words: Sequence[str]) -> bool:
    telling = [word for word in words if word.lower() not in _SMALL and word not in _JOINING]
    is_amount = len(telling) > 1 and any(map(str.isdecimal, telling))
    return bool(telling) and all(_NAME.match(word) for word in telling) and not is_amount


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


def _swaps(alignment: _Alignment) -> bool:
    """Whether two spans have changed places, but for the members of a list."""
    claim = _low(alignment.words)
    for (said, given), (other_said, other_given) in combinations(alignment.replaced, 2):
        if _telling(said) == _telling(other_given) != _telling(given) == _telling(other_said):
            start = _find(_low(said), claim, 0) + len(said)
            between = claim[start : _find(_low(other_said), claim, start)]
            is_list = between and between[0] in _JOINING and between[-1] in _JOINING
            enough = alignment.same + len(said) + len(other_said) >= MIN_SAME_SHARE * len(claim)
            return enough and not is_list
    return False


def _moves(alignment: _Alignment) -> bool:
    """Whether "X sends Y" became "Y sends X": Y is aligned, and "X sends" moved past it and became "sends X"."""
    for one, other in combinations(alignment.spans, 2):
        (said, here), (there, given) = (one, other) if one[0] else (other, one)
        moved, before = _telling(said), _telling(given)
        if here or there or len(moved) < 2 or moved == before or _JOINING & {*moved}:
            continue
        if sorted(moved) == sorted(before):
            return alignment.same + len(said) >= MIN_SAME_SHARE * len(alignment.words)
    return False


def _telling(words: Sequence[str]) -> list[str]:
    return [word for word in _low(words) if word not in _SMALL]


def _find(span: Sequence[str], words: Sequence[str], start: int) -> int:
    places = range(start, len(words))
    return next((place for place in places if words[place : place + len(span)] == span), len(words))
