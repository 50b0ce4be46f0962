"""The operator's page about Stripe."""

from pathlib import Path

from billed import parked_event
from signing_in import signed_in
from stripe_faking import KEY, stripe_fake
from web_server import Served, serving

from flowchat.domain import now
from flowchat.store import meter_events
from flowchat.store.database import Connection


async def events_at(served: Served) -> None:
    """One of each status, made by hand."""

    def transaction(conn: Connection) -> None:
        for status in ("pending", "delivered", "parked", "dropped"):
            conn.execute(
                "insert into meter_events (identifier, tenant_id, stripe_customer, metric, hour, value, status,"
                " attempts, error, created_at, delivered_at)"
                " select ?, id, 'cus_1', 'queries', '2026-11-20T09', 1234, ?, 2, ?, ?, ? from tenants limit 1",
                (f"e-{status}", status, "<b>why</b>" if status == "parked" else None, now(), now()),
            )

    await served.app.db.write(transaction)


async def test_without_a_key_it_says_what_to_do(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served, operator=True) as me:
        page = (await me.get("/admin/stripe")).text
        assert "FLOWCHAT_STRIPE_API_KEY" in page and "Nothing was reported yet" in page
        assert "/admin/stripe/reconcile" not in page
        answer = await me.post("/admin/stripe/reconcile")
        assert answer.headers["Location"] == "/admin/stripe"
        assert "Nothing is billed here" in (await me.get("/admin/stripe")).text


async def test_only_operators_see_it(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served) as me:
        assert (await me.get("/admin/stripe")).status_code == 403
        assert "/admin/stripe" not in (await me.get("/admin")).text


async def test_states_and_filter(tmp_path: Path) -> None:
    async with (
        serving(tmp_path, stripe_api_key="sk_test_1") as served,
        signed_in(served, operator=True) as me,
    ):
        await events_at(served)
        page = (await me.get("/admin/stripe")).text
        assert "1,234 queries" in page and "1 parked: nobody knows" in page
        assert "&lt;b&gt;why&lt;/b&gt;" in page and "<b>why</b>" not in page
        assert "FLOWCHAT_STRIPE_WEBHOOK_SECRET" in page
        page = (await me.get("/admin/stripe?status=parked")).text
        assert "e-parked" in page and "e-delivered" not in page
        assert (await me.get("/admin/stripe?status=odd")).status_code == 400


async def test_stripe_is_not_there(tmp_path: Path) -> None:
    settings = {"stripe_api_key": "sk_test_1", "stripe_api_base": "http://127.0.0.1:1"}
    async with serving(tmp_path, **settings) as served, signed_in(served, operator=True) as me:
        answer = await me.post("/admin/stripe/reconcile")
        assert answer.headers["Location"] == "/admin/stripe"
        assert "Stripe can&#39;t be reached" in (await me.get("/admin/stripe")).text


async def test_compared_and_settled(tmp_path: Path) -> None:
    async with (
        stripe_fake() as fake,
        serving(tmp_path, stripe_api_key=KEY, stripe_api_base=fake.url) as served,
        signed_in(served, operator=True) as me,
    ):
        await parked_event(served.app, fake)
        page = (await me.post("/admin/stripe/reconcile")).text
        assert "1 of 1 hours are parked or differ" in page and "Sent anew" not in page
        assert ">acme</a>" in page and ">parked</span>" in page
        page = (await me.post("/admin/stripe/reconcile", apply="true")).text
        assert "agree in all 1 hours" in page and "Stripe had" in page
        assert await meter_events.counts(served.app.db) == {"delivered": 1}
        assert "Compared usage with Stripe" in (await me.get("/admin/audit-log")).text
