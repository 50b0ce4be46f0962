"""GET /openapi.json: the REST API described in OpenAPI 3.1, made from the same types that check and render it."""

import hashlib
import re
from functools import cache
from typing import Any, get_args

import msgspec
from quart import Blueprint, Response, request

from flowchat import __version__
from flowchat.services.uploads import UploadedFile
from flowchat.web import examples, openapi_chat, openapi_parts, openapi_webhooks
from flowchat.web.calls import CALLS, AtOnce, Call
from flowchat.web.openapi_parts import Part
from flowchat.web.uploads import is_upload

blueprint = Blueprint("openapi", __name__)

_COMPONENTS = "#/components/schemas/"
_KEEP_S = 300


@blueprint.get("/openapi.json")
async def openapi() -> Response:
    body, etag = encoded()
    response = Response(body, content_type="application/json")
    response.set_etag(etag)
    response.headers["Cache-Control"] = f"public, max-age={_KEEP_S}"
    response.headers["Access-Control-Allow-Origin"] = "*"  # for API explorers; it is the same for everybody
    return await response.make_conditional(request)


@cache
def encoded() -> tuple[bytes, str]:
    body = msgspec.json.encode(document())
    return body, hashlib.sha256(body).hexdigest()[:32]


@cache
def document() -> Part:
    """The whole description."""
    types = _Types()
    paths: dict[str, Part] = {}
    for call in CALLS:
        paths.setdefault(call.path, {})[call.method.lower()] = _operation(call, types)
    tags = dict.fromkeys(tag_of(call) for call in CALLS)
    return {
        "openapi": "3.1.1",
        "info": {"title": "FlowChat", "version": __version__, "description": openapi_parts.DESCRIPTION},
        "servers": [{"url": "/"}],
        "tags": [{"name": tag, "description": openapi_parts.TAGS[tag]} for tag in tags],
        "paths": paths,
        "webhooks": openapi_webhooks.webhooks(),
        "components": {
            "schemas": dict(sorted(types.components.items())),
            "parameters": openapi_parts.PARAMETERS,
            "headers": openapi_parts.HEADERS,
            "responses": openapi_parts.problem_responses(),
            "securitySchemes": openapi_parts.SECURITY_SCHEMES,
        },
    }


def tag_of(call: Call) -> str:
    return call.operation_name.partition(".")[0]


def statuses(call: Call) -> list[int]:
    """The error statuses that a call can have."""
    found = {400, 403, 429, *call.problems}
    if not call.is_for_anyone:
        found.add(401)
    if not call.operation.while_read_only:
        found.add(402)
    if call.ids:
        found.add(404)
    if call.has_body:
        found |= {408, 413, 415}
    if _takes_idempotency_key(call):
        found |= {422} if call.is_for_visitors else {409, 422}
    return sorted(found)


class _Types:
    """The JSON Schemas of all views and requests. A view's component has the name of its resource."""

    def __init__(self) -> None:
        views = [call.view for call in CALLS if call.view is not None]
        views += [call.at_once.view for call in CALLS if call.at_once is not None]
        requests = [call.request_type for call in CALLS if call.request_type is not None]
        self._all = list(dict.fromkeys([*views, *requests]))
        self._schemas, found = msgspec.json.schema_components(self._all, ref_template=_COMPONENTS + "{name}")
        queries = {call.request_type.__name__ for call in CALLS if call.request_type is not None and not call.has_body}
        self._raw: dict[str, Part] = found
        found[UploadedFile.__name__] = {"type": "string", "format": "binary", "description": "A file of the form."}
        self.components = {_renamed(name): _tidy(schema) for name, schema in found.items() if name not in queries}
        for request_type in filter(is_upload, requests):
            form = self.components[request_type.__name__]
            form["properties"] = {name: _without_null(field) for name, field in form["properties"].items()}
        self.components["Problem"] = openapi_parts.PROBLEM

    def of(self, wanted: Any) -> Part:
        """A reference to a type's component, or its schema where it is a union."""
        schema: Part = _tidy(self._schemas[self._all.index(wanted)])
        return schema

    def fields(self, wanted: type) -> tuple[dict[str, Part], list[str]]:
        """The fields of a query's type, and the names of the required ones."""
        schema = self._raw[wanted.__name__]
        return _tidy(schema)["properties"], schema["required"]

    def list_of(self, call: Call) -> Part:
        """A reference to the envelope of a list."""
        item = self.of(call.view)
        name = item["$ref"].rpartition("/")[2]
        path = call.path.format(**{id_name: examples.of_path(id_name) for id_name in call.ids})
        self.components[f"{name}List"] = {
            "type": "object",
            "description": "One page of a list.",
            "required": ["object", "data", "has_more", "url"],
            "properties": {
                "object": {"const": "list"},
                "data": {"type": "array", "items": item},
                "has_more": {"type": "boolean", "description": "Whether there is more beyond this page."},
                "url": {"type": "string", "description": "The path of the list.", "examples": [path]},
            },
        }
        return {"$ref": f"{_COMPONENTS}{name}List"}


def _renamed(name: str) -> str:
    return name.removesuffix("View")


