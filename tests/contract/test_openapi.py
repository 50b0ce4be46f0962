"""/openapi.json is valid OpenAPI 3.1, and says what clients need to know."""

import json
from pathlib import Path
from typing import Any, get_args

import jsonschema_rs
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from web_server import serving

from flowchat.domain import EventType
from flowchat.web import openapi, openapi_parts
from flowchat.web.calls import CALLS, Call

DOCUMENT = json.loads(openapi.encoded()[0])


def described(call: Call) -> dict[str, Any]:
    return DOCUMENT["paths"][call.path][call.method.lower()]  # type: ignore[no-any-return]


def test_is_valid() -> None:
    assert [str(error) for error in OpenAPIV31SpecValidator(DOCUMENT).iter_errors()] == []


def test_every_reference_leads_somewhere() -> None:
    def check(part: Any) -> None:
        if isinstance(part, dict):
            if isinstance(reference := part.get("$ref"), str):
                target: Any = DOCUMENT
                for name in reference.removeprefix("#/").split("/"):
                    target = target[name]
            for value in part.values():
                check(value)
        elif isinstance(part, list):
            for value in part:
                check(value)

    check(DOCUMENT)


def test_every_resource_is_described() -> None:
    assert {tag["name"] for tag in DOCUMENT["tags"]} == set(openapi_parts.TAGS)
    assert all(tag["description"] for tag in DOCUMENT["tags"])


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.operation_name)
def test_call(call: Call) -> None:
    found = described(call)
    responses = found["responses"]
    assert {"403", "429"} <= set(responses)
    assert ("401" in responses) != call.is_for_anyone
    assert ("404" in responses) or not call.ids
    success = responses[str(call.status if call.view or call.file_type else 204)]
    assert "X-Request-Id" in success["headers"]
    assert ("Location" in success["headers"]) == bool(call.location)
    schemes = [] if call.is_for_anyone else ["widgetKey"] if call.is_for_visitors else ["apiKey"]
    assert [name for wanted in found["security"] for name in wanted][:1] == schemes


@pytest.mark.parametrize("call", [call for call in CALLS if call.has_body], ids=lambda call: call.operation_name)
def test_examples_are_valid(call: Call) -> None:
    for content in described(call)["requestBody"]["content"].values():
        schema = {**content["schema"], "components": DOCUMENT["components"]}
        for example in content.get("examples", {}).values():
            jsonschema_rs.validate(schema, example["value"])


def test_first_example_of_a_key_is_a_widget_key() -> None:
    examples = DOCUMENT["paths"]["/v1/keys"]["post"]["requestBody"]["content"]["application/json"]["examples"]
    first = next(iter(examples.values()))["value"]
    assert (first["type"], set(first)) == ("widget", {"type", "name", "origins", "sources"})


def test_every_event_of_webhooks_is_described() -> None:
    assert set(DOCUMENT["webhooks"]) == set(get_args(EventType))


def test_what_was_made_is_linked() -> None:
    for call in CALLS:
        if call.location is None or "{id}" not in call.location:
            continue
        links = described(call)["responses"][str(call.status)]["links"]
        assert any(link["operationId"].endswith(".get") for link in links.values()), call.operation_name


async def test_is_served_and_cached(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        first = await served.client.get("/openapi.json", headers={"Origin": "https://explorer.example"})
        again = await served.client.get("/openapi.json", headers={"If-None-Match": first.headers["ETag"]})
    assert first.json() == DOCUMENT
    assert first.headers["Content-Type"] == "application/json"
    assert first.headers["Access-Control-Allow-Origin"] == "*"
    assert (again.status_code, again.content) == (304, b"")
