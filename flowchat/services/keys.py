"""Keys: widget keys that any visitor can read, and secret keys for the API. Only their SHA-256 is stored."""

from collections.abc import Iterable
from dataclasses import replace

from msgspec import UNSET

from flowchat.domain import Actor, Caps, Key, KeyType, Limits, WidgetConfig, new_id, now
from flowchat.errors import Conflict, NotFound
from flowchat.services import standing
from flowchat.services.access import require
from flowchat.services.context import Context
from flowchat.services.credentials import hash_secret, new_secret
from flowchat.services.key_requests import (
    KeyChange,
    NewAdminKey,
    NewKey,
    NewWidgetKey,
    Rotation,
    merged,
    normalised_origins,
    utc,
)
from flowchat.services.lists import Listed, ListRequest, read_page
from flowchat.services.operations import operation, visitor_operation
from flowchat.services.sources import require_answering
from flowchat.store import audit_log, keys, sources
from flowchat.store.database import Connection

TEST_DAILY_CAP = 100
_OF_WIDGETS = ("origins", "sources", "mode", "caps", "limits", "widget")


@operation("keys.list", "read", "operator")
async def list_page(app: Context, actor: Actor, request: ListRequest) -> Listed[Key]:
    """List the tenant's keys, newest first, revoked ones included. Without the scope `read`: its operator keys."""
    key_type: KeyType | None = None if "read" in actor.scopes else "operator"
    return await read_page(request, lambda cursor: keys.page(app.db, actor.tenant_id, key_type, cursor))


async def list_all(app: Context, actor: Actor) -> list[Key]:
    """The tenant's keys, oldest first, revoked ones included."""
    require(actor, "read")
    return await keys.list_all(app.db, actor.tenant_id)


@operation("keys.get", "read", "operator")
async def get(app: Context, actor: Actor, key_id: str) -> Key:
    """Show a key, without its secret.

    An operator key takes the scope `read` or `operator`, every other key `read`.

    Raises NotFound, and Forbidden `scope_missing`.
    """
    key = await keys.get(app.db, actor.tenant_id, key_id)
    if key is None:
        raise NotFound("key", key_id)
    if key.type != "operator":
        require(actor, "read")
    return key


@operation("keys.create", "write", "operator")
async def create(app: Context, actor: Actor, new: NewKey) -> tuple[Key, str]:
    """Make a key, and show its secret this once.

    An operator key takes the scope `operator`, every other key `write`. Nobody can give a key a scope that they lack
    themselves. Sources that don't exist are a 404.

    Raises NotFound, Forbidden `scope_missing`, and Conflict `source_revoked` or `tenant_closed`.
    """
    return await app.db.write(lambda conn: make(conn, actor, new))


def make(conn: Connection, actor: Actor, new: NewKey) -> tuple[Key, str]:
    """The same as `create`, within a transaction."""
    described, secret = _with_secret(_described(actor, new))
    _check_may_change(actor, described)
    _check_may_hold(actor, described)
    wanted = new.sources if isinstance(new, NewWidgetKey) else ()
    key = replace(described, sources=_source_ids(conn, actor, wanted))
    keys.insert(conn, key, hash_secret(secret))
    audit_log.insert(conn, actor, "keys.create", key.id, type=key.type, name=key.name, scopes=key.scopes)
    return key, secret


def _described(actor: Actor, new: NewKey) -> Key:
    """All but its sources."""
    key = Key(
        id="",
        tenant_id=actor.tenant_id,
        type=_type_of(new),
        name=new.name.strip(),
        prefix="fca_",
        last_four="",
        mode="gate",
        scopes=tuple(dict.fromkeys(new.scopes)) if isinstance(new, NewAdminKey) else ("operator",),
        origins=(),
        sources=(),
        created_at="",
        expires_at=utc(new.expires_at),
    )
    if not isinstance(new, NewWidgetKey):
        return key
    prefix = "kbk_test_" if new.test else "kbk_live_"
    return replace(
        key,
        prefix=prefix,
        mode=new.mode,
        scopes=(),
        origins=normalised_origins(new.origins),
        caps=_capped(merged(Caps(), new.caps), is_test=new.test),
        limits=merged(Limits(), new.limits),
        widget=merged(WidgetConfig(), new.widget),
    )


def _type_of(new: NewKey) -> KeyType:
    if isinstance(new, NewWidgetKey):
        return "widget"
    return "admin" if isinstance(new, NewAdminKey) else "operator"


def _with_secret(described: Key) -> tuple[Key, str]:
    """A key like that, with an id and a secret of its own."""
    secret = new_secret(described.prefix)
    return replace(described, id=new_id("key"), created_at=now(), last_four=secret[-4:]), secret


def _check_may_change(actor: Actor, key: Key) -> None:
    """Operator keys are the operators' business, all others their tenant's. Raises Forbidden `scope_missing`."""
    require(actor, "operator" if key.type == "operator" else "write")


def _check_may_hold(actor: Actor, key: Key) -> None:
    """Nobody gets hold of a scope through a key. Raises Forbidden `scope_missing`."""
    for scope in key.scopes:
        require(actor, scope)


def _capped(caps: Caps, *, is_test: bool) -> Caps:
    if not is_test:
        return caps
    return replace(caps, daily=TEST_DAILY_CAP if caps.daily is None else min(caps.daily, TEST_DAILY_CAP))


