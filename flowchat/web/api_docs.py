"""/docs/api: the REST API for people, rendered here from the same description that /openapi.json is."""

import json
import shlex
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urlencode

from markupsafe import Markup, escape
from quart import Blueprint, render_template

from flowchat.errors import NotFound
from flowchat.services import docs
from flowchat.web import examples, field_docs, openapi, openapi_chat
from flowchat.web.calls import CALLS, Call
from flowchat.web.current import appliance
from flowchat.web.field_docs import Field
from flowchat.web.openapi_parts import Part

blueprint = Blueprint("api_docs", __name__)

_LINE_CHARS = 40  # of examples, beside the fields
_STEP = " " * 4
_PAGE = "api"  # the documentation's page of what all calls have in common


@dataclass(frozen=True, slots=True)
class Body:
    """One kind of body; most calls take just one. `name` is '' then."""

    name: str
    fields: list[Field]


@dataclass(frozen=True, slots=True)
class CallDocs:
    """What a page says about a call. `query` and `example` (of a body) are a usual request, `answer` what it gets."""

    call: Call
    summary: str
    description: Markup
    parameters: list[Field]
    bodies: list[Body]
    is_form: bool
    status: str
    answer: str
    answer_fields: list[Field]
    errors: list[tuple[str, str]]
    query: dict[str, Any]
    example: Part | None


@dataclass(frozen=True, slots=True)
class Resource:
    """The calls of one resource; `name` is its place in addresses."""

    name: str
    title: str
    description: Markup
    calls: list[CallDocs]


@blueprint.get("/docs/api")
async def overview() -> str:
    return await render_template(
        "api_docs.html", page=docs.get_page(_PAGE), resources=resources(), current=None, marked_up=marked_up
    )


@blueprint.get("/docs/api/<name>")
async def resource(name: str) -> str:
    found = next((resource for resource in resources() if resource.name == name), None)
    if found is None:
        raise NotFound("page", name)
    return await render_template(
        "api_resource.html",
        resources=resources(),
        current=found,
        origin=appliance().settings.origin,
        curl=curl,
        python=python,
        marked_up=marked_up,
        events=openapi_chat.EVENTS,
    )


@cache
def resources() -> tuple[Resource, ...]:
    """All resources, in the order of their calls."""
    document = openapi.document()
    return tuple(
        Resource(
            tag["name"].replace("_", "-"),
            tag["name"].replace("_", " ").capitalize(),
            marked_up(tag["description"]),
            [_call(call, document) for call in CALLS if openapi.tag_of(call) == tag["name"]],
        )
        for tag in document["tags"]
    )


def _call(call: Call, document: Part) -> CallDocs:
    components = document["components"]
    described = document["paths"][call.path][call.method.lower()]
    status, success = next(iter(described["responses"].items()))
    content = success.get("content", {}).get("application/json")
    answer = content and examples.of_schema(content["schema"], components["schemas"], is_full=True)
    contents: dict[str, Part] = described.get("requestBody", {}).get("content", {})
    media, body = next(iter(contents.items()), ("", Part()))
    return CallDocs(
        call=call,
        summary=described["summary"],
        description=marked_up(described["description"].removeprefix(f"{described['summary']}.").strip()),
        parameters=[_parameter(part, components) for part in described["parameters"]],
        bodies=_bodies(body.get("schema"), components["schemas"]),
        is_form=media == "multipart/form-data",
        status=status,
        answer=json.dumps(answer, indent=2, ensure_ascii=False) if answer else "",
        answer_fields=field_docs.of_schema(content["schema"], components["schemas"]) if content else [],
        errors=[_error(code, part, components) for code, part in described["responses"].items() if "$ref" in part],
        query={
            part["name"]: examples.of_schema(part["schema"], {}, is_full=False, name=part["name"])
            for part in described["parameters"]
            if part.get("in") == "query" and part["required"]
        },
        example=next((example["value"] for example in body.get("examples", {}).values()), None),
    )


def _parameter(part: Part, components: Part) -> Field:
    if "$ref" in part:
        part = components["parameters"][part["$ref"].rpartition("/")[2]]
    schema = {**part["schema"], "description": part["description"]}
    place = {"path": "in the path", "header": "a header"}.get(part["in"], "")
    return field_docs.field(part["name"], schema, is_required=part.get("required", False), place=place)


