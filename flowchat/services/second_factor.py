"""The second factor of a user: an authenticator app, and ten recovery codes for when it is lost."""

import base64
import secrets
from typing import Literal

import segno

from flowchat.domain import Account
from flowchat.services import totp, validate, vault
from flowchat.services.context import Context
from flowchat.services.credentials import hash_secret
from flowchat.services.sessions import SignedIn
from flowchat.store import accounts, audit_log
from flowchat.store.database import Connection

Used = Literal["authenticator app", "recovery code", "wrong", "used before"]
GOOD: tuple[Used, ...] = ("authenticator app", "recovery code")

RECOVERY_CODES = 10
_CODE_BYTES = 10  # 80 random bits: no slow hash is needed
_GROUP = 4
ISSUER = "FlowChat"


class Enrolment:
    """A secret that an authenticator app is about to learn. `sealed` goes to the browser and back."""

    def __init__(self, app: Context, me: SignedIn, sealed: str = "") -> None:
        """A new secret is made, unless `sealed` is this user's."""
        opened = vault.try_unseal(app.settings.data_dir, sealed) or ""
        owner, _, secret = opened.partition(" ")
        self.secret = secret if owner == me.user.id else totp.new_secret()
        self.sealed = vault.seal(app.settings.data_dir, f"{me.user.id} {self.secret}")
        self.uri = totp.uri(self.secret, me.user.email, ISSUER)

    @property
    def shown_secret(self) -> str:
        """To type in where no picture can be taken."""
        return _grouped(self.secret)

    @property
    def qr_svg(self) -> str:
        """The URI as an SVG element, black on white whatever the page's colours."""
        return segno.make(self.uri, error="m").svg_inline(scale=5, border=3, light="#fff", dark="#000")


async def turn_on(app: Context, me: SignedIn, enrolment: Enrolment, code: str) -> list[str]:
    """Ask for a code at every sign-in from now on. Returns the recovery codes, shown only this once.

    Raises FlowChatError `bad_code`.
    """
    step = totp.step_of(enrolment.secret, _plain(code))
    if step is None:
        raise validate.invalid("code", "This code is wrong. Check that the clock of your phone is right.")
    codes = _new_codes()
    sealed = vault.seal(app.settings.data_dir, enrolment.secret)

    def transaction(conn: Connection) -> None:
        accounts.set_second_factor(conn, me.user.id, sealed, step)
        accounts.replace_recovery_codes(conn, me.user.id, map(_hashed, codes))
        audit_log.insert(conn, me.actor, "second_factor.on", me.user.id)

    await app.db.write(transaction)
    return codes


async def turn_off(app: Context, me: SignedIn) -> None:
    def transaction(conn: Connection) -> None:
        accounts.set_second_factor(conn, me.user.id, None)
        audit_log.insert(conn, me.actor, "second_factor.off", me.user.id)

    await app.db.write(transaction)


async def renew_recovery_codes(app: Context, me: SignedIn) -> list[str]:
    """Ten new ones in place of those that are left."""
    codes = _new_codes()

    def transaction(conn: Connection) -> None:
        accounts.replace_recovery_codes(conn, me.user.id, map(_hashed, codes))
        audit_log.insert(conn, me.actor, "second_factor.recovery_codes", me.user.id)

    await app.db.write(transaction)
    return codes


async def count_recovery_codes(app: Context, me: SignedIn) -> int:
    return await accounts.count_recovery_codes(app.db, me.user.id)


def use(conn: Connection, app: Context, account: Account, code: str) -> Used:
    """What a code is. A good one is used up then."""
    if account.totp_secret is None:
        return "wrong"
    plain = _plain(code)
    step = totp.step_of(vault.unseal(app.settings.data_dir, account.totp_secret), plain)
    if step is not None:
        return "authenticator app" if accounts.use_step(conn, account.user.id, step) else "used before"
    return "recovery code" if accounts.use_recovery_code(conn, account.user.id, _hashed(plain)) else "wrong"


def _new_codes() -> list[str]:
    return [_grouped(_random_code()) for _ in range(RECOVERY_CODES)]


def _random_code() -> str:
    return base64.b32encode(secrets.token_bytes(_CODE_BYTES)).decode().lower()


def _grouped(code: str) -> str:
    return "-".join(code[start : start + _GROUP] for start in range(0, len(code), _GROUP))


def _plain(code: str) -> str:
    return "".join(code.lower().split()).replace("-", "")


def _hashed(code: str) -> str:
    return hash_secret(_plain(code))
