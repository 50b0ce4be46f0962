"""One-time passwords against RFC 6238, appendix B, whose SHA-1 codes have 8 digits: ours are their last 6."""

import base64

import pytest

from flowchat.services import totp

SECRET = base64.b32encode(b"12345678901234567890").decode()


@pytest.mark.parametrize(
    ("time_s", "code"),
    [
        (59, "287082"),
        (1111111109, "081804"),
        (1111111111, "050471"),
        (1234567890, "005924"),
        (2000000000, "279037"),
        (20000000000, "353130"),
    ],
)
def test_codes_of_the_rfc(time_s: int, code: str) -> None:
    assert totp.code(SECRET, time_s // totp.STEP_S) == code
    assert totp.step_of(SECRET, code, time_s) == time_s // totp.STEP_S


def test_a_step_early_or_late_is_taken() -> None:
    code = totp.code(SECRET, 100)
    assert [totp.step_of(SECRET, code, step * 30 + 15) for step in (98, 99, 100, 101, 102)] == [
        None,
        100,
        100,
        100,
        None,
    ]


@pytest.mark.parametrize("given", ["", "000000", "28708", "287 082", "\uff12\uff18\uff17\uff10\uff18\uff12", "\ud800"])
def test_what_is_no_code(given: str) -> None:
    assert totp.step_of(SECRET, given, 59) is None


def test_secrets_are_random_and_stand_in_the_uri() -> None:
    secret = totp.new_secret()
    assert len(base64.b32decode(secret)) == 20
    assert secret != totp.new_secret()
    uri = totp.uri(secret, "ann@shop.example", "FlowChat")
    assert uri == f"otpauth://totp/FlowChat%3Aann%40shop.example?secret={secret}&issuer=FlowChat"
