"""Signed links that work once: to set the appliance up, to accept an invitation, to choose a new password, to sign up.

Also what a browser keeps between the password and the second factor. A link carries a fingerprint of the state it was
made for: of the password, which using the link changes.
"""

import hashlib
from typing import Any, Literal

import msgspec
from itsdangerous import BadData, URLSafeTimedSerializer

from flowchat.domain import Account
from flowchat.errors import FlowChatError
from flowchat.services import vault
from flowchat.services.context import Context

Purpose = Literal["set-up", "invitation", "reset", "sign-in", "sign-up"]
VALID_S: dict[Purpose, int] = {
    "set-up": 24 * 3600,
    "invitation": 7 * 86_400,
    "reset": 24 * 3600,
    "sign-in": 600,
    "sign-up": 24 * 3600,
}


class Link(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a link says: nothing, if it is to set the appliance up."""

    user: str = ""
    state: str = ""
    drops_second_factor: bool = False
    signup: str = ""


def make(app: Context, purpose: Purpose, link: Link, origin: str) -> str:
    """The whole address, below that origin."""
    return f"{origin}/admin/{purpose}/{sign(app, purpose, [link])}"


def sign(app: Context, purpose: Purpose, links: list[Link]) -> str:
    """A token that says these."""
    return str(_serializer(app, purpose).dumps(msgspec.to_builtins(links)))


def read(app: Context, purpose: Purpose, token: str) -> Link:
    """The one that a token says. Raises FlowChatError `link_invalid` (410) for what is none, or is too old."""
    return read_all(app, purpose, token)[0]


def read_all(app: Context, purpose: Purpose, token: str) -> list[Link]:
    """All that a token says. Raises FlowChatError `link_invalid` (410) for what is none, or is too old."""
    try:
        said: Any = _serializer(app, purpose).loads(token, max_age=VALID_S[purpose])
    except BadData:
        raise used_up() from None
    return msgspec.convert(said, list[Link])


def state_of(account: Account) -> str:
    """What changes when a link is used."""
    return hashlib.sha256(f"{account.user.email} {account.password_hash}".encode()).hexdigest()[:32]


def used_up() -> FlowChatError:
    return FlowChatError(
        "link_invalid",
        "This link has been used, or has expired. Ask whoever gave it to you for another one.",
        status=410,
    )


def _serializer(app: Context, purpose: Purpose) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(vault.derive(app.settings.data_dir, "one-time links"), salt=purpose)
