"""Signing up: whoever wants an account confirms their e-mail address, or has an invite. Operators see who waits."""

import secrets
from dataclasses import dataclass, replace

from msgspec import UnsetType

from flowchat.billing import Invite, Plan, SignUp
from flowchat.domain import Actor, new_id, now
from flowchat.errors import Conflict, Forbidden, NotFound
from flowchat.services import letters, links, new_accounts, passwords, signup_limits
from flowchat.services.accounts import Browser
from flowchat.services.context import Appliance, Context
from flowchat.services.credentials import hash_secret
from flowchat.services.lists import Listed, ListRequest, read_page
from flowchat.services.new_accounts import NewAccount, Wanted
from flowchat.services.operations import anyone_operation, operation
from flowchat.services.signup_requests import Confirmation, NewSignUp
from flowchat.services.tenants import ensure_first
from flowchat.store import audit_log, emails, invites, plans, signups, tenants
from flowchat.store.database import Connection

INVITE_INVALID = (
    "This invite can't be used: it is for another e-mail address, has been used, or has expired. Look at the link "
    "again, or ask whoever sent it for another one."
)


@dataclass(frozen=True, slots=True)
class SignUpLink:
    """By which somebody confirms their sign-up, once. `expires_at` is when it stops working."""

    url: str
    expires_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What the sign-up page tells. `invite` is of the code that one came with, while that can be used."""

    mode: str
    invite: Invite | None
    begins_with: Plan | None
    plans: list[Plan]
    currency: str
    sends_email: bool

    @property
    def is_open(self) -> bool:
        """To whoever has come so."""
        return self.invite is not None or (self.mode == "open" and self.begins_with is not None)


async def offer(app: Context, code: str = "") -> Offer:
    """For somebody with that invite code, or without."""
    settings = app.settings
    is_closed = settings.signup == "closed"
    invite = await invites.by_hash(app.db, hash_secret(code)) if code and not is_closed else None
    usable = invite if invite is not None and invite.status_at(now()) == "open" else None
    invited_to = await plans.get(app.db, usable.plan_id) if usable is not None and usable.plan_id else None
    return Offer(
        mode=settings.signup,
        invite=usable,
        begins_with=None if is_closed else invited_to or await plans.trial(app.db),
        plans=[] if is_closed else await plans.public(app.db),
        currency=settings.currency,
        sends_email=bool(settings.smtp_url),
    )


@anyone_operation("signups.create")
async def create(app: Appliance, browser: Browser, new: NewSignUp) -> SignUp | NewAccount:
    """Ask for an account: a tenant with a trial plan, a widget key and an admin key.

    With a valid invite it is made at once (201), and the keys are shown this once. Else, where sign-up is open, a link
    to confirm the address is sent there (202, status `confirmation_sent`), or the operator passes it on (202,
    `waiting_for_operator`). The answer does not tell whether the address has an account: who owns one gets an e-mail
    that says so. `password` is kept for the call that confirms; the page of the link asks for one.

    Raises Forbidden `signup_closed`, `invite_required` or `invite_invalid`, and FlowChatError `rate_limited`.
    """
    _require_open(app)
    await ensure_first(app.db)
    email = new.email.lower()
    if new.invite is not None:
        _check_invite(await invites.by_hash(app.db, hash_secret(new.invite)), email)
    elif app.settings.signup != "open":
        message = "Signing up here takes an invite. Ask whoever runs this FlowChat for one."
        raise Forbidden("invite_required", message)
    hashed = await _hashed(app, new.password, email, browser)
    wanted = Wanted(email=email, name=" ".join(new.name.split()), site=new.site or "", password_hash=hashed)
    if new.invite is not None:
        made = await _by_invite(app, browser, wanted, hash_secret(new.invite))
        app.wake_mail()
        return made
    return await _wait(app, browser, wanted)


def _require_open(app: Context) -> None:
    if app.settings.signup == "closed":
        message = "Nobody can sign up here. Whoever runs this FlowChat can make an account for you."
        raise Forbidden("signup_closed", message)


def _check_invite(invite: Invite | None, email: str) -> Invite:
    """Which of the reasons it is, is nobody's business."""
    if invite is None or invite.status_at(now()) != "open" or invite.email not in ("", email):
        raise Forbidden("invite_invalid", INVITE_INVALID)
    return invite


async def _hashed(app: Appliance, password: str | None, email: str, browser: Browser) -> str | None:
    if password is None:
        return None
    passwords.check_strength(password, email)
    return await app.passwords.hash(password, browser.network)


async def _by_invite(app: Context, browser: Browser, wanted: Wanted, code_hash: str) -> NewAccount:
    """At once: the operator vouches for whoever has the invite, although they may have an account."""

    def transaction(conn: Connection) -> NewAccount:
        invite = _check_invite(invites.find_by_hash(conn, code_hash), wanted.email)
        plan = plans.find(conn, invite.plan_id) if invite.plan_id else None
        if plan is None or plan.archived_at is not None:  # it is offered to nobody any more
            plan = plans.trial_now(conn)
        made = new_accounts.make(conn, app, wanted, _present(plan), browser, "signups.create")
        invites.use(conn, invite.id, made.tenant.id)
        return made

    return await app.db.write(transaction)


def _present(plan: Plan | None) -> Plan:
    if plan is None:
        message = "There is no trial plan, so that nobody can sign up. Whoever runs this FlowChat can set one."
        raise Forbidden("signup_closed", message)
    return plan


