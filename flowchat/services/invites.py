"""Invites to sign up: each makes one account, without a confirmation, on a plan that the operator chooses."""

from dataclasses import dataclass
from typing import Annotated

import msgspec

from flowchat.billing import Invite, Plan
from flowchat.domain import Actor, new_id, now
from flowchat.errors import Conflict, NotFound
from flowchat.services import letters
from flowchat.services.access import require
from flowchat.services.context import Context
from flowchat.services.credentials import hash_secret, new_secret
from flowchat.services.fields import Email
from flowchat.services.lists import Listed, ListRequest, read_page
from flowchat.services.operations import operation
from flowchat.store import audit_log, emails, invites, plans
from flowchat.store.database import Connection

DAY_S = 86_400
DEFAULT_DAYS = 30


class NewInvite(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whom is invited to what. With an address it is good for that alone, and is sent there where e-mail is."""

    email: Email | None = None
    note: Annotated[str, msgspec.Meta(max_length=200, description="For yourself: the invited never see it.")] = ""
    plan: (
        Annotated[
            str, msgspec.Meta(min_length=1, max_length=64, description="Id or slug of a plan.", examples=["trial"])
        ]
        | None
    ) = None
    expires_days: Annotated[int, msgspec.Meta(ge=1, le=365, description="How long it is good.")] = DEFAULT_DAYS


@dataclass(frozen=True, slots=True)
class CreatedInvite:
    """With its link, which is shown only this once. `is_sent`: it was sent to the address, too."""

    invite: Invite
    url: str
    is_sent: bool


@operation("invites.list", "operator")
async def list_page(app: Context, actor: Actor, request: ListRequest) -> Listed[Invite]:
    """List the invites to sign up, newest first, used and expired ones included."""
    return await read_page(request, lambda cursor: invites.page(app.db, cursor))


async def plans_to_choose(app: Context, actor: Actor) -> list[Plan]:
    """Those that one may be invited to."""
    require(actor, "operator")
    return await plans.every(app.db)


@operation("invites.create", "operator")
async def create(app: Context, actor: Actor, new: NewInvite) -> CreatedInvite:
    """Invite somebody to sign up: make a link that makes one account, without a confirmation of its address.

    The link is shown only this once. With an e-mail address it works for that address alone, and is sent there where a
    mail server is set. Without a plan the account begins on the trial plan.

    Raises Conflict `signup_closed`, and NotFound.
    """
    if app.settings.signup == "closed":
        message = "Sign-up is closed, so that nobody could use it: set FLOWCHAT_SIGNUP to invite or open first."
        raise Conflict("signup_closed", message)
    code = new_secret("")
    url = f"{app.settings.origin}/signup?invite={code}"
    email = (new.email or "").lower()
    is_sent = bool(email and app.settings.smtp_url)

    def transaction(conn: Connection) -> Invite:
        plan = plans.find(conn, new.plan) if new.plan is not None else None
        if new.plan is not None and (plan is None or plan.archived_at is not None):
            raise NotFound("plan", new.plan, param="plan")
        invite = Invite(
            id=new_id("inv"),
            email=email,
            note=new.note.strip(),
            plan_id=plan.id if plan else None,
            plan=plan.slug if plan else None,
            expires_at=now(new.expires_days * DAY_S),
            created_at=now(),
        )
        invites.insert(conn, invite, hash_secret(code))
        if is_sent:
            letter = letters.invite(app.settings.origin, url, invite.expires_at[:10])
            emails.insert(conn, email, letter.subject, letter.body)
        audit_log.insert(conn, actor, "invites.create", invite.id, email=email, plan=invite.plan)
        return invite

    invite = await app.db.write(transaction)
    app.wake_mail()
    return CreatedInvite(invite, url, is_sent)


@operation("invites.delete", "operator")
async def delete(app: Context, actor: Actor, invite_id: str) -> None:
    """Delete an invite: its link stops working. An account that was made by it stays.

    Raises NotFound.
    """

    def transaction(conn: Connection) -> None:
        if not invites.delete(conn, invite_id):
            raise NotFound("invite", invite_id)
        audit_log.insert(conn, actor, "invites.delete", invite_id)

    await app.db.write(transaction)
