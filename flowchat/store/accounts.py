"""What users sign in with: passwords, second factors, recovery codes, and the addresses that they have come from."""

import sqlite3
from collections.abc import Iterable

from flowchat.domain import Account, now
from flowchat.store.database import Database, Row
from flowchat.store.users import user_of

KNOWN_ADDRESSES = 20  # of a user; the oldest gives way
_FUTURE_STEPS = 2  # a code may be one step early, and another one late


_ACCOUNT = (
    "select users.*, tenants.name as tenant_name, tenants.slug as tenant_slug"
    " from users join tenants on tenants.id = users.tenant_id where tenants.closed_at is null"
)


async def by_email(db: Database, email: str, limit: int) -> list[Account]:
    """Users with that address and a password, in open tenants; who signed in last comes first."""
    rows = await db.rows(
        f"{_ACCOUNT} and users.email = ? and users.password_hash is not null order by signed_in_at desc limit ?",
        (email, limit),
    )
    return [_account(row) for row in rows]


async def get(db: Database, user_id: str) -> Account | None:
    row = await db.row(f"{_ACCOUNT} and users.id = ?", (user_id,))
    return _account(row) if row else None


def find(conn: sqlite3.Connection, user_id: str) -> Account | None:
    """The account as a transaction sees it."""
    row = conn.execute(f"{_ACCOUNT} and users.id = ?", (user_id,)).fetchone()
    return _account(row) if row else None


async def any_password(db: Database) -> bool:
    """Whether anybody can sign in."""
    return await db.row("select 1 from users where password_hash is not null limit 1") is not None


async def any_password_in(db: Database, tenant_id: str) -> bool:
    """Whether anybody can sign in to that tenant."""
    row = await db.row("select 1 from users where tenant_id = ? and password_hash is not null limit 1", (tenant_id,))
    return row is not None


def any_password_now(conn: sqlite3.Connection) -> bool:
    """Whether anybody can sign in, as a transaction sees it."""
    return conn.execute("select 1 from users where password_hash is not null limit 1").fetchone() is not None


def set_password(conn: sqlite3.Connection, user_id: str, password_hash: str) -> None:
    conn.execute("update users set password_hash = ? where id = ?", (password_hash, user_id))


def rehash(conn: sqlite3.Connection, user_id: str, former: str, password_hash: str) -> None:
    """The same password by newer parameters, unless it has been changed meanwhile."""
    conn.execute(
        "update users set password_hash = ? where id = ? and password_hash = ?", (password_hash, user_id, former)
    )


def set_second_factor(conn: sqlite3.Connection, user_id: str, totp_secret: str | None, step: int = 0) -> None:
    """`step` is that of the code that confirmed it; earlier ones are used up. None turns it off."""
    conn.execute("update users set totp_secret = ?, totp_step = ? where id = ?", (totp_secret, step, user_id))
    if totp_secret is None:
        conn.execute("delete from recovery_codes where user_id = ?", (user_id,))


def use_step(conn: sqlite3.Connection, user_id: str, step: int) -> bool:
    """Use up the code of a time step and all before it. False if that was done before.

    One that was used up in a future that is yet to come says that the clock has gone back: it locks nobody out.
    """
    used = conn.execute(
        "update users set totp_step = ?1 where id = ?2 and (totp_step < ?1 or totp_step > ?1 + ?3)",
        (step, user_id, _FUTURE_STEPS),
    )
    return used.rowcount == 1


def replace_recovery_codes(conn: sqlite3.Connection, user_id: str, hashes: Iterable[str]) -> None:
    conn.execute("delete from recovery_codes where user_id = ?", (user_id,))
    conn.executemany(
        "insert into recovery_codes (user_id, hash) values (?, ?)", [(user_id, hashed) for hashed in hashes]
    )


def use_recovery_code(conn: sqlite3.Connection, user_id: str, hashed: str) -> bool:
    """False if there is no such code, or it was used before."""
    used = conn.execute("delete from recovery_codes where user_id = ? and hash = ?", (user_id, hashed))
    return used.rowcount == 1


async def count_recovery_codes(db: Database, user_id: str) -> int:
    row = await db.row("select count(*) from recovery_codes where user_id = ?", (user_id,))
    return int(row[0]) if row else 0


def note_sign_in(conn: sqlite3.Connection, user_id: str, address: str) -> None:
    conn.execute("update users set signed_in_at = ? where id = ?", (now(), user_id))
    conn.execute("insert or replace into sign_in_addresses values (?, ?, ?)", (user_id, address, now()))
    conn.execute(
        "delete from sign_in_addresses where user_id = ?1 and address not in"
        " (select address from sign_in_addresses where user_id = ?1 order by last_at desc limit ?2)",
        (user_id, KNOWN_ADDRESSES),
    )


async def has_signed_in_from(db: Database, email: str, address: str) -> bool:
    """Whether a user with that e-mail address has signed in from that network address before."""
    row = await db.row(
        "select 1 from sign_in_addresses join users on users.id = user_id where email = ? and address = ?",
        (email, address),
    )
    return row is not None


def _account(row: Row) -> Account:
    return Account(user_of(row), row["tenant_name"], row["tenant_slug"], row["password_hash"], row["totp_secret"])
