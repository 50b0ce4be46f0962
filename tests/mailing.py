"""A mail server on loopback that keeps what it is given, and the sender of an appliance that a test runs."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP as POLICY
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from flowchat.net.mail import server_of
from flowchat.services.context import Appliance
from flowchat.services.mail import Postman

CERTIFICATE = Path(__file__).parent / "data/localhost.pem"  # key and certificate, good for 100 years
SENDER = "Acme Chat <chat@acme.example>"
USER, PASSWORD = "chat", "p@ss/word"
Reply = Callable[[str], str]


@dataclass
class Mailbox:
    """What came, as it came. `of_recipient` and `of_data` are replies, by the recipient; "": it is taken."""

    port: int = 0
    letters: list[EmailMessage] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    signed_in: list[bool] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)
    of_recipient: Reply = lambda recipient: ""
    of_data: Reply = lambda recipient: ""
    delay_s: float = 0

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if reply := self.of_recipient(address):
            return reply
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        await asyncio.sleep(self.delay_s)
        if reply := self.of_data(envelope.rcpt_tos[0]):
            return reply
        content = envelope.original_content or b""
        letter = message_from_bytes(content, policy=POLICY)
        assert isinstance(letter, EmailMessage)
        self.raw.append(content)
        self.letters.append(letter)
        self.signed_in.append(bool(session.authenticated))
        self.encrypted.append(session.ssl is not None)
        return "250 OK"

    def to(self, recipient: str) -> list[EmailMessage]:
        return [letter for letter in self.letters if str(letter["To"]) == recipient]

    async def until(self, count: int) -> list[EmailMessage]:
        """All letters, once there are so many."""
        while len(self.letters) < count:  # noqa: ASYNC110 (a test may poll)
            await asyncio.sleep(0.005)
        return self.letters


def text_of(letter: EmailMessage) -> str:
    return str(letter.get_content())


def link_in(letter: EmailMessage) -> str:
    """The one address on a line of its own."""
    [link] = [line for line in text_of(letter).splitlines() if line.startswith("http")]
    return link


def _tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    return context


def _authenticated(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
    is_right = isinstance(data, LoginPassword) and (data.login, data.password) == (USER.encode(), PASSWORD.encode())
    return AuthResult(success=is_right, handled=False)


@asynccontextmanager
async def mail_server(
    *, starttls: bool = False, smtps: bool = False, auth: bool = False, port: int = 0
) -> AsyncIterator[Mailbox]:
    mailbox = Mailbox()
    options: dict[str, Any] = {"hostname": "mail.test", "enable_SMTPUTF8": False}
    if starttls:
        options["tls_context"] = _tls()
    if auth:
        options |= {"authenticator": _authenticated, "auth_required": True, "auth_require_tls": starttls}
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(mailbox, **options), "127.0.0.1", port, ssl=_tls() if smtps else None
    )
    mailbox.port = server.sockets[0].getsockname()[1]
    try:
        yield mailbox
    finally:
        server.close()
        await server.wait_closed()


def settings_of(mailbox: Mailbox) -> dict[str, Any]:
    """Of an appliance that sends its e-mails there, unencrypted."""
    return {"smtp_url": f"smtp://127.0.0.1:{mailbox.port}", "mail_from": SENDER}


@asynccontextmanager
async def posting(app: Appliance) -> AsyncIterator[None]:
    """Its e-mails are sent meanwhile."""
    server = server_of(app.settings)
    assert server
    postman = Postman(app, server)
    app.wake_mail = postman.wake
    loop = asyncio.create_task(postman.run())
    try:
        yield
    finally:
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)
