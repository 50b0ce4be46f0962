"""The process that `flowchat eval billing` kills: it stores chats and crawls, and reports them to Stripe's fake.

    python -m flowchat.evaluation.billing_process FOLDER STRIPE_URL AHEAD_S CHATS PAGES PER_S

Prints `ready`, then works until it is killed. AHEAD_S: how far its calendar runs ahead. It stops adding usage once the
ledger has so many billable answers and pages.
"""

import asyncio
import logging
import random
import sys
from functools import partial
from pathlib import Path

from flowchat.domain import Key, UsageCounts, new_id
from flowchat.evaluation.simulated_time import run_ahead
from flowchat.net.stripe_api.client import connect
from flowchat.services import metering
from flowchat.services.context import Context
from flowchat.services.metering import Reporter
from flowchat.settings import Settings
from flowchat.store import conversations, keys, tenants, usage
from flowchat.store.conversations import Message
from flowchat.store.database import Connection, Database, open_database
from flowchat.store.paging import Cursor

API_KEY = "sk_test_evaluation"
TIMEOUT_S = 0.4
LOOK_S = 0.03
REFUSED, TESTED = 0.08, 0.04  # of the chats: neither is billable
CRAWLED = 0.02  # of the deeds
MOST_PAGES = 60  # of a crawl


def settings_for(folder: Path, url: str) -> Settings:
    return Settings(data_dir=folder, stripe_api_key=API_KEY, stripe_api_base=url)


def store_chat(conn: Connection, key: Key, chance: random.Random) -> int:
    """As an answer is stored; returns whether it is billable."""
    is_refusal = chance.random() < REFUSED
    message = Message(
        id=new_id("msg"),
        conversation_id=new_id("cnv"),
        key_id=key.id,
        query="When do you open?",
        answer="" if is_refusal else "We open at nine.",
        refusal=is_refusal,
        reason="not_covered" if is_refusal else None,
        versions=(),
        chunks=(),
        citations=(),
        verdicts=(),
        usage={"tokens_in": 120, "tokens_out": 9},
    )
    conversations.insert(conn, message.conversation_id, key.tenant_id, key.id, "", None)
    conversations.insert_message(conn, message)
    counts = UsageCounts(
        queries=1,
        refusals=int(is_refusal),
        tokens_in=120,
        tokens_out=9,
        billable_queries=int(not is_refusal and not key.is_test),
    )
    usage.record(conn, key.tenant_id, counts, key_id=key.id, message_id=message.id)
    return counts.billable_queries


def store_crawl(conn: Connection, tenant_id: str, pages: int) -> None:
    """As the pages of a crawl that is not the first are counted."""
    usage.record(conn, tenant_id, UsageCounts(pages_crawled=pages, chunks_embedded=pages, billable_pages=pages))


async def widget_keys(db: Database) -> list[Key]:
    """Of all tenants, live ones and test keys."""
    found = []
    for tenant in await tenants.page(db, Cursor(1000)):
        found += [key for key in await keys.list_all(db, tenant.id) if key.type == "widget" and key.billed]
    return found


async def add_usage(db: Database, queries: int, pages: int, per_s: float) -> None:
    """Chats and crawls, until so much of them is billable."""
    chance = random.Random()  # noqa: S311 (no secret)
    known = await widget_keys(db)
    live, tests = [key for key in known if not key.is_test], [key for key in known if key.is_test]
    while queries > 0 or pages > 0:
        if pages > 0 and (queries <= 0 or chance.random() < CRAWLED):
            number = min(pages, chance.randint(1, MOST_PAGES))
            await db.write(partial(store_crawl, tenant_id=chance.choice(live).tenant_id, pages=number))
            pages -= number
        else:
            key = chance.choice(tests if chance.random() < TESTED else live)
            queries -= await db.write(partial(store_chat, key=key, chance=chance))
        await asyncio.sleep(1 / per_s)


async def main(folder: Path, url: str, ahead_s: float, chats: int, pages: int, per_s: float) -> None:
    logging.getLogger(metering.__name__).setLevel(logging.ERROR)
    run_ahead(ahead_s)
    settings = settings_for(folder, url)
    async with open_database(settings.database_path) as db, connect(settings, TIMEOUT_S) as stripe:
        app = Context(settings=settings, db=db, wake=lambda job_id: None)
        done = await usage.billable_sums(db)
        print("ready", flush=True)
        reporting = asyncio.create_task(Reporter(app, stripe).run(LOOK_S))
        queries = chats - sum(of for of, _ in done.values())
        await add_usage(db, queries, pages - sum(of for _, of in done.values()), per_s)
        await reporting


if __name__ == "__main__":
    _, folder, url, ahead_s, chats, pages, per_s = sys.argv
    asyncio.run(main(Path(folder), url, float(ahead_s), int(chats), int(pages), float(per_s)))
