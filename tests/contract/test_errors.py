"""Every call under /v1 fails in one shape: application/problem+json."""

import re
from pathlib import Path

import httpx
from appliance import running
from web_server import serving

from flowchat.web import create_web
from flowchat.web.calls import CALLS

FIELDS = {"type", "title", "status", "detail", "code", "param", "request_id"}
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
MADE_BY_STRIPE = {"/v1/stripe/events"}  # known by its signature; contract, section 6


def assert_problem(response: httpx.Response, status: int) -> None:
    where = f"{response.request.method} {response.request.url.path}"
    assert response.status_code == status, where
    assert response.headers["Content-Type"] == "application/problem+json", where
    problem = response.json()
    assert set(problem) == FIELDS, where
    assert problem["status"] == status, where
    assert problem["request_id"] == response.headers["X-Request-Id"], where
    assert problem["detail"], where


async def v1_routes(folder: Path) -> dict[str, set[str]]:
    """{path: methods}, with something in the place of variables; of all rules that a path matches."""
    async with running(folder) as app:
        url_map = create_web(app).url_map
    adapter = url_map.bind("")
    paths = {re.sub(r"<[^>]+>", "something", rule.rule) for rule in url_map.iter_rules()}
    return {path: set(adapter.allowed_methods(path)) for path in paths if path.startswith("/v1/")}


FOR_ANYONE = {(call.path, call.method) for call in CALLS if call.is_for_anyone}


async def test_calls_without_credentials(tmp_path: Path) -> None:
    routes = await v1_routes(tmp_path / "routes")
    assert len(routes) >= 7
    async with serving(tmp_path / "served") as served:
        for path, methods in routes.items():
            if path in MADE_BY_STRIPE:
                continue
            for method in methods & set(METHODS):
                response = await served.client.request(method, path, headers={"Accept": "text/html"})
                assert_problem(response, 415 if (path, method) in FOR_ANYONE else 401)
                assert ("WWW-Authenticate" in response.headers) == ((path, method) not in FOR_ANYONE)


async def test_wrong_methods(tmp_path: Path) -> None:
    routes = await v1_routes(tmp_path / "routes")
    async with serving(tmp_path / "served") as served:
        for path, methods in routes.items():
            for method in set(METHODS) - methods:
                response = await served.client.request(method, path)
                assert_problem(response, 405)
                assert {name.strip() for name in response.headers["Allow"].split(",")} == methods


async def test_paths_that_do_not_exist(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        assert_problem(await served.client.get("/v1/nothing"), 404)
        assert_problem(await served.client.get("/v1", headers={"Accept": "text/html"}), 404)
        assert_problem(await served.client.get("/nothing"), 404)


async def test_bugs_tell_nothing(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:

        def broken(job_id: str) -> None:
            raise KeyError("/secret/path")

        served.app.wake = broken
        response = await served.call("POST", "/v1/sources", json={"url": "https://shop.example"})
    assert_problem(response, 500)
    assert "secret" not in response.text


async def test_request_ids_of_clients_are_kept_if_sane(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        kept = await served.client.get("/v1/nothing", headers={"X-Request-Id": "0195a2c4-7e1b"})
        replaced = await served.client.get("/v1/nothing", headers={"X-Request-Id": "a b<script>"})
    assert kept.json()["request_id"] == "0195a2c4-7e1b"
    assert replaced.json()["request_id"].startswith("req_")
