"""Keys: widget keys that any visitor can read, and secret keys for the API. Only their SHA-256 is stored."""

import hashlib
import secrets
from dataclasses import dataclass
from typing import get_args

from flowchat.domain import Actor, Key, KeyType, Mode, new_id, now
from flowchat.errors import FlowChatError, Forbidden, NotFound, Unauthorized
from flowchat.net import urls
from flowchat.services import validate
from flowchat.services.access import require
from flowchat.services.context import Appliance, Context
from flowchat.store import audit_log, keys, sources
from flowchat.store.database import Connection

TEST_DAILY_CAP = 100
SCOPES: dict[KeyType, tuple[str, ...]] = {
    "admin": ("read", "write", "billing"),
    "operator": ("operator",),
    "widget": (),
}
MAX_NAME_CHARS = 100
_RANDOM_BYTES = 16


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key to be made. `origins`, `sources` (ids or slugs), `mode` and `test` are a widget key's."""

    type: KeyType
    name: str = ""
    origins: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    mode: Mode = "gate"
    daily_cap: int | None = None
    test: bool = False


async def create(app: Context, actor: Actor, new: NewKey) -> tuple[Key, str]:
    """Make a key; returns it with its secret, which cannot be had again. Raises FlowChatError naming the field."""
    require(actor, "operator" if new.type == "operator" else "write")
    prefix = _prefix(new)
    secret = prefix + secrets.token_hex(_RANDOM_BYTES)
    key = Key(
        id=new_id("key"),
        tenant_id=actor.tenant_id,
        type=new.type,
        name=validate.name(new.name, MAX_NAME_CHARS),
        prefix=prefix,
        last_four=secret[-4:],
        mode=_mode(new.mode),
        scopes=SCOPES[new.type],
        origins=tuple(dict.fromkeys(_origin(text) for text in new.origins)),
        sources=await _source_ids(app, actor, new.sources),
        daily_cap=_daily_cap(new),
        created_at=now(),
        revoked_at=None,
    )

    def transaction(conn: Connection) -> None:
        keys.insert(conn, key, hash_secret(secret))
        audit_log.insert(conn, actor, "keys.create", key.id, type=key.type, name=key.name)

    await app.db.write(transaction)
    return key, secret


def hash_secret(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _prefix(new: NewKey) -> str:
    if new.type not in get_args(KeyType):
        raise FlowChatError("bad_type", f"type must be admin, widget or operator, not '{new.type}'.", param="type")
    if new.type == "widget":
        return "kbk_test_" if new.test else "kbk_live_"
    for field in ("origins", "sources", "test"):
        if getattr(new, field):
            raise FlowChatError("not_a_widget_key", f"Only a widget key has {field}.", param=field)
    return "fca_"


def _mode(mode: Mode) -> Mode:
    if mode not in get_args(Mode):
        raise FlowChatError("bad_mode", f"mode must be gate or annotate, not '{mode}'.", param="mode")
    return mode


def _daily_cap(new: NewKey) -> int | None:
    if new.daily_cap is not None and new.daily_cap < 0:
        raise FlowChatError("bad_daily_cap", "daily_cap must be 0 or more answers.", param="daily_cap")
    if new.test:
        return TEST_DAILY_CAP if new.daily_cap is None else min(new.daily_cap, TEST_DAILY_CAP)
    return new.daily_cap


def _origin(text: str) -> str:
    """An entry of the allow-list in the form that browsers send."""
    wanted = text.strip().lower()
    if wanted == "*":
        return wanted
    if wanted.startswith("*."):
        parsed = urls.parse(f"https://{wanted[2:]}")
        if parsed is not None and parsed.href == f"https://{parsed.hostname}/" and "*" not in parsed.hostname:
            return f"*.{parsed.hostname}"
    else:
        parsed = urls.parse(wanted)
        if parsed is not None and parsed.href == f"{parsed.origin}/":
            return str(parsed.origin)
    raise FlowChatError(
        "bad_origin",
        f"'{text}' is no origin. Give https://www.example.com (scheme, host and port, no path), *.example.com or *.",
        param="origins",
    )


async def _source_ids(app: Context, actor: Actor, wanted: tuple[str, ...]) -> tuple[str, ...]:
    ids = []
    for id_or_slug in wanted:
        source = await sources.get(app.db, actor.tenant_id, id_or_slug)
        if source is None:
            raise NotFound("source", id_or_slug, param="sources")
        ids.append(source.id)
    return tuple(dict.fromkeys(ids))


async def list_all(app: Context, actor: Actor) -> list[Key]:
    """The tenant's keys, oldest first, revoked ones included."""
    require(actor, "read")
    return await keys.list_all(app.db, actor.tenant_id)


async def revoke(app: Context, actor: Actor, key_id: str) -> None:
    """From the next request on the key is refused; answers in the making end with `stop_revoked`. Raises NotFound."""
    require(actor, "write")

    def transaction(conn: Connection) -> bool:
        found = keys.revoke(conn, actor.tenant_id, key_id)
        if found:
            audit_log.insert(conn, actor, "keys.revoke", key_id)
        return found

    if not await app.db.write(transaction):
        raise NotFound("key", key_id)


async def stop_revoked(app: Appliance) -> None:
    """End the answers whose key was revoked meanwhile, by whatever process."""
    active = app.runs.active_keys()
    if not active:
        return
    why = FlowChatError("key_revoked", "The key of this answer was revoked.", status=401)
    for key_id in await keys.revoked_among(app.db, active):
        app.runs.stop_key(key_id, why)


async def authenticate_widget(app: Context, secret: str | None, origin: str | None) -> Key:
    """The widget key of a visitor's request. `origin` is its Origin header; servers and curl send none.

    Raises Unauthorized, and Forbidden `origin_not_allowed`.
    """
    if not secret:
        raise Unauthorized("Send a widget key (kbk_live_… or kbk_test_…) in the header X-FlowChat-Key.")
    key = await _unrevoked(app, secret)
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
    key = await _unrevoked(app, token)
    if key.type == "widget":
        raise Unauthorized("A widget key is not good for this. Send an admin API key (fca_…).")
    return Actor(key.tenant_id, f"key {key.name or key.id}", frozenset(key.scopes), address)


async def _unrevoked(app: Context, secret: str) -> Key:
    key = await keys.by_hash(app.db, hash_secret(secret))
    if key is None:
        raise Unauthorized(
            "This key is unknown. Check that it was copied whole, and that it belongs to this appliance."
        )
    if key.revoked_at is not None:
        raise Unauthorized(f"This key was revoked on {key.revoked_at[:10]}. Make a new one.")
    return key


def allows(key: Key, origin: str) -> bool:
    """Whether the key's list has the origin. An empty list allows none."""
    wanted = origin.lower()
    host = wanted.partition("://")[2].partition(":")[0]
    return any(entry in ("*", wanted) or (entry.startswith("*.") and host.endswith(entry[1:])) for entry in key.origins)
