"""Users of a tenant."""

import sqlite3

from flowchat.domain import Role, User
from flowchat.store.database import Database, Row
from flowchat.store.paging import Cursor, newest_first


def insert(conn: sqlite3.Connection, user: User) -> None:
    """Without a password. Raises sqlite3.IntegrityError when the tenant has a user of that e-mail address."""
    conn.execute(
        "insert into users (id, tenant_id, email, name, role, created_at, is_operator) values (?, ?, ?, ?, ?, ?, ?)",
        (user.id, user.tenant_id, user.email, user.name, user.role, user.created_at, user.operator),
    )


def update(conn: sqlite3.Connection, user: User) -> None:
    """Raises sqlite3.IntegrityError when the tenant has another user of that e-mail address."""
    conn.execute(
        "update users set email = ?, name = ?, role = ?, is_operator = ? where id = ?",
        (user.email, user.name, user.role, user.operator, user.id),
    )


def rename(conn: sqlite3.Connection, user_id: str, name: str) -> None:
    conn.execute("update users set name = ? where id = ?", (name, user_id))


def delete(conn: sqlite3.Connection, user_id: str) -> None:
    """With their sessions and recovery codes."""
    conn.execute("delete from users where id = ?", (user_id,))


def find(conn: sqlite3.Connection, tenant_id: str, user_id: str) -> User | None:
    """The user as a transaction sees it."""
    row = conn.execute("select * from users where tenant_id = ? and id = ?", (tenant_id, user_id)).fetchone()
    return user_of(row) if row else None


def id_of(conn: sqlite3.Connection, tenant_id: str, email: str) -> str | None:
    row = conn.execute("select id from users where tenant_id = ? and email = ?", (tenant_id, email)).fetchone()
    return row["id"] if row else None


def count(conn: sqlite3.Connection, tenant_id: str, role: Role) -> int:
    row = conn.execute("select count(*) from users where tenant_id = ? and role = ?", (tenant_id, role)).fetchone()
    return int(row[0])


def owners(conn: sqlite3.Connection, tenant_id: str) -> list[str]:
    """E-mail addresses of the tenant's owners, as a transaction sees them."""
    rows = conn.execute("select email from users where tenant_id = ? and role = 'owner' order by id", (tenant_id,))
    return [row["email"] for row in rows]


async def get(db: Database, tenant_id: str, user_id: str) -> User | None:
    row = await db.row("select * from users where tenant_id = ? and id = ?", (tenant_id, user_id))
    return user_of(row) if row else None


async def id_by_email(db: Database, tenant_id: str, email: str) -> str | None:
    row = await db.row("select id from users where tenant_id = ? and email = ?", (tenant_id, email))
    return row["id"] if row else None


async def page(db: Database, tenant_id: str, cursor: Cursor) -> list[User]:
    rows = await newest_first(db, "select * from users", cursor, {"tenant_id = ?": tenant_id})
    return [user_of(row) for row in rows]


def user_of(row: Row) -> User:
    return User(
        id=row["id"],
        tenant_id=row["tenant_id"],
        email=row["email"],
        name=row["name"],
        role=row["role"],
        created_at=row["created_at"],
        operator=bool(row["is_operator"]),
        has_password=row["password_hash"] is not None,
        second_factor=row["totp_secret"] is not None,
        signed_in_at=row["signed_in_at"],
    )
