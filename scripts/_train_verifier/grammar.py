"""The little grammar that the edits need: verbs' forms, subject and object of plain sentences, capitals, articles."""

import re

from _train_verifier.words import entries

THIRD_OF = {base: third for base, third, _ in entries("verbs")}
PARTICIPLE_OF_THIRD = {third: participle for _, third, participle in entries("verbs")}
BASE_OF_PARTICIPLE = {participle: base for base, _, participle in entries("verbs")}
BASE_OF_THIRD = {third: base for base, third, _ in entries("verbs")}

# Options, code words, commands and quoted names.
TERM = re.compile(
    r"(?<![\w-])(?:--?[a-z][\w-]+|[a-z]+(?:_\w+)+|[A-Z]{2,}(?:_\w+)*(?: [A-Z]{2,})*|[A-Z][a-z]+[A-Z]\w*|[\w.]+\(\)"
    r"|\w+\.[a-z]\w+|git-[a-z-]+|git [a-z-]{3,}|\"[^\"]{2,24}\")(?![\w(-])"
)

_AUXILIARIES = frozenset("is are can will must may should does has have was cannot".split())
_DETERMINERS = frozenset("the a an all any each its one this these some".split())
_ALSO_NOUNS = frozenset(
    "tests lists calls uses sets changes displays filters finds processes returns shows starts stops supports updates "
    "views triggers matches releases locks copies checks builds runs reads writes controls handles drops loads moves "
    "resets".split()
)
_NOT_OBJECTS = frozenset((*BASE_OF_THIRD.values(), *BASE_OF_THIRD, *"depend is are by be out up only not".split()))
_SUBJECT = re.compile(
    r"^((?:The |An? |Each |Every )?(?:[\w.()`'\"-]+ ){0,3}?[\w.()`'\"-]+) "
    r"((?:is|are|can|will|must|may|should|does|has|have|was|cannot|[a-z]{2,}s) .*)$",
    re.DOTALL,
)
_NO_SUBJECT = re.compile(
    r"(?:It|This|That|These|Those|There|They|He|She|If|When|To|In|For|By|You|We|As|On|Such|With)\b", re.IGNORECASE
)
_NOT_ONE_PHRASE = re.compile(
    r"\b(?:of|in|on|for|to|with|from|by|that|which|and|or|as|at|if|when|the)$|,$|\b(?:and|or|that|to)\b"
)
_OBJECT = re.compile(
    r"^((?:the |an? |all |any |each |its )?(?:[\w.()`\"-]+ ){0,3}?[\w.()`\"-]+)"
    r"((?: (?:when|if|for|in|to|with|from|on|as|using|at|into|because|before|after|unless|while)\b.*)?[.!])$",
    re.DOTALL,
)


def split_subject(sentence: str) -> tuple[str, str]:
    """Subject and predicate of a plain sentence; both empty where a regular expression cannot tell."""
    found = _SUBJECT.match(sentence)
    if not found or _NO_SUBJECT.match(sentence) or _NOT_ONE_PHRASE.search(found[1]):
        return "", ""
    verb = found[2].split(" ", 1)[0]
    return (found[1], found[2]) if verb in BASE_OF_THIRD or verb in _AUXILIARIES else ("", "")


def split_object(sentence: str) -> tuple[str, str, str, str]:
    """Subject, verb in the third person, object and the rest with its stop; all empty where that cannot be told."""
    subject, predicate = split_subject(sentence)
    verb, _, after = predicate.partition(" ")
    found = _OBJECT.match(after)
    if not subject or verb not in PARTICIPLE_OF_THIRD or not found or _NOT_ONE_PHRASE.search(found[1]):
        return "", "", "", ""
    first = found[1].split(" ")[0].lower()
    if first in _NOT_OBJECTS or (verb in _ALSO_NOUNS and first not in _DETERMINERS):
        return "", "", "", ""
    return subject, verb, found[1], found[2]


def is_plural(subject: str) -> bool:
    """Whether a noun phrase looks plural."""
    last = subject.split(" ")[-1]
    return (
        last.endswith("s") and not last.endswith(("ss", "us", "is")) and not subject.startswith(("A ", "An ", "Each "))
    )


_LIKE_A_NAME = re.compile(r"[A-Z_()./\\<>=\d-]")
_NAMES = frozenset(
    "Python Git Django PostgreSQL Postgres Unix Linux Windows Apache Perl English MkDocs FlowChat I".split()
)


def decapitalised(text: str) -> str:
    """The text as it stands inside a sentence: its first letter small, unless the first word is a name."""
    first = text.split(" ", 1)[0]
    is_name = first in _NAMES or not first.isalpha() or bool(_LIKE_A_NAME.search(first[1:]))
    return text if is_name or (len(first) == 1 and first != "A") else text[:1].lower() + text[1:]


def capitalised(text: str) -> str:
    """The text as it begins a sentence; options and file names keep their letters."""
    return text[:1].upper() + text[1:] if text.split(" ", 1)[0].isalpha() else text


_ARTICLE = re.compile(r"\b([Aa])n? (?=([a-z]))")
_SOUNDS_ELSE = re.compile(r"\b[Aa]n? (?:one|once|use|us|uni|eu|ubi|hour|honest|[A-Z]{2})")


def articled(text: str) -> str:
    """The text with `a` and `an` as the next word's first letter asks, unless some word sounds otherwise."""
    if _SOUNDS_ELSE.search(text):
        return text
    return _ARTICLE.sub(lambda found: f"{found[1]}{'n' if found[2] in 'aeiou' else ''} ", text)


_AFTER_PLURAL = re.compile(r"\b([Yy]ou|[Tt]hey|[Ww]e|I|\w+[^su\W]s) (has to|needs to|is able to)\b")
_PLURAL_OF = {"has to": "have to", "needs to": "need to", "is able to": "are able to"}


def agreed(text: str) -> str:
    """The text with `have to`, `need to` and `are able to` after a plural."""
    return _AFTER_PLURAL.sub(lambda found: f"{found[1]} {_PLURAL_OF[found[2]]}", text)
