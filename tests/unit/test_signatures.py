"""Signatures of webhooks, against the published libraries that verify them."""

import json
import time
from dataclasses import replace
from typing import Any

import pytest
from standardwebhooks import Webhook as StandardWebhook
from standardwebhooks import WebhookVerificationError
from stripe import SignatureVerificationError, WebhookSignature

from flowchat.domain import WebhookEvent
from flowchat.services import events, signatures

BODY = b'{"id":"evt_1","data":{"title":"Gr\\u00fc\\u00dfe"}}'
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
EVENT = WebhookEvent("evt_1", "ten_1", "version.indexed", {"version": "ver_1"}, "2026-11-23T03:24:00.000Z")


def signed(timestamp: int | None = None, former_secret: str | None = None) -> dict[str, str]:
    return signatures.headers("evt_1", timestamp or int(time.time()), BODY, SECRET, former_secret)


def stripe_header(headers: dict[str, str], name: str = "X-FlowChat-Signature") -> str:
    """Ours in Stripe's form: the scheme is the same."""
    return f"t={headers['X-FlowChat-Timestamp']},v1={headers[name]}"


def stripe_accepts(body: bytes, header: str, secret: str) -> bool:
    try:
        return bool(WebhookSignature.verify_header(body.decode(), header, secret, tolerance=300))
    except SignatureVerificationError:
        return False


def standard_accepts(body: bytes, headers: dict[str, str], secret: str) -> bool:
    try:
        StandardWebhook(secret).verify(body, headers)
    except WebhookVerificationError:
        return False
    return True


def test_secrets_are_what_standard_webhooks_asks_for() -> None:
    made = {signatures.new_secret() for _ in range(20)}
    assert len(made) == 20
    for secret in made:
        assert secret.startswith("whsec_") and len(secret) == len("whsec_") + 32
        StandardWebhook(secret)


def test_the_contract_s_formula() -> None:
    # printf '%s' '1700000000.{"a":1}' | openssl dgst -sha256 -hmac whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw
    headers = signatures.headers("evt_1", 1700000000, b'{"a":1}', SECRET, None)
    assert headers["X-FlowChat-Signature"] == "b6974ac6d7fd2ac6e37c3cea117ba7ee3cfde56b98ea4e8b5fb26b9fee534ba7"
    assert "X-FlowChat-Signature-New" not in headers


def test_stripe_s_library_verifies_ours() -> None:
    headers = signed()
    assert stripe_accepts(BODY, stripe_header(headers), SECRET)
    assert not stripe_accepts(BODY + b" ", stripe_header(headers), SECRET)
    assert not stripe_accepts(BODY, stripe_header(headers), signatures.new_secret())
    assert not stripe_accepts(BODY, stripe_header(signed(int(time.time()) - 360)), SECRET)


def test_standardwebhooks_verifies_ours() -> None:
    headers = signed()
    assert standard_accepts(BODY, headers, SECRET)
    assert not standard_accepts(BODY + b" ", headers, SECRET)
    assert not standard_accepts(BODY, {**headers, "webhook-id": "evt_2"}, SECRET)
    assert not standard_accepts(BODY, headers, signatures.new_secret())
    assert not standard_accepts(BODY, signed(int(time.time()) - 360), SECRET)


def test_both_secrets_sign_during_a_rotation() -> None:
    former = signatures.new_secret()
    headers = signed(former_secret=former)
    assert stripe_accepts(BODY, stripe_header(headers), former)
    assert stripe_accepts(BODY, stripe_header(headers, "X-FlowChat-Signature-New"), SECRET)
    assert len(headers["webhook-signature"].split(" ")) == 2
    assert standard_accepts(BODY, headers, former) and standard_accepts(BODY, headers, SECRET)


def test_a_body_has_the_contract_s_fields() -> None:
    body = events.body(EVENT)
    assert list(json.loads(body)) == ["id", "type", "created_at", "tenant_id", "data"]
    assert body == events.body(EVENT)


@pytest.mark.parametrize(
    "data",
    [
        {"error": "ü" * 20_000, "source": "src_1"},
        {"error": "x" * 25_000, "source": "src_1"},
        {"source": "src_1", **{f"field{n}": "x" * 990 for n in range(50)}},
        {"source": "src_1", "reasons": {f"reason {n}": n for n in range(5_000)}},
    ],
)
def test_a_body_stays_under_20_kilobytes(data: dict[str, Any]) -> None:
    body = events.body(replace(EVENT, data=data))
    assert len(body) < 20_000
    sent = json.loads(body)["data"]
    assert (sent["source"], sent["truncated"]) == ("src_1", True)
