"""Sends e-mails: one letter through the mail server of the settings, by smtplib in a thread."""

import asyncio
import re
import smtplib
import ssl
import unicodedata
from dataclasses import dataclass, field
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, localtime, parseaddr
from ipaddress import ip_address
from typing import Literal
from urllib.parse import SplitResult, unquote, urlsplit

from flowchat.errors import FlowChatError
from flowchat.settings import Settings

TIMEOUT_S = 10.0  # of connecting, and of each answer
_PORTS = {"smtp": 587, "smtps": 465}  # RFC 6409 and RFC 8314: where mail programs hand letters in
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,253}")  # in ASCII, unquoted
_MOST_REPLY_CHARS = 300

Security = Literal["smtp", "smtps"]


class MailRefused(FlowChatError):
    """The mail server will never take this letter: another attempt would end the same."""


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where letters are handed in, and whom they are from. By `smtp`, TLS is begun where the server offers it."""

    security: Security
    host: str
    port: int
    user: str
    password: str = field(repr=False)
    sender_name: str
    sender: str

    @property
    def place(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def is_local(self) -> bool:
        """Whether nobody can listen in between."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


def server_of(settings: Settings) -> MailServer | None:
    """None where no e-mail is sent. Raises FlowChatError `bad_setting`, which never tells the password."""
    if not settings.smtp_url:
        return None
    parts, port = _url_parts(settings.smtp_url)
    name, sender = parseaddr(settings.mail_from)
    if not (_ADDRESS.fullmatch(sender) and settings.mail_from.isprintable()):
        what = f"not '{one_line(settings.mail_from)}'" if settings.mail_from else "and is needed with FLOWCHAT_SMTP_URL"
        message = f"FLOWCHAT_MAIL_FROM must be an address such as 'Acme Chat <chat@example.com>', {what}."
        raise FlowChatError("bad_setting", message, param="FLOWCHAT_MAIL_FROM")
    return MailServer(
        security="smtps" if parts.scheme == "smtps" else "smtp",
        host=parts.hostname or "",
        port=port or _PORTS[parts.scheme],
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        sender_name=one_line(name),
        sender=sender,
    )


def _url_parts(url: str) -> tuple[SplitResult, int | None]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _bad_url("Its port must be a number, and its host a name or an address") from None
    if parts.scheme not in _PORTS:
        raise _bad_url("It must begin with smtp:// or smtps://")
    if parts.path not in ("", "/") or parts.query or parts.fragment or not parts.hostname:
        raise _bad_url("After the host and the port nothing may follow; write / ? # @ : of a password as %2F %3F %23 …")
    if (parts.username is None) != (parts.password is None):
        raise _bad_url("It must have both a user name and a password, or neither")
    return parts, port


def _bad_url(what: str) -> FlowChatError:
    message = f"FLOWCHAT_SMTP_URL can't be understood. {what}. An example: smtp://USER:PASSWORD@mail.example.com:587"
    return FlowChatError("bad_setting", message, param="FLOWCHAT_SMTP_URL")


async def send(server: MailServer, recipient: str, subject: str, body: str, ident: str) -> str:
    """Hand one letter in; returns the version of TLS that kept it private, '' without. `ident` makes its Message-ID:
    a letter that is sent twice can be known by it.

    Raises MailRefused, and FlowChatError `mail_failed` for what may go better another time.
    """
    if not _ADDRESS.fullmatch(recipient):
        raise MailRefused("mail_refused", "This is no address that can be written to.")
    letter = compose(server, recipient, subject, body, ident)
    return await asyncio.to_thread(_send, server, recipient, letter)


def compose(server: MailServer, recipient: str, subject: str, body: str, ident: str) -> bytes:
    """The letter as it is sent: plain text."""
    message = EmailMessage(policy=SMTP)
    message["From"] = Address(server.sender_name, *server.sender.rsplit("@", 1))
    message["To"] = Address("", *recipient.rsplit("@", 1))
    message["Subject"] = one_line(subject)
    message["Date"] = format_datetime(localtime())
    message["Message-ID"] = f"<{ident}@{server.sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office replies, please
    message.set_content(body, cte="quoted-printable")
    return message.as_bytes()


def one_line(text: str) -> str:
    """Fit for a header: without line breaks, and without what Python's email package would decode to such."""
    plain = "".join(" " if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp") else char for char in text)
    return " ".join(plain.replace("=?", "= ?").split())


def greet(server: MailServer) -> None:
    """Connect and sign in, and hand nothing in. Blocks. Raises FlowChatError `mail_failed`."""
    try:
        _leave(_connect(server))
    except smtplib.SMTPResponseException as error:
        raise _failed(server, _reply(error.smtp_code, error.smtp_error)) from error
    except (smtplib.SMTPException, OSError, UnicodeError) as error:
        raise _failed(server, str(error) or type(error).__name__) from error


def _send(server: MailServer, recipient: str, letter: bytes) -> str:
    try:
        client = _connect(server)
        try:
            tls = client.sock.version() if isinstance(client.sock, ssl.SSLSocket) else None
            client.sendmail(server.sender, [recipient], letter)
        finally:
            _leave(client)
    except smtplib.SMTPRecipientsRefused as error:
        raise _refused(*next(iter(error.recipients.values()))) from error
    except smtplib.SMTPDataError as error:
        raise _refused(error.smtp_code, error.smtp_error) from error
    except smtplib.SMTPResponseException as error:
        raise _failed(server, _reply(error.smtp_code, error.smtp_error)) from error
    except (smtplib.SMTPException, OSError, UnicodeError) as error:
        raise _failed(server, str(error) or type(error).__name__) from error
    return tls or ""


def _connect(server: MailServer) -> smtplib.SMTP:
    """Greeted, under TLS where that is to be had, and signed in. Certificates are checked."""
    context = ssl.create_default_context()
    if server.security == "smtps":
        client: smtplib.SMTP = smtplib.SMTP_SSL(server.host, server.port, timeout=TIMEOUT_S, context=context)
    else:
        client = smtplib.SMTP(server.host, server.port, timeout=TIMEOUT_S)
    try:
        client.ehlo_or_helo_if_needed()
        if server.security == "smtp" and client.has_extn("starttls"):
            client.starttls(context=context)
        elif server.security == "smtp" and server.user and not server.is_local:
            raise smtplib.SMTPNotSupportedError("it offers no STARTTLS, and the password must not go unencrypted")
        if server.user:
            client.login(server.user, server.password)
    except BaseException:
        client.close()
        raise
    return client


def _leave(client: smtplib.SMTP) -> None:
    """The letter is handed in, or is not: what comes of leaving changes nothing."""
    try:
        client.quit()
    except (smtplib.SMTPException, OSError):
        client.close()


def _refused(code: int, reply: bytes | str) -> FlowChatError:
    message = f"The mail server does not take this e-mail: {_reply(code, reply)}"
    return MailRefused("mail_refused", message) if code >= 500 else FlowChatError("mail_failed", message, status=502)


def _failed(server: MailServer, reason: str) -> FlowChatError:
    message = f"The mail server {server.place} did not take an e-mail: {reason[:_MOST_REPLY_CHARS]}"
    return FlowChatError("mail_failed", message, status=502)


def _reply(code: int, reply: bytes | str) -> str:
    text = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply
    return one_line(f"{code} {text}")[:_MOST_REPLY_CHARS]
