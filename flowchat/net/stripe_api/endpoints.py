"""Where Stripe sends its events to, and whether what comes is from Stripe."""

import json
from dataclasses import dataclass
from typing import Any

import stripe as library

from flowchat.billing import StripeEvent
from flowchat.domain import now
from flowchat.errors import FlowChatError
from flowchat.net.stripe_api.client import Stripe, StripeFailure, failures
from flowchat.net.stripe_api.times import moment_of

TOLERANCE_S = 300
SUBSCRIPTION_EVENTS = (
    "checkout.session.completed",
    "customer.subscription.created",
    "customer.subscription.updated",
    "customer.subscription.deleted",
    "customer.subscription.paused",
    "customer.subscription.resumed",
    "invoice.paid",
    "invoice.payment_failed",
)
# These come without their contents ("thin"), by an endpoint of their own.
METER_EVENTS = ("v1.billing.meter.error_report_triggered",)


async def create_endpoints(stripe: Stripe, url: str) -> tuple[str, str]:
    """One for what happens to subscriptions and one for what meters refuse; returns their secrets."""
    snapshots: Any = {"url": url, "enabled_events": list(SUBSCRIPTION_EVENTS), "api_version": library.api_version}
    thin: Any = {
        "name": "FlowChat: usage that is refused",
        "type": "webhook_endpoint",
        "event_payload": "thin",
        "enabled_events": list(METER_EVENTS),
        "webhook_endpoint": {"url": url},
        "include": ["webhook_endpoint.signing_secret"],
    }
    with failures():
        first = (await stripe.api.v1.webhook_endpoints.create_async(snapshots)).to_dict()
    try:
        with failures():
            second = (await stripe.api.v2.core.event_destinations.create_async(thin)).to_dict()
    except StripeFailure:
        with failures():  # its secret is told only once, by the end of this
            await stripe.api.v1.webhook_endpoints.delete_async(first["id"])
        raise
    return first["secret"], second["webhook_endpoint"]["signing_secret"]


async def endpoint_urls(stripe: Stripe) -> list[str]:
    """Of those that are enabled."""
    with failures():
        listed = await stripe.api.v1.webhook_endpoints.list_async({"limit": 100})
    return [endpoint.url for endpoint in listed.data if endpoint.status == "enabled"]


def verify(body: bytes, signature: str, secrets: list[str]) -> StripeEvent:
    """The event that Stripe sent. Raises FlowChatError `bad_signature`, and `bad_event` for what is none."""
    _check_signature(body, signature, secrets)
    try:
        told = json.loads(body)
        created = told["created"]
        return StripeEvent(
            id=told["id"],
            type=told["type"],
            body=body.decode(),
            created_at=moment_of(created) if isinstance(created, int) else str(created),
            received_at=now(),
        )
    except (ValueError, KeyError, TypeError):
        raise FlowChatError("bad_event", "This is signed, but no event of Stripe's.") from None


def _check_signature(body: bytes, signature: str, secrets: list[str]) -> None:
    reason = "its signature is none"
    for secret in secrets if signature.isascii() else ():
        try:
            library.WebhookSignature.verify_header(body, signature, secret, TOLERANCE_S)
            return
        except (library.SignatureVerificationError, UnicodeDecodeError) as error:
            reason = str(error)
    raise FlowChatError("bad_signature", f"This is not known to be from Stripe: {reason}", param="Stripe-Signature")


@dataclass(frozen=True, slots=True)
class MeterErrors:
    """What meters have refused: (what request, why). They are samples, of which there may be more than these."""

    summary: str
    refused: list[tuple[str, str]]


async def meter_errors(stripe: Stripe, event_id: str) -> MeterErrors:
    """What an event of METER_EVENTS tells."""
    with failures():
        told = (await stripe.api.v2.core.events.retrieve_async(event_id)).to_dict()["data"]
    refused = [
        (sample["request"]["identifier"], str(sample.get("error_message") or kind["code"]))
        for kind in told["reason"]["error_types"]
        for sample in kind["sample_errors"]
    ]
    return MeterErrors(told.get("developer_message_summary") or "No reason is given.", refused)
