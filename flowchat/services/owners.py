"""The first owner of a tenant, whom an operator invites: from then on the tenant's people look after themselves."""

import msgspec

from flowchat.domain import Actor, Tenant
from flowchat.errors import Conflict
from flowchat.services import tenants, users
from flowchat.services.context import Context
from flowchat.services.fields import Email
from flowchat.services.key_requests import TENANT_SCOPES
from flowchat.services.operations import operation
from flowchat.services.users import Invitation, Name, NewUser
from flowchat.store import accounts, audit_log
from flowchat.store import users as user_store


class NewOwner(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whoever is to own a tenant."""

    email: Email
    name: Name = ""


async def is_wanted(app: Context, tenant: Tenant) -> bool:
    """Whether nobody can sign in to the tenant yet, so that an operator may invite its owner."""
    return tenant.closed_at is None and not await accounts.any_password_in(app.db, tenant.id)


@operation("tenants.invite", "operator")
async def invite(app: Context, actor: Actor, id_or_slug: str, new: NewOwner) -> Invitation:
    """Invite the first owner of a tenant: make a link by which they choose a password, once.

    It is shown only this once. Somebody who was invited and has not come yet gets another link. Once anybody can sign
    in to the tenant, its owners invite people, and no operator does.

    Raises NotFound, and Conflict `has_owner` or `tenant_closed`.
    """
    tenant = await tenants.get(app, actor, id_or_slug)
    tenants.require_open(tenant)
    if not await is_wanted(app, tenant):
        raise Conflict("has_owner", "Somebody can sign in to this tenant already. Its owners invite people.")
    acting = Actor(
        tenant.id, "operator", frozenset((*TENANT_SCOPES, "operator"))
    )  # in the tenant's own log, without an address
    present = await user_store.id_by_email(app.db, tenant.id, new.email.lower())
    if present is None:
        present = (await users.create(app, acting, NewUser(email=new.email, name=new.name, role="owner"))).id
    invitation = await users.invite(app, acting, present)
    if tenant.id != actor.tenant_id:
        await app.db.write(lambda conn: audit_log.insert(conn, actor, "tenants.invite", tenant.id, email=new.email))
    return invitation
