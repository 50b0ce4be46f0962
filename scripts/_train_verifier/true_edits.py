"""Edits that keep a sentence's truth: paraphrases as people and models make them.

Each takes a sentence, the sentence before it in the passage ('' at its start) and a random generator, and gives a claim
that follows from the passage, or None where it does not fit. Their names name the kind in the pairs' `source`.
"""

import re
from collections.abc import Callable
from random import Random

from _train_verifier.grammar import (
    BASE_OF_PARTICIPLE,
    PARTICIPLE_OF_THIRD,
    THIRD_OF,
    capitalised,
    decapitalised,
    is_plural,
    split_object,
    split_subject,
)
from _train_verifier.rewordings import reworded, said_in_words, weaker

Edit = Callable[[str, str, Random], str | None]

_PARTICIPLES = "|".join(sorted(BASE_OF_PARTICIPLE, key=len, reverse=True))
_BY_AGENT = re.compile(
    rf"^(.{{3,50}}?) (?:is|are) ({_PARTICIPLES}) by (?!\w+ing\b|default)"
    r"((?:the |an? )?(?:[\w()-]+ ){0,2}[\w()-]+)[.]$"
)


def passive(sentence: str, before: str, random: Random) -> str | None:
    """Active to passive, and passive with an agent to active."""
    by_agent = _BY_AGENT.match(sentence)
    if by_agent and split_subject(sentence)[0]:
        verb = BASE_OF_PARTICIPLE[by_agent[2]]
        verb = verb if is_plural(by_agent[3]) else THIRD_OF[verb]
        return f"{capitalised(by_agent[3])} {verb} {decapitalised(by_agent[1])}."
    subject, third, object_, rest = split_object(sentence)
    if not third or re.match(r"(?:it|them|themselves|itself|one|you)\b", object_):
        return None
    be = "are" if is_plural(object_) else "is"
    return f"{capitalised(object_)} {be} {PARTICIPLE_OF_THIRD[third]} by {decapitalised(subject)}{rest}"


_DONE_TO = re.compile(
    rf"^((?:[\w.()`\"-]+ ){{0,5}}[\w.()`\"-]+) (can|must|may|should|cannot) be ({_PARTICIPLES})\b"
    r"(?! (?:by|or|and)\b)((?:(?! by the ).)*)$",
    re.DOTALL,
)
_NOT_ONE_THING = re.compile(
    r"(?:It|This|That|There|Which|If|When|These)\b|.*\b(?:and|or|that|which|to|if|when)\b|.*,", re.DOTALL
)
_MODALS = {"must": ["must", "have to", "need to"], "can": ["can", "are able to"], "may": ["may", "can"]}


def addressed(sentence: str, before: str, random: Random) -> str | None:
    """`X can be deleted` as `you can delete X`, and duties likewise."""
    found = _DONE_TO.match(sentence)
    if not found or _NOT_ONE_THING.match(found[1]):
        return None
    modal = random.choice(_MODALS.get(found[2], [found[2]]))
    return f"You {modal} {BASE_OF_PARTICIPLE[found[3]]} {decapitalised(found[1])}{found[4]}"


_IMPERSONAL = [
    (re.compile(pattern), new)
    for pattern, new in (
        (r"\b[Yy]ou can (?:also |then )?(?=[a-z]+ )", ["it is possible to "]),
        (r"\b[Yy]ou (?:must|need to|have to) (?:also |then )?(?=[a-z]+ )", ["it is necessary to "]),
        (r"\b[Yy]ou (?:cannot|can't|can not) (?=[a-z]+ )", ["there is no way to ", "it is not possible to "]),
        (r"\b[Ii]t is possible to ", ["you can "]),
        (r"\b[Ii]t is not possible to ", ["you cannot "]),
        (r"\b[Ii]t is (?:recommended|advisable) to ", ["you should "]),
    )
]


def impersonal(sentence: str, before: str, random: Random) -> str | None:
    """`You can …` as `it is possible to …`, `you must` as `it is necessary to`, and the other way round."""
    for pattern, choices in _IMPERSONAL:
        if found := pattern.search(sentence):
            text = sentence[: found.start()] + random.choice(choices) + sentence[found.end() :]
            return capitalised(text) if found.start() == 0 else text
    return None


_USE_TO = re.compile(r"^Use ((?:(?!\bor\b)[^,;:]){3,60}?) to ([a-z]+ .+)[.]$", re.DOTALL)
_TO_USE = re.compile(
    r"^To (?!be )([a-z]+ [^,]{6,90}), (?:you can |simply |just )?(use|run|call|set|add|specify) (.+)[.]$", re.DOTALL
)
_USED_TO = re.compile(r"^(.{4,50}?) (?:is|are|can be) used to ([a-z]+ .+)[.]$", re.DOTALL)


