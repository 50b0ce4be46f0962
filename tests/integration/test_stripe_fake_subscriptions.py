"""Subscriptions of the fake of Stripe: Checkout, renewals with usage, changes, failed payments, the portal, the end."""

from typing import Any

import pytest
import stripe
from stripe_faking import BACK, START, Shop, metered_price, shop
from test_stripe_fake import refusal

DAY_S = 24 * 3600
DECEMBER = START + 15 * DAY_S


async def test_checkout() -> None:
    """In the middle of a month, half of it is paid; the periods are the months from then on."""
    async with shop() as world:
        params: Any = {
            "mode": "subscription",
            "customer": world.customer,
            "client_reference_id": "ten_1",
            "line_items": [{"price": world.base, "quantity": 1}, {"price": world.metered}],
            "subscription_data": {"billing_cycle_anchor": DECEMBER, "metadata": {"tenant": "ten_1"}},
            "metadata": {"a": "b"},
            "success_url": f"{BACK}?session={{CHECKOUT_SESSION_ID}}",
            "cancel_url": "http://127.0.0.1:1/canceled",
        }
        sessions = world.api.v1.checkout.sessions
        session = await sessions.create_async(params)
        assert (session.status, session.payment_status, session.subscription) == ("open", "unpaid", None)
        assert session.url and session.url.startswith(f"{world.fake.url}/checkout/cs_test_")
        page = await world.fake.client.get(session.url)
        for text in ("14.50 EUR", "29.00 EUR a month", "101 on: 0.5 EUR cents each", "/canceled", "declined later"):
            assert text in page.text
        assert "form-action 'self' http://127.0.0.1:1" in page.headers["Content-Security-Policy"]
        paid = await world.fake.press(session.url, "pay")
        assert (paid.status_code, paid.headers["Location"]) == (303, f"{BACK}?session={session.id}")

        session = await sessions.retrieve_async(session.id, {"expand": ["subscription", "line_items"]})
        assert (session.status, session.payment_status, session.amount_total) == ("complete", "paid", 1450)
        assert session.line_items and [each.quantity for each in session.line_items.data] == [1, None]
        subscription: Any = session.to_dict()["subscription"]
        assert (subscription["status"], subscription["metadata"]) == ("active", {"tenant": "ten_1"})
        for item in subscription["items"]["data"]:
            assert (item["current_period_start"], item["current_period_end"]) == (START, DECEMBER)
        assert await world.invoices() == [("paid", 1450)]
        types = await world.event_types()
        assert types[-6:] == [
            "customer.subscription.created",
            "invoice.created",
            "invoice.finalized",
            "invoice.paid",
            "invoice.payment_succeeded",
            "checkout.session.completed",
        ]
        again = await world.fake.press(f"/checkout/{session.id}", "pay")
        assert again.status_code == 200 and "14.50 EUR was paid" in again.text
        assert len((await world.api.v1.subscriptions.list_async({"customer": world.customer})).data) == 1


@pytest.mark.parametrize(
    ("data", "total"), [({"proration_behavior": "none"}, 0), ({"proration_behavior": "create_prorations"}, 1450)]
)
async def test_the_rest_of_the_first_month_may_be_free(data: dict[str, Any], total: int) -> None:
    async with shop() as world:
        await world.subscribe(**data)
        assert await world.invoices() == [("paid", total)]
        await world.fake.advance(days=15, hours=2)
        assert await world.invoices() == [("paid", total), ("paid", 2900)]


async def test_without_an_anchor_periods_begin_with_the_subscription() -> None:
    async with shop() as world:
        subscription = await world.subscribe(anchor_day=None)
        assert await world.invoices() == [("paid", 2900)]
        item = (await world.api.v1.subscriptions.retrieve_async(subscription)).to_dict()["items"]["data"][0]
        assert item["current_period_end"] == START + 30 * DAY_S


