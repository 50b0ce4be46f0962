"""Who may call, and in which version of the API."""

import base64
import binascii
import re

from flowchat.stripe_fake.refusals import Malformed

_VERSION = re.compile(r"\d{4}-\d\d-\d\d\.[a-z]+")


def check_caller(authorization: str, version: str) -> None:
    """Raises Malformed."""
    key = _api_key(authorization)
    if not key:
        raise Malformed(
            "You did not provide an API key. You need to provide your API key in the Authorization header, using "
            "Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY'). See "
            "https://stripe.com/docs/api#authentication for details.",
            status=401,
        )
    if not key.startswith(("sk_test_", "rk_test_")):
        start = "_".join(key.split("_")[:2])
        raise Malformed(f"Invalid API Key provided: {start}_****{key[-4:]}", status=401)
    if not _VERSION.fullmatch(version):
        # The real one would take the account's version, which is not the one that the code was written for.
        raise Malformed(f"Invalid Stripe API version: {version or '(no Stripe-Version header)'}")


def _api_key(header: str) -> str:
    scheme, _, value = header.partition(" ")
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return value.strip() if scheme.lower() == "bearer" else ""