async def _wait(app: Context, browser: Browser, wanted: Wanted) -> SignUp:
    """Until the address is confirmed. What is done is the same for whoever has an account: only the letter differs."""
    waiting = SignUp(
        id=new_id("sgn"),
        email=wanted.email,
        name=wanted.name,
        site=wanted.site,
        password_hash=wanted.password_hash,
        state=secrets.token_hex(16),
        address=browser.network,
        created_at=now(),
    )
    letter = letters.confirmation(app.settings.origin, _link(app, waiting).url)

    def transaction(conn: Connection) -> SignUp:
        _present(plans.trial_now(conn))
        signup_limits.check(conn, waiting)
        is_known = signups.has_account(conn, waiting.email)
        sent = letters.has_account(app.settings.origin) if is_known else letter
        email_id = emails.insert(conn, waiting.email, sent.subject, sent.body) if app.settings.smtp_url else None
        kept = None if is_known else waiting.password_hash
        signup = replace(waiting, is_known=is_known, email_id=email_id, password_hash=kept)
        signups.insert(conn, signup)
        if (first := tenants.first_now(conn)) is not None:
            audit_log.insert(conn, Actor(first.id, "sign-up", frozenset()), "signups.create", signup.id)
        return signup

    signup = await app.db.write(transaction)
    app.wake_mail()
    return signup


def _link(app: Context, signup: SignUp) -> SignUpLink:
    token = links.sign(app, "sign-up", [links.Link(signup=signup.id, state=signup.state)])
    return SignUpLink(f"{app.settings.origin}/signup/confirm/{token}", now(links.VALID_S["sign-up"]))


@anyone_operation("signups.confirm")
async def confirm(app: Appliance, browser: Browser, request: Confirmation) -> NewAccount:
    """Make the account, by the link that was sent: tenant, owner, trial, widget key and admin key.

    The keys are shown only this once. The link works once, within 24 hours. Without a password, `sign_in_url` is a link
    to choose one, good for 7 days.

    Raises Forbidden `signup_closed`, FlowChatError `link_invalid`, and Conflict `has_account`.
    """
    signup = await read_link(app, request.token)
    hashed = signup.password_hash
    if not isinstance(request.password, UnsetType):
        hashed = await _hashed(app, request.password, signup.email, browser)
    wanted = Wanted(email=signup.email, name=signup.name, site=signup.site, password_hash=hashed)

    def transaction(conn: Connection) -> NewAccount:
        _check_state(signups.find(conn, signup.id), signup.state)
        if signups.has_account(conn, signup.email):
            raise _has_account()
        plan = _present(plans.trial_now(conn))
        made = new_accounts.make(conn, app, wanted, plan, browser, "signups.confirm")
        signups.confirm(conn, signup.id, made.tenant.id)
        return made

    made = await app.db.write(transaction)
    app.wake_mail()
    return made


async def read_link(app: Context, token: str) -> SignUp:
    """Whose sign-up a link confirms. Raises Forbidden `signup_closed` and FlowChatError `link_invalid` (410)."""
    _require_open(app)
    link = links.read(app, "sign-up", token)
    return _check_state(await signups.get(app.db, link.signup), link.state)


def _check_state(signup: SignUp | None, state: str) -> SignUp:
    if signup is None or signup.status != "waiting" or signup.state != state:
        raise links.used_up()
    return signup


def _has_account() -> Conflict:
    return Conflict("has_account", "There is an account with this e-mail address already. Sign in to that.")


@operation("signups.list", "operator")
async def list_page(app: Context, actor: Actor, request: ListRequest) -> Listed[SignUp]:
    """List the sign-ups, newest first.

    Those that nobody has confirmed are deleted after 7 days. Invited ones are in the list of invites.
    """
    return await read_page(request, lambda cursor: signups.page(app.db, cursor))


async def count_waiting(app: Context) -> int:
    """How many wait for a link from the operator, as no e-mail was sent to them."""
    return await signups.count_waiting(app.db)


@operation("signups.link", "operator")
async def link(app: Context, actor: Actor, signup_id: str) -> SignUpLink:
    """Make the link by which somebody confirms their sign-up: where no e-mail is sent, or none has come.

    Send it to nobody but the address of the sign-up, for it shows that this is theirs. It works once, within 24 hours;
    links made before stay good as long.

    Raises NotFound, and Conflict `signup_confirmed` or `has_account`.
    """

    def transaction(conn: Connection) -> SignUp:
        signup = signups.find(conn, signup_id)
        if signup is None:
            raise NotFound("sign-up", signup_id)
        if signup.status == "confirmed":
            raise Conflict("signup_confirmed", "This sign-up was confirmed: its tenant is made.")
        if signup.status == "has_account" or signups.has_account(conn, signup.email):
            raise _has_account()
        audit_log.insert(conn, actor, "signups.link", signup.id)
        return signup

    return _link(app, await app.db.write(transaction))


@operation("signups.delete", "operator")
async def delete(app: Context, actor: Actor, signup_id: str) -> None:
    """Delete a sign-up: its link stops working. What was made of a confirmed one stays.

    Raises NotFound.
    """

    def transaction(conn: Connection) -> None:
        if not signups.delete(conn, signup_id):
            raise NotFound("sign-up", signup_id)
        audit_log.insert(conn, actor, "signups.delete", signup_id)

    await app.db.write(transaction)
