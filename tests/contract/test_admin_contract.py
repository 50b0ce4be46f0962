"""The admin does what the API does, and every route of it refuses what it should."""

import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from appliance import running
from signing_in import ADMIN, browsing, csrf_of, signed_in
from web_server import serving

from flowchat import services
from flowchat.services.operations import OPERATIONS, Operation
from flowchat.web import create_web
from flowchat.web.admin.blueprint import SAFE_METHODS, is_public, operations_of

for module in pkgutil.walk_packages(services.__path__, "flowchat.services."):
    importlib.import_module(module.name)  # registers its operations

# Contract, section 6: calls made by visitors have no place in the admin, signing up among them.
VISITORS = {name for name, operation in OPERATIONS.items() if operation.caller in ("visitor", "anyone")}
# Routes of one's own account: contract, section 6.
OWN_ACCOUNT = {
    "account_password",
    "account_rename",
    "account_session_end",
    "account_sessions_end_others",
    "account_show",
    "recovery_codes_renew",
    "second_factor_off",
    "second_factor_on",
    "second_factor_show",
    "sign_out",
}
PUBLIC = {
    "invitation_accept",
    "invitation_show",
    "lost_password",
    "reset",
    "reset_show",
    "set_up",
    "set_up_show",
    "sign_in",
    "sign_in_code",
    "sign_in_code_show",
    "sign_in_show",
    "sign_in_tenant",
    "sign_in_tenant_show",
}


async def admin_routes(folder: Path) -> list[tuple[str, str, str, object]]:
    """(endpoint, method, path, handler) of every route of the admin."""
    async with running(folder) as app:
        web = create_web(app)
        return [
            (str(rule.endpoint), method, rule.rule, web.view_functions[rule.endpoint])
            for rule in web.url_map.iter_rules()
            if f"{rule.rule}/".startswith("/admin/")
            for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        ]


def performed(routes: list[tuple[str, str, str, object]]) -> Iterator[tuple[str, str]]:
    """(operation, method) of everything that is done."""
    for _, method, _, handler in routes:
        for name in operations_of(handler) or ():
            yield name, method


async def assert_same_operations(folder: Path) -> None:
    done = {name for name, _ in performed(await admin_routes(folder))}
    assert done <= set(OPERATIONS), "the admin names operations that don't exist"
    assert set(OPERATIONS) - VISITORS == done, "each operation has a page in the admin"


async def test_services_and_admin_agree(tmp_path: Path) -> None:
    await assert_same_operations(tmp_path)


async def test_an_operation_without_a_page_is_found(tmp_path: Path) -> None:
    async def forget() -> None: ...

    OPERATIONS["things.forget"] = Operation("things.forget", "actor", ("write",), forget)
    try:
        with pytest.raises(AssertionError, match=r"things\.forget"):
            await assert_same_operations(tmp_path)
    finally:
        del OPERATIONS["things.forget"]


async def test_every_route_says_what_it_does(tmp_path: Path) -> None:
    routes = await admin_routes(tmp_path)
    assert {endpoint for endpoint, _, _, handler in routes if operations_of(handler) is None} == set()
    names = {endpoint.removeprefix("admin."): handler for endpoint, _, _, handler in routes}
    assert {name for name, handler in names.items() if is_public(handler)} == PUBLIC
    own = {name for name, handler in names.items() if not operations_of(handler) and not is_public(handler)}
    assert own == OWN_ACCOUNT


async def test_changes_are_no_get_requests(tmp_path: Path) -> None:
    """A page that is opened changes nothing: links, prefetching and other sites can open pages."""
    changing = {"create", "update", "delete", "revoke", "rotate", "invite", "close", "cancel", "activate", "recrawl"}
    for endpoint, method, _, handler in await admin_routes(tmp_path):
        done = {name.partition(".")[2] for name in operations_of(handler) or ()}
        if method == "GET" and done & changing:
            assert endpoint.endswith(("_new", "_edit", "_show")), f"{endpoint} is the form for it, or must be a POST"


