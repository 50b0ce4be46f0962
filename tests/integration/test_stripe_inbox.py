"""Events are handled by asking Stripe how things are: when it is there again, and after whatever happened meanwhile."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from appliance import operator, running
from clock import Clock
from loopback import answer, serving
from metered import LARGE, STARTER, add_plans, use
from signing_in import signed_in
from stripe_answers import ENDS, MISSING, NOW, REFUSED, listed, on_trial, path, stripes, world
from stripe_events import SECRET, SETTINGS, letters, signature, states, take_in
from web_server import serving as web_serving

from flowchat.billing import Plan, subscribe
from flowchat.domain import now
from flowchat.errors import FlowChatError
from flowchat.net.stripe_api.client import connect
from flowchat.net.stripe_api.times import moment_of, unix_of
from flowchat.services import stripe_inbox, stripe_sync, users
from flowchat.services.context import Context
from flowchat.services.stripe_inbox import Inbox
from flowchat.services.users import NewUser
from flowchat.store import audit_log, stripe_events, subscriptions
from flowchat.store.paging import Cursor


async def until(app: Context, is_so: Callable[[tuple[str, str, str]], bool]) -> None:
    """That is true of the first event."""
    while not is_so((await states(app))[0]):  # noqa: ASYNC110 (a test may poll)
        await asyncio.sleep(0.01)


async def test_an_event_makes_flowchat_look(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        here.server.answers[path()] = listed(stripes())
        await here.hears("evt_1")
        assert await states(here.app) == [("evt_1", "done", "")]
        found = await here.subscription()
        assert (found.plan_id, found.status, found.renews_at) == (STARTER.id, "active", ENDS)
        assert found.billed_from == found.started_at == "2026-11-24T08:00:00.000Z"
        assert (found.stripe_customer, found.stripe_subscription) == ("cus_1", "sub_1")
        assert await letters(here.app) == [("ann@shop.example", "Shop has the plan Starter now")]
        [entry] = await audit_log.page(
            here.app.db, here.tenant.id, Cursor(limit=9), operation="billing.update", target=None, actor="stripe"
        )
        assert entry.detail == {"status": "active", "renews_at": ENDS, "plan": "Starter"}
        before = await here.app.db.rows("select * from subscriptions")
        await here.hears("evt_1", "evt_2", "evt_3")
        assert await here.app.db.rows("select * from subscriptions") == before, "nothing new is told by another look"
        assert len(await letters(here.app)) == 1


async def test_what_an_event_says_is_not_believed(tmp_path: Path) -> None:
    """It says active, whatever Stripe says when it is asked."""
    async with world(tmp_path) as here:
        here.server.answers[path()] = listed(stripes(status="past_due"))
        await here.hears("evt_1")
        assert (await here.subscription()).status == "past_due"


async def test_while_stripe_is_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch, NOW)
    async with world(tmp_path) as here:
        async with connect(replace(here.app.settings, stripe_api_base="http://127.0.0.1:1")) as nowhere:
            away = Inbox(here.app, nowhere)
            await take_in(here.app, "evt_1", "evt_2")
            assert await away.handle_due() is False
            kept = [await stripe_events.get(here.app.db, ident) for ident in ("evt_1", "evt_2")]
            assert [(one.status, one.attempts) for one in kept if one] == [("pending", 1), ("pending", 0)]
            for _ in range(4):
                clock.go_on(minutes=15)
                await away.handle_due()
            [first, second] = await states(here.app)
            assert first[:2] == ("evt_1", "pending") and "can't be reached" in first[2]
            assert second[:2] == ("evt_2", "pending")
        here.server.answers[path()] = listed(stripes())
        clock.go_on(minutes=15)
        assert await here.inbox.handle_due() is True
        assert await states(here.app) == [("evt_1", "done", ""), ("evt_2", "done", "")]
        assert (await here.subscription()).status == "active"


@pytest.mark.parametrize(
    "says", [answer(status="500 Internal Server Error"), answer(b"no JSON"), REFUSED, listed({"id": "sub_1"})]
)
async def test_an_event_is_given_up_after_a_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, says: bytes
) -> None:
    clock = Clock(monkeypatch, NOW)
    async with world(tmp_path) as here:
        here.server.answers[path()] = says
        await take_in(here.app, "evt_1")
        for hours in (0, 1, 22, 1):
            clock.go_on(hours=hours)
            assert [state for _, state, _ in await states(here.app)] == ["pending"]
            await here.inbox.handle_due()
        [(_, status, error)] = await states(here.app)
        assert status == "failed" and len(error) > 20
        assert "evt_1 (customer.subscription.updated) is given up" in caplog.text
        failed = await stripe_events.last_failed(here.app.db)
        assert failed and failed.id == "evt_1"
        assert (await here.subscription()).status == "trialing", "as it was"
        here.server.answers[path()] = listed(stripes())
        await here.hears("evt_1")  # somebody sends it again from Stripe's dashboard
        assert await states(here.app) == [("evt_1", "done", "")]


async def test_one_that_is_refused_does_not_hold_the_others_up(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        here.server.answers[path("cus_other")] = REFUSED
        here.server.answers[path()] = listed(stripes())
        await take_in(here.app, "evt_1", customer="cus_other")
        await take_in(here.app, "evt_2")
        assert await here.inbox.handle_due() is True
        assert [status for _, status, _ in await states(here.app)] == ["pending", "done"]


async def test_what_is_ignored(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        here.server.answers[path("cus_other")] = listed(stripes(customer="cus_other"))
        await take_in(here.app, "evt_1", kind="customer.created")
        here.server.answers[path("cus_gone")] = MISSING
        await take_in(here.app, "evt_2", customer="cus_other")
        await take_in(here.app, "evt_2b", customer="cus_gone")
        body = json.dumps({"id": "evt_3", "type": "invoice.paid", "created": 1, "data": {"object": {}}}).encode()
        await stripe_inbox.receive(here.app, body, signature(body, SECRET))
        await here.inbox.handle_due()
        assert await states(here.app) == [
            ("evt_1", "ignored", "Nothing follows from events of this type."),
            ("evt_2", "ignored", "No tenant is cus_other."),
            ("evt_2b", "ignored", "No tenant is cus_gone."),
            ("evt_3", "ignored", "It names no customer."),
        ]


@pytest.mark.parametrize("kind", ["checkout.session.completed", "invoice.paid", "invoice.payment_failed"])
async def test_every_event_of_a_customer_makes_flowchat_look(tmp_path: Path, kind: str) -> None:
    async with world(tmp_path) as here:
        here.server.answers[path()] = listed(stripes())
        await take_in(here.app, "evt_1", kind=kind)
        await here.inbox.handle_due()
        assert (await here.subscription()).status == "active"


async def test_killed_between_keeping_and_handling(tmp_path: Path) -> None:
    """The next process goes on with what it finds in the folder."""
    async with serving() as server:
        settings = SETTINGS | {"stripe_api_base": server.url}
        async with running(tmp_path, **settings) as app:
            await add_plans(app)
            tenant = await on_trial(app, "shop", "cus_1")
            await take_in(app, "evt_1", "evt_2")
        server.answers[path()] = listed(stripes())
        async with running(tmp_path, **settings) as app, connect(app.settings) as stripe:
            await Inbox(app, stripe).handle_due()
            assert [status for _, status, _ in await states(app)] == ["done", "done"]
            found = await subscriptions.get(app.db, tenant.id)
            assert found and found.status == "active"
            assert len(await letters(app)) == 1


async def test_the_worker_goes_on_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stripe_inbox, "LOOK_S", 0.01)
    monkeypatch.setattr(stripe_inbox, "AWAY_S", 0.01)
    monkeypatch.setattr(stripe_inbox, "PAUSES_S", (0.02,))
    async with world(tmp_path) as here:
        here.server.answers[path()] = answer(status="503 Service Unavailable")
        worker = asyncio.create_task(here.inbox.run())
        await take_in(here.app, "evt_1")
        await until(here.app, lambda event: "answered 503" in event[2])
        here.server.answers[path()] = listed(stripes())
        await until(here.app, lambda event: event[1] == "done")
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)


async def test_a_look_that_began_earlier_is_not_stored_later(tmp_path: Path) -> None:
    """Somebody comes back from checkout, whose look takes long, while an event is handled."""
    async with world(tmp_path) as here:
        here.server.held[path()] = asyncio.Event()
        here.server.answers[path()] = listed(stripes(status="past_due"))
        slow = asyncio.create_task(stripe_sync.sync_tenant(here.app, here.tenant.id))
        while not here.server.requests:  # noqa: ASYNC110 (a test may poll)
            await asyncio.sleep(0.005)
        await take_in(here.app, "evt_1")
        handling = asyncio.create_task(here.inbox.handle_due())
        await asyncio.sleep(0.02)
        assert len(here.server.requests) == 1, "the second look waits for the first one"
        here.server.held.pop(path()).set()
        await slow
        assert (await here.subscription()).status == "past_due"
        here.server.answers[path()] = listed(stripes())
        await handling
        await here.hears("evt_2")
        assert (await here.subscription()).status == "active"


async def test_back_from_checkout(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        here.server.answers[path()] = listed(stripes())
        await stripe_sync.sync_tenant(here.app, here.tenant.id)
        assert (await here.subscription()).status == "active"
        without = await on_trial(here.app, "other", None)
        await stripe_sync.sync_tenant(here.app, without.id)
        assert (await here.subscription(without.id)).status == "trialing"


async def test_back_from_checkout_while_stripe_is_away(tmp_path: Path) -> None:
    async with world(tmp_path, stripe_api_base="http://127.0.0.1:1") as here:
        with pytest.raises(FlowChatError) as caught:
            await stripe_sync.sync_tenant(here.app, here.tenant.id)
    assert caught.value.code == "stripe_unavailable"


async def test_a_tenant_that_the_subscription_names(tmp_path: Path) -> None:
    """One without a plan so far, one that has had another customer, and one that is none."""
    async with world(tmp_path) as here:
        names = {"flowchat_tenant": (await operator(here.app)).tenant_id}
        here.server.answers[path("cus_2")] = listed(stripes("sub_2", customer="cus_2", metadata=names))
        here.server.answers["/v1/customers/cus_2"] = answer(b'{"id": "cus_2", "email": "Boss@Shop.example"}')
        await take_in(here.app, "evt_1", customer="cus_2")
        names = {"flowchat_tenant": here.tenant.id}
        newer = stripes("sub_3", customer="cus_3", metadata=names, created=unix_of(NOW))
        here.server.answers[path("cus_3")] = listed(newer)
        here.server.answers[path()] = listed(stripes(status="canceled"))
        await take_in(here.app, "evt_2", customer="cus_3")
        gone = stripes(customer="cus_4", metadata={"flowchat_tenant": "ten_gone"})
        here.server.answers[path("cus_4")] = listed(gone)
        await take_in(here.app, "evt_3", customer="cus_4")
        await here.inbox.handle_due()
        assert [status for _, status, _ in await states(here.app)] == ["done", "done", "ignored"]
        first = await here.subscription((await operator(here.app)).tenant_id)
        assert (first.plan_id, first.stripe_customer, first.email) == (STARTER.id, "cus_2", "boss@shop.example")
        moved = await here.subscription()
        assert (moved.status, moved.stripe_customer, moved.stripe_subscription) == ("active", "cus_3", "sub_3")


async def test_a_plan_that_an_operator_took_away_or_gave_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What Stripe tells of the subscription that was over before changes neither."""
    clock = Clock(monkeypatch, NOW)
    async with world(tmp_path) as here:
        over = stripes(status="canceled", metadata={"flowchat_tenant": here.tenant.id})
        here.server.answers["/v1/customers/cus_1"] = answer(b'{"id": "cus_1", "email": "ann@shop.example"}')
        here.server.answers[path()] = listed(over)
        await here.hears("evt_1")
        ended = await here.subscription()
        assert ended.status == "canceled"
        clock.go_on(days=1)
        given = subscribe(here.tenant.id, LARGE, ended, now())
        await here.app.db.write(lambda conn: subscriptions.put(conn, given))
        await here.hears("evt_2")
        assert await here.subscription() == given
        await here.app.db.write(lambda conn: subscriptions.delete(conn, here.tenant.id))
        await here.hears("evt_3")
        assert await subscriptions.get(here.app.db, here.tenant.id) is None
        assert [status for _, status, _ in await states(here.app)] == ["done"] * 3


