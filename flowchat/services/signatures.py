"""Signatures of webhooks: FlowChat's own headers, and those of Standard Webhooks (standardwebhooks.com) beside them."""

import base64
import hashlib
import hmac
import secrets

SECRET_PREFIX = "whsec_"  # noqa: S105 (Standard Webhooks' name for it)
_SECRET_BYTES = 24  # Standard Webhooks asks for 24 to 64; a multiple of 3 needs no padding


def new_secret() -> str:
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def headers(event_id: str, timestamp: int, body: bytes, secret: str, former_secret: str | None) -> dict[str, str]:
    """The headers that prove where a delivery comes from. `timestamp` is the attempt's, in Unix seconds.

    With a former secret (after a rotation), receivers that know either of the two accept it.
    """
    signed = {
        "X-FlowChat-Timestamp": str(timestamp),
        "X-FlowChat-Signature": _flowchat(timestamp, body, former_secret or secret),
        "webhook-id": event_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": _standard(event_id, timestamp, body, secret),
    }
    if former_secret is not None:
        signed["X-FlowChat-Signature-New"] = _flowchat(timestamp, body, secret)
        signed["webhook-signature"] += " " + _standard(event_id, timestamp, body, former_secret)
    return signed


def _flowchat(timestamp: int, body: bytes, secret: str) -> str:
    return hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()


def _standard(event_id: str, timestamp: int, body: bytes, secret: str) -> str:
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    digest = hmac.new(key, f"{event_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()
