"""Values for the gaps of the facts: of each, the ways in which it can be written."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

_NAMES = {
    kind: [name for line in names.strip().splitlines() for name in line.split("; ")]
    for kind, names in tomllib.loads(Path(__file__).with_name("slots.toml").read_text(encoding="utf-8")).items()
}
_NUMBER_WORDS = "zero one two three four five six seven eight nine ten eleven twelve".split()


@dataclass(frozen=True, slots=True)
class Value:
    """What fills a gap: its ways of being written, and its number where it has one."""

    texts: tuple[str, ...]
    number: int | None = None
    kind: str = ""

    def text(self, random: Random) -> str:
        """One way of writing it, mostly the first."""
        return self.texts[0] if random.random() < 0.6 else random.choice(self.texts)


def value_of(kind: str, random: Random) -> Value:
    """A value of a kind, which is a gap's name without the digits at its end."""
    if kind in _NAMES:
        return Value((random.choice(_NAMES[kind]),), kind=kind)
    if kind == "time":
        return _time(random.choice([*range(6, 12), *range(13, 23)]))
    if kind == "date":
        return _date(random.randint(2, 28), random.choice(_NAMES["month"]))
    if kind == "ver":
        return Value((f"{random.randint(1, 9)}.{random.randint(0, 12)}",))
    if kind == "pct":
        percent = random.choice([2, 5, 8, 10, 12, 15, 20, 25, 30])
        return Value((f"{percent} %", f"{percent}%", f"{percent} percent"))
    return numeric(kind, random.choice(_RANGES[kind]))


_RANGES: Mapping[str, Sequence[int]] = {
    "money": list(range(3, 20)) + list(range(20, 150, 5)),
    "n": range(2, 10),
    "n10": range(12, 90),
    "n100": range(100, 900, 25),
    "year": range(1950, 2000),
    "port": range(3000, 9900, 101),
}


def numeric(kind: str, number: int) -> Value:
    """A number as its kind writes it: money, small numbers also in words."""
    if kind == "money":
        return Value((f"€{number}", f"{number} euros", f"{number} EUR"), number, kind)
    if kind == "n" and number < len(_NUMBER_WORDS):
        return Value((str(number), _NUMBER_WORDS[number]), number, kind)
    return Value((str(number),), number, kind)


def _time(hour: int) -> Value:
    half = hour % 12 or 12
    return Value((f"{hour}:00", f"{half} {'am' if hour < 12 else 'pm'}", f"{hour}.00"))


def _date(day: int, month: str) -> Value:
    return Value((f"{day} {month}", f"{month} {day}", f"{month} {day}{_ending(day)}"))


def _ending(day: int) -> str:
    return "th" if 10 < day < 14 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