@pytest.mark.parametrize(
    "attack", ["no token", "foreign token", "foreign origin", "null origin", "odd origin", "other site", "none"]
)
async def test_every_change_refuses_foreign_requests(tmp_path: Path, attack: str) -> None:
    async with serving(tmp_path, calls_per_minute=0) as served, signed_in(served) as me, signed_in(served) as other:
        headers = {"Origin": served.url, "X-CSRF-Token": me.csrf}
        match attack:
            case "no token":
                del headers["X-CSRF-Token"]
            case "foreign token":
                headers["X-CSRF-Token"] = other.csrf
            case "foreign origin":
                headers["Origin"] = "https://evil.example"
            case "null origin":
                headers["Origin"] = "null"
            case "odd origin":
                headers["Origin"] = "http://["
            case "other site":
                headers["Sec-Fetch-Site"] = "cross-site"
            case "none":
                del headers["Origin"], me.client.headers["Origin"]
        changes = [route for route in await admin_routes(tmp_path / "routes") if route[1] not in SAFE_METHODS]
        assert len(changes) > 10
        for endpoint, method, rule, _ in changes:
            path = rule.replace("<", "").replace(">", "")
            answer = await me.client.request(method, path, headers=headers, content=b"")
            assert answer.status_code == 403, f"{endpoint} takes a request with {attack}"
        assert (await me.client.get("/admin/account")).status_code == 200, "it has not signed out, either"


async def test_every_route_wants_somebody(tmp_path: Path) -> None:
    async with serving(tmp_path, calls_per_minute=0) as served, browsing(served) as client:
        token = csrf_of(await client.get(f"{ADMIN}/sign-in"))
        for endpoint, method, rule, handler in await admin_routes(tmp_path / "routes"):
            if is_public(handler):
                continue
            path = rule.replace("<", "").replace(">", "")
            answer = await client.request(method, path, headers={"X-CSRF-Token": token})
            assert (answer.status_code, answer.headers["Location"][:14]) == (303, "/admin/sign-in"), endpoint


async def test_headers_of_every_page(tmp_path: Path) -> None:
    async with serving(tmp_path, calls_per_minute=0) as served, signed_in(served) as me:
        paths = {path for _, method, path, _ in await admin_routes(tmp_path / "routes") if method == "GET"}
        nonces = []
        for path in sorted(paths | {f"{ADMIN}/nothing", "/admin/sign-out"}):
            answer = await me.client.get(path.replace("<", "").replace(">", ""))
            policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
            assert policy["default-src"] == "'none'", path
            assert policy["base-uri"] == policy["frame-ancestors"] == "'none'", path
            nonce, dynamic = policy["script-src"].split(" ")
            assert dynamic == "'strict-dynamic'" and "unsafe" not in answer.headers["Content-Security-Policy"], path
            nonces.append(nonce)
            assert answer.headers["Cache-Control"] == "no-store", path
            assert answer.headers["X-Content-Type-Options"] == "nosniff", path
            assert answer.headers["Referrer-Policy"] == "same-origin", path
            assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin", path
            assert answer.headers["X-Request-Id"] and answer.headers["Permissions-Policy"], path
            assert " style=" not in answer.text and " onclick=" not in answer.text, path
            assert answer.text.count("<script") == answer.text.count(f'<script nonce="{nonce[7:-1]}"'), path
        assert len(set(nonces)) == len(nonces)


async def test_cookies_over_https(tmp_path: Path) -> None:
    async with serving(tmp_path, public_url="https://chat.example.com") as served:
        answer = await served.client.get(f"http://127.0.0.1:{served.app.settings.port}{ADMIN}/sign-in")
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-flowchat-visit=")
    assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= {part.strip() for part in cookie.split(";")}
    assert answer.headers["Strict-Transport-Security"].startswith("max-age=")
