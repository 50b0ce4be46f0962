"""Crawls that come round by themselves."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from appliance import operator, running
from crawling import chain, finished, site, work

from flowchat.domain import Schedule, now
from flowchat.services import jobs, queueing, sources
from flowchat.services.context import Appliance
from flowchat.services.source_requests import NewSource, SourceChange
from flowchat.store import sources as source_store


@pytest.mark.parametrize(
    ("schedule", "period", "jitter"),
    [
        ("hourly", timedelta(hours=1), timedelta(minutes=6)),
        ("daily", timedelta(days=1), timedelta(hours=1)),
        ("weekly", timedelta(days=7), timedelta(hours=1)),
        ("monthly", timedelta(days=30), timedelta(hours=1)),
    ],
)
def test_the_next_crawl_is_a_period_later_more_or_less(
    schedule: Schedule, period: timedelta, jitter: timedelta
) -> None:
    moments = {datetime.fromisoformat(queueing.next_crawl(schedule)) - datetime.now(UTC) for _ in range(100)}
    assert len(moments) > 50
    assert all(period - jitter - timedelta(seconds=5) < moment < period + jitter for moment in moments)


async def make_due(app: Appliance, slug: str, seconds_ago: float) -> None:
    source = await sources.get(app, await operator(app), slug)
    await app.db.write(lambda conn: source_store.set_next_crawl(conn, source.id, now(-seconds_ago)))


async def test_a_due_source_is_crawled_once(tmp_path: Path) -> None:
    async with site(chain(2)) as server, running(tmp_path) as app:
        actor = await operator(app)
        await sources.create(app, actor, NewSource(server.url + "/", slug="site", schedule="hourly"))
        await work(app)
        await queueing.queue_due(app)
        assert len((await jobs.list_page(app, actor)).items) == 1
        await make_due(app, "site", 10 * 86_400)  # the machine was off for days
        await queueing.queue_due(app)
        await queueing.queue_due(app)
        newest, first = (await jobs.list_page(app, actor)).items
        assert (newest.status, newest.type, first.status) == ("queued", "crawl", "succeeded")
        assert str((await sources.get(app, actor, "site")).next_crawl) > now()
        assert (await finished(app, newest)).status == "succeeded"
        row = await app.db.row("select count(*) from audit_log where actor = 'schedule'")
        assert row is not None and row[0] == 1


async def test_a_source_at_work_waits(tmp_path: Path) -> None:
    async with site(chain(2)) as server, running(tmp_path) as app:
        actor = await operator(app)
        await sources.create(app, actor, NewSource(server.url + "/", slug="site", schedule="hourly"))
        await make_due(app, "site", 1)
        await queueing.queue_due(app)
        assert len((await jobs.list_page(app, actor)).items) == 1
        await work(app)
        await queueing.queue_due(app)
        assert len((await jobs.list_page(app, actor)).items) == 2


async def test_neither_revoked_nor_unscheduled_sources_are_due(tmp_path: Path) -> None:
    async with site(chain(2)) as server, running(tmp_path) as app:
        actor = await operator(app)
        for slug in ("revoked", "unscheduled"):
            await sources.create(app, actor, NewSource(server.url + "/", slug=slug, schedule="daily"))
        await work(app)
        await make_due(app, "revoked", 1)
        await make_due(app, "unscheduled", 1)
        listed = await source_store.due(app.db)
        await sources.revoke(app, actor, "revoked")
        await sources.update(app, actor, "unscheduled", SourceChange(schedule=None))
        for source in listed:  # they were listed just before
            assert await app.db.write(lambda conn, source=source: queueing._queue_due(app, conn, source)) is None  # type: ignore[misc]
        await queueing.queue_due(app)
        assert {job.status for job in (await jobs.list_page(app, actor)).items} == {"succeeded"}


async def test_a_recrawl_by_hand_puts_the_next_one_off(tmp_path: Path) -> None:
    async with site(chain(2)) as server, running(tmp_path) as app:
        actor = await operator(app)
        await sources.create(app, actor, NewSource(server.url + "/", slug="site", schedule="weekly"))
        await work(app)
        await make_due(app, "site", 1)
        await sources.recrawl(app, actor, "site")
        assert str((await sources.get(app, actor, "site")).next_crawl) > now(5 * 86_400)
