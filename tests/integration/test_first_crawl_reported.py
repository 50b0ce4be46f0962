"""A tenant's first crawl is free, the second is metered: in the ledger, and in what Stripe's meter has."""

from dataclasses import replace
from pathlib import Path

import pytest
from appliance import operator
from billed import Billed, billed
from crawling import chain, site, work

from flowchat.domain import Actor
from flowchat.services import jobs, sources, usage
from flowchat.services.source_requests import NewSource
from flowchat.services.usage import UsageRequest


async def pages_of_today(at: Billed, actor: Actor) -> tuple[int, int]:
    """(crawled, billable) as usage tells them."""
    [day] = (await usage.list_page(at.app, actor, UsageRequest(limit=1))).items
    return day.counts.pages_crawled, day.counts.billable_pages


async def free_and_billable(at: Billed) -> list[tuple[int, int]]:
    """Of each line of the ledger."""
    rows = await at.app.db.rows(
        "select free_pages, billable_pages from usage_ledger where pages_crawled > 0 order by id"
    )
    return [(row["free_pages"], row["billable_pages"]) for row in rows]


async def test_the_first_crawl_is_free_and_the_second_is_metered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with site(chain(4)) as server, billed(tmp_path, monkeypatch) as at:
        actor = replace(await operator(at.app), tenant_id=at.shop.id)
        _, job = await sources.create(at.app, actor, NewSource(server.url + "/", slug="site"))
        assert job is not None
        await work(at.app)
        await at.go_on(hours=2)
        await at.report()
        assert await pages_of_today(at, actor) == (4, 0)
        assert sum(free for free, _ in await free_and_billable(at)) == 4, "marked so in the ledger"
        assert (await at.at_stripe("pages"), await at.events()) == (0, [])

        second = await sources.recrawl(at.app, actor, "site")
        await work(at.app)
        assert (await jobs.get(at.app, actor, second.id)).status == "succeeded"
        await at.go_on(hours=2)
        await at.report()
        assert await pages_of_today(at, actor) == (8, 4)
        assert await at.at_stripe("pages") == 4
        found = await at.reconcile()
        assert (found.differences, found.lines) == (0, ())
