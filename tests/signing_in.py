"""Users who are signed in to the admin of a served appliance, over HTTP as browsers are."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from web_server import TIMEOUT_S, Served

from flowchat.domain import Role, User, new_id, now
from flowchat.services.accounts import Browser, check_password, sign_in
from flowchat.store import accounts, users
from flowchat.store.database import Connection

ADMIN = "/admin"
PASSWORD = "correct horse battery"
_CSRF = re.compile(r'name="csrf_token" value="(\w+)"')
_HASHES: dict[str, str] = {}


@dataclass
class Me:
    """A browser and its user. `csrf` is the token of its session."""

    client: httpx.AsyncClient
    user: User
    csrf: str

    async def get(self, path: str, **options: Any) -> httpx.Response:
        return await self.client.get(path, **options)

    async def post(self, path: str, **fields: Any) -> httpx.Response:
        """A form as the browser sends it; lists for fields that occur several times."""
        return await self.client.post(path, data={"csrf_token": self.csrf, **fields})


async def add_user(
    served: Served, email: str, role: Role = "owner", *, operator: bool = False, tenant_id: str = ""
) -> User:
    """A user with PASSWORD, of the first tenant unless told otherwise."""
    if PASSWORD not in _HASHES:
        _HASHES[PASSWORD] = await served.app.passwords.hash(PASSWORD, "tests")
    if not tenant_id:
        row = await served.app.db.row("select id from tenants order by id limit 1")
        assert row
        tenant_id = row["id"]
    user = User(new_id("usr"), tenant_id, email, email.partition("@")[0].title(), role, now(), operator=operator)

    def transaction(conn: Connection) -> None:
        users.insert(conn, user)
        accounts.set_password(conn, user.id, _HASHES[PASSWORD])

    await served.app.db.write(transaction)
    return user


@asynccontextmanager
async def browsing(served: Served, **headers: str) -> AsyncIterator[httpx.AsyncClient]:
    """A browser that nobody is signed in with."""
    told = {"Origin": served.url, "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0", **headers}
    async with httpx.AsyncClient(base_url=served.url, headers=told, timeout=TIMEOUT_S) as client:
        yield client


@asynccontextmanager
async def signed_in(
    served: Served, role: Role = "owner", *, operator: bool = False, email: str = ""
) -> AsyncIterator[Me]:
    """A new user of that role, with a session."""
    user = await add_user(served, email or f"{new_id('x')}@shop.example", role, operator=operator)
    browser = Browser("127.0.0.1", "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0")
    found = await check_password(served.app, user.email, PASSWORD, browser)
    async with browsing(served) as client:
        client.cookies.set("flowchat-session", await sign_in(served.app, found[0], browser))
        page = await client.get("/admin/account")
        yield Me(client, user, csrf_of(page))


def csrf_of(page: httpx.Response) -> str:
    """The token in a page's forms."""
    found = _CSRF.search(page.text)
    assert found, page.text
    return found[1]
