"""The operations of the services, the calls of the API, its description and its routes are the same."""

import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from appliance import running

from flowchat import services
from flowchat.domain import Actor
from flowchat.services.operations import OPERATIONS, operation
from flowchat.web import create_web, openapi
from flowchat.web.calls import CALLS

for module in pkgutil.walk_packages(services.__path__, "flowchat.services."):
    importlib.import_module(module.name)  # registers its operations

STRIPES = {("POST", "/v1/stripe/events")}  # contract, section 6: a call made by Stripe
METHODS = {"GET", "POST", "PATCH", "DELETE"}


def in_openapi() -> Iterator[tuple[str, str, str]]:
    """(operation, method, path) of everything that is described."""
    for path, methods in openapi.document()["paths"].items():
        for method, described in methods.items():
            yield described["operationId"], method.upper(), path


async def in_routes(folder: Path) -> set[tuple[str, str]]:
    """(method, path) of all routes under /v1."""
    async with running(folder) as app:
        return {
            (method, rule.rule.replace("<", "{").replace(">", "}"))
            for rule in create_web(app).url_map.iter_rules()
            if rule.rule.startswith("/v1/")
            for method in METHODS & (rule.methods or set())
        }


def assert_same_operations() -> None:
    assert {call.operation_name for call in CALLS} == set(OPERATIONS)
    assert {name for name, _, _ in in_openapi()} == set(OPERATIONS)


async def test_services_calls_openapi_and_routes_agree(tmp_path: Path) -> None:
    assert_same_operations()
    calls = {(call.method, call.path) for call in CALLS}
    assert len(calls) == len(CALLS) == len(OPERATIONS), "one call for each operation"
    assert {(method, path) for _, method, path in in_openapi()} == calls
    assert await in_routes(tmp_path) == calls | STRIPES


def test_an_operation_without_a_call_is_found() -> None:
    @operation("things.forget", "write")
    async def forget(app: object, actor: Actor) -> None:
        """Forget it."""

    try:
        with pytest.raises(AssertionError, match=r"things\.forget"):
            assert_same_operations()
    finally:
        del OPERATIONS["things.forget"]


def test_every_operation_says_what_it_does() -> None:
    for found in OPERATIONS.values():
        assert 10 <= len(found.summary) <= 110, f"{found.name}: the docstring's first sentence: {found.summary}"


def test_names_are_resource_and_verb() -> None:
    for name in OPERATIONS:
        resource, _, verb = name.partition(".")
        assert resource.isidentifier() and verb.isidentifier(), name
