"""A JSON Schema as a list of fields with their types and limits in words."""

from dataclasses import dataclass
from typing import Any

from flowchat.services import fields

Schema = dict[str, Any]

_DEEPEST = 3
_NAMES = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "object": "object",
}


@dataclass(frozen=True, slots=True)
class Field:
    """`kind` is its type and limits. What is in an object has a name like `caps.daily`, in a list like `data[].id`."""

    name: str
    kind: str
    is_required: bool
    description: str
    default: str = ""


def of_schema(schema: Schema, components: dict[str, Schema], prefix: str = "", depth: int = 1) -> list[Field]:
    """The fields of an object, and of the objects in it."""
    found = []
    schema = _resolved(schema, components)
    for name, part in schema.get("properties", {}).items():
        found.append(field(prefix + name, part, is_required=name in schema.get("required", [])))
        for inner, mark in _objects_in(part, components):
            if depth < _DEEPEST:
                found += of_schema(inner, components, f"{prefix}{name}{mark}.", depth + 1)
    return found


def field(name: str, schema: Schema, *, is_required: bool, place: str = "") -> Field:
    default = schema.get("default")
    shown = "" if default in (None, "", [], {}, ()) or is_required else f"{default}".lower()
    kind = ", ".join(filter(None, [_kind(schema), place]))
    descriptions = [part.get("description", "") for part in (schema, *schema.get("anyOf", ()))]
    return Field(name, kind, is_required, next(filter(None, descriptions), ""), shown)


def _resolved(schema: Schema, components: dict[str, Schema]) -> Schema:
    return components[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


def _objects_in(schema: Schema, components: dict[str, Schema]) -> list[tuple[Schema, str]]:
    """The objects that a field may hold, each with the mark of a list where it holds many."""
    if "anyOf" in schema:
        return [pair for option in schema["anyOf"] for pair in _objects_in(option, components)]
    if schema.get("type") == "array":
        return [(inner, "[]" + mark) for inner, mark in _objects_in(schema.get("items", {}), components)]
    resolved = _resolved(schema, components)
    return [(resolved, "")] if resolved.get("properties") else []


def _kind(schema: Schema) -> str:
    if options := schema.get("anyOf"):
        return " or ".join(dict.fromkeys(_kind(option) for option in options))
    if "$ref" in schema:
        return "object"
    if "const" in schema or "enum" in schema:
        return " or ".join(str(value) for value in schema.get("enum", [schema.get("const")]))
    match schema.get("type"):
        case "null":
            return "null"
        case list() as types:
            return " or ".join(str(_NAMES.get(name, name)) for name in types)
        case "array":
            return f"list of {_kind(schema.get('items', {}))}{_range(schema, 'minItems', 'maxItems', ' entries')}"
        case "string" if schema.get("format") == "binary":
            return "file"
        case "string":
            pattern = schema.get("pattern", "")
            form = "" if pattern == fields.TEXT_PATTERN else fields.FORMS.get(pattern, "")
            return form or "text" + _range(schema, "minLength", "maxLength", " characters")
        case "integer" | "number":
            return _NAMES[schema["type"]] + _range(schema, "minimum", "maximum", "")
        case name:
            return _NAMES.get(str(name), "anything")


def _range(schema: Schema, lowest: str, highest: str, unit: str) -> str:
    low, high = schema.get(lowest), schema.get(highest)
    if high is not None:
        return f", {low}–{high}{unit}" if low else f", at most {high}{unit}"  # noqa: RUF001 (a dash between numbers)
    return f", {low} or more{unit}" if low is not None else ""