def imperative(sentence: str, before: str, random: Random) -> str | None:
    """`Use X to do Y` as what you can do, and `to do Y, use X`; likewise `X is used to do Y`."""
    if found := _USE_TO.match(sentence):
        tool, aim = found[1], found[2]
        choices = [
            f"To {aim}, use {tool}.", f"You can use {tool} to {aim}.", f"You can {aim} by using {tool}.",
            f"You can {aim} with {tool}.",
        ]  # fmt: skip
    elif found := _TO_USE.match(sentence):
        aim, use, tool = found.groups()
        choices = [
            f"You can {aim} if you {use} {tool}.", f"{capitalised(use)} {tool} to {aim}.",
            f"If you want to {aim}, {use} {tool}.",
        ]  # fmt: skip
    elif (found := _USED_TO.match(sentence)) and split_subject(sentence)[0]:
        tool, aim = decapitalised(found[1]), found[2]
        choices = [
            f"You can use {tool} to {aim}.", f"To {aim}, you can use {tool}.", f"The purpose of {tool} is to {aim}.",
        ]  # fmt: skip
    else:
        return None
    return random.choice(choices)


_AT_THE_START = re.compile(
    r"^((?:If|Unless|When|Once|Before|After|Because|By default|In this case|On) ?[^,:;]{0,110}), (?:then )?"
    r"(?!(?:and|or|but|e\.g|use|see|which|whose)\b)([^:;]+)[.]$"
)
_AT_THE_END = re.compile(r"^([^,:;]{20,}) ((?:if|unless|when|once|before|after|because|by default) ?[^,:;]*)[.]$")
_CLINGS = re.compile(r"\b(?:that|which|whether|so)\b|\b(?:see|check|even|only|or|and|as|not|just|immediately|to)$")


def clauses_reordered(sentence: str, before: str, random: Random) -> str | None:
    """The condition, time or place told at the other end of the sentence."""
    if re.search(r"[.'\"\u201c] ", sentence):
        return None
    if first := _AT_THE_START.match(sentence):
        return f"{capitalised(first[2])} {decapitalised(first[1])}."
    last = _AT_THE_END.match(sentence)
    if last and not _CLINGS.search(last[1]) and not re.search(r"\b(?:it|they|its|their)\b", last[2]):
        return f"{capitalised(last[2])}, {decapitalised(last[1])}."
    return None


_BY_DEFAULT = re.compile(r"^By default,? ([^,:;]{12,})[.]$")
_DEFAULT_OF = re.compile(r"^(?:The default|The default value|Default) (?:for|of) (.{3,40}?) is ([^,:;]{1,50})[.]$")
_DEFAULTS_TO = re.compile(r"^(?:The )?([^,]{3,40}?) defaults to ([^,:;]{1,60})[.]$")


def default(sentence: str, before: str, random: Random) -> str | None:
    """The many ways to tell a default."""
    if found := _BY_DEFAULT.match(sentence):
        what = found[1]
        choices = [f"Unless you change it, {what}.", f"Unless set otherwise, {what}.", f"The default is that {what}."]
    elif found := _DEFAULT_OF.match(sentence):
        name, value = found.groups()
        choices = [
            f"By default, {name} is {value}.", f"{capitalised(name)} defaults to {value}.",
            f"If you don't set {name}, it is {value}.", f"Unless set otherwise, {name} is {value}.",
        ]  # fmt: skip
    elif found := _DEFAULTS_TO.match(sentence):
        name, value = decapitalised(found[1]), found[2]
        choices = [
            f"The default for {name} is {value}.", f"By default, {name} is {value}.",
            f"Without a setting of your own, {name} is {value}.",
        ]  # fmt: skip
    else:
        return None
    return random.choice(choices)


_IS_ONE_THAT = re.compile(
    r"^(?!(?:It|This|That|There|These)\b)((?:The |An? )?[\w.()` -]{2,40}?) (is|are) ((?:an?|the) [\w -]{3,40}?) "
    r"(?:that|which) ((?:is|are|can|[a-z]+s?)\b .+)[.]$"
)
_WHAT = re.compile(
    r"^((?:The |An? )?[\w.()` -]{2,40}?) (returns|contains|defines|specifies|controls|describes) "
    r"(?!(?:true|True|false|False|whether|if|how|that|what)\b)([^,:;]{5,90})[.]$"
)
_SUPPORTED = re.compile(r"^(.{3,60}?) (?:is|are) (not )?supported( .*)?[.]$")
_REQUIRED = re.compile(r"^(.{3,60}?) (?:is|are) (?:required|needed)( [^,]*)?[.]$")


