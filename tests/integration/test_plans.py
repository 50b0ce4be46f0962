"""/v1/plans for operators, and which plan a tenant has."""

from pathlib import Path
from typing import Any

import pytest
from appliance import operator
from clock import Clock
from subscribing import plan_of, subscribe
from test_tenants import Operator, operator_of
from web_server import serving

from flowchat.store import subscriptions

PRICES = {"monthly_fee": "29.00", "per_1000_queries": "2.00", "per_1000_pages": "0.0005"}
NEW = {
    "slug": "business",
    "name": "Business",
    "description": "For shops.",
    "features": ["Help by e-mail"],
    "included_queries": 5000,
    "included_pages": None,
    "max_sources": 10,
    "overage": "metered",
    "trial_days": 7,
    "prices": PRICES,
    "is_public": True,
}


async def add(machine: Operator, **fields: Any) -> dict[str, Any]:
    response = await machine.call("POST", "/v1/plans", json=NEW | fields)
    assert response.status_code == 201, response.text
    return dict(response.json())


async def test_a_plan_is_made_shown_listed_and_changed(tmp_path: Path) -> None:
    async with serving(tmp_path, currency="eur") as served:
        machine = await operator_of(served)
        made = await add(machine)
        assert made.pop("id").startswith("pln_") and made.pop("created_at")
        zero = {"per_million_tokens_in": "0.00", "per_million_tokens_out": "0.00"}
        rest = {"currency": "eur", "is_trial": False, "tenants": 0, "archived_at": None}
        assert made == {**NEW, "prices": {**PRICES, **zero}, **rest}
        change = {"name": "Bigger", "included_queries": None, "prices": {"per_1000_queries": "1.5"}}
        changed = await machine.call("PATCH", "/v1/plans/business", json=change)
        assert changed.json()["prices"] == {**PRICES, **zero, "per_1000_queries": "1.50"}
        assert (changed.json()["name"], changed.json()["included_queries"]) == ("Bigger", None)
        assert (await machine.call("GET", "/v1/plans/business")).json() == changed.json()
        listed = (await machine.call("GET", "/v1/plans")).json()["data"]
        assert [plan["slug"] for plan in listed] == ["business", "trial"]
        log = await served.app.db.rows("select operation from audit_log where operation like 'plans.%' order by id")
        assert [row["operation"] for row in log] == ["plans.create", "plans.update"]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"prices": {"monthly_fee": "-1"}}, "prices.monthly_fee"),
        ({"prices": {"per_1000_pages": "0.0000000001"}}, "prices.per_1000_pages"),
        ({"prices": {"per_1000_pages": "a lot"}}, "prices.per_1000_pages"),
        ({"prices": {"per_1000_pages": "1000001"}}, "prices.per_1000_pages"),
        ({"prices": {"per_1000_pages": 2}}, "prices"),
        ({"prices": {"per_year": "2"}}, "prices.per_year"),
        ({"included_queries": -1}, "included_queries"),
        ({"max_sources": 1.5}, "max_sources"),
        ({"overage": "free"}, "overage"),
        ({"trial_days": 731}, "trial_days"),
        ({"features": [" "]}, "features"),
        ({"slug": "Pro"}, "slug"),
        ({"name": ""}, "name"),
    ],
)
async def test_invalid_plans(tmp_path: Path, fields: dict[str, Any], param: str) -> None:
    async with serving(tmp_path) as served:
        machine = await operator_of(served)
        made = await machine.call("POST", "/v1/plans", json=NEW | fields)
        changed = await machine.call("PATCH", "/v1/plans/trial", json={k: v for k, v in fields.items() if k != "slug"})
    assert (made.status_code, made.json()["param"]) == (400, param)
    assert changed.status_code == (200 if "slug" in fields else 400)


