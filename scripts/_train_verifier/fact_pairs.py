"""Makes pairs out of invented facts as shops, services and handbooks tell them, each told in several ways by hand.

`facts/*.txt`: families apart by empty lines. `P` are ways to tell the whole fact, each of which entails all others;
`T` follows from it, `F` does not. A gap is `{kind}` or `{kind1}`, which has one value in all lines of a family and may
be written differently each time; `{n1+1}` and `{money1*12}` are computed, `{n1^}` begins a sentence, `{n1!}` is
another value. `= symmetric`: two values of a kind in each other's place may tell the same.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

from _train_verifier.rewordings import answered, reworded
from _train_verifier.slots import Value, numeric, value_of

LICENCE = "FlowChat's own"
_FOLDER = Path(__file__).parent / "facts"
_GAP = re.compile(r"\{([a-z]+(?:100|10)?)(\d*)(?:([+*-])(\d+))?([\^!]?)\}")

Made = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True)
class Family:
    """One fact: ways to tell it, what follows from it and what does not."""

    tellings: tuple[str, ...]
    follows: tuple[str, ...]
    fails: tuple[str, ...]
    is_symmetric: bool

    @property
    def gaps(self) -> list[str]:
        """The gaps of all lines, by name, once each."""
        text = " ".join((*self.tellings, *self.follows, *self.fails))
        return list(dict.fromkeys(found[1] + found[2] for found in _GAP.finditer(text)))


def read_families() -> list[Family]:
    """All families, in the files' order."""
    texts = [path.read_text(encoding="utf-8") for path in sorted(_FOLDER.glob("*.txt"))]
    return [_family(part) for text in texts for part in re.split(r"\n\s*\n", text.strip())]


def _family(text: str) -> Family:
    lines = [line.partition(" ") for line in text.splitlines()]
    told = {kind: tuple(rest for first, _, rest in lines if first == kind) for kind in "PTF="}
    return Family(told["P"], told["T"], told["F"], "symmetric" in told["="])


def fact_claims(times: int, random: Random) -> Iterator[Made]:
    """kind, label, premise and claim: each family filled so many times, half of them beside other facts."""
    families = read_families()
    for _ in range(times):
        for family in families:
            yield from _claims(family, families, random)


def _claims(family: Family, families: list[Family], random: Random) -> Iterator[Made]:
    values = _filled(family, random)
    told = random.randrange(len(family.tellings))
    premise = _beside(_told(family.tellings[told], values, random), families, random)
    others = [line for number, line in enumerate(family.tellings) if number != told] or [family.tellings[told]]
    for line in random.sample(family.follows, min(3, len(family.follows))):
        yield "follows", "entailment", premise, _dressed(line, values, random)
    yield "retold", "entailment", premise, _dressed(random.choice(others), values, random)
    for line in random.sample(family.fails, min(3, len(family.fails))):
        yield "fails", "not_entailment", premise, _dressed(line, values, random)
    line = random.choice(family.tellings)
    changed = _changed(family, line, values, random)
    if changed:
        yield "changed", "not_entailment", premise, _dressed(line, changed, random)


def _filled(family: Family, random: Random) -> dict[str, Value]:
    values: dict[str, Value] = {}
    for gap in family.gaps:
        values[gap] = _another(_kind(gap), values.values(), random)
    return values


def _another(kind: str, taken: Collection[Value], random: Random) -> Value:
    while (value := value_of(kind, random)) in taken:
        pass
    return value


def _kind(gap: str) -> str:
    return gap if gap in ("n10", "n100") else re.sub(r"\d$", "", gap)


def _changed(family: Family, line: str, values: dict[str, Value], random: Random) -> dict[str, Value] | None:
    """The values with two of a kind in each other's place, or one replaced."""
    gaps = [found[1] + found[2] for found in _GAP.finditer(line) if not found[3]]
    couples = [(a, b) for a in gaps for b in gaps if a < b and _kind(a) == _kind(b)]
    if couples and not family.is_symmetric and random.random() < 0.7:
        a, b = random.choice(couples)
        return {**values, a: values[b], b: values[a]}
    if not gaps:
        return None
    gap = random.choice(gaps)
    return {**values, gap: _another(_kind(gap), values.values(), random)}


def _told(line: str, values: dict[str, Value], random: Random) -> str:
    def fill(found: re.Match[str]) -> str:
        kind, digit, sign, by, mark = found.groups()
        value = values[kind + digit]
        if sign and value.number is not None:
            by_number = int(by)
            number = {"+": value.number + by_number, "-": value.number - by_number, "*": value.number * by_number}[sign]
            value = numeric(kind, number)
        if mark == "!":
            value = _another(_kind(kind + digit), values.values(), random)
        text = value.text(random)
        return text[:1].upper() + text[1:] if mark == "^" and not text.startswith("i") else text

    text = re.sub(r"\b([Aa]) (?=[aeio])", r"\1n ", _GAP.sub(fill, line))
    return text[:1].upper() + text[1:] if re.match(r"(?:the|an?|some) ", text) else text


def _beside(text: str, families: list[Family], random: Random) -> str:
    """The fact alone, or between others of the same site; never two of one family."""
    if random.random() < 0.5:
        return text
    strangers = random.sample(families, random.randint(1, 2))
    texts = [_told(random.choice(f.tellings), _filled(f, random), random) for f in strangers if text not in f.tellings]
    texts.insert(random.randint(0, len(texts)), text)
    return " ".join(texts)


def _dressed(line: str, values: dict[str, Value], random: Random) -> str:
    claim = _told(line, values, random)
    if random.random() < 0.3:
        claim = reworded(claim, "", random) or claim
    return answered(claim, random, starts_with_name=line.startswith("{")) if random.random() < 0.1 else claim
