"""The operator's pages of plans, the plan on a tenant's page, and what a tenant's people are told of theirs."""

from html import unescape
from pathlib import Path

import pytest
from appliance import operator
from clock import Clock
from signing_in import Me, signed_in
from subscribing import plan_of, subscribe
from web_server import Served, serving

from flowchat.billing import Plan, SubscriptionStatus, after_days, parse_money
from flowchat.domain import UsageCounts, now
from flowchat.store import plans, subscriptions, tenants, usage

FIELDS = {
    "slug": "business",
    "name": "Business <b>",
    "description": "For shops.",
    "features": "Help by e-mail\n\nTwo sites",
    "included_queries": "5000",
    "included_pages": "",
    "max_sources": "10",
    "overage": "metered",
    "trial_days": "7",
    "prices.monthly_fee": "29",
    "prices.per_1000_queries": "0.5",
    "prices.per_1000_pages": "0",
    "prices.per_million_tokens_in": "0.00",
    "prices.per_million_tokens_out": "0.00",
    "is_public": "true",
}


async def plan_named(served: Served, slug: str) -> Plan:
    plan = await plans.get(served.app.db, slug)
    assert plan
    return plan


async def test_a_plan_is_made_changed_and_archived(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served, operator=True) as me:
        assert (await me.post("/admin/plans", **FIELDS)).headers["Location"] == "/admin/plans"
        plan = await plan_named(served, "business")
        assert (plan.features, plan.included_queries, plan.included_pages) == (
            ("Help by e-mail", "Two sites"),
            5000,
            None,
        )
        assert plan.prices.per_1000_queries_nano == parse_money("0.50") and plan.is_public and not plan.is_trial
        listed = (await me.get("/admin/plans")).text
        assert "Business &lt;b&gt;" in listed and "0.50 USD" in listed and "29.00 USD" in listed
        path = f"/admin/plans/{plan.id}"
        page = (await me.get(path)).text
        assert 'value="29.00"' in page and "Archive Business" in page and "No tenant has it." in page
        change = {name: text for name, text in FIELDS.items() if name not in ("slug", "is_public")}
        assert (await me.post(path, **change | {"included_pages": "70"})).status_code == 303
        assert (await plan_named(served, "business")).included_pages == 70
        assert not (await plan_named(served, "business")).is_public
        assert (await me.post(f"{path}/archive")).status_code == 303
        page = (await me.get(path)).text
        assert "Archive the plan" not in page and 'name="is_trial"' not in page
        assert (await me.post(path, **change | {"name": "Still there"})).status_code == 303


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("prices.per_1000_queries", "-1"),
        ("prices.monthly_fee", "cheap"),
        ("included_queries", "many"),
        ("trial_days", "-1"),
        ("name", " "),
        ("slug", "trial"),
    ],
)
async def test_what_is_wrong_stands_at_its_field(tmp_path: Path, field: str, text: str) -> None:
    async with serving(tmp_path) as served, signed_in(served, operator=True) as me:
        wrong = await me.post("/admin/plans", **FIELDS | {field: text})
        assert wrong.status_code == 422
        assert f'id="{field}-error"' in wrong.text
        assert await plans.get(served.app.db, "business") is None


async def test_the_trial_plan_stays(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served, operator=True) as me:
        trial = await plan_named(served, "trial")
        path = f"/admin/plans/{trial.id}"
        page = (await me.get(path)).text
        assert "Sign-ups begin with this plan" in page and "Archive the plan" not in page
        fields = FIELDS | {"is_trial": ""}
        del fields["slug"]
        refused = await me.post(path, **fields)
        assert refused.status_code == 422 and "Make another plan the trial one first" in refused.text
        assert "Make another plan the trial one first" in (await told_after(me, f"{path}/archive"))


async def told_after(me: Me, path: str) -> str:
    """The page that says what came of it."""
    return (await me.get((await me.post(path)).headers["Location"])).text


async def test_pages_of_plans_are_the_operators(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served) as me:
        for path in ("/admin/plans", "/admin/plans/new", "/admin/plans/trial"):
            assert (await me.get(path)).status_code == 403
        assert (await me.post("/admin/plans", **FIELDS)).status_code == 403
        assert "/admin/plans" not in (await me.get("/admin/usage")).text


async def test_a_tenant_gets_a_plan(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served, operator=True) as me:
        await me.post("/admin/plans", **FIELDS)
        assert '<option value="business">' in (await me.get("/admin/tenants/new")).text
        await me.post("/admin/tenants", slug="acme", name="Acme", retention_days="30", plan="business")
        acme = await tenants.get(served.app.db, "acme")
        assert acme
        path = f"/admin/tenants/{acme.id}"
        page = (await me.get(path)).text
        assert '<option value="business" selected>' in page and "Trial ends" in page
        assert "Business &lt;b&gt;" in (await me.get("/admin/tenants")).text
        assert "has the plan Trial" in (await told_after_plan(me, path, "trial"))
        found = await subscriptions.get(served.app.db, acme.id)
        assert found and found.status == "active"
        await me.post(path, name="Acme Ltd", retention_days="31")
        assert await subscriptions.get(served.app.db, acme.id) == found, "its other settings leave the plan alone"
        assert "has no plan any more" in (await told_after_plan(me, path, ""))
        assert await subscriptions.get(served.app.db, acme.id) is None
        wrong = await me.post(f"{path}/plan", plan="business" * 9)
        assert wrong.status_code == 422 and 'value="Acme Ltd"' in wrong.text


