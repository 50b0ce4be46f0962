"""Tenants whose trial is over, or who don't pay: they can read, and their keys don't answer."""

from pathlib import Path
from typing import Any

import pytest
from appliance import operator, running
from clock import Clock
from crawling import chain, finished, site
from subscribing import plan_of, subscribe
from web_server import Served, add_source, serving

from flowchat.billing import SubscriptionStatus, after_days
from flowchat.domain import now
from flowchat.services import homepage, keys, owners, playground, queueing, sources, tenants
from flowchat.services.key_requests import NewAdminKey, NewWidgetKey
from flowchat.services.owners import NewOwner
from flowchat.services.playground import PlaygroundRequest
from flowchat.services.source_requests import NewSource, SourceChange
from flowchat.services.tenants import NewTenant, actor_for_cli

BEGIN = "2026-11-20T12:00:00.000Z"
TRIAL_END = "2026-12-04T12:00:00.000Z"


async def other_tenant(served: Served, status: SubscriptionStatus, **fields: Any) -> str:
    """A tenant with a live source, whose keys are used from now on; returns its id."""
    app = served.app
    tenant, served.admin = await tenants.create(app, await operator(app), NewTenant(slug="acme", name="Acme"))
    actor = await actor_for_cli(app.db, "acme")
    await add_source(app, "pages", is_live=True, tenant_id=tenant.id)
    _, served.key = await keys.create(app, actor, NewWidgetKey())
    await subscribe(app.db, tenant.id, plan_of("small"), status, **fields)
    return tenant.id


async def can_change(served: Served) -> int:
    return (await served.call("POST", "/v1/keys", json={"type": "widget"})).status_code


async def test_a_trial_ends_to_the_millisecond(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch, BEGIN)
    async with serving(tmp_path) as served:
        await other_tenant(served, "trialing", trial_ends_at=after_days(now(), 14))
        for moment, status in ((BEGIN, 200), ("2026-12-04T11:59:59.999Z", 200), (TRIAL_END, 402)):
            clock.set(moment)
            answer = await served.ask()
            assert (answer.status_code, now()) == (status, moment)
            assert await can_change(served) == (201 if status == 200 else 402)
        assert answer.json()["code"] == "read_only" and "trial is over" in answer.json()["detail"]
        assert (await served.client.get("/v1/widget", headers=served.headers())).status_code == 402
        assert (await served.call("GET", "/v1/sources")).status_code == 200


@pytest.mark.parametrize("moment", ["2028-02-28T12:00:00.000Z", "2026-12-30T12:00:00.000Z"])
async def test_days_of_grace_end_to_the_millisecond(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """Over a leap day, and over the end of a year."""
    clock = Clock(monkeypatch, moment)
    async with serving(tmp_path, past_due_days=3) as served:
        await other_tenant(served, "past_due", past_due_at=now())
        clock.go_on(days=3, milliseconds=-1)
        assert ((await served.ask()).status_code, await can_change(served)) == (200, 201)
        clock.go_on(milliseconds=1)
        assert ((await served.ask()).status_code, await can_change(served)) == (402, 402)


@pytest.mark.parametrize("status", ["unpaid", "paused", "canceled"])
async def test_other_states(tmp_path: Path, status: SubscriptionStatus) -> None:
    async with serving(tmp_path) as served:
        tenant_id = await other_tenant(served, status)
        assert ((await served.ask()).status_code, await can_change(served)) == (402, 402)
        await subscribe(served.app.db, tenant_id, plan_of("large"), "active")
        assert ((await served.ask()).status_code, await can_change(served)) == (200, 201)


async def test_test_keys_and_the_playground_are_refused_too(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        tenant_id = await other_tenant(served, "canceled")
        acme = await actor_for_cli(served.app.db, "acme")
        _, served.key = await keys.create(served.app, acme, NewWidgetKey(test=True))
        assert (await served.ask()).status_code == 402
        asked = await served.call("POST", "/v1/playground", json={"query": "Who?"})
        assert (asked.status_code, asked.json()["code"]) == (402, "read_only")
        assert tenant_id == acme.tenant_id


async def test_operators_are_never_stopped(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        await other_tenant(served, "canceled")
        acme = await actor_for_cli(served.app.db, "acme")
        assert (await keys.create(served.app, acme, NewAdminKey()))[0].tenant_id == acme.tenant_id
        run = await playground.start(served.app, acme, PlaygroundRequest(query="Who?"))
        await run.wait()
        assert run.failure is None
        invitation = await owners.invite(served.app, acme, "acme", NewOwner(email="ann@shop.example"))
        assert invitation.user.tenant_id == acme.tenant_id


async def test_flowchats_own_demo_goes_on(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        await subscribe(served.app.db, (await operator(served.app)).tenant_id, plan_of("small"), "canceled")
        assert (await served.ask()).status_code == 402
        served.key = homepage.homepage_key(served.app)
        assert (await served.ask({"query": "Who?", "source": "docs"}, Origin=served.url)).status_code == 200


async def test_an_answer_that_has_begun_is_given(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        tenant_id = await other_tenant(served, "active")
        headers = {"Idempotency_Key": "k1"}
        first = await served.ask(**headers)
        await subscribe(served.app.db, tenant_id, plan_of("large"), "canceled")
        assert (await served.ask(**headers)).text == first.text
        assert (await served.ask()).status_code == 402


async def test_scheduled_crawls_wait_for_better_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch, BEGIN)
    async with site(chain(2)) as server, running(tmp_path) as app:
        actor = await operator(app)
        _, job = await sources.create(app, actor, NewSource(f"{server.url}/", slug="a"))
        assert job
        await finished(app, job)
        await sources.update(app, actor, "a", SourceChange(schedule="daily"))
        await subscribe(app.db, actor.tenant_id, plan_of("small"), "trialing", trial_ends_at=after_days(now(), 1))
        clock.go_on(days=3)

        async def queued() -> int:
            await queueing.queue_due(app)
            return len(await app.db.rows("select 1 from jobs where status = 'queued'"))

        assert await queued() == 0
        await subscribe(app.db, actor.tenant_id, plan_of("large"), "active")
        assert await queued() == 1
