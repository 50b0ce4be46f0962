"""Whatever stands in a subject or a recipient, a letter has the headers it should have, and no other."""

import sys
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP

import pytest

from flowchat.net.mail import MailServer, compose, one_line

SERVER = MailServer("smtp", "mail.example.com", 587, "", "", "Müller, Sons", "chat@acme.example")
NAMES = ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted"]
NAMES += ["Content-Type", "Content-Transfer-Encoding", "MIME-Version"]
EVIL = "Bcc: victim@shop.example"
BREAKS = ["\r\n", "\n", "\r", "\v", "\f", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029", "\0", "\r\n\r\n"]


def headers(letter: bytes) -> list[str]:
    """The names of the headers, as they stand in the raw letter."""
    head = letter.partition(b"\r\n\r\n")[0]
    assert b"\n" not in head.replace(b"\r\n", b"") and b"\r" not in head.replace(b"\r\n", b"")
    return [line.partition(b":")[0].decode() for line in head.split(b"\r\n") if line[:1] not in b" \t"]


def read(letter: bytes) -> EmailMessage:
    message = message_from_bytes(letter, policy=SMTP)
    assert isinstance(message, EmailMessage)
    return message


def test_a_letter() -> None:
    letter = compose(SERVER, "ann@shop.example", "Größe?", "Hello,\n\näöü €\n.\n" + "x" * 2000 + "\n", "eml_1")
    message = read(letter)
    assert sorted(headers(letter)) == sorted(NAMES)
    assert (message["Subject"], message["To"], message["Message-ID"]) == (
        "Größe?",
        "ann@shop.example",
        "<eml_1@acme.example>",
    )
    assert str(message["From"]) == '"Müller, Sons" <chat@acme.example>'
    assert message.get_content().replace("\r\n", "\n") == "Hello,\n\näöü €\n.\n" + "x" * 2000 + "\n"
    assert letter.isascii() and max(len(line) for line in letter.split(b"\r\n")) < 998


@pytest.mark.parametrize("line_break", BREAKS, ids=ascii)
@pytest.mark.parametrize("before", ["Hi", "Hi " + "ü" * 60, "H" * 200, ""], ids=["short", "long", "unbroken", "none"])
def test_line_breaks_in_subjects(line_break: str, before: str) -> None:
    letter = compose(SERVER, "ann@shop.example", before + line_break + EVIL, "Hello", "eml_1")
    assert sorted(headers(letter)) == sorted(NAMES)
    assert "victim" not in str(read(letter)["To"]) and read(letter)["Bcc"] is None


@pytest.mark.parametrize(
    "subject",
    [
        "=?utf-8?q?Hi=0D=0ABcc:_victim@shop.example?=",
        "=?utf-8?b?SGkNCkJjYzogdmljdGltQHNob3AuZXhhbXBsZQ==?=",
        "=?utf-8?q?Hi?= =?utf-8?q?=0ABcc:_victim@shop.example?=",
        "==?utf-8?q??=?utf-8?q?=0ABcc:_victim@shop.example?=",
        "=\u200b?utf-8?q?=0ABcc:_victim@shop.example?=",
        "ü" * 70 + " =?utf-8?q?=0ABcc:_victim@shop.example?=",
    ],
)
def test_encoded_words_in_subjects(subject: str) -> None:
    """Python's email package decodes what looks like one, line breaks included (CVE-2024-6923)."""
    letter = compose(SERVER, "ann@shop.example", subject, "Hello", "eml_1")
    assert sorted(headers(letter)) == sorted(NAMES)
    assert read(letter)["Bcc"] is None


@pytest.mark.parametrize("recipient", ["john..doe@shop.example", ".a@shop.example", "a=b/c?{d}@shop.example"])
def test_odd_recipients(recipient: str) -> None:
    letter = compose(SERVER, recipient, "Hi", "Hello", "eml_1")
    assert sorted(headers(letter)) == sorted(NAMES)
    [address] = read(letter)["To"].addresses
    assert f"{address.username}@{address.domain}" == recipient


def test_one_line_of_every_character() -> None:
    text = "".join(map(chr, range(sys.maxunicode + 1)))
    assert len(one_line(text).splitlines()) == 1