async def told_after_plan(me: Me, path: str, plan: str) -> str:
    return (await me.get((await me.post(f"{path}/plan", plan=plan)).headers["Location"])).text


async def test_an_archived_plan_and_one_of_stripes_on_a_tenants_page(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served, operator=True) as me:
        await me.post("/admin/tenants", slug="acme", name="Acme", retention_days="30")
        acme = await tenants.get(served.app.db, "acme")
        assert acme
        old = plan_of("old")
        await subscribe(served.app.db, acme.id, old)
        await served.app.db.write(lambda conn: plans.archive(conn, old.id))
        page = (await me.get(f"/admin/tenants/{acme.id}")).text
        assert '<option value="old" selected>' in page
        assert '<option value="old">' not in (await me.get("/admin/tenants/new")).text
        await subscribe(served.app.db, acme.id, plan_of("paid"), stripe_subscription="sub_1")
        page = (await me.get(f"/admin/tenants/{acme.id}")).text
        assert "Stripe bills this tenant" in page and f'action="/admin/tenants/{acme.id}/plan"' not in page
        refused = await me.post(f"/admin/tenants/{acme.id}/plan", plan="trial")
        assert refused.status_code == 422 and "Stripe bills this tenant: its owner changes the plan" in refused.text


async def banners(me: Me, path: str = "/admin/jobs") -> str:
    """The part of a page that tells about the plan; '' where it tells nothing."""
    page = (await me.get(path)).text
    _, found, rest = page.partition('<section class="banners"')
    return unescape(rest.partition("</section>")[0]) if found else ""


async def test_banners_about_a_trial_and_a_payment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch, "2026-11-20T12:00:00.000Z")
    async with serving(tmp_path, session_idle_hours=10_000, past_due_days=7) as served, signed_in(served) as me:
        tenant_id = (await operator(served.app)).tenant_id
        assert await banners(me) == ""
        trial = plan_of("short")
        await subscribe(served.app.db, tenant_id, trial, "trialing", trial_ends_at=after_days(now(), 14))
        assert "14 days of your trial are left." in await banners(me) and "2026-12-04 12:00" in await banners(me)
        clock.go_on(days=13, seconds=1)
        assert "Less than a day of your trial is left." in await banners(me)
        clock.go_on(days=1)
        assert "read-only" in await banners(me) and "The trial is over." in await banners(me)
        assert "See your plan" in await banners(me) and "/admin/billing" in await banners(me)
        await subscribe(served.app.db, tenant_id, trial, "past_due", past_due_at=now())
        assert "A payment is due." in await banners(me) and "2026-12-11" in await banners(me)
        await subscribe(served.app.db, tenant_id, trial, "active")
        assert await banners(me) == ""


@pytest.mark.parametrize(
    ("overage", "used", "words"),
    [
        ("stop", 15, ""),
        ("stop", 16, "80 % of this month's answers are used: 16 of 20. When all are used, your keys give no more"),
        ("stop", 20, "100 % of this month's answers are used: 20 of 20. Your keys give no answers until 2026-12-01"),
        ("metered", 16, "What comes beyond is billed."),
        ("metered", 30, "150 % of this month's answers are used: 30 of 20."),
    ],
)
async def test_banners_about_quotas(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, overage: str, used: int, words: str
) -> None:
    Clock(monkeypatch, "2026-11-20T12:00:00.000Z")
    async with serving(tmp_path) as served, signed_in(served, "viewer") as me:
        tenant_id = (await operator(served.app)).tenant_id
        await subscribe(served.app.db, tenant_id, plan_of("small", included_queries=20, overage=overage))
        counts = UsageCounts(queries=used, billable_queries=used)
        await served.app.db.write(lambda conn: usage.record(conn, tenant_id, counts))
        shown = await banners(me)
        assert words.split(". ")[0] in shown if words else shown == ""
        assert all(part in shown for part in words.split(". "))
        page = (await me.get("/admin/usage")).text
        assert f"{used} of 20" in page and "Your plan: Small" in page


async def test_read_only_in_the_admin(tmp_path: Path) -> None:
    """A form says so; revoking and one's own account go on."""
    status: SubscriptionStatus = "canceled"
    async with serving(tmp_path) as served, signed_in(served) as me:
        tenant_id = (await operator(served.app)).tenant_id
        await subscribe(served.app.db, tenant_id, plan_of("small"), status)
        refused = await me.post("/admin/keys", type="admin", name="x", scopes="read")
        assert refused.status_code == 422 and "This tenant is read-only. The subscription has ended." in refused.text
        assert (await me.post(f"/admin/keys/{served.key_id}/revoke", confirm=served.key[-4:])).status_code == 303
        assert (await me.post("/admin/account/name", name="Ann")).status_code == 303
        assert (await me.get("/admin/billing")).status_code == 200
        asked = await me.client.post("/admin/playground/ask", json={"query": "Who?"}, headers={"X-CSRF-Token": me.csrf})
        assert asked.status_code == 402