async def test_sessions_that_can_not_be_paid() -> None:
    async with shop() as world:
        sessions = world.api.v1.checkout.sessions
        fine: Any = {
            "mode": "subscription",
            "customer": world.customer,
            "line_items": [{"price": world.base, "quantity": 1}],
            "success_url": BACK,
        }
        twice = [{"price": world.base, "quantity": 1}] * 2
        for changes, param in (
            ({"line_items": [{"price": world.base}]}, "line_items[0]"),
            ({"line_items": [{"price": world.metered, "quantity": 1}]}, "line_items[0][price]"),
            ({"line_items": twice}, "line_items[1][price]"),
            ({"line_items": [{"price": "none"}]}, "line_items[0][price]"),
            ({"subscription_data": {"billing_cycle_anchor": START}}, "subscription_data[billing_cycle_anchor]"),
            (
                {"subscription_data": {"billing_cycle_anchor": START + 40 * DAY_S}},
                "subscription_data[billing_cycle_anchor]",
            ),
            ({"customer": "none"}, "customer"),
            ({"success_url": "javascript:alert(1)"}, "success_url"),
            ({"mode": "payment"}, "mode"),
            ({"expires_at": START + 60}, "expires_at"),
        ):
            some: Any = {**fine, **changes}
            assert (await refusal(sessions.create_async(some)))["param"] == param, changes

        old = await sessions.create_async(fine)
        await world.fake.advance(days=1)
        assert (await sessions.retrieve_async(old.id)).status == "expired"
        assert "expired" in (await world.fake.press(f"/checkout/{old.id}", "pay")).text
        new = await sessions.create_async(fine)
        assert (await sessions.expire_async(new.id)).status == "expired"
        assert (await refusal(sessions.expire_async(new.id)))["status"] == 400
        assert await world.fake.objects("subscription") == []
        assert (await world.fake.client.get("/checkout/none")).status_code == 404


async def test_who_is_no_customer_yet_becomes_one() -> None:
    async with shop() as world:
        session = await world.api.v1.checkout.sessions.create_async(
            {
                "mode": "subscription",
                "customer_email": "new@acme.example",
                "line_items": [{"price": world.base, "quantity": 2}],
                "success_url": BACK,
            }
        )
        await world.fake.press(session.url or "", "pay")
        paid = await world.api.v1.checkout.sessions.retrieve_async(session.id, {"expand": ["customer"]})
        assert paid.customer and not isinstance(paid.customer, str)
        assert (paid.customer.email, paid.amount_total) == ("new@acme.example", 5800)


async def test_renewals_bill_the_usage_of_the_month() -> None:
    """Usage that is told of within an hour of the month's end is still on its invoice; later it is lost."""
    async with shop() as world:
        subscription = await world.subscribe()
        await world.use(150, "a")
        await world.fake.advance(days=15)
        assert await world.invoices() == [("paid", 1450), ("draft", 2900 + 25)]
        await world.use(50, "late", timestamp=DECEMBER - 1)
        await world.use(150, "next", timestamp=DECEMBER)
        await world.fake.advance(hours=1)
        assert await world.invoices() == [("paid", 1450), ("paid", 2900 + 50)]
        await world.use(1000, "too late", timestamp=DECEMBER - 1)
        await world.fake.advance(days=31)
        assert (await world.invoices())[2] == ("paid", 2900 + 25)
        fetched: Any = await world.api.v1.subscriptions.retrieve_async(subscription, {"expand": ["latest_invoice"]})
        lines = fetched.to_dict()["latest_invoice"]["lines"]["data"]
        assert [(line["amount"], line["quantity"]) for line in lines] == [(2900, 1), (25, 150)]
        assert lines[1]["period"] == {"start": DECEMBER, "end": DECEMBER + 31 * DAY_S}
        listed = await world.api.v1.invoices.list_async({"subscription": subscription, "status": "paid", "limit": 1})
        assert listed.has_more and listed.data[0].number and listed.data[0].number.endswith("-0003")
        assert (await world.api.v1.invoices.line_items.list_async(listed.data[0].id)).data[1].amount == 25


