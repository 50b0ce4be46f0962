"""What FLOWCHAT_SMTP_URL and FLOWCHAT_MAIL_FROM say."""

import pytest

from flowchat.errors import FlowChatError
from flowchat.net.mail import MailServer, server_of
from flowchat.settings import Settings

SENDER = "Acme Chat <chat@acme.example>"


def read(url: str, sender: str = SENDER) -> MailServer:
    server = server_of(Settings(smtp_url=url, mail_from=sender))
    assert server
    return server


def test_no_server() -> None:
    assert server_of(Settings()) is None


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtp://mail.example.com", ("smtp", "mail.example.com", 587, "", "")),
        ("smtps://mail.example.com/", ("smtps", "mail.example.com", 465, "", "")),
        ("smtp://ann:se%40cret%2F@mail.example.com:25", ("smtp", "mail.example.com", 25, "ann", "se@cret/")),
        ("smtps://ann%40shop.example:x@[::1]:4650", ("smtps", "::1", 4650, "ann@shop.example", "x")),
    ],
)
def test_servers(url: str, expected: tuple[object, ...]) -> None:
    server = read(url)
    assert (server.security, server.host, server.port, server.user, server.password) == expected


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("mail.example.com:25", "smtp://"),
        ("http://mail.example.com", "smtp://"),
        ("smtp://", "nothing may follow"),
        ("smtp://mail.example.com:many", "port"),
        ("smtp://mail.example.com:99999", "port"),
        ("smtp://ann:top/secret@mail.example.com", "port"),
        ("smtp://ann:topsecret#@mail.example.com", "port"),
        ("smtp://mail.example.com/topsecret", "nothing may follow"),
        ("smtp://topsecret@mail.example.com", "both"),
        ("smtp://[::1", "port"),
    ],
)
def test_what_is_no_server(url: str, told: str) -> None:
    with pytest.raises(FlowChatError, match=told) as caught:
        read(url)
    assert caught.value.param == "FLOWCHAT_SMTP_URL"
    assert "secret" not in caught.value.message


@pytest.mark.parametrize("sender", ["", "Acme", "Acme <>", "chat@", "a@b\r\nBcc: x@y.example", "ännä@shop.example"])
def test_what_is_no_sender(sender: str) -> None:
    with pytest.raises(FlowChatError, match="FLOWCHAT_MAIL_FROM") as caught:
        read("smtp://mail.example.com", sender)
    assert caught.value.param == "FLOWCHAT_MAIL_FROM"


def test_senders() -> None:
    assert (read("smtp://x", "chat@acme.example").sender_name, read("smtp://x").sender) == ("", "chat@acme.example")
    assert read("smtp://x", '"Müller, Sons" <chat@acme.example>').sender_name == "Müller, Sons"


def test_a_password_is_not_shown() -> None:
    assert "secret" not in repr(read("smtp://ann:secret@mail.example.com"))
