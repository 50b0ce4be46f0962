"""Before every request to the admin: who asks, is it their own page that asks, may it be asked. After it: headers."""

import hmac
import secrets
from collections.abc import Collection
from typing import cast
from urllib.parse import urlencode

from quart import Response, current_app, g, redirect, request

from flowchat import logs
from flowchat.errors import Forbidden
from flowchat.services import homepage, sessions, vault
from flowchat.services.limits import Policy, visitor_of
from flowchat.services.sessions import SignedIn
from flowchat.web import auth, limits
from flowchat.web.admin import cookies, navigation
from flowchat.web.admin.blueprint import SAFE_METHODS, is_public, operations_of
from flowchat.web.current import appliance

PREFIX = "/admin/"
SIGN_IN = "/admin/sign-in"
_CSP = (
    "default-src 'none'; script-src 'nonce-{nonce}' 'strict-dynamic'; style-src 'self'; img-src 'self';"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


async def check() -> Response | None:
    """Refuses whatever a route of the admin doesn't allow by saying so. Raises Forbidden."""
    if not is_admin():
        return None
    g.nonce, g.signed_in = secrets.token_urlsafe(16), None
    token = cookies.read("session")
    g.signed_in = await sessions.find(appliance(), token, auth.client_address()) if token else None
    handler = current_app.view_functions.get(request.endpoint or "")
    if request.method not in SAFE_METHODS:
        check_origin()
    if g.signed_in is None and not is_public(handler):
        return _to_sign_in()
    if g.signed_in is not None:
        logs.current().tenant_id = signed_in().actor.tenant_id
        request.admitted.set()  # type: ignore[attr-defined]  # our class of requests has it: uploads may begin
    if request.method not in SAFE_METHODS:
        await _check_csrf()
    if is_public(handler):
        _count(f"admin {visitor_of(auth.client_address())}")
        return None
    _count(signed_in().user.id)
    if handler is not None:
        _check_form(operations_of(handler))
    return None


def _check_form(operations: Collection[str] | None) -> None:
    """Nobody fills in a form that they may not send. Raises Forbidden."""
    if operations is None:
        raise RuntimeError(f"{request.endpoint} doesn't say what it performs")
    is_form = (request.endpoint or "").endswith(("_new", "_edit"))
    if is_form and not all(navigation.can(signed_in().actor, name) for name in operations):
        raise Forbidden("role_missing", "Your role may look here, but not change anything. Ask an owner.")


def is_admin() -> bool:
    return f"{request.path}/".startswith(PREFIX)


def signed_in() -> SignedIn:
    """Whoever uses the present page, which is not public."""
    return cast(SignedIn, g.signed_in)


def csrf_token() -> str:
    """Of this browser's session, or of its visit before it signs in."""
    bound_to = cookies.read("session") if g.signed_in else cookies.visit()
    key = vault.derive(appliance().settings.data_dir, "csrf")
    return hmac.digest(key, bound_to.encode(), "sha256").hex()


def check_origin() -> None:
    """Raises Forbidden `foreign_origin` unless the browser says that one of our own pages asks."""
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if origin is not None:
        allowed = origin in homepage.own_origins(appliance().settings) or origin.partition("://")[2] == request.host
    else:
        allowed = site is not None
    if not allowed or site not in (None, "same-origin"):
        raise Forbidden("foreign_origin", "This request came from another site. Open the admin and do it there.")


async def _check_csrf() -> None:
    given = request.headers.get("X-CSRF-Token")
    if given is None:
        given = (await request.form).get("csrf_token", "")
    if not hmac.compare_digest(given.encode(), csrf_token().encode()):
        message = "This page is out of date: it was opened before you signed in or out. Go back, reload it, try again."
        raise Forbidden("csrf_token_wrong", message)


def _to_sign_in() -> Response:
    """Comes back to a page that was only to be read."""
    wanted = request.full_path.rstrip("?") if request.method == "GET" and not is_htmx() else ""
    if is_htmx():
        return Response(b"", 401, {"HX-Redirect": SIGN_IN})
    return cast(Response, redirect(SIGN_IN + query_of_next(wanted), 303))


def query_of_next(page: str) -> str:
    """What tells the pages of signing in where to go then."""
    return f"?{urlencode({'next': page})}" if page not in ("", "/admin") else ""


def is_htmx() -> bool:
    return request.headers.get("HX-Request") == "true"


def _count(client: str) -> None:
    limits.count([Policy("admin", client, appliance().settings.calls_per_minute)])


def add_headers(response: Response) -> Response:
    if is_admin():
        response.headers["Content-Security-Policy"] = _CSP.format(nonce=g.get("nonce", ""))
        response.headers["Referrer-Policy"] = "same-origin"  # with none at all, browsers send `Origin: null`
        response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        response.headers["Cache-Control"] = "no-store"
        if (visit := g.get("new_visit")) is not None:
            cookies.write(response, "visit", visit)
    return response
