"""Signing in to the admin, and what users sign in with. Everything here is about the user themselves: no operations."""

from dataclasses import dataclass, replace

import msgspec

from flowchat.domain import Account, Actor, User, new_id, now
from flowchat.errors import Conflict, FlowChatError, Unauthorized
from flowchat.services import links, passwords, second_factor, sessions, validate
from flowchat.services.context import Appliance, Context
from flowchat.services.fields import Email
from flowchat.services.limits import visitor_of
from flowchat.services.sessions import SignedIn, actor_of
from flowchat.services.throttle import OF_ACCOUNT, OF_ADDRESS, OF_KNOWN_PAIR, OF_PAIR, Rule
from flowchat.services.users import Name
from flowchat.store import accounts, audit_log, tenants, users
from flowchat.store import sessions as session_store
from flowchat.store.database import Connection

_MOST_EMAIL_CHARS = 254  # RFC 5321; what is typed becomes a name in the throttle's memory
_BAD_CODES = {
    "wrong": "This code is wrong. Look at it again: you may try at once. A recovery code works only once.",
    "used before": "This code was used before. Wait for the next one.",
}
_MOST_TENANTS = 5  # one e-mail address can be a user of several tenants: each has a password of its own
_AUDITED_FAILURES = Rule(1, 60)  # failed sign-ins must not flood the log


