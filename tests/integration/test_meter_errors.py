"""Stripe's meters take usage first and refuse some of it later: what a report names waits until it is reconciled."""

import json
from pathlib import Path

import pytest
from appliance import running
from hearing import Hearing, hearing
from loopback import answer
from loopback import serving as loopback_serving
from metered import subscribed, use
from signing_in import signed_in
from stripe_events import SETTINGS, states, take_in

from flowchat.billing import MeterEvent
from flowchat.net.stripe_api import customers
from flowchat.net.stripe_api.client import connect
from flowchat.services.context import Context
from flowchat.services.metering import Reporter, seal
from flowchat.services.stripe_inbox import Inbox
from flowchat.store import audit_log, meter_events
from flowchat.store.paging import Cursor

REPORT = "v1.billing.meter.error_report_triggered"


async def reported(app: Context) -> dict[str, MeterEvent]:
    """By what they count."""
    return {event.metric: event for event in await meter_events.page(app.db, Cursor(limit=99), None)}


async def report(world: Hearing) -> None:
    await seal(world.app)
    await Reporter(world.app, world.stripe).report_due()
    await world.go_on(seconds=60)


async def test_usage_that_a_meter_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with hearing(tmp_path, monkeypatch) as world:
        customer = await customers.create(world.stripe, "ten_good", "Good", "")
        good = await subscribed(world.app, "good", customer)
        gone = await subscribed(world.app, "gone", "cus_gone")
        await use(world.app, good, queries=2)
        await use(world.app, gone, queries=3)
        await world.go_on(hours=1)
        await report(world)
        assert [event.status for event in (await reported(world.app)).values()] == ["delivered"]
        await world.hear()
        [(ident, status, error)] = [event for event in await states(world.app) if event[1] != "ignored"]
        assert (status, error) == ("done", "")
        found = await meter_events.page(world.app.db, Cursor(limit=9), None)
        assert {event.tenant_id: event.status for event in found} == {good.id: "delivered", gone.id: "parked"}
        parked = next(event for event in found if event.status == "parked")
        assert parked.error == "Stripe's meter has refused it: No such customer: 'cus_gone'"
        assert f"({ident}), 1 of it is parked: There is 1 invalid event" in caplog.text
        cursor = Cursor(limit=9)
        [entry] = await audit_log.page(world.app.db, gone.id, cursor, operation=None, target=None, actor="stripe")
        assert (entry.operation, entry.detail["identifier"]) == ("meter_events.park", parked.identifier)
        async with signed_in(world.served, operator=True) as me:
            page = (await me.client.get("/admin/stripe?status=parked")).text
            assert "1 parked" in page and "No such customer: &#39;cus_gone&#39;" in page


async def test_a_report_about_others_usage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with hearing(tmp_path, monkeypatch) as world:
        params = {"stripe_customer_id": "cus_gone", "value": "3"}
        await world.stripe.api.v1.billing.meter_events.create_async(
            {"event_name": "flowchat_queries", "identifier": "theirs", "payload": params}
        )
        await world.go_on(seconds=60)
        await world.hear()
        [(_, status, error)] = await states(world.app)
        assert (status, error) == ("ignored", "It names no usage that is at Stripe, or on its way.")


@pytest.mark.parametrize("named_by", ["identifier", "idempotency key"])
async def test_what_a_report_names(tmp_path: Path, named_by: str) -> None:
    """The identifier, or the key of the request; and of many refusals there are only some samples."""
    async with loopback_serving() as server, running(tmp_path, **SETTINGS | {"stripe_api_base": server.url}) as app:
        tenant = await subscribed(app, "shop", "cus_1")
        await use(app, tenant, queries=3, pages=2)
        await app.db.write(lambda conn: conn.execute("update usage_ledger set created_at = '2026-11-20T09:10:00.000Z'"))
        await seal(app)
        events = await reported(app)
        refused = events["queries"].identifier + ("" if named_by == "identifier" else ".1")
        sample = {"error_message": "No such customer.", "request": {"identifier": refused}}
        kind = {"code": "meter_event_customer_not_found", "error_count": 12, "sample_errors": [sample]}
        data = {"developer_message_summary": "12 of them.", "reason": {"error_count": 12, "error_types": [kind]}}
        told = {"id": "evt_1", "object": "v2.core.event", "type": REPORT, "data": data}
        server.answers["/v2/core/events/evt_1"] = answer(json.dumps(told).encode(), content_type="application/json")
        async with connect(app.settings) as stripe:
            for _ in range(2):
                await take_in(app, "evt_1", kind=REPORT)
                await Inbox(app, stripe).handle_due()
        assert await states(app) == [("evt_1", "done", "")]
        events = await reported(app)
        assert (events["queries"].status, events["pages"].status) == ("parked", "pending")
