"""Reads the parameters of a call: which it has, of what kind, and Stripe's errors for all others."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, TypeAlias

from flowchat.stripe_fake.refusals import Malformed

Reader: TypeAlias = Callable[[Any, str], Any]  # of a raw value and the parameter's name
MAX_TEXT = 5000


@dataclass(frozen=True, slots=True)
class Field:
    read: Reader
    is_needed: bool = False


Fields: TypeAlias = Mapping[str, Field]


def read(fields: Fields, raw: Mapping[str, Any], parent: str = "") -> dict[str, Any]:
    """The given ones, read. Raises Malformed."""
    unknown = [_inside(parent, name) for name in raw if name not in fields]
    if unknown:
        noun = "parameter" if len(unknown) == 1 else "parameters"
        message = f"Received unknown {noun}: {', '.join(unknown)}"
        raise Malformed(message, code="parameter_unknown", param=unknown[0])
    for name, field in fields.items():
        if field.is_needed and name not in raw:
            param = _inside(parent, name)
            raise Malformed(f"Missing required param: {param}.", code="parameter_missing", param=param)
    return {name: fields[name].read(value, _inside(parent, name)) for name, value in raw.items()}


def _inside(parent: str, name: str) -> str:
    return f"{parent}[{name}]" if parent else name


def needed(field: Field) -> Field:
    return Field(field.read, is_needed=True)


def unset(field: Field) -> Field:
    """An empty text unsets it: it reads as None."""
    return Field(lambda raw, param: None if raw == "" else field.read(raw, param))


def _text(raw: Any, param: str) -> str:
    if not isinstance(raw, str):
        raise Malformed(f"Invalid string: {raw}", param=param)
    if raw == "":
        message = (
            f"You passed an empty string for '{param}'. We assume empty values are an attempt to unset a parameter; "
            f"however '{param}' cannot be unset. You should remove '{param}' from your request or supply a non-empty "
            "value."
        )
        raise Malformed(message, code="parameter_invalid_empty", param=param)
    if len(raw) > MAX_TEXT:
        message = f"Invalid string: {raw[:20]}...{raw[-10:]}; must be at most {MAX_TEXT} characters"
        raise Malformed(message, param=param)
    return raw


def _whole(raw: Any, param: str) -> int:
    text = _text(str(raw) if isinstance(raw, int) else raw, param)
    try:
        return int(text)
    except ValueError:
        raise Malformed(f"Invalid integer: {text}", code="parameter_invalid_integer", param=param) from None


def _decimal(raw: Any, param: str) -> str:
    text = _text(raw, param)
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("nan")
    # Stripe keeps prices to 12 places.
    if not number.is_finite() or number != round(number, 12):
        raise Malformed(f"Invalid decimal: {text}", param=param)
    return text


def _flag(raw: Any, param: str) -> bool:
    known = {"true": True, "false": False, True: True, False: False}
    if raw not in known:
        raise Malformed(f"Invalid boolean: {raw}", param=param)
    return known[raw]


def _pairs(raw: Any, param: str) -> dict[str, str]:
    """Of texts; an empty value deletes its key, and '' for all deletes them all."""
    if raw == "":
        return {}
    return {
        name: value if value == "" else _text(value, f"{param}[{name}]") for name, value in _hash(raw, param).items()
    }


def _hash(raw: Any, param: str) -> Mapping[str, Any]:
    if not isinstance(raw, Mapping):
        raise Malformed("Invalid object", param=param)
    return raw


def _address(raw: Any, param: str) -> str:
    # The real one also wants https, and a public host; this one is for trying things on one machine.
    if not _text(raw, param).startswith(("http://", "https://")):
        raise Malformed("Not a valid URL", code="url_invalid", param=param)
    return str(raw)


address = Field(_address)
text, whole, decimal, flag, pairs = Field(_text), Field(_whole), Field(_decimal), Field(_flag), Field(_pairs)


def one_of(*known: str) -> Field:
    def _known(raw: Any, param: str) -> str:
        found = _text(raw, param)
        if found not in known:
            names = known[0] if len(known) == 1 else f"{', '.join(known[:-1])}, or {known[-1]}"
            raise Malformed(f"Invalid {param}: must be one of {names}", param=param)
        return found

    return Field(_known)


def hash_of(fields: Fields) -> Field:
    return Field(lambda raw, param: read(fields, _hash(raw, param), param))


def list_of(field: Field) -> Field:
    """A form has it as a[0]=… or a[]=…, JSON as a list."""

    def _list(raw: Any, param: str) -> list[Any]:
        items = list(raw) if isinstance(raw, list) else None
        if isinstance(raw, Mapping) and all(key.isdecimal() for key in raw):
            items = [raw[key] for key in sorted(raw, key=int)]
        if items is None:
            raise Malformed("Invalid array", param=param)
        return [field.read(item, f"{param}[{place}]") for place, item in enumerate(items)]

    return Field(_list)


EXPAND: Fields = {"expand": list_of(text)}
PAGE: Fields = {"limit": whole, "starting_after": text, "ending_before": text}
SINCE: Fields = {"created": hash_of({"gt": whole, "gte": whole, "lt": whole, "lte": whole})}


def merged(before: Mapping[str, str], changes: Mapping[str, str] | None) -> dict[str, str]:
    """Metadata after a change: what is not named stays, what is named with '' goes."""
    if changes is None:
        return dict(before)
    if not changes:
        return {}
    return {name: value for name, value in {**before, **changes}.items() if value != ""}
