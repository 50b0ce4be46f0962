"""Users: the people of a tenant. What they may do follows from their role; operators may work the machine, too."""

from dataclasses import dataclass, replace
from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from flowchat.domain import Account, Actor, Role, User, new_id, now
from flowchat.errors import Conflict, NotFound
from flowchat.services import links
from flowchat.services.access import require
from flowchat.services.context import Context
from flowchat.services.fields import Email
from flowchat.services.lists import Listed, ListRequest, read_page
from flowchat.services.operations import operation
from flowchat.store import accounts, audit_log, sessions, users
from flowchat.store.database import Connection

ROLE_SCOPES: dict[Role, tuple[str, ...]] = {
    "owner": ("read", "write", "billing"),
    "editor": ("read", "write"),
    "viewer": ("read",),
}

Name = Annotated[str, msgspec.Meta(max_length=100, examples=["Ann"])]
IsOperator = Annotated[
    bool, msgspec.Meta(description="May work the machine, too: tenants, models, settings. Only an operator may say so.")
]


class NewUser(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody who may use the tenant. An owner may do everything in it, an editor read and change, a viewer read."""

    email: Email
    name: Name = ""
    role: Role = "viewer"
    operator: IsOperator = False


class UserChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is left out stays as it is."""

    email: Email | UnsetType = UNSET
    name: Name | UnsetType = UNSET
    role: Role | UnsetType = UNSET
    operator: IsOperator | UnsetType = UNSET


@dataclass(frozen=True, slots=True)
class Invitation:
    """The link by which a user chooses a password, once. `expires_at` is when it stops working."""

    user: User
    url: str
    expires_at: str


def scopes_of(user: User) -> frozenset[str]:
    """What a user may do."""
    return frozenset(ROLE_SCOPES[user.role]) | ({"operator"} if user.operator else set())


@operation("users.list", "read")
async def list_page(app: Context, actor: Actor, request: ListRequest) -> Listed[User]:
    """List the tenant's users, newest first.

    How somebody signs in, and when they last did, is told to owners, operators and themselves.
    """
    listed = await read_page(request, lambda cursor: users.page(app.db, actor.tenant_id, cursor))
    return Listed([_as_seen_by(actor, user) for user in listed.items], listed.has_more)


def _as_seen_by(actor: Actor, user: User) -> User:
    """Who may be easy prey, and who is away, is not everybody's business."""
    if not actor.scopes.isdisjoint(("billing", "operator")) or actor.user_id == user.id:
        return user
    return replace(user, second_factor=None, signed_in_at=None)


@operation("users.get", "read")
async def get(app: Context, actor: Actor, user_id: str) -> User:
    """Show a user.

    How somebody signs in, and when they last did, is told to owners, operators and themselves. Raises NotFound.
    """
    user = await users.get(app.db, actor.tenant_id, user_id)
    if user is None:
        raise NotFound("user", user_id)
    return _as_seen_by(actor, user)


@operation("users.create", "write")
async def create(app: Context, actor: Actor, new: NewUser) -> User:
    """Add a user. An e-mail address is one user of the tenant.

    Nobody can give a user a role that may do more than they may themselves.

    Raises Conflict `email_taken`, and Forbidden `scope_missing`.
    """
    email = _normalised(new.email)
    user = User(new_id("usr"), actor.tenant_id, email, new.name.strip(), new.role, now(), operator=new.operator)
    _check_may_be(actor, user)

    def transaction(conn: Connection) -> None:
        _require_free(conn, user)
        users.insert(conn, user)
        audit_log.insert(conn, actor, "users.create", user.id, email=user.email, role=user.role, operator=user.operator)

    await app.db.write(transaction)
    return _as_seen_by(actor, user)


@operation("users.update", "write")
async def update(app: Context, actor: Actor, user_id: str, change: UserChange) -> User:
    """Change a user. The last owner stays one.

    A change of what they may do, or of their e-mail address, ends their sessions. Nobody can change a user who may do
    more than they may themselves, nor make them one.

    Raises NotFound, Forbidden `scope_missing`, and Conflict `email_taken` or `last_owner`.
    """

    def transaction(conn: Connection) -> User:
        user = _find(conn, actor, user_id)
        changed = replace(
            user,
            email=user.email if change.email is UNSET else _normalised(change.email),
            name=user.name if change.name is UNSET else change.name.strip(),
            role=user.role if change.role is UNSET else change.role,
            operator=user.operator if change.operator is UNSET else change.operator,
        )
        _check_may_be(actor, user)  # whoever has an owner's address can become that owner
        _check_may_be(actor, changed)
        _require_free(conn, changed)
        if changed.role != "owner":
            _require_other_owner(conn, user)
        users.update(conn, changed)
        if (changed.email, scopes_of(changed)) != (user.email, scopes_of(user)):
            sessions.delete_all(conn, user.id)
        fields = {name for name in change.__struct_fields__ if getattr(change, name) is not UNSET}
        audit_log.insert(conn, actor, "users.update", user.id, **{name: getattr(changed, name) for name in fields})
        return changed

    return _as_seen_by(actor, await app.db.write(transaction))


@operation("users.delete", "write", while_read_only=True)
async def delete(app: Context, actor: Actor, user_id: str) -> None:
    """Remove a user. The last owner stays.

    Raises NotFound, Forbidden `scope_missing`, and Conflict `last_owner`.
    """

    def transaction(conn: Connection) -> None:
        user = _find(conn, actor, user_id)
        _check_may_be(actor, user)
        _require_other_owner(conn, user)
        users.delete(conn, user.id)
        audit_log.insert(conn, actor, "users.delete", user.id)

    await app.db.write(transaction)


@operation("users.invite", "write")
async def invite(app: Context, actor: Actor, user_id: str) -> Invitation:
    """Make a link by which a user chooses a password, once: to accept an invitation, or because theirs is lost.

    It is shown only this once. Using it ends the user's sessions and makes their other links useless. Nobody can invite
    a user who may do more than they may themselves; a link for somebody who has a password takes an owner.

    Raises NotFound, and Forbidden `scope_missing`.
    """

    def transaction(conn: Connection) -> Account:
        user = _find(conn, actor, user_id)
        _check_may_be(actor, user)
        account = accounts.find(conn, user.id)
        if account is None:
            raise NotFound("user", user_id)
        if account.user.has_password:
            require(actor, "billing")  # whoever uses such a link acts as that user
        audit_log.insert(conn, actor, "users.invite", user.id)
        return account

    account = await app.db.write(transaction)
    purpose: links.Purpose = "reset" if account.user.has_password else "invitation"
    link = links.Link(account.user.id, links.state_of(account))
    url = links.make(app, purpose, link, app.settings.origin)
    return Invitation(account.user, url, now(links.VALID_S[purpose]))


def _normalised(email: str) -> str:
    return email.lower()


def _check_may_be(actor: Actor, user: User) -> None:
    """Nobody gets hold of a scope through a user. Raises Forbidden `scope_missing`."""
    for scope in scopes_of(user):
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
