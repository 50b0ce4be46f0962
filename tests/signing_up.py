"""Signing up at a served appliance, by the API."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from mailing import Mailbox, link_in, mail_server, posting, settings_of
from two_tenants import operator_key
from web_server import Served, serving

from flowchat.services.tenants import ensure_first

ANN = "ann@shop.example"
SHOP = {"email": ANN, "name": "Ann's Shop"}


@asynccontextmanager
async def taking_sign_ups(folder: Path, **settings: Any) -> AsyncIterator[tuple[Served, Mailbox]]:
    """An appliance that everybody may sign up at, and the mail server that its e-mails come to."""
    async with (
        mail_server() as mailbox,
        serving(folder, **{"signup": "open", **settings, **settings_of(mailbox)}) as served,
        posting(served.app),
    ):
        yield served, mailbox


async def ask(served: Served, **fields: Any) -> httpx.Response:
    return await served.client.post("/v1/signup", json={**SHOP, **fields})


async def confirm(served: Served, link: str, **fields: Any) -> httpx.Response:
    """By the link of an e-mail, or of the operator."""
    body = {"token": link.rpartition("/")[2], **fields}
    return await served.client.post("/v1/signup/confirm", json=body)


async def confirmed(served: Served, mailbox: Mailbox, **fields: Any) -> dict[str, Any]:
    """A whole new account."""
    count = len(mailbox.letters)
    asked = await ask(served, **fields)
    assert asked.status_code == 202, asked.text
    letters = await mailbox.until(count + 1)
    made = await confirm(served, link_in(letters[-1]))
    assert made.status_code == 201, made.text
    return dict(made.json())


async def operators(served: Served) -> dict[str, str]:
    """Headers of a new operator key."""
    return {"Authorization": f"Bearer {await operator_key(served)}"}


async def invite(served: Served, **fields: Any) -> str:
    """The code of a new invite."""
    made = await served.client.post("/v1/invites", json=fields, headers=await operators(served))
    assert made.status_code == 201, made.text
    return str(made.json()["url"]).rpartition("=")[2]


async def count(served: Served, table: str) -> int:
    row = await served.app.db.row(f"select count(*) from {table}")
    return int(row[0]) if row else 0


async def others(served: Served) -> list[dict[str, Any]]:
    """All tenants but the first."""
    first = await ensure_first(served.app.db)
    return [dict(row) for row in await served.app.db.rows("select * from tenants where id <> ?", (first.id,))]
