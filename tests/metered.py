"""Tenants that are billed by Stripe, and what they use."""

from dataclasses import replace

from flowchat.billing import Plan, Prices, Subscription
from flowchat.domain import Tenant, UsageCounts, new_id, now
from flowchat.services.context import Context
from flowchat.store import plans, subscriptions, tenants, usage
from flowchat.store.database import Connection

STARTER = Plan(
    id="pln_starter",
    slug="starter",
    name="Starter",
    description="For one site.",
    included_queries=10,
    included_pages=5,
    prices=Prices(
        monthly_fee_nano=29_000_000_000, per_1000_queries_nano=2_500_000_000, per_1000_pages_nano=400_000_000
    ),
    is_public=True,
    created_at="2026-01-01T00:00:00.000Z",
)
LARGE = replace(
    STARTER,
    id="pln_large",
    slug="large",
    name="Large",
    included_queries=1000,
    included_pages=None,
    prices=replace(STARTER.prices, monthly_fee_nano=99_000_000_000),
)


async def add_plans(app: Context, *wanted: Plan) -> None:
    def transaction(conn: Connection) -> None:
        for plan in wanted or (STARTER, LARGE):
            plans.insert(conn, plan)

    await app.db.write(transaction)


async def subscribed(app: Context, slug: str, customer: str, billed_from: str = "2026-01-01T00:00:00.000Z") -> Tenant:
    """A new tenant that Stripe bills for."""

    def transaction(conn: Connection) -> Tenant:
        if plans.find(conn, STARTER.id) is None:
            plans.insert(conn, STARTER)
        tenant = tenants.insert(conn, slug, slug.title())
        subscription = Subscription(
            tenant_id=tenant.id,
            plan_id=STARTER.id,
            status="active",
            email=f"owner@{slug}.example",
            started_at=now(),
            billed_from=billed_from,
            stripe_customer=customer,
            stripe_subscription=new_id("sub"),
        )
        subscriptions.put(conn, subscription)
        return tenant

    return await app.db.write(transaction)


async def use(app: Context, tenant: Tenant, *, queries: int = 0, pages: int = 0) -> None:
    """So many billable answers, one by one, and a crawl of so many billable pages."""

    def transaction(conn: Connection) -> None:
        for _ in range(queries):
            usage.record(conn, tenant.id, UsageCounts(queries=1, billable_queries=1))
        if pages:
            usage.record(conn, tenant.id, UsageCounts(pages_crawled=pages, billable_pages=pages))

    await app.db.write(transaction)
