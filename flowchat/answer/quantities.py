"""Quantities: the numbers of a text with what they measure or count, and whether another text gives the same.

A claim's number must stand in its evidence, in digits or in words, or equal one there by its unit (1 h, 60 minutes).
Beyond that a claim is only refused where both texts say what the number is of, and say it differently: another unit,
another rate ("per month", "per year"), another thing counted, or two numbers exchanged.
"""

import math
import re
from collections.abc import Sequence, Set
from dataclasses import dataclass
from itertools import combinations

MAX_COUNTED = 10
MAX_EXCHANGED = 40  # numbers of a claim, of which every two are compared

_WORDS = {
    word: number
    for number, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        "seventeen eighteen nineteen twenty".split()
    )
} | {word: 10 * number for number, word in enumerate("thirty forty fifty sixty seventy eighty ninety".split(), 3)}
_SCALES = {"hundred": 1e2, "thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12, "dozen": 12.0}
_UNITS: dict[str, dict[str, float]] = {
    "time": {"ns nanosecond": 1e-9, "µs us microsecond": 1e-6, "ms msec millisecond": 1e-3, "s sec second": 1}
    | {"min minute": 60, "h hr hour": 3600, "day": 86400, "week": 604800},
    "months": {"month": 1, "year": 12, "decade": 120, "century": 1200},
    "bytes": {"byte": 1, "kb kib kilobyte kibibyte": 1e3, "mb mib megabyte mebibyte": 1e6}
    | {"gb gib gigabyte gibibyte": 1e9, "tb tib terabyte tebibyte": 1e12},
    "bits": {"bit": 1, "kbit kbps": 1e3, "mbit mbps": 1e6, "gbit gbps": 1e9},
    "mass": {"µg mcg microgram": 1e-6, "mg milligram": 1e-3, "g gram": 1, "kg kilogram": 1e3, "lb lbs pound": 453.6},
    "length": {"mm millimeter millimetre": 1e-3, "cm centimeter centimetre": 1e-2, "meter metre": 1}
    | {"km kilometer kilometre": 1e3, "inch inches": 0.0254, "ft foot feet": 0.3048, "mile": 1609.344},
    "volume": {"ml milliliter millilitre": 1e-3, "cl": 1e-2, "l liter litre": 1, "gallon": 3.785},
    "share": {"% percent": 1},
    "dollars": {"$ usd dollar": 1, "cent": 1e-2},
    "euros": {"€ eur euro": 1},
    "sterling": {"£ gbp": 1},
    "temperature": {"°c celsius": 1},
    "fahrenheit": {"°f fahrenheit": 1},
}
UNITS = {
    name: (kind, size) for kind, units in _UNITS.items() for names, size in units.items() for name in names.split()
}
_TOLERANCE = {"bytes": 0.1, "mass": 0.001, "length": 0.001}  # 1 KB is 1,000 bytes or 1,024; 1 TB is 0.91 TiB
_FILLERS = frozenset("a an the of is are was were be about around approximately more other such".split())
_ENDS = frozenset(
    "and or to in at by on for with from as but which that per each every when if while within during until since "
    "before after between through into may can will must should".split()
)
_BOUNDING = frozenset("than least most to over under above below exceed".split())
_RATE = re.compile(r"(?:per|a|an|each|every|/)\s?(second|minute|hour|day|week|month|year|user|seat)\b", re.I)
_RATE_WORDS = {"daily": "day", "weekly": "week", "monthly": "month", "yearly": "year", "annually": "year"}
_TOKEN = re.compile(
    r"(?<![\w.])\d{1,3}(?:,\d{3})+(?:\.\d+)?(?![\d.]*\d)|(?<![\w.])\d+(?:\.\d+)*|[$€£%]|°[cf]\b|[^\W\d_]+(?:['\u2019][^\W\d_]+)?|[.;:]",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Quantity:
    """`kind` and `size` are its unit's: the value in base units is value * size. `before` and `after` are words."""

    value: float | str  # a version or a date with several points is a text
    kind: str
    size: float
    rate: str
    before: str
    after: str
    is_word: bool

    def equals(self, other: "Quantity") -> bool:
        """Whether the numbers are the same, or the amounts are."""
        if self.value == other.value:
            return True
        if isinstance(self.value, str) or isinstance(other.value, str) or not self.kind or self.kind != other.kind:
            return False
        tolerance = _TOLERANCE.get(self.kind, 1e-6)
        return math.isclose(self.value * self.size, other.value * other.size, rel_tol=tolerance)

    def contradicts(self, other: "Quantity") -> bool:
        """Whether two equal numbers are of different units or at different rates."""
        if self.kind and other.kind:
            same = self.kind == other.kind and (self.value != other.value or math.isclose(self.size, other.size))
            if not same:
                return True
        return bool(self.rate and other.rate and self.rate != other.rate)


def misquotes(claim: str, evidence: str) -> bool:
    """Whether a number of the claim is not in the evidence, or surely of something else there."""
    said, given = read_quantities(claim), read_quantities(evidence)
    return any(_is_wrong(quantity, given) for quantity in said) or _are_exchanged(said, given)


def _is_wrong(quantity: Quantity, given: Sequence[Quantity]) -> bool:
    same = [other for other in given if quantity.equals(other)]
    others = [other for other in given if other.after == quantity.after and not quantity.equals(other)]
    others = [other for other in others if other.before not in _BOUNDING]
    if not same:
        # "Two worlds" may be said of worlds that the evidence names; and "one" is mostly a pronoun.
        is_count = quantity.is_word and not isinstance(quantity.value, str) and quantity.value <= MAX_COUNTED
        return bool(others and quantity.after and quantity.value != 1) if is_count else True
    if all(quantity.contradicts(other) for other in same):
        return True
    is_counted = quantity.after and not quantity.kind and all(other.after != quantity.after for other in same)
    return bool(is_counted and others and all(other.after for other in same))


def _are_exchanged(said: Sequence[Quantity], given: Sequence[Quantity]) -> bool:
    """Whether two numbers of the claim stand in each other's place in the evidence, and never in their own."""
    if len(said) > MAX_EXCHANGED:
        return False
    for side in ("before", "after"):
        places = {(quantity.value, getattr(quantity, side)) for quantity in given}
        for one, other in combinations(said, 2):
            here, there = getattr(one, side), getattr(other, side)
            own = {(one.value, here), (other.value, there)} & places
            if here != there and here and there and {(one.value, there), (other.value, here)} <= places and not own:
                return True
    return False


def read_quantities(text: str) -> list[Quantity]:
    """The numbers of a text in their order."""
    tokens = [match.group().lower() for match in _TOKEN.finditer(text)]
    ends = [match.end() for match in _TOKEN.finditer(text)]
    found = []
    position = 0
    while position < len(tokens):
        last, value = _number(tokens, position)
        if value is None:
            position += 1
            continue
        symbol = tokens[position - 1] if position and tokens[position - 1] in ("$", "€", "£") else ""
        following = tokens[last + 1] if last + 1 < len(tokens) else ""
        kind, size = UNITS.get(symbol) or UNITS.get(following) or UNITS.get(_singular(following)) or ("", 1.0)
        found.append(
            Quantity(
                value=value,
                kind=kind,
                size=size,
                rate=_rate(text[ends[last] :]),
                before=_content(tokens[max(0, position - 3) : position][::-1]),
                after=_content(tokens[last + 1 : last + 3], _ENDS),
                is_word=not tokens[position][0].isdecimal(),
            )
        )
        position = last + 1
    return found


def _number(tokens: Sequence[str], position: int) -> tuple[int, float | str | None]:
    """The number that begins there and the index of its last token; None if none does."""
    token = tokens[position]
    if token[0].isdecimal():
        plain = token.replace(",", "")
        if plain.count(".") > 1:
            return position, plain
        value = float(plain)
    elif token in _WORDS:
        position, value = _tens(tokens, position)
    else:
        return position, None
    while position + 1 < len(tokens) and tokens[position + 1] in _SCALES:
        value, position = value * _SCALES[tokens[position + 1]], position + 1
        if value < 1000 and position + 1 < len(tokens) and tokens[position + 1] in _WORDS:
            position, rest = _tens(tokens, position + 1)
            value += rest
    return position, value


def _tens(tokens: Sequence[str], position: int) -> tuple[int, float]:
    """A number below a hundred in words, and the index of its last token."""
    value = float(_WORDS[tokens[position]])
    following = _WORDS.get(tokens[position + 1], 0) if position + 1 < len(tokens) else 0
    return (position + 1, value + following) if value >= 20 and 0 < following < 10 else (position, value)


def _rate(following: str) -> str:
    """What a number is per, if that is said right after what it counts."""
    near = re.split(r"[.,;:]\s", following[:40])[0]
    if match := _RATE.search(near):
        return match.group(1).lower()
    return next((rate for word, rate in _RATE_WORDS.items() if word in near.lower()), "")


def _content(words: Sequence[str], stops: Set[str] = frozenset()) -> str:
    """The first word that says something, without its plural; '' where a number or a stop comes before it."""
    for word in words:
        if word in ".;:" or word[0].isdecimal() or word in _WORDS or word in stops:
            return ""
        if word not in _FILLERS:
            return _singular(word)
    return ""


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 2 and word.endswith("s") and not word.endswith("ss") else word