async def test_a_price_that_is_too_fine_is_told(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        machine = await operator_of(served)
        response = await machine.call("POST", "/v1/plans", json=NEW | {"prices": {"monthly_fee": "0.1234567891"}})
    assert "Monthly fee can't be '0.1234567891'" in response.json()["detail"]


async def test_exactly_one_plan_is_the_trial_one(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        machine = await operator_of(served)

        async def trials() -> list[str]:
            listed = (await machine.call("GET", "/v1/plans")).json()["data"]
            return [plan["slug"] for plan in listed if plan["is_trial"]]

        assert await trials() == ["trial"]
        for method, path, body in (
            ("PATCH", "/v1/plans/trial", {"is_trial": False}),
            ("POST", "/v1/plans/trial/archive", {}),
        ):
            refused = await machine.call(method, path, json=body)
            assert (refused.status_code, refused.json()["code"]) == (409, "trial_plan")
        await add(machine, is_trial=True)
        assert await trials() == ["business"]
        archived = await machine.call("POST", "/v1/plans/trial/archive")
        assert archived.status_code == 200 and archived.json()["archived_at"]
        again = await machine.call("POST", "/v1/plans/trial/archive")
        assert again.json() == archived.json()
        back = await machine.call("PATCH", "/v1/plans/trial", json={"is_trial": True})
        assert (back.status_code, back.json()["code"]) == (409, "plan_archived")
        await add(machine, slug="next")
        await machine.call("PATCH", "/v1/plans/next", json={"is_trial": True})
        assert await trials() == ["next"]


async def test_plans_that_are_not_there_and_slugs_that_are_taken(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        machine = await operator_of(served)
        for method, path in (("GET", ""), ("PATCH", ""), ("POST", "/archive")):
            assert (await machine.call(method, f"/v1/plans/nothing{path}", json={})).status_code == 404
        taken = await machine.call("POST", "/v1/plans", json=NEW | {"slug": "trial"})
        assert (taken.status_code, taken.json()["code"], taken.json()["param"]) == (409, "slug_taken", "slug")
        assert (await served.call("GET", "/v1/plans")).json()["code"] == "scope_missing"


async def test_a_tenant_is_made_with_a_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Clock(monkeypatch, "2028-02-27T12:00:00.000Z")
    async with serving(tmp_path) as served:
        machine = await operator_of(served)
        await add(machine)
        acme = {"slug": "acme", "name": "Acme", "plan": "business"}
        made = (await machine.call("POST", "/v1/tenants", json=acme)).json()
        assert (made["plan"], made["subscription"]["status"]) == ("business", "trialing")
        ends = "2028-03-05T12:00:00.000Z"
        assert made["subscription"]["trial_ends_at"] == ends
        assert made["standing"] == {"read_only": False, "reason": "trial_over", "read_only_at": ends}
        own = await served.client.get("/v1/tenant", headers={"Authorization": f"Bearer {made['key']}"})
        assert own.json() == {name: value for name, value in made.items() if name != "key"}
        assert (await machine.call("GET", "/v1/plans/business")).json()["tenants"] == 1
        unknown = await machine.call("POST", "/v1/tenants", json={**acme, "slug": "b", "plan": "nothing"})
        assert (unknown.status_code, unknown.json()["param"]) == (404, "plan")
        assert (await machine.call("GET", "/v1/tenants/b")).status_code == 404


async def test_a_plan_is_given_changed_and_taken_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch, "2026-11-20T12:00:00.000Z")
    async with serving(tmp_path) as served:
        machine = await operator_of(served)
        await add(machine, trial_days=0)
        await add(machine, slug="other", trial_days=7)
        tenant = await machine.add("acme")

        async def given(plan: str | None) -> tuple[str | None, str | None]:
            response = await machine.call("PATCH", "/v1/tenants/acme", json={"plan": plan})
            assert response.status_code == 200, response.text
            told = response.json()
            return told["plan"], told["subscription"] and told["subscription"]["status"]

        assert await given("business") == ("business", "active")
        assert await given("other") == ("other", "active"), "no trial: it had a subscription"
        assert await given(None) == (None, None)
        assert await given("trial") == ("trial", "trialing")
        assert await given("trial") == ("trial", "trialing"), "what it has goes on"
        clock.go_on(days=14)
        assert (await machine.call("GET", "/v1/tenants/acme")).json()["standing"]["read_only"] is True
        named = await machine.call("PATCH", "/v1/tenants/acme", json={"name": "Acme 2"})
        assert named.json()["standing"]["read_only"] is True, "only a plan that is given changes it"
        assert await given("trial") == ("trial", "active")
        log = await served.app.db.rows(
            "select json_extract(detail, '$.plan') as plan from audit_log where operation = 'tenants.update'"
            " and tenant_id = ? order by id",
            (tenant["id"],),
        )
        assert [row["plan"] for row in log] == ["business", "other", "none", "trial", "trial", None, "trial"]


async def test_an_archived_plan_stays_with_those_who_have_it(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        machine = await operator_of(served)
        plan = await add(machine)
        await machine.add("acme")
        await machine.add("later")
        await machine.call("PATCH", "/v1/tenants/acme", json={"plan": plan["id"]})
        assert (await machine.call("POST", "/v1/plans/business/archive")).json()["tenants"] == 1
        assert (await machine.call("GET", "/v1/tenants/acme")).json()["plan"] == "business"
        same = await machine.call("PATCH", "/v1/tenants/acme", json={"plan": "business"})
        refused = await machine.call("PATCH", "/v1/tenants/later", json={"plan": "business"})
    assert (same.status_code, refused.status_code, refused.json()["code"]) == (200, 409, "plan_archived")


async def test_what_stripe_bills_is_the_tenants_own_choice(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        machine = await operator_of(served)
        await add(machine)
        tenant = await machine.add("acme")
        billed = {"stripe_customer": "cus_1", "stripe_subscription": "sub_1", "email": "ann@shop.example"}
        await subscribe(served.app.db, tenant["id"], plan_of("paid"), "active", **billed)
        for plan in ("business", None):
            refused = await machine.call("PATCH", "/v1/tenants/acme", json={"plan": plan})
            assert (refused.status_code, refused.json()["code"]) == (409, "managed_by_stripe")
        await subscribe(served.app.db, tenant["id"], plan_of("paid2"), "canceled", **billed)
        given = await machine.call("PATCH", "/v1/tenants/acme", json={"plan": "business"})
        told = given.json()["subscription"]
        assert (told["status"], told["managed_by_stripe"], told["email"]) == ("active", False, "ann@shop.example")
        stored = await subscriptions.get(served.app.db, tenant["id"])
        assert stored and (stored.stripe_customer, stored.stripe_subscription) == ("cus_1", None)


async def test_nobody_chooses_a_plan_by_the_settings_of_their_tenant(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        response = await served.call("PATCH", "/v1/tenant", json={"plan": "trial"})
        assert (response.status_code, response.json()["code"]) == (400, "unknown_field")
        assert await subscriptions.get(served.app.db, (await operator(served.app)).tenant_id) is None