async def test_a_month_on_the_clock_is_many_things_in_their_order() -> None:
    async with shop() as world:
        await world.subscribe()
        await world.fake.advance(days=400)
        state = await world.fake.state()
        created = [event["created"] for event in state["events"] if event["type"].startswith("invoice.")]
        assert created == sorted(created)
        assert len(await world.invoices()) == 1 + 13


async def failing(world: Shop) -> str:
    """A subscription whose first renewal was not paid; returns its id."""
    subscription = await world.subscribe(button="pay_then_fail")
    await world.fake.advance(days=15, hours=1)
    return subscription


async def test_a_payment_that_fails_and_works_later() -> None:
    async with shop() as world:
        subscription = await failing(world)
        assert await world.status(subscription) == "past_due"
        [invoice, _] = (await world.api.v1.invoices.list_async({})).data
        assert (invoice.status, invoice.attempt_count) == ("open", 1)
        assert invoice.next_payment_attempt == DECEMBER + 3600 + 3 * DAY_S
        assert (await world.api.v1.customers.retrieve_async(world.customer)).delinquent
        declined = await refusal(world.api.v1.invoices.pay_async(invoice.id), stripe.CardError)
        assert (declined["status"], declined["code"], declined["type"]) == (402, "card_declined", "card_error")
        await world.fake.decline(world.customer, False)
        await world.fake.advance(days=5)
        assert await world.status(subscription) == "active"
        assert await world.invoices() == [("paid", 1450), ("paid", 2900)]
        previous = [
            event["data"]["previous_attributes"]["status"]
            for event in (await world.fake.state())["events"]
            if event["type"] == "customer.subscription.updated" and "status" in event["data"]["previous_attributes"]
        ]
        assert previous == ["active", "past_due"]
        assert not (await world.api.v1.customers.retrieve_async(world.customer)).delinquent
        paid = await refusal(world.api.v1.invoices.pay_async(invoice.id))
        assert paid["message"] == "Invoice is already paid"


@pytest.mark.parametrize(
    ("after_retries", "status"), [("unpaid", "unpaid"), ("cancel", "canceled"), ("past_due", "past_due")]
)
async def test_a_payment_that_never_works(after_retries: str, status: str) -> None:
    async with shop() as world:
        await world.fake.post("/settings", after_retries=after_retries)
        subscription = await failing(world)
        await world.fake.advance(days=14)
        assert await world.status(subscription) == "past_due"
        await world.fake.advance(days=1)
        assert await world.status(subscription) == status
        found = await world.api.v1.subscriptions.retrieve_async(subscription)
        reason = "payment_failed" if status == "canceled" else None
        assert found.cancellation_details and found.cancellation_details.reason == reason
        assert (await world.invoices())[-1] == ("open", 2900)


async def test_who_is_unpaid_gets_drafts_and_recovers_by_paying() -> None:
    async with shop() as world:
        subscription = await failing(world)
        await world.fake.advance(days=45)
        assert await world.status(subscription) == "unpaid"
        assert await world.invoices() == [("paid", 1450), ("open", 2900), ("draft", 2900)]
        portal = await world.portal()
        page = (await world.fake.client.get(portal)).text
        assert "A card that is declined" in page and "unpaid" in page
        await world.fake.press(portal, "pay")
        assert await world.status(subscription) == "unpaid"
        await world.fake.press(portal, "mend")
        await world.fake.press(portal, "pay")
        assert await world.status(subscription) == "active"


