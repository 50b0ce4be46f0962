"""What all calls under /v1 have in common (contract, section 6)."""

from pathlib import Path

import pytest
from appliance import operator
from test_errors import assert_problem
from web_server import ORIGIN, QUESTION, Served, serving

from flowchat.services import keys
from flowchat.services.key_requests import NewOperatorKey
from flowchat.web import MAX_BODY_BYTES
from flowchat.web.api import OWN_HANDLERS
from flowchat.web.calls import CALLS

VISITOR_CALLS = [call for call in CALLS if call.is_for_visitors]
CHAT_HEADERS = {"x-flowchat-key", "content-type", "last-event-id", "idempotency-key"}
EXPOSED = {"ratelimit", "ratelimit-policy", "retry-after", "x-request-id"}


def listed(header: str) -> set[str]:
    return {name.strip().lower() for name in header.split(",")}


async def test_every_answer_tells_its_limits_and_its_request_id(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        answers = {
            "known": await served.call("GET", "/v1/sources"),
            "no scope": await served.call("GET", "/v1/settings"),
            "missing": await served.call("GET", "/v1/sources/none"),
            "invalid": await served.call("POST", "/v1/sources", json={}),
            "nobody": await served.client.get("/v1/sources"),
            "nowhere": await served.client.get("/v1/nothing"),
            "root": await served.client.get("/v1"),
            "wrong method": await served.client.delete("/v1/sources"),
            "options": await served.client.options("/v1/sources"),
            "chat": await served.ask(),
            "chat without key": await served.client.post("/v1/chat", json=QUESTION),
            "chat from elsewhere": await served.ask(Origin="https://elsewhere.example"),
            "chat that is empty": await served.ask({}),
        }
        page = await served.client.get("/docs")
    for what, answer in answers.items():
        assert answer.headers["RateLimit-Policy"].endswith(";w=60"), what
        assert ";r=" in answer.headers["RateLimit"], what
        assert answer.headers["X-Request-Id"], what
    assert page.headers["X-Request-Id"]
    assert "RateLimit" not in page.headers


async def test_a_key_may_make_so_many_calls_a_minute(tmp_path: Path) -> None:
    async with serving(tmp_path, calls_per_minute=3) as served:
        answers = [await served.call("GET", "/v1/sources") for _ in range(4)]
        others = await served.client.get("/v1/nothing")
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert_problem(answers[-1], 429)
    assert answers[0].headers["RateLimit"].startswith('"calls";r=2;t=')
    assert answers[0].headers["RateLimit-Policy"] == '"calls";q=3;w=60'
    assert answers[-1].headers["RateLimit"].startswith('"calls";r=0;t=')
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60
    assert others.status_code == 404


async def test_an_address_may_fail_so_many_times_a_minute(tmp_path: Path) -> None:
    async with serving(tmp_path, calls_per_minute=4) as served:
        tries = [
            await served.client.get("/v1/sources", headers={"Authorization": "Bearer fca_guess"}),
            await served.client.get("/v1/nothing"),
            await served.client.delete("/v1/sources"),
            await served.client.post("/v1/chat", json=QUESTION),
        ]
        refused = [
            await served.client.get("/v1/sources"),
            await served.client.get("/v1/nothing"),
            await served.client.post("/v1/chat", json=QUESTION),
        ]
        good = await served.call("GET", "/v1/sources")
    assert [answer.status_code for answer in tries] == [401, 404, 405, 401]
    for answer in refused:
        assert_problem(answer, 429)
    assert good.status_code == 200


async def test_preflights_of_visitors(tmp_path: Path) -> None:
    assert any(call.path == "/v1/chat" for call in VISITOR_CALLS)
    async with serving(tmp_path, calls_per_minute=1) as served:
        for call in VISITOR_CALLS:
            path = call.path.replace("{", "").replace("}", "")
            answer = await served.client.options(
                path, headers={"Origin": "https://any.example", "Access-Control-Request-Method": call.method}
            )
            assert answer.status_code == 204
            assert answer.headers["Access-Control-Allow-Origin"] == "https://any.example"
            assert call.method in answer.headers["Access-Control-Allow-Methods"]
            assert listed(answer.headers["Access-Control-Allow-Headers"]) == CHAT_HEADERS
            assert "Access-Control-Allow-Credentials" not in answer.headers
            assert "RateLimit" not in answer.headers


async def test_pages_can_read_the_errors_of_visitor_calls(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        for call in VISITOR_CALLS:
            path = call.path.replace("{", "").replace("}", "")
            for method in (call.method, "PUT"):
                answer = await served.client.request(method, path, headers={"Origin": "https://any.example"})
                assert answer.status_code in (401, 405)
                assert answer.headers["Access-Control-Allow-Origin"] == "https://any.example"
                assert listed(answer.headers["Access-Control-Expose-Headers"]) == EXPOSED
                assert answer.headers["Vary"] == "Origin"
        closed = await served.client.get("/v1/sources", headers={"Origin": ORIGIN})
    assert "Access-Control-Allow-Origin" not in closed.headers


async def test_which_credential_is_wanted(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        chat = await served.client.post("/v1/chat", json=QUESTION)
        sources = await served.client.get("/v1/sources")
    assert chat.headers["WWW-Authenticate"] == 'FlowChat-Key realm="FlowChat"'
    assert sources.headers["WWW-Authenticate"] == 'Bearer realm="FlowChat"'


async def test_methods_and_slashes(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        head = await served.call("HEAD", "/v1/sources")
        options = await served.client.options("/v1/sources")
        for path in ("/v1/sources/", "/v1//sources", "//v1/sources", "/v1/sources//recrawl"):
            assert_problem(await served.call("GET", path), 404)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Type"] == "application/json"
    assert listed(options.headers["Allow"]) == {"get", "head", "options", "post"}
    assert "Access-Control-Allow-Origin" not in options.headers


async def test_unknown_query_parameters_are_refused(tmp_path: Path) -> None:
    """A misspelt filter would list, or erase, what everybody has."""
    async with serving(tmp_path) as served:
        _, machines = await keys.create(served.app, await operator(served.app), NewOperatorKey())
        for call in CALLS:
            if call.operation_name in OWN_HANDLERS:
                continue
            secret = machines if call.operation.scopes == ("operator",) else served.admin
            answer = await served.client.request(
                call.method,
                call.path.replace("{", "").replace("}", ""),
                params={"visitor": "v1"},
                headers={"Authorization": f"Bearer {secret}", "X-FlowChat-Key": served.key},
            )
            assert_problem(answer, 400)
            assert (answer.json()["code"], answer.json()["param"]) == ("unknown_field", "visitor"), call.path


async def test_unknown_fields_are_refused(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        field = await served.call("POST", "/v1/sources", json={"url": "https://shop.example", "max_page": 1})
    assert (field.status_code, field.json()["code"], field.json()["param"]) == (400, "unknown_field", "max_page")


async def test_null_is_no_value_in_a_query(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        answer = await served.call("GET", "/v1/usage", params={"group_by": "null"})
    assert (answer.status_code, answer.json()["param"]) == (400, "group_by")


@pytest.mark.parametrize("is_chunked", [False, True])
async def test_large_bodies(tmp_path: Path, is_chunked: bool) -> None:
    body = b'{"url": "https://shop.example/' + b"x" * MAX_BODY_BYTES + b'"}'

    async def chunks() -> object:
        for start in range(0, len(body), 8192):
            yield body[start : start + 8192]

    async with serving(tmp_path) as served:
        headers = {"Authorization": f"Bearer {served.admin}", "Content-Type": "application/json"}
        content = chunks() if is_chunked else body
        answer = await served.client.post("/v1/sources", content=content, headers=headers)  # type: ignore[arg-type]
    assert_problem(answer, 413)


async def test_chunked_bodies_are_read(tmp_path: Path) -> None:
    async def chunks() -> object:
        yield b'{"url": "https://sh'
        yield b'op.example/"}'

    async with serving(tmp_path) as served:
        headers = {"Authorization": f"Bearer {served.admin}", "Content-Type": "application/json"}
        answer = await served.client.post("/v1/sources", content=chunks(), headers=headers)  # type: ignore[arg-type]
    assert (answer.status_code, answer.json()["url"]) == (201, "https://shop.example/")


BROKEN = {
    "not JSON": b'{"email": ',
    "not UTF-8": b'{"email": "\xff"}',
    "half a surrogate pair": rb'{"email": "\ud800"}',
    "not a number": b'{"email": NaN}',
    "very deep": b"[" * 60_000,
    "nothing": b"",
}


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN.keys())
async def test_broken_bodies(tmp_path: Path, body: bytes) -> None:
    async with serving(tmp_path) as served:
        headers = {"Authorization": f"Bearer {served.admin}", "Content-Type": "application/json"}
        answer = await served.client.post("/v1/users", content=body, headers=headers)
    assert_problem(answer, 400)


async def test_both_cursors_mean_what_lies_between(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        ids = await make_sources(served, 4)
        between = {"starting_after": ids[3], "ending_before": ids[0]}
        page = (await served.call("GET", "/v1/sources", params={**between, "limit": "1"})).json()
        whole = (await served.call("GET", "/v1/sources", params=between)).json()
    assert ([source["id"] for source in page["data"]], page["has_more"]) == ([ids[2]], True)
    assert ([source["id"] for source in whole["data"]], whole["has_more"]) == ([ids[2], ids[1]], False)


async def make_sources(served: Served, count: int) -> list[str]:
    """Their ids, oldest first."""
    bodies = [{"url": f"https://shop{number}.example/"} for number in range(count)]
    return [(await served.call("POST", "/v1/sources", json=body)).json()["id"] for body in bodies]
