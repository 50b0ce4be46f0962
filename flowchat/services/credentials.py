"""Who holds a key, and whether it is good for a request."""

import hashlib
import secrets

from flowchat.domain import Actor, Key, now
from flowchat.errors import Forbidden, Unauthorized
from flowchat.services.context import Context
from flowchat.store import keys

_RANDOM_BYTES = 16


def hash_secret(secret: str) -> str:
    """SHA-256, hex. A key is 128 random bits: it needs no salt and no slow hash."""
    return hashlib.sha256(secret.encode()).hexdigest()


def new_secret(prefix: str) -> str:
    """A key with that prefix: 128 random bits, in hex."""
    return prefix + secrets.token_hex(_RANDOM_BYTES)


async def authenticate_widget(app: Context, secret: str | None, origin: str | None) -> Key:
    """The widget key of a visitor's request. `origin` is its Origin header; servers and curl send none.

    Raises Unauthorized, and Forbidden `origin_not_allowed`.
    """
    if not secret:
        raise Unauthorized("Send a widget key (kbk_live_… or kbk_test_…) in the header X-FlowChat-Key.")
    key = await _good_key(app, secret)
    if key.type != "widget":
        raise Unauthorized("This is a secret API key: never put it into a page. Use a widget key (kbk_live_…).")
    if origin is not None and not allows(key, origin):
        raise Forbidden(
            "origin_not_allowed",
            f"The widget key doesn't allow the origin '{origin[:200]}'. Add it to the key's origins.",
        )
    return key


async def authenticate_bearer(app: Context, token: str | None, address: str) -> Actor:
    """Who holds the secret API key of a request from that address. Raises Unauthorized."""
    if not token:
        raise Unauthorized("Send an admin API key as 'Authorization: Bearer fca_…'.")
    key = await _good_key(app, token)
    if key.type == "widget":
        raise Unauthorized("A widget key is not good for this. Send an admin API key (fca_…).")
    name = f"key {key.id} ({key.name})" if key.name else f"key {key.id}"
    return Actor(key.tenant_id, name, frozenset(key.scopes), address, key.id)


async def _good_key(app: Context, secret: str) -> Key:
    key = await keys.by_hash(app.db, hash_secret(secret))
    if key is None:
        raise Unauthorized(
            "This key is unknown. Check that it was copied whole, and that it belongs to this appliance."
        )
    check_not_revoked(app, key)
    if key.expires_at is not None and key.expires_at <= now():
        raise Unauthorized(f"This key expired on {key.expires_at[:10]}. Make a new one.")
    return key


def check_not_revoked(app: Context, key: Key) -> None:
    """Raises Unauthorized for a key that was revoked, be it a moment ago."""
    if key.revoked_at is not None:
        raise Unauthorized(f"This key was revoked on {key.revoked_at[:10]}. Make a new one.")
    if key.id in app.revocations:
        raise Unauthorized("This key was revoked. Make a new one.")


def allows(key: Key, origin: str) -> bool:
    """Whether the key's list has the origin. An empty list allows none."""
    wanted = origin.lower()
    host = wanted.partition("://")[2].partition(":")[0]
    return any(entry in ("*", wanted) or (entry.startswith("*.") and host.endswith(entry[1:])) for entry in key.origins)
