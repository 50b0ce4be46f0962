"""What a request's type allows at a path, so that a refusal can name it."""

import re
from typing import Any

from msgspec import inspect

_STEP = re.compile(r"\.(\w+)|\[[^\]]*\]")


def fields_at(request_type: Any, path: str) -> list[str]:
    """The names of the fields of the object at a path such as `$.caps`, as msgspec writes it."""
    objects = [kind for kind in _kinds_at(request_type, path) if isinstance(kind, _OBJECTS)]
    tags = [kind.tag_field for kind in objects if isinstance(kind, inspect.StructType) and kind.tag_field]
    return list(dict.fromkeys(tags + [field.encode_name for kind in objects for field in kind.fields]))


def choices_at(request_type: Any, path: str) -> list[str]:
    """The values that are allowed at a path, where they are a choice of texts."""
    parent, _, name = path.rpartition(".")
    tags = [
        str(kind.tag)
        for kind in _kinds_at(request_type, parent)
        if isinstance(kind, inspect.StructType) and kind.tag_field == name
    ]
    literals = [kind for kind in _kinds_at(request_type, path) if isinstance(kind, inspect.LiteralType)]
    return sorted(tags + [str(value) for kind in literals for value in kind.values])


_OBJECTS = (inspect.StructType, inspect.DataclassType)


def _kinds_at(request_type: Any, path: str) -> list[inspect.Type]:
    kinds = _plain(inspect.type_info(request_type))
    for step in _STEP.finditer(path):
        kinds = [inner for kind in kinds for inner in _inside(kind, step[1])]
    return kinds


def _plain(kind: inspect.Type) -> list[inspect.Type]:
    """The alternatives of a type, without what is said about them."""
    if isinstance(kind, inspect.Metadata):
        return _plain(kind.type)
    if isinstance(kind, inspect.UnionType):
        return [plain for one in kind.types for plain in _plain(one)]
    return [kind]


def _inside(kind: inspect.Type, name: str | None) -> list[inspect.Type]:
    """What stands in a field, or in a list where there is no name."""
    if isinstance(kind, _OBJECTS):
        return [plain for field in kind.fields if field.encode_name == name for plain in _plain(field.type)]
    if isinstance(kind, inspect.DictType):
        return _plain(kind.value_type)
    if isinstance(kind, (inspect.ListType, inspect.VarTupleType)):
        return _plain(kind.item_type)
    return []
