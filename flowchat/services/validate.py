"""Turns what a client sent into typed requests, and says in plain words what is wrong with it."""

import re
from typing import Any, TypeVar

import msgspec

from flowchat.errors import FlowChatError

T = TypeVar("T")

_MISSING = re.compile(r"Object missing required field `(\w+)`")
_WRONG_TYPE = re.compile(r"Expected `([^`]+)`, got `(\w+)`")
_TOO_LONG = re.compile(r"Expected `(str|array)` of length <= (\d+)")
_PATH = re.compile(r" - at `\$\.?(\w*)")
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
    """Decoded JSON as that dataclass or msgspec.Struct; unknown fields are ignored. Raises FlowChatError."""
    try:
        return msgspec.convert(payload, request_type)
    except msgspec.ValidationError as error:
        raise _explained(str(error)) from None


def invalid(param: str, message: str) -> FlowChatError:
    """`param` is the field at fault; '' for the request as a whole."""
    return FlowChatError(f"bad_{param.lower().replace('-', '_') or 'request'}", message, param=param or None)


def _explained(text: str) -> FlowChatError:
    path = _PATH.search(text)
    param = path[1] if path else ""
    if match := _MISSING.match(text):
        return invalid(match[1], f"{match[1]} is missing.")
    name = param or "The request"
    if match := _WRONG_TYPE.match(text):
        wanted = [_KINDS.get(kind, kind) for kind in match[1].split(" | ") if kind != "null"]
        return invalid(param, f"{name} must be {' or '.join(wanted)}, not {_KINDS.get(match[2], match[2])}.")
    if match := _TOO_LONG.match(text):
        unit = "characters" if match[1] == "str" else "entries"
        return invalid(param, f"{name} may have at most {match[2]} {unit}.")
    return invalid(param, f"{name} is not right: {text}.")
