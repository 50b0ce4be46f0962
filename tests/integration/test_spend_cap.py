"""A spend cap under load: chats that all run at once, more of them than the key may have.

FLOWCHAT_TEST_CHATS sets how many (200 by default; releases are tried with 2,000); a quarter of them is the cap.
"""

import asyncio
import os
import ssl
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
from web_server import QUESTION, Served, serving

from flowchat.services.key_requests import CapsFields

CHATS = int(os.environ.get("FLOWCHAT_TEST_CHATS", "200"))
CAP = CHATS // 4
CONNECTING = 50  # at a time: more would overflow the queue of the listening socket


async def test_exactly_the_cap_is_answered(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        served = await stack.enter_async_context(
            serving(
                tmp_path, parallel_answers=CHATS, queued_answers=CHATS, questions_per_minute=0, answer_timeout_s=600
            )
        )
        await served.widget_key(sources=("shop",), caps=CapsFields(daily=CAP))
        go_on = served.answerer.hold_back()
        asking = [asyncio.create_task(ask(served, client)) for client in await connected(served, stack)]
        while sum(task.done() for task in asking) < CHATS - CAP:  # noqa: ASYNC110 (a test may poll)
            await asyncio.sleep(0.05)
        running = served.answerer.running
        go_on.set()
        statuses = Counter(await asyncio.gather(*asking))
        counted = await served.app.db.row(
            "select (select count(*) from messages where key_id = k.id) as stored,"
            " (select sum(billable_queries) from usage_ledger where key_id = k.id) as billed,"
            " (select max(reserved) from key_answers where key_id = k.id) as reserved from keys k where k.id = ?",
            (served.key_id,),
        )
    assert running <= CAP
    assert statuses == {200: CAP, 429: CHATS - CAP}
    assert counted and tuple(counted) == (CAP, CAP, CAP)
    print(f"{CHATS} chats at once, cap {CAP}: {CAP} answered, stored and billed, {CHATS - CAP} got 429")


async def connected(served: Served, stack: AsyncExitStack) -> list[httpx.AsyncClient]:
    """Clients that have their connections already, so that all the questions come at once."""
    tls = ssl.create_default_context()  # making one for each client would take a minute
    kept = httpx.Limits(keepalive_expiry=None)
    clients = []
    for start in range(0, CHATS, CONNECTING):
        transports = [
            httpx.AsyncHTTPTransport(verify=tls, limits=kept) for _ in range(start, min(start + CONNECTING, CHATS))
        ]
        batch = [httpx.AsyncClient(base_url=served.url, transport=transport, timeout=600) for transport in transports]
        clients += [await stack.enter_async_context(client) for client in batch]
        for response in await asyncio.gather(*(client.get("/health/live") for client in batch)):
            assert response.status_code == 200
    return clients


async def ask(served: Served, client: httpx.AsyncClient) -> int:
    response = await client.post("/v1/chat", json=QUESTION, headers=served.headers(Accept="application/json"))
    return response.status_code
