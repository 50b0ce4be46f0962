"""Closing a tenant that Stripe charges: nobody pays for what is closed."""

from pathlib import Path

import pytest
from appliance import operator
from hearing import Hearing, hearing
from metered import STARTER

from flowchat.domain import Actor
from flowchat.errors import FlowChatError
from flowchat.net.stripe_api import customers
from flowchat.services import tenants
from flowchat.services.tenants import NewTenant
from flowchat.store import subscriptions
from flowchat.store.database import Connection


async def charged(world: Hearing) -> tuple[Actor, str]:
    """The operator, and a tenant beside the first one with the first one's subscription."""
    actor = await operator(world.app)
    await world.begin_trial()
    await world.check_out()
    await world.hear()
    tenant, _ = await tenants.create(world.app, actor, NewTenant(slug="shop", name="Shop"))

    def transaction(conn: Connection) -> None:
        conn.execute("update subscriptions set tenant_id = ?", (tenant.id,))

    await world.app.db.write(transaction)
    return actor, tenant.id


async def test_its_subscription_ends_at_stripe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with hearing(tmp_path, monkeypatch) as world:
        actor, tenant_id = await charged(world)
        closed = await tenants.close(world.app, actor, tenant_id)
        assert closed.closed_at is not None
        [remote] = await world.fake.objects("subscription")
        assert remote["status"] == "canceled"
        await world.hear()
        present = await subscriptions.get(world.app.db, tenant_id)
        assert present and (present.status, present.plan_id) == ("canceled", STARTER.id)
        assert (await tenants.close(world.app, actor, tenant_id)).closed_at == closed.closed_at, (
            "once more does nothing"
        )


async def test_nothing_is_closed_while_stripe_is_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with hearing(tmp_path, monkeypatch) as world:
        actor, tenant_id = await charged(world)
        await world.fake.fail(1.0, "500_before")
        with pytest.raises(FlowChatError) as raised:
            await tenants.close(world.app, actor, tenant_id)
        assert raised.value.code == "stripe_unanswered"
        await world.fake.fail(0)
        assert (await tenants.get(world.app, actor, tenant_id)).closed_at is None
        [remote] = await world.fake.objects("subscription")
        await customers.cancel(world.stripe, remote["id"])
        assert (await tenants.close(world.app, actor, tenant_id)).closed_at is not None, "it was canceled already"