def _bodies(schema: Part | None, components: Part) -> list[Body]:
    if schema is None:
        return []
    kinds = schema.get("anyOf", [schema])
    return [
        Body(kind["$ref"].rpartition("/")[2] if len(kinds) > 1 else "", field_docs.of_schema(kind, components))
        for kind in kinds
    ]


def _error(code: str, part: Part, components: Part) -> tuple[str, str]:
    return code, marked_up(components["responses"][part["$ref"].rpartition("/")[2]]["description"])


def marked_up(text: str) -> Markup:
    """Paragraphs, with what stands between backticks as code."""
    paragraphs = []
    for paragraph in filter(None, text.split("\n\n")):
        parts = paragraph.split("`")
        paragraphs.append(
            Markup("").join(
                Markup("<code>{}</code>").format(part) if index % 2 else escape(part)
                for index, part in enumerate(parts)
            )
        )
    return Markup("</p><p>").join(paragraphs)


def curl(shown: CallDocs, origin: str) -> str:
    """The call as a command."""
    call = shown.call
    parts = ["curl" + (f" -X {call.method}" if _is_named(shown) else "") + f" {shlex.quote(_address(shown, origin))}"]
    parts += [f"-H {shlex.quote(f'{name}: {value}')}" for name, value in _credential(call).items()]
    if call.operation_name == "chat.ask":
        parts[0] = parts[0].replace("curl", "curl -N", 1)
    if shown.is_form:
        parts.append("-F file=@handbook.pdf")
    elif shown.example is not None:
        parts.append('-H "Content-Type: application/json"')
        parts.append(f"-d {shlex.quote(_json(shown.example))}")
    return " \\\n  ".join(parts)


def _is_named(shown: CallDocs) -> bool:
    """curl says POST by itself where there is a body."""
    has_body = shown.is_form or shown.example is not None
    return shown.call.method != ("POST" if has_body else "GET")


def python(shown: CallDocs, origin: str) -> str:
    """The call as a program with httpx."""
    call = shown.call
    headers = _credential(call) | ({"Accept": "application/json"} if call.operation_name == "chat.ask" else {})
    lines = [f'"{_address(shown, origin)}",'] + ([f"headers={_literal(headers)},"] if headers else [])
    if shown.is_form:
        lines.append('files={"file": open("handbook.pdf", "rb")},')
    elif shown.example is not None:
        lines.append(f"json={_literal(shown.example)},")
    body = "\n    ".join(lines)
    program = f"import httpx\n\nresponse = httpx.{call.method.lower()}(\n    {body}\n)\nresponse.raise_for_status()\n"
    return program + ("print(response.json())\n" if call.view else "")


def _literal(value: Any, indent: str = "    ") -> str:
    """As Python writes it, on as many lines as it takes."""
    if isinstance(value, dict):
        return _wrapped("{", [f"{json.dumps(name)}: {_literal(each, indent + _STEP)}" for name, each in value.items()],
                        "}", indent)  # fmt: skip
    if isinstance(value, list):
        return _wrapped("[", [_literal(each, indent + _STEP) for each in value], "]", indent)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def _wrapped(start: str, parts: list[str], end: str, indent: str) -> str:
    line = start + ", ".join(parts) + end
    if len(line) <= _LINE_CHARS and "\n" not in line:
        return line
    return start + "".join(f"\n{indent}{_STEP}{part}," for part in parts) + f"\n{indent}{end}"


def _json(value: Any) -> str:
    line = json.dumps(value, ensure_ascii=False)
    return line if len(line) <= _LINE_CHARS else json.dumps(value, ensure_ascii=False, indent=2)


def _address(shown: CallDocs, origin: str) -> str:
    path = shown.call.path.format(**{name: examples.of_path(name) for name in shown.call.ids})
    return origin + path + ("?" + urlencode(shown.query) if shown.query else "")


def _credential(call: Call) -> dict[str, str]:
    if call.is_for_anyone:
        return {}
    if call.is_for_visitors:
        return {"X-FlowChat-Key": "kbk_live_YOUR_KEY"}
    return {"Authorization": "Bearer fca_YOUR_KEY"}
