"""Entries of the log: one line each, without secrets, and with what they are part of."""

import asyncio
import json
import logging
from concurrent.futures import ThreadPoolExecutor
from io import StringIO

import pytest
from log_reading import reading_log

from flowchat import logs
from flowchat.engines.bridge import Emit, stream_from_thread, to_its_end
from flowchat.logs import Work
from flowchat.redaction import Redactor
from flowchat.settings import Settings

log = logging.getLogger("flowchat.tests")
FORGED = "2026-11-24T00:00:00.000Z CRITICAL flowchat: all is lost"
BREAKS = ["\n", "\r", "\r\n", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029", "\x1b[2K\x1b[1A", "\x00", "\u202e"]
SECRETS = [
    "kbk_live_0123456789abcdef0123456789abcdef",
    "kbk_test_0123456789abcdef0123456789abcdef",
    "fca_0123456789abcdef0123456789abcdef",
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "sk_live_51Hxyz0123456789abcdefghij",
    "rk_test_51Hxyz0123456789abcdefghij",
    "0123456789abcdef0123456789abcdef",
    "W3t9XQ.aRkQzw.bSxLrWq3m8Vd0f9gHjK2lZpXcV7",
]


@pytest.mark.parametrize("end", BREAKS)
def test_no_message_makes_a_line_of_its_own(end: str) -> None:
    with reading_log() as written:
        log.warning("asked for %s", f"x{end}{FORGED}")
        try:
            raise ValueError(f"x{end}{FORGED}")
        except ValueError:
            log.exception("failed")
    assert all(char.isprintable() or char == "\n" for char in written.whole)
    first, second, *trace = written.text.splitlines()
    assert first.split()[1] == "WARNING" and second.split()[1] == "ERROR"
    assert trace and all(line.startswith("    ") for line in trace)
    assert [entry["level"] for entry in written.entries] == ["WARNING", "ERROR"]
    assert written.entries[0]["message"] == f"asked for x{end}{FORGED}"
    assert "Traceback" in written.entries[1]["exception"]


@pytest.mark.parametrize("secret", SECRETS)
def test_secrets_are_known_by_their_looks(secret: str) -> None:
    for text in (f"a {secret} b", f"key={secret}", f'{{"k": "{secret}"}}', f"({secret})", f"/x/{secret}?y"):
        assert secret not in Redactor().redact(text), text


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("Authorization: Bearer abcdef", "abcdef"),
        ("{'authorization': 'Basic dXNlcjpwYXNz'}", "dXNlcjpwYXNz"),
        ("[(b'Set-Cookie', b'flowchat-session=tell; Path=/')]", "tell"),
        ("cookie: __Host-flowchat-session=tell", "tell"),
        ("sent Bearer abcdef.ghi to it", "abcdef"),
        ("https://ann:hunter2@shop.example/x", "hunter2"),
        ("smtp://ann:p%40ss:word@mail.example:587", "p%40ss"),
        ("GET /admin/set-up/WyJ.a.b-c failed", "WyJ.a.b-c"),
        ("POST /signup/confirm/abcdefgh failed", "abcdefgh"),
        ('{"password": "hunter2", "name": "Ann"}', "hunter2"),
        ("{'conversation_token': 'tell-it'}", "tell-it"),
        ("token=tell-it&next=/", "tell-it"),
    ],
)
def test_secrets_are_known_by_their_places(text: str, hidden: str) -> None:
    assert hidden not in Redactor().redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "job job_01JDXK3V9Q2M8N5R7T1W4Y6Z8B: succeeded",
        "conversation_token is missing: it came with conversation_id.",
        "https://shop.example/reset/page and mail@shop.example",
        "Send an admin API key as 'Authorization: Bearer' in the header",
        "No more than 120 requests a minute (questions). Try again in 5 s.",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert Redactor().redact(text).startswith(text[:30])


def test_secrets_of_the_settings_are_known_word_for_word() -> None:
    settings = Settings(
        smtp_url="smtp://ann:p%40ssword@mail.example",
        stripe_webhook_secret="first-one, second-one",
        generator_api_key="k",
    )
    redact = Redactor(settings.secrets).redact
    assert redact("p%40ssword p@ssword first-one second-one") == "*** *** *** ***"
    assert redact("a key is kept") == "a key is kept", "one letter would be in every word"


async def test_what_is_done_is_known_in_tasks_threads_and_pools() -> None:
    told: list[str] = []

    def tell(emit: Emit | None = None) -> None:
        told.append(logs.current().request_id)

    with logs.doing(Work(request_id="req_1")), ThreadPoolExecutor(1) as pool:
        await asyncio.to_thread(tell)
        await to_its_end(tell)
        assert [piece async for piece in stream_from_thread(pool, tell)] == []
        await asyncio.create_task(asyncio.to_thread(tell))
        assert logs.headers() == {"X-Request-Id": "req_1"}
    assert told == ["req_1"] * 4
    assert logs.headers() == {}


def test_an_entry_says_what_it_is_part_of() -> None:
    with reading_log() as written, logs.doing(Work("req_1", "ten_1", "job_1")):
        log.info("done", extra={"fields": {"ms": 12}})
    (entry,) = written.entries
    assert {name: entry[name] for name in ("request_id", "tenant_id", "job_id", "ms", "logger", "message")} == {
        "request_id": "req_1",
        "tenant_id": "ten_1",
        "job_id": "job_1",
        "ms": 12,
        "logger": "flowchat.tests",
        "message": "done",
    }
    assert " INFO flowchat.tests [req_1 ten_1 job_1]: done" in written.text


def test_an_entry_that_cannot_be_written_tells_no_secret() -> None:
    written = StringIO()
    record = logging.LogRecord("flowchat.tests", logging.ERROR, "x.py", 7, "%d", ("secret-thing",), None)
    logs.handler("text", (), written).handle(record)
    assert written.getvalue() == "An entry could not be logged: flowchat.tests, line 7.\n"


def test_long_messages_are_cut() -> None:
    with reading_log() as written:
        log.info("x" * 100_000)
    assert len(json.dumps(written.entries[0])) < 2 * logs.MAX_MESSAGE_CHARS
