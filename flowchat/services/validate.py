"""Turns what a client sent into typed requests, and says in plain words what is wrong with it."""

import difflib
import re
from collections.abc import Collection, Iterable
from typing import Any, TypeVar

import msgspec

from flowchat.errors import FlowChatError
from flowchat.services import fields, request_types

T = TypeVar("T")
Query = TypeVar("Query", bound=msgspec.Struct)

_MISSING = re.compile(r"Object missing required field `(\w+)`")
_UNKNOWN = re.compile(r"Object contains unknown field `(.*?)`(?: - at `[^`]*`)?$", re.DOTALL)
_WRONG_TYPE = re.compile(r"Expected `([^`]+)`, got `(\w+)`")
_LENGTH = re.compile(r"Expected `(\w+)` of length (<=|>=) (\d+)")
_AMOUNT = re.compile(r"Expected `(?:int|float)` (<=|>=|<|>) ([\d.-]+)")
_FORM = re.compile(r"Expected `str` matching regex (.+?)(?: - at `|$)")
_VALUE = re.compile(r"Invalid (?:enum )?value (.+?)(?: - at `|$)", re.DOTALL)
_TIME = re.compile(r"Invalid RFC3339 encoded datetime")
_PATH = re.compile(r" - at `(?:key` in `)?(\$[^`]*)`$")
_PARAM = re.compile(r"\.(\w+)")
_AT = {"<=": "at most", ">=": "at least", "<": "less than", ">": "more than"}
_KINDS = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}


def read(payload: Any, request_type: type[T]) -> T:
    """Decoded JSON as that dataclass or msgspec.Struct. Raises FlowChatError."""
    try:
        return msgspec.convert(payload, request_type)
    except msgspec.ValidationError as error:
        raise _explained(str(error), request_type) from None


def read_query(arguments: dict[str, str], request_type: type[Query]) -> Query:
    """A query string's texts as that type, numbers and yes or no among them. Raises FlowChatError."""
    refuse_unknown(arguments, request_type.__struct_encode_fields__)
    try:
        request = msgspec.convert(arguments, request_type, strict=False)
    except msgspec.ValidationError as error:
        raise _explained(str(error), request_type) from None
    for name, text in arguments.items():
        if text.lower() == "null" and getattr(request, name, text) is None:  # msgspec took it for None
            raise invalid(name, f"{name} can't be {text}. Leave it out.")
    return request


def refuse_unknown(names: Iterable[str], known: Collection[str] = ()) -> None:
    """A misspelt filter must not list everything. Raises FlowChatError `unknown_field` for a query parameter."""
    for name in names:
        if name not in known:
            raise _unknown("query parameter", name, name, known)


def invalid(param: str, message: str) -> FlowChatError:
    """`param` is the field at fault; '' for the request as a whole."""
    return FlowChatError(f"bad_{param.lower().replace('-', '_') or 'request'}", message, param=param or None)


def _explained(text: str, request_type: Any) -> FlowChatError:
    found = _PATH.search(text)
    path = found[1] if found else "$"
    names = _PARAM.findall(path)
    param = names[0] if names else ""
    if match := _MISSING.match(text):
        return invalid(match[1], f"{match[1]} is missing.")
    if match := _UNKNOWN.match(text):
        return _unknown("field", match[1], ".".join([*names, match[1]]), request_types.fields_at(request_type, path))
    field = param or "The request"
    if match := _WRONG_TYPE.match(text):
        wanted = [_KINDS.get(kind, kind) for kind in match[1].split(" | ") if kind != "null"]
        return invalid(param, f"{field} must be {' or '.join(wanted)}, not {_KINDS.get(match[2], match[2])}.")
    if match := _LENGTH.match(text):
        one, many = ("character", "characters") if match[1] == "str" else ("entry", "entries")
        unit = one if match[3] == "1" else many
        return invalid(param, f"{field} must have {_AT[match[2]]} {match[3]} {unit}.")
    if match := _AMOUNT.match(text):
        return invalid(param, f"{field} must be {_AT[match[1]]} {match[2]}.")
    if match := _FORM.match(text):
        return invalid(param, f"{field} must be {_form(match[1])}.")
    if match := _VALUE.match(text):
        choices = request_types.choices_at(request_type, path)
        must_be = f" It must be {_either(choices)}." if choices else ""
        return invalid(param, f"{field} can't be {match[1]}.{must_be}")
    if _TIME.match(text):
        return invalid(param, f"{field} must be a time such as 2030-01-31T12:00:00Z.")
    return invalid(param, f"{field} is not right: {text}.")


def _unknown(kind: str, name: str, param: str, known: Collection[str]) -> FlowChatError:
    close = difflib.get_close_matches(name, known, 1)
    hint = f"Did you mean {close[0]}?" if close else f"There is {', '.join(known)}." if known else "Leave it out."
    return FlowChatError("unknown_field", f"There is no {kind} {name[:100]} here. {hint}", param=param[:200])


def _either(choices: list[str]) -> str:
    return " or ".join(", ".join(choices).rsplit(", ", 1))


def _form(pattern: str) -> str:
    """A pattern, as msgspec quotes it, in words."""
    for known, words in fields.FORMS.items():
        if pattern == repr(known):
            return words
    return f"text that matches {pattern}"
