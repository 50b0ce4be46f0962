"""Users: the people of a tenant. What they may do follows from their role."""

from dataclasses import replace
from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from flowchat.domain import Actor, Role, User, new_id, now
from flowchat.errors import Conflict, NotFound
from flowchat.services.access import require
from flowchat.services.context import Context
from flowchat.services.fields import Email
from flowchat.services.lists import Listed, ListRequest, read_page
from flowchat.services.operations import operation
from flowchat.store import audit_log, users
from flowchat.store.database import Connection

ROLE_SCOPES: dict[Role, tuple[str, ...]] = {
    "owner": ("read", "write", "billing"),
    "editor": ("read", "write"),
    "viewer": ("read",),
}

Name = Annotated[str, msgspec.Meta(max_length=100, examples=["Ann"])]


class NewUser(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody who may use the tenant. An owner may do everything in it, an editor read and change, a viewer read."""

    email: Email
    name: Name = ""
    role: Role = "viewer"


class UserChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is left out stays as it is."""

    email: Email | UnsetType = UNSET
    name: Name | UnsetType = UNSET
    role: Role | UnsetType = UNSET


@operation("users.list", "read")
async def list_page(app: Context, actor: Actor, request: ListRequest) -> Listed[User]:
    """List the tenant's users, newest first."""
    return await read_page(request, lambda cursor: users.page(app.db, actor.tenant_id, cursor))


@operation("users.get", "read")
async def get(app: Context, actor: Actor, user_id: str) -> User:
    """Show a user.

    Raises NotFound.
    """
    user = await users.get(app.db, actor.tenant_id, user_id)
    if user is None:
        raise NotFound("user", user_id)
    return user


@operation("users.create", "write")
async def create(app: Context, actor: Actor, new: NewUser) -> User:
    """Add a user. An e-mail address is one user of the tenant.

    Nobody can give a user a role that may do more than they may themselves.

    Raises Conflict `email_taken`, and Forbidden `scope_missing`.
    """
    _check_may_be(actor, new.role)
    user = User(new_id("usr"), actor.tenant_id, _normalised(new.email), new.name.strip(), new.role, now())

    def transaction(conn: Connection) -> None:
        _require_free(conn, user)
        users.insert(conn, user)
        audit_log.insert(conn, actor, "users.create", user.id, email=user.email, role=user.role)

    await app.db.write(transaction)
    return user


@operation("users.update", "write")
async def update(app: Context, actor: Actor, user_id: str, change: UserChange) -> User:
    """Change a user. The last owner stays one.

    Nobody can change a user who may do more than they may themselves, nor make them one.

    Raises NotFound, Forbidden `scope_missing`, and Conflict `email_taken` or `last_owner`.
    """

    def transaction(conn: Connection) -> User:
        user = _find(conn, actor, user_id)
        changed = replace(
            user,
            email=user.email if change.email is UNSET else _normalised(change.email),
            name=user.name if change.name is UNSET else change.name.strip(),
            role=user.role if change.role is UNSET else change.role,
        )
        _check_may_be(actor, user.role)  # whoever has an owner's address can become that owner
        _check_may_be(actor, changed.role)
        _require_free(conn, changed)
        if changed.role != "owner":
            _require_other_owner(conn, user)
        users.update(conn, changed)
        fields = {name for name in change.__struct_fields__ if getattr(change, name) is not UNSET}
        audit_log.insert(conn, actor, "users.update", user.id, **{name: getattr(changed, name) for name in fields})
        return changed

    return await app.db.write(transaction)


@operation("users.delete", "write")
async def delete(app: Context, actor: Actor, user_id: str) -> None:
    """Remove a user. The last owner stays.

    Raises NotFound, Forbidden `scope_missing`, and Conflict `last_owner`.
    """

    def transaction(conn: Connection) -> None:
        user = _find(conn, actor, user_id)
        _check_may_be(actor, user.role)
        _require_other_owner(conn, user)
        users.delete(conn, user.id)
        audit_log.insert(conn, actor, "users.delete", user.id)

    await app.db.write(transaction)


def _normalised(email: str) -> str:
    return email.lower()


def _check_may_be(actor: Actor, role: Role) -> None:
    """Nobody gets hold of a scope through a user. Raises Forbidden `scope_missing`."""
    for scope in ROLE_SCOPES[role]:
        require(actor, scope)


def _find(conn: Connection, actor: Actor, user_id: str) -> User:
    user = users.find(conn, actor.tenant_id, user_id)
    if user is None:
        raise NotFound("user", user_id)
    return user


def _require_free(conn: Connection, user: User) -> None:
    if users.id_of(conn, user.tenant_id, user.email) not in (None, user.id):
        raise Conflict("email_taken", f"There is a user {user.email} already.", param="email")


def _require_other_owner(conn: Connection, user: User) -> None:
    if user.role == "owner" and users.count(conn, user.tenant_id, "owner") == 1:
        raise Conflict("last_owner", f"{user.email} is the last owner. Make somebody else an owner first.")
