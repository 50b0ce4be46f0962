"""Pages of lists, newest first, and what is shown of objects: only who expands them gets their hidden parts."""

from collections.abc import Callable, Iterable
from copy import deepcopy
from typing import Any

from flowchat.stripe_fake.refusals import Malformed, missing
from flowchat.stripe_fake.state import HIDDEN, Json, State, bare

DEFAULT_LIMIT = 10
MAX_LIMIT = 100
_COMPARISONS: dict[str, Callable[[int, int], bool]] = {
    "gt": lambda a, b: a > b,
    "gte": lambda a, b: a >= b,
    "lt": lambda a, b: a < b,
    "lte": lambda a, b: a <= b,
}
# Fields that hold an id, by the kind of what it is the id of.
_EXPANDABLE = {
    "customer": "customer",
    "latest_invoice": "invoice",
    "subscription": "subscription",
    "invoice": "invoice",
    "product": "product",
    "price": "price",
    "configuration": "configuration",
}


def page(path: str, things: Iterable[Json], params: Json, kind: str) -> Json:
    """Of things that are given oldest first. Raises Malformed, and Refusal for an unknown cursor."""
    limit = params.get("limit", DEFAULT_LIMIT)
    if limit > MAX_LIMIT or limit < 1:
        bound = f"less than or equal to {MAX_LIMIT}" if limit > MAX_LIMIT else "greater than or equal to 1"
        message = f"This value must be {bound} (it currently is '{limit}')."
        raise Malformed(message, code="parameter_invalid_integer", param="limit")
    found = [thing for thing in reversed(list(things)) if _is_since(thing, params.get("created", {}))]
    places = {thing["id"]: place for place, thing in enumerate(found)}
    for name in ("starting_after", "ending_before"):
        if name in params and params[name] not in places:
            raise missing(kind, params[name], param=name, status=400)
    if "ending_before" in params:
        found = found[: places[params["ending_before"]]]
        return listed(path, found[-limit:], has_more=len(found) > limit)
    start = places[params["starting_after"]] + 1 if "starting_after" in params else 0
    return listed(path, found[start : start + limit], has_more=len(found) > start + limit)


def _is_since(thing: Json, bounds: dict[str, int]) -> bool:
    return all(_COMPARISONS[name](thing["created"], bound) for name, bound in bounds.items())


def listed(path: str, things: list[Json], *, has_more: bool = False) -> Json:
    return {"object": "list", "data": things, "has_more": has_more, "url": path}


def shown(state: State, thing: Json, expand: list[str]) -> Json:
    """A copy, with these paths (`data.customer`) expanded. Raises Malformed for what can't be."""
    copy: Json = bare(thing)
    for path in expand:
        _expand(state, [(copy, thing)], path.split("."), path)
    return copy


def _expand(state: State, places: list[tuple[Json, Json]], names: list[str], path: str) -> None:
    """`places`: copies and what each is a copy of."""
    name, *rest = names
    for copy, whole in places:
        value = copy.get(name)
        if name in HIDDEN and name in whole:
            value = copy[name] = deepcopy(whole[name])
        elif isinstance(value, str) and name in _EXPANDABLE:
            value = copy[name] = bare(state.get(_EXPANDABLE[name], value))
        elif name in HIDDEN:
            continue  # of this one there is none, such as of a price without tiers
        elif name not in copy or (not rest and name not in _EXPANDABLE):
            raise Malformed(f"This property cannot be expanded ({path}).", param="expand[0]")
        if rest and value is not None:
            _expand(state, _inside(state, value, whole.get(name), name), rest, path)


def _inside(state: State, value: Any, whole: Any, name: str) -> list[tuple[Json, Json]]:
    if isinstance(value, list):
        return list(zip(value, whole, strict=True))
    original = whole if isinstance(whole, dict) else state.get(_EXPANDABLE[name], str(whole))
    return [(value, original)]
