"""An appliance whose tenant is a customer of a Stripe that says what it is told to say: no more than its answers."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from appliance import operator, running
from loopback import Server, answer, serving
from metered import STARTER, add_plans
from stripe_events import SETTINGS, take_in

from flowchat.billing import Subscription
from flowchat.domain import Tenant
from flowchat.net.stripe_api.client import Stripe, connect
from flowchat.net.stripe_api.times import unix_of
from flowchat.services.context import Context
from flowchat.services.stripe_inbox import Inbox
from flowchat.store import plans, subscriptions, tenants
from flowchat.store.database import Connection

MISSING = answer(
    json.dumps({"error": {"code": "resource_missing", "message": "No such customer"}}).encode(), status="404 Not Found"
)
REFUSED = answer(json.dumps({"error": {"message": "Not like this."}}).encode(), status="400 Bad Request")
NOW = "2026-11-24T09:00:00.000Z"
ENDS = "2026-12-01T00:00:00.000Z"


def listed(*found: dict[str, Any]) -> bytes:
    body = {"object": "list", "data": found, "has_more": False, "url": "/v1/subscriptions"}
    return answer(json.dumps(body).encode(), content_type="application/json")


def path(customer: str = "cus_1") -> str:
    return f"/v1/subscriptions?customer={customer}&status=all&limit=100"


def stripes(ident: str = "sub_1", status: str = "active", **fields: Any) -> dict[str, Any]:
    """A subscription as Stripe shows it."""
    price = {"id": "price_1", "product": f"flowchat_{STARTER.id}", "metadata": {"flowchat_plan": STARTER.id}}
    created = unix_of("2026-11-24T08:00:00.000Z")
    return {
        "id": ident,
        "object": "subscription",
        "customer": "cus_1",
        "status": status,
        "created": created,
        "start_date": created,
        "ended_at": unix_of(NOW) if status == "canceled" else None,
        "metadata": {},
        "items": {"object": "list", "data": [{"id": "si_1", "current_period_end": unix_of(ENDS), "price": price}]},
        **fields,
    }


@dataclass
class World:
    """An appliance with a tenant on trial that is customer cus_1, and a Stripe that says what it is told to say."""

    app: Context
    server: Server
    stripe: Stripe
    inbox: Inbox
    tenant: Tenant

    async def subscription(self, tenant_id: str = "") -> Subscription:
        found = await subscriptions.get(self.app.db, tenant_id or self.tenant.id)
        assert found
        return found

    async def hears(self, *idents: str) -> None:
        """Events come and are handled."""
        await take_in(self.app, *idents)
        await self.inbox.handle_due()


@asynccontextmanager
async def world(folder: Path, **settings: Any) -> AsyncIterator[World]:
    async with (
        serving() as server,
        running(folder, **SETTINGS | {"stripe_api_base": server.url} | settings) as app,
        connect(app.settings, timeout_s=5) as stripe,
    ):
        await operator(app)  # the first tenant, which has no plan
        await add_plans(app)
        tenant = await on_trial(app, "shop", "cus_1")
        yield World(app, server, stripe, Inbox(app, stripe), tenant)


async def on_trial(app: Context, slug: str, customer: str | None, email: str = "ann@shop.example") -> Tenant:
    def transaction(conn: Connection) -> Tenant:
        tenant = tenants.insert(conn, slug, slug.title())
        trial = plans.trial_now(conn)
        assert trial
        started = Subscription(
            tenant_id=tenant.id,
            plan_id=trial.id,
            status="trialing",
            email=email,
            started_at="2026-11-20T00:00:00.000Z",
            trial_ends_at="2026-12-04T00:00:00.000Z",
            stripe_customer=customer,
        )
        subscriptions.put(conn, started)
        return tenant

    return await app.db.write(transaction)
