"""Events as Stripe sends and signs them."""

import hashlib
import hmac
import json
import time
from typing import Any

import httpx
from web_server import Served

from flowchat.services import stripe_inbox
from flowchat.services.context import Context

SECRET = "whsec_of_tests"
SETTINGS: dict[str, Any] = {"stripe_api_key": "sk_test_flowchat", "stripe_webhook_secret": SECRET}
CREATED = 1_795_480_000  # 2026-11-24


def event(ident: str, kind: str = "customer.subscription.updated", customer: str = "cus_1") -> bytes:
    """One whose contents are wrong but for the customer: they are not looked at."""
    told = {"id": "sub_unknown", "object": "subscription", "customer": customer, "status": "active"}
    return json.dumps(
        {"id": ident, "object": "event", "type": kind, "created": CREATED, "data": {"object": told}}
    ).encode()


def signature(body: bytes, *secrets: str, age_s: float = 0) -> str:
    """The header of a request that was made so long ago."""
    sent_at = int(time.time() - age_s)
    told = [hmac.new(secret.encode(), b"%d.%s" % (sent_at, body), hashlib.sha256).hexdigest() for secret in secrets]
    return ",".join([f"t={sent_at}", *(f"v1={signed}" for signed in told)])


async def send(served: Served, body: bytes, signed: str | None = None) -> httpx.Response:
    """By Stripe, unless it is signed otherwise."""
    headers = {"Stripe-Signature": signature(body, SECRET) if signed is None else signed}
    return await served.client.post("/v1/stripe/events", content=body, headers=headers)


async def take_in(
    app: Context, *idents: str, customer: str = "cus_1", kind: str = "customer.subscription.updated"
) -> None:
    for ident in idents:
        body = event(ident, kind, customer)
        await stripe_inbox.receive(app, body, signature(body, SECRET))


async def states(app: Context) -> list[tuple[str, str, str]]:
    """(id, status, error) of all events, in the order in which they came."""
    rows = await app.db.rows("select id, status, error from stripe_events order by received_at, rowid")
    return [(row["id"], row["status"], row["error"] or "") for row in rows]


async def letters(app: Context) -> list[tuple[str, str]]:
    """(recipient, subject) of all e-mails, oldest first."""
    rows = await app.db.rows("select recipient, subject from emails order by rowid")
    return [(row["recipient"], row["subject"]) for row in rows]