class FirstUser(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whoever sets the appliance up."""

    email: Email
    password: str
    name: Name = ""


@dataclass(frozen=True, slots=True)
class Browser:
    """Where somebody signs in from."""

    address: str
    user_agent: str

    @property
    def network(self) -> str:
        """What it counts as where attempts are counted."""
        return visitor_of(self.address)


async def check_password(app: Appliance, email: str, password: str, browser: Browser) -> list[Account]:
    """The users of that e-mail address who have that password: in different tenants, if they are several.

    Takes the same time and raises the same whether there is such a user or not.

    Raises Unauthorized, FlowChatError `too_many_attempts`, and Busy.
    """
    email = "".join(email.lower().split())[:_MOST_EMAIL_CHARS]
    rules = await _rules(app, email, browser)
    app.throttle.begin(rules)
    found = await accounts.by_email(app.db, email, _MOST_TENANTS)
    right = [
        account for account in found if await app.passwords.verify(account.password_hash, password, browser.network)
    ]
    if not found:
        await app.passwords.verify(None, password, browser.network)
    if not right:
        await _audit_failures(app, found, browser, "wrong password")
        raise Unauthorized("The e-mail address or the password is wrong.")
    app.throttle.succeed(rules, clear=rules[0][0])
    return [await _rehashed(app, account, password, browser) for account in right]


async def _rules(app: Appliance, who: str, browser: Browser) -> list[tuple[str, Rule]]:
    """What an attempt counts for. `who` is an e-mail address, or that and what else is asked for. The pair is first."""
    network = browser.network
    is_known = await accounts.has_signed_in_from(app.db, who.partition(" ")[0], network)
    pair = f"{who} from {network}"
    if is_known:
        return [(pair, OF_KNOWN_PAIR)]
    return [(pair, OF_PAIR), (f"from {network}", OF_ADDRESS), (f"as {who}", OF_ACCOUNT)]


async def _audit_failures(app: Appliance, found: list[Account], browser: Browser, reason: str) -> None:
    """At most one entry a minute for each user and network: whoever guesses must not fill the disk."""
    for account in found:
        try:
            name = f"audit {account.user.id} {browser.network}"
            app.audited_failures.begin([(name, _AUDITED_FAILURES)])
        except FlowChatError:
            continue
        actor = actor_of(account.user, browser.address)
        target = account.user.id

        def transaction(conn: Connection, actor: Actor = actor, target: str = target) -> None:
            audit_log.insert(conn, actor, "sign_in.failed", target, reason=reason)

        await app.db.write(transaction)


async def _rehashed(app: Appliance, account: Account, password: str, browser: Browser) -> Account:
    former = account.password_hash
    if former is None or not passwords.is_outdated(former):
        return account
    fresh = await app.passwords.hash(password, browser.network)
    await app.db.write(lambda conn: accounts.rehash(conn, account.user.id, former, fresh))
    return replace(account, password_hash=fresh)


def half_way(app: Context, found: list[Account]) -> str:
    """What the browser keeps until it is known which of these users signs in, and with what code."""
    return links.sign(app, "sign-in", [links.Link(account.user.id, links.state_of(account)) for account in found])


async def read_half_way(app: Context, token: str) -> list[Account]:
    """Raises FlowChatError `link_invalid` ten minutes after the password was given, or when it was changed."""
    said = links.read_all(app, "sign-in", token)
    found = [(link, await accounts.get(app.db, link.user)) for link in said]
    good = [account for link, account in found if account is not None and link.state == links.state_of(account)]
    if not good:
        raise links.used_up()
    return good


async def sign_in(app: Appliance, account: Account, browser: Browser, code: str | None = None) -> str:
    """Start a session for whoever has given the right password; returns its token.

    `code` is of the authenticator app, or a recovery code; needed where the user has a second factor.

    Raises Unauthorized, FlowChatError `too_many_attempts`.
    """
    user = account.user
    rules: list[tuple[str, Rule]] = []
    if account.totp_secret is not None:
        rules = await _rules(app, f"{user.email} {user.id}", browser)
        app.throttle.begin(rules)

    def transaction(conn: Connection) -> str | FlowChatError:
        current = accounts.find(conn, user.id)
        if current is None or current.password_hash != account.password_hash:
            raise Unauthorized("Sign in again.")
        method = "password"
        if current.totp_secret is not None:
            used = second_factor.use(conn, app, current, code or "")
            if used not in second_factor.GOOD:
                return FlowChatError("bad_code", _BAD_CODES[used], param="code")
            method = used
        token = sessions.start(conn, user, address=browser.address, user_agent=browser.user_agent)
        accounts.note_sign_in(conn, user.id, browser.network)
        audit_log.insert(conn, actor_of(user, browser.address), "sign_in", user.id, method=method)
        return token

    token = await app.db.write(transaction)
    if isinstance(token, FlowChatError):
        await _audit_failures(app, [account], browser, "wrong code")
        raise token
    if rules:
        app.throttle.succeed(rules, clear=rules[0][0])
    return token


async def sign_in_first(app: Appliance, user_id: str, browser: Browser) -> str:
    """Start the session of whoever has just made their account, with a password; returns its token.

    Raises Unauthorized.
    """
    account = await accounts.get(app.db, user_id)
    if account is None or account.password_hash is None:
        raise Unauthorized("Sign in again.")
    return await sign_in(app, account, browser)


async def change_password(app: Appliance, me: SignedIn, current: str, fresh: str) -> None:
    """The user's other sessions end. Raises FlowChatError `bad_current_password`, `bad_password`, Busy."""
    await confirm_password(app, me, current)
    passwords.check_strength(fresh, me.user.email)
    hashed = await app.passwords.hash(fresh, me.user.id)

    def transaction(conn: Connection) -> None:
        accounts.set_password(conn, me.user.id, hashed)
        session_store.delete_all(conn, me.user.id, but=me.session.id)
        audit_log.insert(conn, me.actor, "password.change", me.user.id)

    await app.db.write(transaction)


async def confirm_password(app: Appliance, me: SignedIn, password: str) -> None:
    """Before what whoever found an open browser must not do. Raises FlowChatError `bad_current_password`."""
    rules = [(f"confirm {me.user.id}", OF_KNOWN_PAIR)]
    app.throttle.begin(rules)
    account = await accounts.get(app.db, me.user.id)
    if account is None or not await app.passwords.verify(account.password_hash, password, me.user.id):
        raise validate.invalid("current_password", "This is not your password.")
    app.throttle.succeed(rules, clear=rules[0][0])


async def rename(app: Context, me: SignedIn, name: str) -> None:
    """Change one's own name, whatever one's role. Raises FlowChatError `bad_name`."""
    if len(name.strip()) > 100:
        raise validate.invalid("name", "A name has at most 100 characters.")

    def transaction(conn: Connection) -> None:
        user = users.find(conn, me.user.tenant_id, me.user.id)
        if user is not None:
            users.rename(conn, user.id, name.strip())
            audit_log.insert(conn, me.actor, "users.update", user.id, name=name.strip())

    await app.db.write(transaction)


async def needs_set_up(app: Context) -> bool:
    """Whether nobody can sign in yet."""
    return not await accounts.any_password(app.db)


async def set_up_link(app: Context, origin: str) -> str:
    """The link by which the first user makes their account. Raises Conflict `is_set_up` where somebody has one."""
    if not await needs_set_up(app):
        raise Conflict("is_set_up", "Somebody has an account already. An owner can invite you; or use reset-link.")
    return links.make(app, "set-up", links.Link(), origin)


async def read_set_up_link(app: Context, token: str) -> None:
    """Raises FlowChatError `link_invalid` once anybody can sign in."""
    links.read(app, "set-up", token)
    if not await needs_set_up(app):
        raise links.used_up()


async def set_up(app: Appliance, token: str, new: FirstUser, browser: Browser) -> str:
    """Make the first user, an owner of the first tenant and operator of the machine; returns a session's token.

    Raises FlowChatError `link_invalid`, `bad_password`, and others that name their field.
    """
    await read_set_up_link(app, token)
    passwords.check_strength(new.password, new.email.lower())
    hashed = await app.passwords.hash(new.password, browser.network)

    def transaction(conn: Connection) -> str:
        tenant = tenants.first_now(conn)
        if tenant is None or accounts.any_password_now(conn):
            raise links.used_up()
        email = new.email.lower()
        present = users.id_of(conn, tenant.id, email)
        user = User(present or new_id("usr"), tenant.id, email, new.name.strip(), "owner", now(), operator=True)
        if present is None:
            users.insert(conn, user)
        else:
            users.update(conn, user)
        accounts.set_password(conn, user.id, hashed)
        accounts.note_sign_in(conn, user.id, browser.network)
        audit_log.insert(conn, actor_of(user, browser.address), "set_up", user.id, email=email)
        return sessions.start(conn, user, address=browser.address, user_agent=browser.user_agent)

    return await app.db.write(transaction)


async def read_link(app: Context, purpose: links.Purpose, token: str) -> Account:
    """Whom a link to choose a password is for. Raises FlowChatError `link_invalid`."""
    link = links.read(app, purpose, token)
    account = await accounts.get(app.db, link.user)
    if account is None or link.state != links.state_of(account):
        raise links.used_up()
    return account


async def choose_password(
    app: Appliance, purpose: links.Purpose, token: str, password: str, name: str | None, browser: Browser
) -> Account:
    """By an invitation or a link to choose a new password. The user's sessions end; returns who may sign in with it.

    Raises FlowChatError `link_invalid`, `bad_password`, Busy.
    """
    link = links.read(app, purpose, token)
    account = await read_link(app, purpose, token)
    passwords.check_strength(password, account.user.email)
    hashed = await app.passwords.hash(password, browser.network)
    user = account.user

    def transaction(conn: Connection) -> Account:
        current = accounts.find(conn, user.id)
        if current is None or link.state != links.state_of(current):
            raise links.used_up()
        accounts.set_password(conn, user.id, hashed)
        if name is not None and name.strip():
            users.rename(conn, user.id, name.strip()[:100])
        if link.drops_second_factor:
            accounts.set_second_factor(conn, user.id, None)
        session_store.delete_all(conn, user.id)
        operation = "invitation.accept" if purpose == "invitation" else "password.reset"
        audit_log.insert(conn, actor_of(user, browser.address), operation, user.id)
        return accounts.find(conn, user.id) or current

    return await app.db.write(transaction)


async def reset_link(app: Context, actor: Actor, email: str, origin: str, *, drops_second_factor: bool) -> str:
    """For the command line: a link by which a user of the actor's tenant chooses a new password. Raises NotFound."""
    user_id = await users.id_by_email(app.db, actor.tenant_id, email.lower())
    account = user_id and await accounts.get(app.db, user_id)
    if not account:
        raise validate.invalid("email", f"There is no user {email} in this tenant.")
    link = links.Link(account.user.id, links.state_of(account), drops_second_factor)

    def transaction(conn: Connection) -> None:
        audit_log.insert(conn, actor, "users.reset_link", account.user.id, second_factor=drops_second_factor)

    await app.db.write(transaction)
    return links.make(app, "reset", link, origin)
