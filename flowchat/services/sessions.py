"""Sessions of the admin: rows of the database, so that they can be listed and ended. The cookie's token is random."""

from dataclasses import dataclass

from flowchat.domain import Actor, Session, User, new_id, now
from flowchat.errors import NotFound
from flowchat.services.context import Context
from flowchat.services.credentials import hash_secret, new_secret
from flowchat.services.users import scopes_of
from flowchat.store import accounts, audit_log, sessions
from flowchat.store.database import Connection

SEEN_EVERY_S = 60  # how exactly it is known when a session was used last
_HOUR_S, _DAY_S = 3600, 86_400
_AGENT_CHARS = 300


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who uses the admin: the user with their tenant, and the session."""

    user: User
    tenant_name: str
    session: Session
    address: str

    @property
    def actor(self) -> Actor:
        return actor_of(self.user, self.address)


def actor_of(user: User, address: str) -> Actor:
    """The user as who asks for operations, and as the audit log names them."""
    return Actor(user.tenant_id, f"user {user.id} ({user.email})", scopes_of(user), address, user_id=user.id)


def start(conn: Connection, user: User, *, address: str, user_agent: str) -> str:
    """A new session within a transaction; returns its token."""
    token = new_secret("")
    time = now()
    session = Session(new_id("ses"), user.id, time, time, address, user_agent[:_AGENT_CHARS])
    sessions.insert(conn, session, hash_secret(token))
    return token


async def find(app: Context, token: str, address: str, *, is_use: bool = True) -> SignedIn | None:
    """Whose session the token is of, while it lasts. Notes that it is in use, unless nobody does anything."""
    session = await sessions.by_hash(app.db, hash_secret(token), **_limits(app))
    account = await accounts.get(app.db, session.user_id) if session else None
    if session is None or account is None:
        return None
    if is_use and (session.last_seen_at < now(-SEEN_EVERY_S) or session.address != address):
        await app.db.write(lambda conn: sessions.see(conn, session.id, address))
    return SignedIn(account.user, account.tenant_name, session, address)


async def list_own(app: Context, me: SignedIn) -> list[Session]:
    """The user's sessions that have not timed out, the one used last first."""
    return await sessions.of_user(app.db, me.user.id, **_limits(app))


async def end(app: Context, me: SignedIn, session_id: str) -> None:
    """End one of the user's own sessions. Raises NotFound."""

    def transaction(conn: Connection) -> None:
        if not sessions.delete(conn, me.user.id, session_id):
            raise NotFound("session", session_id)
        audit_log.insert(conn, me.actor, "sessions.end", session_id)

    await app.db.write(transaction)


async def end_others(app: Context, me: SignedIn) -> int:
    """End all of the user's sessions but this one; returns how many there were."""

    def transaction(conn: Connection) -> int:
        ended = sessions.delete_all(conn, me.user.id, but=me.session.id)
        audit_log.insert(conn, me.actor, "sessions.end_others", me.user.id, ended=ended)
        return ended

    return await app.db.write(transaction)


async def sign_out(app: Context, me: SignedIn) -> None:
    def transaction(conn: Connection) -> None:
        sessions.delete(conn, me.user.id, me.session.id)
        audit_log.insert(conn, me.actor, "sign_out", me.user.id)

    await app.db.write(transaction)


async def delete_old(app: Context) -> None:
    """Delete the rows of sessions that have timed out."""
    limits = _limits(app)
    await app.db.write(
        lambda conn: sessions.delete_old(conn, created_before=limits["created_after"], seen_before=limits["seen_after"])
    )


def _limits(app: Context) -> dict[str, str]:
    return {
        "created_after": now(-app.settings.session_max_days * _DAY_S),
        "seen_after": now(-app.settings.session_idle_hours * _HOUR_S),
    }
