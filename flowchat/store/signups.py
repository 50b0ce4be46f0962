"""Who wants an account: sign-ups, confirmed or not."""

import sqlite3

from flowchat.billing import SignUp
from flowchat.domain import now
from flowchat.store.database import Database, Row
from flowchat.store.paging import Cursor, newest_first

KEEP_S = 7 * 86_400  # of what nobody has confirmed, and of the addresses of all
_STORED = (
    "id", "email", "name", "site", "password_hash", "state", "is_known", "address", "email_id", "tenant_id",
    "created_at", "confirmed_at",
)  # fmt: skip
_WITH_EMAIL = (
    "select signups.*, emails.error as email_error, case when emails.id is null then 'none'"
    " when emails.sent_at is not null then 'sent' when emails.next_attempt_at is null then 'failed'"
    " else 'waiting' end as email_status from signups left join emails on emails.id = signups.email_id"
)
_LIMITED = {"email": "email = ?", "address": "address = ?", "": "'' = ?"}


def insert(conn: sqlite3.Connection, signup: SignUp) -> None:
    values = {name: getattr(signup, name) for name in _STORED}
    marks = ", ".join(f":{name}" for name in values)
    conn.execute(f"insert into signups ({', '.join(values)}) values ({marks})", values)  # noqa: S608 (our names)


def confirm(conn: sqlite3.Connection, signup_id: str, tenant_id: str) -> None:
    conn.execute(
        "update signups set tenant_id = ?, confirmed_at = ?, state = '', password_hash = null where id = ?",
        (tenant_id, now(), signup_id),
    )


def delete(conn: sqlite3.Connection, signup_id: str) -> bool:
    """False if there is none."""
    return conn.execute("delete from signups where id = ?", (signup_id,)).rowcount == 1


def delete_old(conn: sqlite3.Connection) -> None:
    """Those that nobody has confirmed; of the others, where they came from."""
    before = now(-KEEP_S)
    conn.execute("delete from signups where confirmed_at is null and created_at < ?", (before,))
    conn.execute("update signups set address = '' where address <> '' and created_at < ?", (before,))


def find(conn: sqlite3.Connection, signup_id: str) -> SignUp | None:
    """A sign-up as a transaction sees it."""
    row = conn.execute(f"{_WITH_EMAIL} where signups.id = ?", (signup_id,)).fetchone()
    return _signup(row) if row else None


def has_account(conn: sqlite3.Connection, email: str) -> bool:
    """Whether somebody with that e-mail address owns a tenant, or has had their trial."""
    row = conn.execute(
        "select 1 from users join tenants on tenants.id = users.tenant_id"
        " where email = ?1 and role = 'owner' and closed_at is null"
        " union all select 1 from signups where email = ?1 and tenant_id is not null limit 1",
        (email,),
    ).fetchone()
    return row is not None


def nth_newest_since(conn: sqlite3.Connection, since: str, number: int, by: str, value: str) -> str | None:
    """When the `number`th newest sign-up of that `email` or `address` (`by` '': of all) was made; None: not since."""
    row = conn.execute(
        f"select created_at from signups where {_LIMITED[by]} and created_at > ?"  # noqa: S608 (our names)
        " order by created_at desc limit 1 offset ?",
        (value, since, number - 1),
    ).fetchone()
    return row["created_at"] if row else None


async def get(db: Database, signup_id: str) -> SignUp | None:
    row = await db.row(f"{_WITH_EMAIL} where signups.id = ?", (signup_id,))
    return _signup(row) if row else None


async def page(db: Database, cursor: Cursor) -> list[SignUp]:
    return [_signup(row) for row in await newest_first(db, _WITH_EMAIL, cursor, {}, by="signups.id")]


async def count_waiting(db: Database) -> int:
    """How many wait to be confirmed, and were sent nothing, or in vain."""
    row = await db.row(
        "select count(*) from signups left join emails on emails.id = email_id where confirmed_at is null"
        " and is_known = 0 and sent_at is null and next_attempt_at is null"
    )
    return int(row[0]) if row else 0


def _signup(row: Row) -> SignUp:
    fields = {name: row[name] for name in SignUp.__dataclass_fields__} | {"is_known": bool(row["is_known"])}
    return SignUp(**fields)