async def test_the_portal_cancels_at_the_end_of_the_period() -> None:
    """As Stripe's own does in flexible billing mode: with `cancel_at`, not with `cancel_at_period_end`."""
    async with shop() as world:
        subscription = await world.subscribe()
        portal = await world.portal()
        await world.fake.press(portal, "cancel")
        found = await world.api.v1.subscriptions.retrieve_async(subscription)
        assert (found.status, found.cancel_at, found.cancel_at_period_end) == ("active", DECEMBER, False)
        await world.fake.press(portal, "resume")
        found = await world.api.v1.subscriptions.retrieve_async(subscription)
        assert (found.cancel_at, found.canceled_at) == (None, None)
        await world.use(110, "a")
        await world.fake.press(portal, "cancel", subscription=subscription)
        await world.fake.advance(days=16)
        found = await world.api.v1.subscriptions.retrieve_async(subscription)
        assert (found.status, found.ended_at) == ("canceled", DECEMBER)
        assert await world.invoices() == [("paid", 1450), ("paid", 5)]
        assert (await world.event_types()).count("customer.subscription.deleted") == 1
        assert "It ended on 2026-12-01" in (await world.fake.client.get(portal)).text
        assert (await world.fake.press(portal, "cancel")).status_code == 404


async def test_the_portal_is_as_it_is_configured() -> None:
    async with shop() as world:
        await world.subscribe()
        configurations = world.api.v1.billing_portal.configurations
        made = await configurations.create_async(
            {"features": {"subscription_cancel": {"enabled": True, "mode": "immediately"}}, "default_return_url": BACK}
        )
        assert not made.is_default
        session = await world.api.v1.billing_portal.sessions.create_async(
            {"customer": world.customer, "configuration": made.id}
        )
        page = (await world.fake.client.get(session.url)).text
        assert "Cancel now" in page and "Payment method" not in page and f'href="{BACK}"' in page
        await configurations.update_async(made.id, {"features": {"invoice_history": {"enabled": True}}, "name": "A"})
        assert "Invoices" in (await world.fake.client.get(session.url)).text
        assert (await configurations.retrieve_async(made.id)).name == "A"
        assert len((await configurations.list_async({"is_default": True})).data) == 1
        await world.fake.press(session.url, "cancel")
        assert (await world.api.v1.subscriptions.list_async({"customer": world.customer})).data == []
        assert (await world.fake.press(session.url, "fly")).status_code == 400


async def test_canceling_over_the_api() -> None:
    async with shop() as world:
        subscriptions = world.api.v1.subscriptions
        first = await world.subscribe()
        await subscriptions.update_async(first, {"cancel_at_period_end": True})
        found = await subscriptions.update_async(first, {"cancel_at_period_end": False, "metadata": {"a": "b"}})
        assert (found.cancel_at, found.metadata.to_dict()) == (None, {"a": "b"})
        await world.use(120, "a")
        ended = await subscriptions.cancel_async(first, {"invoice_now": True})
        assert (ended.status, ended.ended_at) == ("canceled", START)
        assert await world.invoices() == [("paid", 1450), ("paid", 0)]  # usage of this very second comes later
        for call in (subscriptions.cancel_async(first), subscriptions.update_async(first, {"cancel_at": START + 60})):
            assert (await refusal(call))["status"] in (400, 404)
        second = await world.subscribe()
        await subscriptions.update_async(second, {"cancel_at": START + DAY_S})
        await world.fake.advance(days=2)
        listed = await subscriptions.list_async({"customer": world.customer, "status": "all"})
        assert [(each.id, each.status) for each in listed.data] == [(second, "canceled"), (first, "canceled")]
        assert (await subscriptions.list_async({"customer": world.customer})).data == []
        assert len((await subscriptions.list_async({"status": "ended", "price": world.base})).data) == 2