def _tidy(schema: Any) -> Any:
    """With the components' own names; a field's limits are told once, not as a title too."""
    if isinstance(schema, (list, tuple)):
        return [_tidy(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    tidied = {name: _tidy(value) for name, value in schema.items() if name != "title" or not isinstance(value, str)}
    if isinstance(reference := tidied.get("$ref"), str):
        tidied["$ref"] = _renamed(reference)
    if isinstance(mapping := tidied.get("mapping"), dict):
        tidied["mapping"] = {name: _renamed(str(value)) for name, value in mapping.items()}
    return tidied


def _operation(call: Call, types: _Types) -> Part:
    operation = call.operation
    described: Part = {
        "operationId": operation.name,
        "tags": [tag_of(call)],
        "summary": operation.summary,
        "description": _description(call),
        "security": _security(call),
        "parameters": _parameters(call, types),
        "responses": _responses(call, types),
    }
    if call.has_body:
        described["requestBody"] = _body(call, types)
    return described


def _security(call: Call) -> list[Part]:
    """Any of these; none at all for calls that take no credential."""
    if call.is_for_anyone:
        return []
    return [{"apiKey": [scope]} for scope in call.operation.scopes] or [{"widgetKey": []}]


def _description(call: Call) -> str:
    operation = call.operation
    parts = [operation.description]
    if codes := operation.error_codes:
        parts.append("Error codes of its own: " + ", ".join(f"`{code}`" for code in codes) + ".")
    return "\n\n".join(parts)


def _parameters(call: Call, types: _Types) -> list[Part]:
    found = [_path_parameter(name) for name in call.ids]
    if call.request_type is not None and not call.has_body:
        properties, required = types.fields(call.request_type)
        for name, schema in properties.items():
            schema = _without_null(schema)
            description = schema.pop("description", "")
            found.append(
                {
                    "name": name,
                    "in": "query",
                    "description": description,
                    "required": name in required,
                    "schema": schema,
                }
            )
    if _takes_idempotency_key(call):
        found.append({"$ref": "#/components/parameters/IdempotencyKey"})
    if call.operation_name == "chat.ask":
        found.append(openapi_chat.LAST_EVENT_ID)
    return found


def _takes_idempotency_key(call: Call) -> bool:
    return call.method == "POST" and (call.operation.caller == "actor" or call.operation_name == "chat.ask")


def _path_parameter(name: str) -> Part:
    what = "The source's id or slug." if name == "source" else f"The {name.replace('_', ' ')}'s id."
    return {
        "name": name,
        "in": "path",
        "description": what,
        "required": True,
        "schema": {"type": "string", "pattern": "^[a-z0-9_-]+$", "minLength": 1, "maxLength": 64},
        "example": examples.of_path(name),
    }


def _without_null(schema: Part) -> Part:
    """In a query or a form there is no null: a field is left out."""
    schema = dict(schema)
    if schema.get("default", "") is None:
        del schema["default"]
    options = [option for option in schema.pop("anyOf", []) if option != {"type": "null"}]
    return {**schema, **(options[0] if len(options) == 1 else {"anyOf": options} if options else {})}


def _body(call: Call, types: _Types) -> Part:
    schema = types.of(call.request_type)
    if is_upload(call.request_type):
        return {"required": True, "content": {"multipart/form-data": {"schema": schema}}}
    names = [kind.__name__ for kind in get_args(call.request_type) or (call.request_type,)]
    given = {
        name: {"value": examples.of_schema({"$ref": _COMPONENTS + name}, types.components, is_full=False)}
        for name in names
    }
    return {
        "required": not _needs_nothing(schema, types),
        "content": {"application/json": {"schema": schema, "examples": given}},
    }


def _needs_nothing(schema: Part, types: _Types) -> bool:
    component = types.components.get(schema.get("$ref", "").rpartition("/")[2], {})
    return bool(component) and component["required"] == []


def _responses(call: Call, types: _Types) -> Part:
    more = ["Location"] if call.location else []
    if call.method == "POST" and call.operation.caller == "actor":
        more.append("Idempotent-Replayed")
    success: Part = {"description": _success(call), "headers": openapi_parts.headers(*more)}
    if call.view is not None:
        schema = types.list_of(call) if call.is_list else types.of(call.view)
        success["content"] = {"application/json": {"schema": schema}}
    if call.operation_name == "chat.ask":
        success["content"] = {"text/event-stream": openapi_chat.event_stream(), **success.get("content", {})}
    if links := _links(call):
        success["links"] = links
    status = 204 if call.view is None else call.status
    made = {} if call.at_once is None else {str(call.at_once.status): _made_at_once(call.at_once, types)}
    return {str(status): success} | made | {str(code): openapi_parts.problem(code) for code in statuses(call)}


def _made_at_once(at_once: AtOnce, types: _Types) -> Part:
    content = {"application/json": {"schema": types.of(at_once.view)}}
    return {"description": "It was made at once.", "headers": openapi_parts.headers(), "content": content}


def _success(call: Call) -> str:
    if call.view is None:
        return "Done."
    if call.is_list:
        return "A page of the list."
    return {201: "It was made.", 202: "It was queued."}.get(call.status, "As asked for.")


def _links(call: Call) -> Part:
    """Calls that take the id of what was made, or of a list's first item."""
    if call.is_list:
        place, found_id = f"{call.path}/{{id}}", "$response.body#/data/0/id"
    else:
        place, found_id = call.location or "", "$response.body#/id"
    if "{id}" not in place:
        return {}
    pattern = re.compile(re.sub(r"\\{id\\}", r"{(?P<id>\\w+)}", re.escape(place)))
    links = {}
    for other in CALLS:
        match = pattern.match(other.path)
        if match is None or any(name != match["id"] and name not in call.ids for name in other.ids):
            continue
        parameters = {name: found_id if name == match["id"] else f"$request.path.{name}" for name in other.ids}
        links[other.operation_name] = {"operationId": other.operation_name, "parameters": parameters}
    return links
