"""Decodes the nested fields of Stripe's forms: `a[b][0][c]=v` is {"a": {"b": {"0": {"c": "v"}}}}.

Lists stay dicts with digits for keys: only a parameter's reader knows whether it is a list.
"""

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl

from flowchat.stripe_fake.refusals import Malformed

_NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")


def decode(text: str) -> dict[str, Any]:
    """Raises Malformed for names whose brackets don't match, and for a name that is both a value and a hash."""
    return nest(parse_qsl(text, keep_blank_values=True))


def nest(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        matched = _NAME.fullmatch(name)
        if not matched:
            raise Malformed(f"Invalid parameter name: {name}", param=name)
        _put(found, [matched[1], *re.findall(r"\[([^\[\]]*)\]", matched[2])], value, name)
    return found


def _put(place: dict[str, Any], keys: list[str], value: str, name: str) -> None:
    for key in keys[:-1]:
        place = place.setdefault(key or str(len(place)), {})
        if not isinstance(place, dict):
            raise Malformed(f"Invalid hash: {name} is given as a value, too", param=name)
    last = keys[-1] or str(len(place))
    if isinstance(place.get(last), dict):
        raise Malformed(f"Invalid string: {name} is given as a hash, too", param=name)
    place[last] = value
