"""Webhooks of the fake of Stripe: signed as the library wants it, until they are taken, in any order."""

import asyncio
import json
from typing import Any

import pytest
import stripe
from receiving import FAILURE, OK, Receiver
from receiving import receiver as receiving
from stripe_faking import WEBHOOK_SECRET, shop
from test_stripe_fake import refusal


def verified(receiver: Receiver, secret: str = WEBHOOK_SECRET) -> list[dict[str, Any]]:
    """What has arrived and is signed."""
    for request in receiver.requests:
        header = request.headers["stripe-signature"]
        stripe.WebhookSignature.verify_header(request.body, header, secret, 300)
    return [json.loads(request.body) for request in receiver.requests]


async def test_events_are_signed_and_tell_what_was_before() -> None:
    async with receiving() as receiver, shop(webhook_url=receiver.url) as world:
        await world.api.v1.customers.update_async(world.customer, {"name": "New"}, {"idempotency_key": "k1"})
        await world.fake.until_delivered()
        event = verified(receiver)[-1]
        assert (event["type"], event["api_version"]) == ("customer.updated", "2026-10-28.endive")
        assert event["data"]["object"]["name"] == "New"
        assert event["data"]["previous_attributes"] == {"name": "Acme"}
        assert event["request"]["idempotency_key"] == "k1" and event["request"]["id"].startswith("req_")
        with pytest.raises(stripe.SignatureVerificationError):
            verified(receiver, "whsec_other")
        fetched = await world.api.v1.events.retrieve_async(event["id"])
        assert fetched.to_dict() == event
        listed = await world.api.v1.events.list_async({"type": "customer.*"})
        assert [each.type for each in listed.data] == ["customer.updated", "customer.created"]
        await world.fake.advance(days=31)
        assert (await refusal(world.api.v1.events.retrieve_async(event["id"])))["status"] == 404


async def test_what_is_not_taken_is_sent_again() -> None:
    async with receiving() as receiver, shop(webhook_url=receiver.url) as world:
        await world.fake.until_delivered()
        receiver.requests.clear()
        receiver.behaviour = FAILURE
        await world.api.v1.customers.update_async(world.customer, {"name": "New"})
        await world.fake.until_delivered()
        [delivery] = [each for each in (await world.fake.state())["deliveries"] if not each["taken"]]
        assert (delivery["status"], delivery["attempts"], delivery["type"]) == (500, 1, "customer.updated")
        receiver.behaviour = OK
        await world.fake.advance(seconds=10)
        await world.fake.until_delivered()
        first, second = verified(receiver)
        assert first == second
        await world.fake.post(f"/events/{first['id']}/resend")
        await world.fake.until_delivered()
        assert verified(receiver)[2] == first


async def test_held_events_come_shuffled_and_doubled() -> None:
    async with receiving() as receiver, shop(webhook_url=receiver.url) as world:
        await world.fake.until_delivered()
        receiver.requests.clear()
        await world.fake.post("/webhooks", hold=True)
        await world.subscribe()
        await asyncio.sleep(0.1)
        assert receiver.requests == []
        sent = await world.fake.post("/webhooks/release", order="shuffled", duplicate=True, seed=3)
        ids = [request.event_id for request in receiver.requests]
        assert sent["sent"] == len(ids) == 2 * len(set(ids)) == 12
        made = [event["id"] for event in (await world.fake.state())["events"]]
        assert sorted(ids, key=made.index) != ids
        await world.fake.post("/webhooks", hold=False)
        await world.api.v1.customers.update_async(world.customer, {"name": "New"})
        await world.fake.until_delivered()
        assert verified(receiver)[-1]["type"] == "customer.updated"


async def test_endpoints_get_what_they_want() -> None:
    async with receiving() as receiver, shop() as world:
        endpoints = world.api.v1.webhook_endpoints
        made = await endpoints.create_async(
            {
                "url": receiver.url,
                "enabled_events": ["invoice.paid", "customer.updated"],
                "api_version": "2026-10-28.endive",
            }
        )
        assert made.secret and made.secret.startswith("whsec_")
        assert "secret" not in (await endpoints.retrieve_async(made.id)).to_dict()
        await world.subscribe()
        await world.fake.until_delivered()
        assert [event["type"] for event in verified(receiver, made.secret)] == ["invoice.paid"]
        await endpoints.update_async(made.id, {"disabled": True})
        await world.api.v1.customers.update_async(world.customer, {"name": "New"})
        await endpoints.update_async(made.id, {"disabled": False, "enabled_events": ["*"]})
        await world.api.v1.customers.update_async(world.customer, {"name": "Newer"})
        await world.fake.until_delivered()
        assert [each.status for each in (await endpoints.list_async()).data] == ["enabled"]
        assert (await endpoints.delete_async(made.id)).deleted
        await world.api.v1.customers.update_async(world.customer, {"name": "Newest"})
        await world.fake.until_delivered()
        assert [event["data"]["object"].get("name") for event in verified(receiver, made.secret)][1:] == ["Newer"]
        for url, events in (("ftp://a", ["*"]), (receiver.url, [])):
            params: Any = {"url": url, "enabled_events": events}
            await refusal(endpoints.create_async(params))


async def test_thin_events_come_without_their_data() -> None:
    async with receiving() as receiver, shop() as world:
        destinations = world.api.v2.core.event_destinations
        made = await destinations.create_async(
            {
                "name": "Refused usage",
                "type": "webhook_endpoint",
                "event_payload": "thin",
                "enabled_events": ["v1.billing.meter.error_report_triggered"],
                "webhook_endpoint": {"url": receiver.url},
                "include": ["webhook_endpoint.signing_secret"],
            }
        )
        assert made.webhook_endpoint and made.webhook_endpoint.signing_secret
        secret = made.webhook_endpoint.signing_secret
        world.customer = "cus_none"
        await world.use(1, "one")
        await world.fake.advance(seconds=1)
        await world.fake.until_delivered()
        [told] = verified(receiver, secret)
        assert (told["object"], "data" in told) == ("v2.core.event", False)
        request = receiver.requests[0]
        notification = world.api.parse_event_notification(request.body, request.headers["stripe-signature"], secret)
        # Its own `fetch_event_async` sends a parameter of the library's that Stripe doesn't know.
        event: Any = await world.api.v2.core.events.retrieve_async(notification.id)
        assert event.data.reason.error_types[0].code == "meter_event_customer_not_found"
        assert event.related_object.id == world.meter
        plain = await destinations.retrieve_async(made.id)
        assert plain.webhook_endpoint and plain.webhook_endpoint.signing_secret is None
        listed = await destinations.list_async({"include": ["webhook_endpoint.url"]})
        assert [each.webhook_endpoint.url for each in listed.data if each.webhook_endpoint] == [receiver.url]
        await destinations.delete_async(made.id)
        assert (await destinations.list_async()).data == []
