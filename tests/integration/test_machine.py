"""What belongs to the machine: /v1/models and /v1/settings."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from appliance import operator
from web_server import Served, serving

from flowchat import settings
from flowchat.engines.protocols import Generator
from flowchat.engines.registry import load_registry
from flowchat.engines.watched import WatchedGenerator
from flowchat.errors import ModelError
from flowchat.services import keys
from flowchat.services.key_requests import NewOperatorKey

MISSING = ModelError("model_missing", "The generator is missing in /srv/secret/models.")


async def as_operator(served: Served) -> None:
    """From now on, calls are an operator's."""
    _, served.admin = await keys.create(served.app, await operator(served.app), NewOperatorKey())


async def listed(served: Served, path: str) -> list[dict[str, Any]]:
    page = (await served.call("GET", path)).json()
    assert (page["object"], page["has_more"], page["url"]) == ("list", False, path)
    return list(page["data"])


async def test_models(tmp_path: Path) -> None:
    async with serving(tmp_path, reranker="ms-marco-MiniLM-L-12-v2-int8") as served:
        await as_operator(served)
        models = {model["name"]: model for model in await listed(served, "/v1/models")}
    assert set(models) == set(load_registry())
    assert models["ms-marco-MiniLM-L-12-v2-int8"] == {
        "name": "ms-marco-MiniLM-L-12-v2-int8",
        "role": "reranker",
        "bytes": load_registry()["ms-marco-MiniLM-L-12-v2-int8"].bytes,
        "licence": "Apache-2.0",
        "installed": False,
        "used": True,
        "pull": None,
    }
    assert models["flowchat-verifier-2"]["installed"]  # it is bundled
    assert not models["bge-small-en-v1_5-int8"]["used"]  # the tests' embedder is a fake one


async def test_settings_without_secrets(tmp_path: Path) -> None:
    async with serving(tmp_path, generator_api_key="sk-very-secret") as served:
        await as_operator(served)
        response = await served.call("GET", "/v1/settings")
        rows = {row["variable"]: row for row in await listed(served, "/v1/settings")}
    assert "very-secret" not in response.text
    assert rows["FLOWCHAT_GENERATOR_API_KEY"]["value"] == "set" and rows["FLOWCHAT_GENERATOR_API_KEY"]["secret"]
    assert rows["FLOWCHAT_DATA_DIR"]["value"] == str(tmp_path)
    assert set(rows) == {row.variable for row in settings.describe(settings.Settings())}


def missing() -> Generator:
    raise MISSING


async def test_health_tells_of_a_generator_that_is_missing(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        healthy = await served.client.get("/health/ready")
        generator = WatchedGenerator("m", missing, is_remote=False, problem=MISSING.message, made=None)
        served.app.engines = replace(served.app.engines, generator=generator, watched=generator)
        degraded = await served.client.get("/health/ready")
    assert (healthy.status_code, healthy.json()["warnings"]) == (200, [])
    assert (degraded.status_code, degraded.json()["status"]) == (200, "ready")
    assert degraded.json()["warnings"] == ["The generator is not working: answers only quote."]


@pytest.mark.parametrize("path", ["/v1/models", "/v1/settings"])
async def test_tenants_see_nothing_of_the_machine(tmp_path: Path, path: str) -> None:
    async with serving(tmp_path) as served:
        response = await served.call("GET", path)
    assert (response.status_code, response.json()["code"]) == (403, "scope_missing")
