"""Time-based one-time passwords (RFC 6238: HMAC-SHA1, 6 digits, 30 s), as authenticator apps make them."""

import base64
import hmac
import secrets
import struct
import time
from urllib.parse import quote

STEP_S = 30
DIGITS = 6
_SECRET_BYTES = 20
_DRIFT_STEPS = 1  # RFC 6238, section 5.2: one step for the way and for clocks that differ


def new_secret() -> str:
    """160 random bits, base32."""
    return base64.b32encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def code(secret: str, step: int) -> str:
    """The code of a time step (RFC 4226, section 5.3)."""
    digest = hmac.digest(base64.b32decode(secret), struct.pack(">Q", step), "sha1")
    offset = digest[-1] & 0xF
    number: int = struct.unpack_from(">I", digest, offset)[0] & 0x7FFFFFFF
    return str(number % 10**DIGITS).zfill(DIGITS)


def step_of(secret: str, given: str, time_s: float | None = None) -> int | None:
    """The time step that a code is of, one early or late at most; None for a wrong one."""
    if not given.isascii():
        return None
    current = int((time.time() if time_s is None else time_s) // STEP_S)
    near = range(current - _DRIFT_STEPS, current + _DRIFT_STEPS + 1)
    return next((step for step in near if hmac.compare_digest(code(secret, step).encode(), given.encode())), None)


def uri(secret: str, account: str, issuer: str) -> str:
    """What the QR code says (Google Authenticator's key URI format)."""
    return f"otpauth://totp/{quote(f'{issuer}:{account}')}?secret={secret}&issuer={quote(issuer)}"
