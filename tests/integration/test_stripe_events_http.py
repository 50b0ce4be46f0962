"""POST /v1/stripe/events takes what Stripe has signed, once, and nothing else."""

import asyncio
import hashlib
import hmac
import time
from pathlib import Path

import httpx
import pytest
from stripe_events import SECRET, SETTINGS, event, send, signature
from web_server import Served, serving

from flowchat.store import stripe_events
from flowchat.store.database import open_database

OTHER = "whsec_of_others"


def assert_problem(answer: httpx.Response, status: int) -> None:
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"


async def stored(served: Served) -> int:
    return sum((await stripe_events.counts(served.app.db)).values())


async def test_an_event_is_kept(tmp_path: Path) -> None:
    async with serving(tmp_path, **SETTINGS) as served:
        answer = await send(served, event("evt_1"))
        assert (answer.status_code, answer.json()) == (200, {"received": True})
        kept = await stripe_events.get(served.app.db, "evt_1")
    assert kept
    assert (kept.type, kept.status, kept.attempts) == ("customer.subscription.updated", "pending", 0)
    assert kept.created_at == "2026-11-24T00:26:40.000Z"
    assert kept.body.encode() == event("evt_1")
    async with open_database(served.app.settings.database_path) as db:
        assert await stripe_events.get(db, "evt_1") == kept, "it is there for the next start"


async def test_a_duplicate_is_welcome_and_kept_once(tmp_path: Path) -> None:
    async with serving(tmp_path, **SETTINGS) as served:
        answers = [await send(served, event("evt_1")) for _ in range(3)]
        answers += await asyncio.gather(*(send(served, event(f"evt_{number % 3}")) for number in range(24)))
        assert {answer.status_code for answer in answers} == {200}
        assert await stored(served) == 3


async def test_an_event_that_failed_and_is_sent_by_hand_begins_anew(tmp_path: Path) -> None:
    async with serving(tmp_path, **SETTINGS) as served:
        db = served.app.db
        for ident, status in (("evt_1", "failed"), ("evt_2", "done"), ("evt_3", "ignored")):
            await send(served, event(ident))
            await db.write(lambda conn, i=ident, s=status: stripe_events.finish(conn, i, s, "Why."))  # type: ignore[misc]
            await send(served, event(ident))
        kept = [await stripe_events.get(db, f"evt_{number}") for number in (1, 2, 3)]
    assert [(one.status, one.error) for one in kept if one] == [
        ("pending", None),
        ("done", "Why."),
        ("ignored", "Why."),
    ]


BODY = event("evt_1")


@pytest.mark.parametrize(
    ("body", "header"),
    [
        (BODY, ""),
        (BODY, "nonsense"),
        (BODY, "t=,v1="),
        (BODY, f"t={int(time.time())}"),
        (BODY, signature(BODY, OTHER)),
        (BODY, signature(BODY, "")),
        (BODY, signature(BODY, SECRET).replace("v1=", "v0=")),
        (BODY, signature(BODY, SECRET, age_s=301)),
        (BODY, signature(BODY, SECRET).replace("t=", "t=9")),
        (BODY, signature(BODY, SECRET).upper()),
        (BODY, f"t={int(time.time())},v1=ümlaut"),
        (BODY + b" ", signature(BODY, SECRET)),
        (BODY.replace(b"cus_1", b"cus_2"), signature(BODY, SECRET)),
        (b"", signature(BODY, SECRET)),
        (b"\xff\xfe", signature(b"\xff\xfe", SECRET)),
        (BODY, "t=1,v1=" + hmac.new(SECRET.encode(), BODY, hashlib.sha256).hexdigest()),
    ],
    ids=[
        "none",
        "nonsense",
        "empty",
        "no signature",
        "wrong secret",
        "empty secret",
        "other scheme",
        "replayed after 5 minutes",
        "other time",
        "upper case",
        "not ASCII",
        "longer",
        "tampered",
        "no body",
        "no text",
        "without its time",
    ],
)
async def test_what_is_not_signed_is_refused(tmp_path: Path, body: bytes, header: str) -> None:
    async with serving(tmp_path, **SETTINGS) as served:
        sent = header.encode("latin-1")
        answer = await served.client.post("/v1/stripe/events", content=body, headers={b"Stripe-Signature": sent})
        assert_problem(answer, 400)
        assert (answer.json()["code"], answer.json()["param"]) == ("bad_signature", "Stripe-Signature")
        assert SECRET not in answer.text
        assert await stored(served) == 0


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{}", b'{"id":"evt_1"}', b'"text"', b"not JSON"])
async def test_what_is_signed_but_no_event(tmp_path: Path, body: bytes) -> None:
    async with serving(tmp_path, **SETTINGS) as served:
        answer = await send(served, body)
        assert_problem(answer, 400)
        assert answer.json()["code"] == "bad_event"
        assert await stored(served) == 0


async def test_secrets_that_are_rotated(tmp_path: Path) -> None:
    """Stripe signs with both for a day; and two endpoints have a secret each."""
    async with serving(tmp_path, **SETTINGS | {"stripe_webhook_secret": f"whsec_new, {SECRET}"}) as served:
        signed = [("whsec_new",), (SECRET,), (OTHER, "whsec_new"), (SECRET, "whsec_new")]
        for number, secrets in enumerate(signed):
            body = event(f"evt_{number}")
            assert (await send(served, body, signature(body, *secrets))).status_code == 200
        assert (await send(served, BODY, signature(BODY, OTHER))).status_code == 400
        assert await stored(served) == len(signed)


@pytest.mark.parametrize("missing", ["stripe_webhook_secret", "stripe_api_key"])
async def test_where_stripe_is_not_set_up(tmp_path: Path, missing: str) -> None:
    """Stripe tries again for three days: nothing is lost meanwhile."""
    async with serving(tmp_path, **{name: value for name, value in SETTINGS.items() if name != missing}) as served:
        answer = await send(served, BODY)
        assert_problem(answer, 503)
        assert "FLOWCHAT_STRIPE_WEBHOOK_SECRET" in answer.json()["detail"]
        assert await stored(served) == 0


async def test_limits_stop_only_what_is_not_stripes(tmp_path: Path) -> None:
    async with serving(tmp_path, calls_per_minute=2, **SETTINGS) as served:
        assert [(await send(served, BODY, "t=1,v1=2")).status_code for _ in range(4)] == [400, 400, 429, 429]
        assert (await served.client.get("/v1/nothing")).status_code == 429
        assert [(await send(served, event(f"evt_{number}"))).status_code for number in range(5)] == [200] * 5


async def test_size(tmp_path: Path) -> None:
    async with serving(tmp_path, **SETTINGS) as served:
        large = event("evt_1", customer="c" * 200 * 1024)
        assert (await send(served, large)).status_code == 200
        too_large = event("evt_2", customer="c" * 257 * 1024)
        assert_problem(await send(served, too_large), 413)
        assert await stored(served) == 1


async def test_no_credential_is_asked_for_and_none_helps(tmp_path: Path) -> None:
    async with serving(tmp_path, **SETTINGS) as served:
        answer = await served.call("POST", "/v1/stripe/events", content=BODY)
        assert_problem(answer, 400)
        assert (await served.client.get("/v1/stripe/events")).status_code == 405