def defined(sentence: str, before: str, random: Random) -> str | None:
    """`X is a Y that does Z` as `X does Z` or `X is a Y`; `X returns Y` as `what X returns is Y`; likewise others."""
    if found := _IS_ONE_THAT.match(sentence):
        return random.choice([f"{found[1]} {found[4]}.", f"{found[1]} {found[2]} {found[3]}."])
    if not split_subject(sentence)[0]:
        return None
    if found := _WHAT.match(sentence):
        what = f"{decapitalised(found[1])} {found[2]}"
        return random.choice([f"What {what} is {found[3]}.", f"{capitalised(found[3])} is what {what}."])
    if found := _SUPPORTED.match(sentence):
        there = "no support" if found[2] else "support"
        return f"There is {there} for {decapitalised(found[1])}{found[3] or ''}."
    if found := _REQUIRED.match(sentence):
        return f"You need {decapitalised(found[1])}{found[2] or ''}."
    return None


_ASIDES = [
    re.compile(
        r" ?\((?![^)]*\bnot\b)[^()]{3,}\)"
        r"|, (?:for example|for instance|however|e\.g\.|in particular|therefore|of course),?"
    ),
    re.compile(
        r"^(?:Note that|However,|In particular,|Also,|Therefore,|Thus,|For example,|Finally,|In addition,"
        r"|Note also that|Usually this means) "
    ),
    re.compile(r", (?:which|whose) (?:is|are|can|will|means|has|uses|may) [^,]{8,}(?=[.]$|,)"),
    re.compile(r"(?:, (?:so|because|since|as|e\.g\.|such as|including|but) |; | -- | \u2014 )[^,;]{8,}(?=[.]$)"),
]


def shortened(sentence: str, before: str, random: Random) -> str | None:
    """Brackets, examples and asides left out: less is said, all of it true."""
    text = sentence
    for aside in _ASIDES:
        text = aside.sub("", text)
    is_torn = re.match(r"(?:If|When|Unless|While|Because|Since|Although|As)\b[^,]*$", text)
    return None if text == sentence or len(text) < 24 or is_torn else capitalised(text)


_DEPENDS = re.compile(
    r"(?:If|When|Unless|For|In|Once|After|Before|While|On|With|To)\b|.*\b(?:if|unless|not|either)\b", re.DOTALL
)
_JOINED = re.compile(r"^([^,;:]{24,})(?:, and|;|, but) ((?:it|they|the|this|you|an?) [^;:]{16,})[.]$")
_SAME_SUBJECT = re.compile(r"^([a-z]+s .{6,}?),? and (([a-z]+) .{6,})[.]$")


def half(sentence: str, before: str, random: Random) -> str | None:
    """One of two statements that the sentence joins."""
    if _DEPENDS.match(sentence):
        return None
    if joined := _JOINED.match(sentence):
        second = joined[2]
        subject = split_subject(f"{joined[1]}.")[0]
        if second.startswith(("it ", "they ")) and subject:
            second = f"{decapitalised(subject)} {second.partition(' ')[2]}"
        return random.choice([f"{joined[1]}.", f"{capitalised(second)}."])
    subject, predicate = split_subject(sentence)
    found = _SAME_SUBJECT.match(predicate)
    if found and found[3] in {*THIRD_OF.values(), "is", "are", "can", "must", "will"}:
        return f"{subject} {random.choice([found[1], found[2]])}."
    return None


_LIST = re.compile(
    r"(?<=\s)([\w.()`\"-]+), ([\w.()`\"-]+)(?:, [\w.()`\"-]+)*,? and ([\w.()`\"-]+)"
    r"(?=[.,]| (?:are|is|in|for|to|with)\b)"
)


def listed(sentence: str, before: str, random: Random) -> str | None:
    """Some of the things that a sentence lists."""
    found = _LIST.search(sentence)
    if not found or re.search(r"\b(?:not|if|unless|only|neither|between|none)\b", sentence):
        return None
    one, other = random.sample(found.groups(), 2)
    return f"{sentence[: found.start()]}{one} and {other}{sentence[found.end() :]}"


def resolved(sentence: str, before: str, random: Random) -> str | None:
    """`It` told by its name, where the sentence before begins with it."""
    found = re.match(r"^(It|They) (.+)$", sentence, re.DOTALL)
    subject, predicate = split_subject(before)
    if not found or not subject or (found[1] == "They") != is_plural(subject):
        return None
    if random.random() < 0.4 and max(len(predicate), len(found[2])) < 110:
        return f"{subject} {predicate.rstrip('.')} and {found[2]}"
    return f"{subject} {found[2]}"


def merged(sentence: str, before: str, random: Random) -> str | None:
    """Two sentences told in one."""
    if not 20 < len(before) < 130 or len(sentence) > 130 or not before.endswith(".") or ":" in before + sentence:
        return None
    if not sentence.startswith(("It ", "This ", "The ", "You ")) or not before[0].isupper():
        return None
    return f"{before[:-1]}{random.choice([', and ', '; ', ' and '])}{decapitalised(sentence)}"


TRUE_EDITS: list[Edit] = [
    passive, addressed, impersonal, imperative, clauses_reordered, default, defined, shortened, half, listed, resolved,
    merged, weaker, said_in_words, reworded,
]  # fmt: skip