async def test_a_change_of_plan_is_prorated_and_usage_so_far_has_the_old_price() -> None:
    async with shop() as world:
        subscription = await world.subscribe()
        prices = world.api.v1.prices
        product = str((await prices.retrieve_async(world.base)).product)
        large = await prices.create_async(
            {"product": product, "currency": "eur", "unit_amount": 5900, "recurring": {"interval": "month"}}
        )
        cheaper = await metered_price(world.api, product, world.meter, 1000, "0.1")
        await world.use(300, "a")
        await world.fake.advance(days=5)
        fetched: Any = await world.api.v1.subscriptions.retrieve_async(subscription)
        base, metered = fetched.to_dict()["items"]["data"]
        changes: Any = {
            "items": [
                {"id": base["id"], "price": large.id},
                {"id": metered["id"], "deleted": True},
                {"price": cheaper},
            ],
            "proration_behavior": "create_prorations",
        }
        changed: Any = await world.api.v1.subscriptions.update_async(subscription, changes)
        items = changed.to_dict()["items"]["data"]
        assert items[0]["id"] == base["id"]
        assert [item["price"]["id"] for item in items] == [large.id, cheaper]
        await world.use(1100, "b")
        await world.fake.advance(days=10, hours=1)
        # 10 of 30 days: 967 back and 1967 due; 300 answers at the old price, 1,100 at the new one; the month to come.
        assert await world.invoices() == [("paid", 1450), ("paid", -967 + 1967 + 100 + 10 + 5900)]


async def test_changes_of_items_that_are_billed_at_once_or_not_at_all() -> None:
    async with shop() as world:
        subscription = await world.subscribe()
        fetched: Any = await world.api.v1.subscriptions.retrieve_async(subscription)
        base = fetched.to_dict()["items"]["data"][0]["id"]

        async def update(proration: Any, **item: Any) -> Any:
            params: Any = {"items": [item], "proration_behavior": proration}
            return await world.api.v1.subscriptions.update_async(subscription, params)

        await update("always_invoice", id=base, quantity=3)
        assert await world.invoices() == [("paid", 1450), ("paid", 2900)]
        await update("none", id=base, quantity=1)
        await update("always_invoice", id=base, metadata={"a": "b"})
        assert (await world.invoices())[2] == ("paid", 0)
        await update("always_invoice", id=base, quantity=0)
        assert (await world.invoices())[3] == ("paid", -1450)
        assert (await world.api.v1.customers.retrieve_async(world.customer)).balance == -1450
        await world.fake.advance(days=15, hours=1)
        assert (await world.api.v1.customers.retrieve_async(world.customer)).balance == -1450
        for item, param in (
            ({"id": "si_none", "quantity": 2}, "items[0][id]"),
            ({"quantity": 2}, "items[0][price]"),
            ({"price": world.metered}, "items[0][price]"),
        ):
            assert (await refusal(update("none", **item)))["param"] == param


async def test_the_start_page_shows_it_all_and_has_buttons() -> None:
    async with shop() as world:
        fake = world.fake
        subscription = await world.subscribe()
        await world.use(1234, "a")
        page = (await fake.client.get("/")).text
        for text in (world.customer, subscription, "14.50 EUR", "1,234", "POST /v1/billing/meter_events", "2026-11-16"):
            assert text in page
        await fake.press("/", "advance_month")
        await fake.press("/", "fail", customer=world.customer)
        for _ in range(16):
            await fake.press("/", "advance_day")
        assert await world.status(subscription) == "past_due"
        await fake.press("/", "mend", customer=world.customer)
        for _ in range(3):
            await fake.press("/", "advance_day")
        assert await world.status(subscription) == "active"
        await fake.press("/", "outage_on")
        assert "There is an outage" in (await fake.client.get("/")).text
        await fake.press("/", "outage_off")
        assert await world.status(subscription) == "active"
        assert (await fake.press("/", "fly")).status_code == 400
        invoice = (await world.api.v1.invoices.list_async({"limit": 2})).data[1]
        assert invoice.hosted_invoice_url
        assert "1234 of Starter: answers" in (await fake.client.get(invoice.hosted_invoice_url)).text
        assert (await fake.press(invoice.hosted_invoice_url, "pay")).status_code == 303
