"""Turns what a client sent into typed requests, and says in plain words what is wrong with it."""

import re
from typing import Any, TypeVar

import msgspec

from flowchat.errors import FlowChatError

T = TypeVar("T")

_LOCALE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,4}")
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


def locale(text: str) -> str:
    """Raises FlowChatError `bad_locale`."""
    if not _LOCALE.fullmatch(text):
        raise invalid("locale", f"'{text[:50]}' is no BCP 47 language tag such as en or pt-BR.")
    return text


def name(text: str, max_chars: int) -> str:
    """What people call a thing. Raises FlowChatError `bad_name`."""
    if len(text) > max_chars:
        raise invalid("name", f"A name has at most {max_chars} characters.")
    return text.strip()


def _explained(text: str) -> FlowChatError:
    path = _PATH.search(text)
    param = path[1] if path else ""
    if match := _MISSING.match(text):
        return invalid(match[1], f"{match[1]} is missing.")
    field = param or "The request"
    if match := _WRONG_TYPE.match(text):
        wanted = [_KINDS.get(kind, kind) for kind in match[1].split(" | ") if kind != "null"]
        return invalid(param, f"{field} must be {' or '.join(wanted)}, not {_KINDS.get(match[2], match[2])}.")
    if match := _TOO_LONG.match(text):
        unit = "characters" if match[1] == "str" else "entries"
        return invalid(param, f"{field} may have at most {match[2]} {unit}.")
    return invalid(param, f"{field} is not right: {text}.")