async def test_a_customer_that_was_deleted_at_stripe(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        here.server.answers[path()] = listed(stripes())
        await here.hears("evt_1")
        over = stripes(status="canceled")
        here.server.answers["/v1/subscriptions/sub_1"] = answer(json.dumps(over).encode())
        for says in (MISSING, listed()):
            here.server.answers[path()] = says
            await here.hears(f"evt_{len(says)}")
            found = await here.subscription()
            assert (found.status, found.cancels_at) == ("canceled", NOW)
        assert [status for _, status, _ in await states(here.app)] == ["done"] * 3


async def test_a_price_that_is_of_no_plan(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The tenant keeps its plan; what is paid still counts."""
    async with world(tmp_path) as here:
        before = await here.subscription()
        odd = stripes(metadata={"flowchat_tenant": here.tenant.id})
        odd["items"]["data"][0]["price"] = {"id": "price_2", "product": "prod_2", "metadata": {}}
        here.server.answers[path()] = listed(odd)
        await here.hears("evt_1")
        found = await here.subscription()
        assert (found.plan_id, found.status) == (before.plan_id, "active")
        assert "sub_1 of tenant" in caplog.text and "flowchat_plan" in caplog.text


async def test_something_else_that_the_customer_pays_for(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        before = await here.subscription()
        hosting = stripes("sub_hosting")
        hosting["items"]["data"][0]["price"] = {"id": "price_2", "product": "prod_2", "metadata": {}}
        here.server.answers[path()] = listed(hosting)
        await here.hears("evt_1")
        assert await here.subscription() == before


async def test_whom_is_written_to(tmp_path: Path) -> None:
    """The subscription's address, else the customer's at Stripe, else the owners."""
    async with world(tmp_path) as here:
        tenant = await on_trial(here.app, "other", "cus_2", email="")
        boss = replace(await operator(here.app), tenant_id=tenant.id)
        for name, role in (("b", "owner"), ("c", "owner"), ("d", "editor")):
            await users.create(here.app, boss, NewUser(email=f"{name}@other.example", role=role))  # type: ignore[arg-type]
        here.server.answers["/v1/customers/cus_2"] = answer(b'{"id": "cus_2", "email": null}')
        here.server.answers[path("cus_2")] = listed(stripes(customer="cus_2"))
        await take_in(here.app, "evt_1", customer="cus_2")
        await here.inbox.handle_due()
        subject = "Other has the plan Starter now"
        assert await letters(here.app) == [("b@other.example", subject), ("c@other.example", subject)]
        here.server.answers["/v1/customers/cus_2"] = answer(b'{"id": "cus_2", "email": "pay@other.example"}')
        here.server.answers[path("cus_2")] = listed(stripes(customer="cus_2", status="past_due"))
        await take_in(here.app, "evt_2", customer="cus_2")
        await here.inbox.handle_due()
        assert (await letters(here.app))[2:] == [("pay@other.example", "A payment for Other has failed")]
        assert (await here.subscription(tenant.id)).email == "pay@other.example"


async def test_another_subscription_bills_what_was_used_under_the_former(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the unit, although the hour is not over: usage from before the new one's beginning has an event then."""
    clock = Clock(monkeypatch, "2026-11-24T08:10:00.000Z")
    async with world(tmp_path) as here:
        here.server.answers[path()] = listed(stripes())
        await here.hears("evt_1")
        await use(here.app, here.tenant, queries=3)
        clock.set("2026-11-24T08:31:00.000Z")
        begun = unix_of("2026-11-24T08:30:00.000Z")
        newer = stripes("sub_2", created=begun, start_date=begun)
        here.server.answers[path()] = listed(newer, stripes(status="canceled", ended_at=begun))
        await here.hears("evt_2")
        await use(here.app, here.tenant, queries=2)
        found = await here.subscription()
        assert (found.stripe_subscription, found.billed_from) == ("sub_2", moment_of(begun))
        rows = await here.app.db.rows("select value from meter_events")
        assert [row["value"] for row in rows] == [3]
        row = await here.app.db.row("select count(*) from usage_ledger where reported_in is null")
        assert row and row[0] == 2


async def test_all_are_looked_up_now_and_then(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Stripe forgets an event that FlowChat did not take for three days."""
    async with world(tmp_path) as here:
        await on_trial(here.app, "other", "cus_0")
        await on_trial(here.app, "third", None)
        here.server.answers[path("cus_0")] = REFUSED
        here.server.answers[path()] = listed(stripes())
        await stripe_sync.sync_all(here.app, here.stripe)
        assert (await here.subscription()).status == "active"
        assert "cus_0" in caplog.text
        here.server.answers[path("cus_0")] = answer(status="500 Internal Server Error")
        requests = len(here.server.requests)
        await stripe_sync.sync_all(here.app, here.stripe)
        asked = [request.split(" ")[1] for request in here.server.requests[requests:]]
        assert set(asked) == {path("cus_0")}, "nobody else is asked for while Stripe does not answer"


async def test_old_events_are_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch, NOW)
    async with world(tmp_path) as here:
        here.server.answers[path()] = listed(stripes())
        await here.hears("evt_1")
        await take_in(here.app, "evt_pending")
        later = now(100 * 24 * 3600)
        await here.app.db.write(lambda conn: stripe_events.postpone(conn, "evt_pending", later, "Not there."))
        clock.go_on(days=59)
        await here.hears("evt_2")
        await stripe_inbox.delete_old(here.app)
        assert len(await states(here.app)) == 3
        clock.go_on(days=2)
        await stripe_inbox.delete_old(here.app)
        assert [ident for ident, _, _ in await states(here.app)] == ["evt_pending", "evt_2"]


async def test_a_change_of_plan(tmp_path: Path) -> None:
    def of_plan(plan: Plan) -> bytes:
        found = stripes()
        found["items"]["data"][0]["price"]["metadata"]["flowchat_plan"] = plan.id
        return listed(found)

    async with world(tmp_path) as here:
        for number, plan in enumerate((STARTER, LARGE, STARTER)):
            here.server.answers[path()] = of_plan(plan)
            await here.hears(f"evt_{number}")
            assert (await here.subscription()).plan_id == plan.id
        assert len(await letters(here.app)) == 1


async def test_the_operator_sees_what_was_given_up(tmp_path: Path) -> None:
    async with web_serving(tmp_path, **SETTINGS) as served, signed_in(served, operator=True) as me:
        assert "could not be handled" not in (await me.client.get("/admin/stripe")).text
        await take_in(served.app, "evt_1")
        why = "Stripe refuses this: No such <customer>"
        await served.app.db.write(lambda conn: stripe_events.finish(conn, "evt_1", "failed", why))
        page = (await me.client.get("/admin/stripe")).text
        assert "could not be handled" in page and "evt_1" in page and "No such &lt;customer&gt;" in page
