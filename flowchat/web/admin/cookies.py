"""The cookies of the admin. All are for this host alone, and scripts can't read them."""

import secrets
from typing import Literal

from quart import Response, g, request

from flowchat.web.current import appliance

Name = Literal["session", "visit", "half_way", "notice"]


def read(name: Name) -> str:
    return request.cookies.get(_full(name), "")


def write(response: Response, name: Name, value: str, max_age_s: int | None = None) -> None:
    """Without `max_age_s` it lasts as long as the browser is open."""
    response.set_cookie(
        _full(name), value, max_age=max_age_s, path="/", secure=_is_https(), httponly=True, samesite="Lax"
    )


def clear(response: Response, name: Name) -> None:
    response.delete_cookie(_full(name), path="/", secure=_is_https(), httponly=True, samesite="Lax")


def visit() -> str:
    """What the forms of a browser that is not signed in are bound to. `guard.add_headers` sends it."""
    if not (known := read("visit")):
        known = g.new_visit = g.get("new_visit") or secrets.token_urlsafe(16)
    return known


def _full(name: Name) -> str:
    # A browser takes a cookie of this prefix only from this very host, over https.
    return f"__Host-flowchat-{name}" if _is_https() else f"flowchat-{name}"


def _is_https() -> bool:
    return appliance().settings.public_url.startswith("https:")
