"""GET /v1/billing: the plan, what is used of it, and what else there is."""

from pathlib import Path

import pytest
from appliance import operator
from clock import Clock
from subscribing import plan_of, subscribe
from web_server import add_source, serving

from flowchat.billing import NANO, Prices, after_days
from flowchat.domain import UsageCounts, now
from flowchat.services import keys
from flowchat.services.key_requests import NewAdminKey
from flowchat.store import usage


async def test_without_a_plan_nothing_is_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Clock(monkeypatch, "2028-02-29T12:00:00.000Z")
    async with serving(tmp_path, currency="eur") as served:
        await served.ask()
        told = (await served.call("GET", "/v1/billing")).json()
    free = {"included": None, "percent": None, "overage": None, "resets_on": "2028-03-01"}
    assert told == {
        "plan": None,
        "subscription": None,
        "standing": {"read_only": False, "reason": "", "read_only_at": None},
        "currency": "eur",
        "quotas": {"queries": {"used": 1, **free}, "pages": {"used": 0, **free}},
        "sources": {"used": 1, "allowed": None},
        "prices": None,
        "plans": [],
    }


async def test_a_plan_and_what_is_used_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch, "2026-12-30T12:00:00.000Z")
    async with serving(tmp_path) as served:
        app, tenant_id = served.app, (await operator(served.app)).tenant_id
        prices = Prices(monthly_fee_nano=29 * NANO, per_1000_queries_nano=NANO // 2)
        plan = plan_of("small", included_queries=3, included_pages=0, max_sources=2, prices=prices, is_public=True)
        large = plan_of("large", prices=Prices(monthly_fee_nano=99 * NANO), is_public=True, overage="metered")
        cheap = plan_of("cheap", is_public=True)
        hidden = plan_of("hidden")
        for other in (large, cheap, hidden, plan):
            await subscribe(app.db, tenant_id, other, "trialing", trial_ends_at=after_days(now(), 3))
        counts = UsageCounts(billable_queries=4, billable_pages=5)
        await app.db.write(lambda conn: usage.record(conn, tenant_id, counts))
        await add_source(app, "more", is_live=False)
        told = (await served.call("GET", "/v1/billing")).json()
        assert (told["plan"]["slug"], told["subscription"]["status"]) == ("small", "trialing")
        assert told["standing"] == {
            "read_only": False,
            "reason": "trial_over",
            "read_only_at": "2027-01-02T12:00:00.000Z",
        }
        stop = {"overage": "stop", "resets_on": "2027-01-01"}
        assert told["quotas"] == {
            "queries": {"used": 4, "included": 3, "percent": 133, **stop},
            "pages": {"used": 5, "included": 0, "percent": 100, **stop},
        }
        assert told["sources"] == {"used": 2, "allowed": 2}
        assert (told["prices"]["monthly_fee"], told["prices"]["per_1000_queries"]) == ("29.00", "0.50")
        assert [offer["slug"] for offer in told["plans"]] == ["cheap", "small", "large"]
        assert not {"id", "tenants", "is_trial"} & set(told["plans"][0]), "what concerns operators is not told"
        clock.go_on(days=2)
        assert (await served.call("GET", "/v1/billing")).json()["quotas"]["queries"]["used"] == 0


@pytest.mark.parametrize(("scope", "status"), [("read", 200), ("billing", 200), ("write", 403)])
async def test_who_may_look(tmp_path: Path, scope: str, status: int) -> None:
    async with serving(tmp_path) as served:
        new = NewAdminKey(scopes=(scope,))  # type: ignore[arg-type]
        _, served.admin = await keys.create(served.app, await operator(served.app), new)
        assert (await served.call("GET", "/v1/billing")).status_code == status