def _source_ids(conn: Connection, actor: Actor, wanted: Iterable[str]) -> tuple[str, ...]:
    ids = []
    for id_or_slug in wanted:
        source = sources.find(conn, actor.tenant_id, id_or_slug)
        if source is None:
            raise NotFound("source", id_or_slug, param="sources")
        require_answering(source, "sources")
        ids.append(source.id)
    return tuple(dict.fromkeys(ids))


@operation("keys.update", "write", "operator")
async def update(app: Context, actor: Actor, key_id: str, change: KeyChange) -> Key:
    """Change a key. It goes on with the same secret.

    An operator key takes the scope `operator`, every other key `write`.

    Raises NotFound, Forbidden `scope_missing`, and Conflict `key_revoked`, `own_key`, `not_a_widget_key` or
    `source_revoked`.
    """
    origins = UNSET if change.origins is UNSET else normalised_origins(change.origins)

    def transaction(conn: Connection) -> Key:
        key = _changeable(conn, actor, key_id)
        for field in _OF_WIDGETS:
            if key.type != "widget" and getattr(change, field) is not UNSET:
                raise Conflict("not_a_widget_key", f"Only a widget key has {field}.", param=field)
        changed = replace(
            key,
            name=key.name if change.name is UNSET else change.name.strip(),
            mode=key.mode if change.mode is UNSET else change.mode,
            origins=key.origins if origins is UNSET else origins,
            sources=key.sources if change.sources is UNSET else _source_ids(conn, actor, change.sources),
            caps=_capped(merged(key.caps, change.caps), is_test=key.is_test),
            limits=merged(key.limits, change.limits),
            widget=merged(key.widget, change.widget),
            expires_at=key.expires_at if change.expires_at is UNSET else utc(change.expires_at),
        )
        keys.update(conn, changed)
        fields = [name for name in change.__struct_fields__ if getattr(change, name) is not UNSET]
        audit_log.insert(conn, actor, "keys.update", key_id, fields=fields)
        return changed

    return await app.db.write(transaction)


@operation("keys.rotate", "write", "operator")
async def rotate(app: Context, actor: Actor, key_id: str, request: Rotation) -> tuple[Key, str]:
    """Make a key with the same settings and a new secret, and show it this once.

    The old key is revoked at once, or expires after `grace_s` seconds; until then it can't be rotated again, but its
    successor can. An expired key needs a new `expires_at`. An operator key takes the scope `operator`, every other key
    `write`.

    Raises NotFound, Forbidden `scope_missing`, and Conflict `key_revoked`, `key_rotated`, `key_expired`, `own_key` or
    `tenant_closed`.
    """
    ends_at = now(request.grace_s)

    def transaction(conn: Connection) -> tuple[Key, str]:
        old = _changeable(conn, actor, key_id)
        fresh, secret = _with_secret(replace(old, expires_at=_successors_expiry(old, request)))
        keys.insert(conn, fresh, hash_secret(secret))
        if request.grace_s:
            keys.set_successor(conn, key_id, fresh.id, min(ends_at, old.expires_at or ends_at))
        else:
            keys.revoke(conn, key_id)
        audit_log.insert(conn, actor, "keys.rotate", key_id, successor=fresh.id, grace_s=request.grace_s)
        return fresh, secret

    made = await app.db.write(transaction)
    if not request.grace_s:
        await app.revocations.add("key", key_id)
    return made


def _successors_expiry(old: Key, request: Rotation) -> str | None:
    """Never the end of a former rotation's grace. Raises Conflict `key_rotated` or `key_expired`."""
    if old.rotated_to is not None:
        raise Conflict("key_rotated", f"This key was rotated already. Rotate its successor, {old.rotated_to}.")
    expires_at = old.expires_at if request.expires_at is UNSET else utc(request.expires_at)
    if expires_at is not None and expires_at <= now():
        message = f"The new key would have expired on {expires_at[:10]}. Give it another expires_at; null: never."
        raise Conflict("key_expired", message, param="expires_at")
    return expires_at


def _changeable(conn: Connection, actor: Actor, key_id: str) -> Key:
    key = _find(conn, actor, key_id)
    _check_may_hold(actor, key)
    if key.revoked_at is not None:
        raise Conflict("key_revoked", "This key is revoked, which can't be undone. Make a new one.")
    if not key.billed:
        raise Conflict("own_key", "This key is FlowChat's own: it can be revoked, but not changed.")
    return key


def _find(conn: Connection, actor: Actor, key_id: str) -> Key:
    """A key that the actor may change. Raises NotFound, and Forbidden `scope_missing`."""
    key = keys.find(conn, actor.tenant_id, key_id)
    if key is None:
        raise NotFound("key", key_id)
    _check_may_change(actor, key)
    return key


@operation("keys.revoke", "write", "operator", while_read_only=True)
async def revoke(app: Context, actor: Actor, key_id: str) -> Key:
    """Refuse a key from now on. It can't be undone.

    Answers that are being streamed end with the error `key_revoked`. Revoking a key again changes nothing. An operator
    key takes the scope `operator`, every other key `write`.

    Raises NotFound, and Forbidden `scope_missing`.
    """

    def transaction(conn: Connection) -> Key:
        key = _find(conn, actor, key_id)
        if key.revoked_at is not None:
            return key
        audit_log.insert(conn, actor, "keys.revoke", key_id)
        return replace(key, revoked_at=keys.revoke(conn, key_id))

    key = await app.db.write(transaction)
    await app.revocations.add("key", key.id)
    return key


@visitor_operation("widget.config", while_read_only=False)
async def widget_config(app: Context, key: Key) -> Key:
    """Show what a widget with this key needs to know before the first question."""
    await standing.require_answering(app, key)
    return key
