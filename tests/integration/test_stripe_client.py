"""What Stripe's answers, and their absence, mean for whoever would try again. (Its fake has tests of its own.)"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from loopback import Reader, Writer, answer, serving

from flowchat.billing import MeterEvent
from flowchat.errors import FlowChatError
from flowchat.net.stripe_api import meters
from flowchat.net.stripe_api.client import Refused, Stripe, StripeFailure, Unanswered, Unavailable, connect
from flowchat.settings import Settings

EVENT = MeterEvent(
    seq=1,
    identifier="ten_1-queries-2026-11-20T09",
    tenant_id="ten_1",
    stripe_customer="cus_1",
    metric="queries",
    hour="2026-11-20T09",
    value=12,
    attempts=3,
)
TAKEN = json.dumps({"object": "billing.meter_event", "identifier": EVENT.identifier}).encode()


def error(message: str, code: str = "") -> bytes:
    told = {"type": "invalid_request_error", "message": message} | ({"code": code} if code else {})
    return json.dumps({"error": told}).encode()


@asynccontextmanager
async def stripe_that(says: bytes | str, requests: list[str]) -> AsyncIterator[Stripe]:
    """It says those bytes to every request, or hangs, or resets the connection."""

    async def connected(reader: Reader, writer: Writer) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = int(head.lower().partition("content-length: ")[2].partition("\r\n")[0] or 0)
        requests.append(head + (await reader.readexactly(length)).decode())
        if isinstance(says, bytes):
            writer.write(says)
            await writer.drain()
        elif says == "hang":
            await asyncio.Event().wait()
        else:
            writer.transport.abort()

    async with serving(connected) as server:
        settings = Settings(stripe_api_key="sk_test_1", stripe_api_base=server.url)
        async with connect(settings, timeout_s=0.3) as stripe:
            yield stripe


async def failure_of(says: bytes | str) -> StripeFailure:
    """Of reporting the event; it is asked for only once, whatever comes of it."""
    requests: list[str] = []
    async with stripe_that(says, requests) as stripe:
        with pytest.raises(StripeFailure) as caught:
            await meters.report(stripe, EVENT)
    assert len(requests) == 1
    return caught.value


async def test_what_is_reported() -> None:
    requests: list[str] = []
    async with stripe_that(answer(TAKEN, type="application/json"), requests) as stripe:
        await meters.report(stripe, EVENT)
    [request] = requests
    assert request.startswith("POST /v1/billing/meter_events HTTP/1.1")
    assert "authorization: bearer sk_test_1" in request.lower()
    assert "idempotency-key: ten_1-queries-2026-11-20t09.3" in request.lower()
    assert "stripe-version: 20" in request.lower()
    assert "telemetry" not in request.lower()
    fields = set(request.rpartition("\r\n\r\n")[2].split("&"))
    assert fields == {
        "event_name=flowchat_queries",
        "identifier=ten_1-queries-2026-11-20T09",
        "timestamp=1795168799",  # 09:59:59
        "payload[stripe_customer_id]=cus_1",
        "payload[value]=12",
    }


async def test_what_stripe_has_already_is_delivered() -> None:
    duplicate = error(f"An event already exists with identifier {EVENT.identifier}.")
    async with stripe_that(answer(duplicate, status="400 Bad Request"), []) as stripe:
        await meters.report(stripe, EVENT)


@pytest.mark.parametrize("status", ["400 Bad Request", "402 Payment Required", "404 Not Found"])
async def test_what_is_refused(status: str) -> None:
    failure = await failure_of(answer(error("No such meter", "resource_missing"), status=status))
    assert isinstance(failure, Refused)
    assert (failure.code, failure.stripe_code) == ("stripe_refused", "resource_missing")
    assert "No such meter" in failure.message


@pytest.mark.parametrize("status", ["401 Unauthorized", "403 Forbidden"])
async def test_a_key_that_is_not_taken(status: str) -> None:
    failure = await failure_of(answer(error("Invalid API key"), status=status))
    assert isinstance(failure, Unavailable)
    assert "FLOWCHAT_STRIPE_API_KEY" in failure.message


async def test_too_many_calls() -> None:
    failure = await failure_of(answer(error("Slow down"), status="429 Too Many Requests", Retry_After="30"))
    assert isinstance(failure, Unavailable)
    assert failure.retry_after_s == 31


@pytest.mark.parametrize(
    "says",
    [
        answer(error("Down"), status="500 Internal Server Error"),
        answer(b"<h1>Bad gateway</h1>", status="502 Bad Gateway"),
        answer(error("Under way"), status="409 Conflict"),
        answer(b"not JSON"),
        b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{",
        "hang",
        "reset",
    ],
    ids=["500", "502", "409", "no JSON", "cut off", "hangs", "resets"],
)
async def test_what_nobody_knows(says: bytes | str) -> None:
    assert isinstance(await failure_of(says), Unanswered)


async def test_nobody_is_there() -> None:
    async with serving(lambda reader, writer: asyncio.sleep(0)) as server:
        settings = Settings(stripe_api_key="sk_test_1", stripe_api_base=server.url)
    async with connect(settings) as stripe:
        with pytest.raises(Unavailable, match="can't be reached"):
            await meters.report(stripe, EVENT)


async def test_without_a_key_nothing_is_billed() -> None:
    with pytest.raises(FlowChatError) as caught:
        async with connect(Settings()):
            raise AssertionError
    assert (caught.value.code, caught.value.status) == ("not_billed", 409)
