"""E-mails: sent through a real mail server, tried again as it should be, given up in the end."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from appliance import running
from mailing import CERTIFICATE, PASSWORD, SENDER, USER, mail_server, posting, settings_of, text_of

from flowchat.domain import now
from flowchat.errors import FlowChatError
from flowchat.net import mail
from flowchat.net.mail import MailRefused, MailServer, server_of
from flowchat.services import mail as mail_service
from flowchat.services import retention
from flowchat.services.context import Appliance
from flowchat.services.mail import send_test
from flowchat.settings import Settings
from flowchat.store import emails

ANN = "ann@shop.example"
LOGIN = f"{USER}:{PASSWORD.replace('@', '%40').replace('/', '%2F')}@"


def server_at(url: str) -> MailServer:
    server = server_of(Settings(smtp_url=url, mail_from=SENDER))
    assert server
    return server


async def send(url: str, recipient: str = ANN) -> str:
    return await mail.send(server_at(url), recipient, "Hi", "Hello", "eml_1")


@pytest.fixture
def trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    """As an operator trusts a certificate of their own."""
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))


@pytest.mark.usefixtures("trusted")
async def test_starttls_and_signing_in() -> None:
    async with mail_server(starttls=True, auth=True) as mailbox:
        assert await send(f"smtp://{LOGIN}localhost:{mailbox.port}") == "TLSv1.3"
    assert (mailbox.encrypted, mailbox.signed_in) == ([True], [True])


@pytest.mark.usefixtures("trusted")
async def test_smtps() -> None:
    async with mail_server(smtps=True) as mailbox:
        assert await send(f"smtps://localhost:{mailbox.port}") == "TLSv1.3"
    assert len(mailbox.letters) == 1


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
async def test_a_certificate_that_nobody_trusts(scheme: str) -> None:
    async with mail_server(starttls=scheme == "smtp", smtps=scheme == "smtps") as mailbox:
        with pytest.raises(FlowChatError, match="certificate verify failed") as caught:
            await send(f"{scheme}://localhost:{mailbox.port}")
    assert (caught.value.code, mailbox.letters) == ("mail_failed", [])


@pytest.mark.usefixtures("trusted")
async def test_a_certificate_of_another_host() -> None:
    async with mail_server(starttls=True) as mailbox:
        with pytest.raises(FlowChatError, match="certificate verify failed"):
            await send(f"smtp://127.0.0.1:{mailbox.port}")
    assert mailbox.letters == []


@pytest.mark.usefixtures("trusted")
async def test_a_wrong_password() -> None:
    async with mail_server(starttls=True, auth=True) as mailbox:
        with pytest.raises(FlowChatError, match="535") as caught:
            await send(f"smtp://{USER}:wrong-secret@localhost:{mailbox.port}")
    assert not isinstance(caught.value, MailRefused) and "secret" not in caught.value.message


async def test_no_password_goes_unencrypted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MailServer, "is_local", False)
    async with mail_server() as mailbox:
        with pytest.raises(FlowChatError, match="STARTTLS"):
            await send(f"smtp://{LOGIN}127.0.0.1:{mailbox.port}")
    assert mailbox.letters == []


async def test_a_server_that_is_not_there_or_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    monkeypatch.setattr(mail, "TIMEOUT_S", 0.2)
    listener = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    with pytest.raises(FlowChatError, match="timed out"):
        await send(f"smtp://127.0.0.1:{port}")
    listener.close()
    await listener.wait_closed()
    with pytest.raises(FlowChatError, match="refused"):
        await send(f"smtp://127.0.0.1:{port}")


async def test_what_is_refused_for_good_and_what_for_now() -> None:
    async with mail_server() as mailbox:
        mailbox.of_recipient = lambda recipient: "550 no such user" if recipient == ANN else ""
        mailbox.of_data = lambda recipient: "451 later" if recipient.startswith("bob") else "554 spam"
        url = f"smtp://127.0.0.1:{mailbox.port}"
        with pytest.raises(MailRefused, match="550 no such user"):
            await send(url)
        with pytest.raises(MailRefused, match="554 spam"):
            await send(url, "cid@shop.example")
        with pytest.raises(MailRefused, match="no address"):
            await send(url, "ann@shop.example>\r\nRCPT TO:<bob@shop.example")
        with pytest.raises(FlowChatError, match="451 later") as caught:
            await send(url, "bob@shop.example")
    assert not isinstance(caught.value, MailRefused)
    assert mailbox.letters == []


async def write(app: Appliance, recipient: str = ANN, subject: str = "Hi") -> str:
    email_id = await app.db.write(lambda conn: emails.insert(conn, recipient, subject, "Hello, http://secret"))
    app.wake_mail()
    return email_id


async def stored(app: Appliance, email_id: str) -> dict[str, Any]:
    row = await app.db.row("select * from emails where id = ?", (email_id,))
    assert row
    return dict(row)


async def until_tried(app: Appliance, email_id: str, times: int = 1) -> dict[str, Any]:
    while (row := await stored(app, email_id))["attempts"] < times:  # noqa: ASYNC110 (a test may poll)
        await asyncio.sleep(0.005)
    return row


async def test_the_outbox_is_sent_at_once(tmp_path: Path) -> None:
    async with mail_server() as mailbox, running(tmp_path, **settings_of(mailbox)) as app, posting(app):
        email_id = await write(app)
        [letter] = await mailbox.until(1)
        row = await until_tried(app, email_id)
    assert (letter["To"], letter["From"], letter["Subject"]) == (ANN, SENDER, "Hi")
    assert letter["Message-ID"] == f"<{email_id}@acme.example>" and "Hello" in text_of(letter)
    assert (row["sent_at"] is not None, row["next_attempt_at"], row["error"]) == (True, None, None)
    assert row["body"] == "", "a link in it may be good for something"


async def make_due(app: Appliance, email_id: str) -> None:
    await app.db.write(
        lambda conn: conn.execute("update emails set next_attempt_at = created_at where id = ?", (email_id,))
    )
    app.wake_mail()


async def test_attempts_wait_longer_each_time_and_end(tmp_path: Path) -> None:
    async with mail_server() as mailbox, running(tmp_path, **settings_of(mailbox)) as app, posting(app):
        mailbox.of_data = lambda recipient: "451 busy"
        email_id = await write(app)
        for tries, pause_s in enumerate((60, 300, 1800, 7200, 18000), start=1):
            before = now(pause_s - 30)
            row = await until_tried(app, email_id, tries)
            assert before < row["next_attempt_at"] < now(pause_s + 1), tries
            assert "451 busy" in row["error"] and row["sent_at"] is None
            await make_due(app, email_id)
        row = await until_tried(app, email_id, 6)
    assert (row["next_attempt_at"], row["sent_at"]) == (None, None)
    assert "451 busy" in row["error"]


async def test_a_refusal_for_good_ends_at_once_and_holds_nobody_up(tmp_path: Path) -> None:
    async with mail_server() as mailbox, running(tmp_path, **settings_of(mailbox)) as app, posting(app):
        mailbox.of_recipient = lambda recipient: "550 no such user" if recipient == ANN else ""
        lost = await write(app)
        await write(app, "bob@shop.example")
        await mailbox.until(1)
        row = await until_tried(app, lost)
    assert (row["attempts"], row["next_attempt_at"]) == (1, None)
    assert "550 no such user" in row["error"]


async def test_one_that_failed_is_sent_when_the_server_is_back(tmp_path: Path) -> None:
    async with mail_server() as gone:
        port = gone.port
    async with running(tmp_path, **settings_of(gone)) as app, posting(app):
        email_id = await write(app)
        assert "refused" in (await until_tried(app, email_id))["error"]
        async with mail_server(port=port) as mailbox:
            await make_due(app, email_id)
            await mailbox.until(1)
            assert (await until_tried(app, email_id, 2))["error"] is None


async def test_a_restart_goes_on_with_what_is_left(tmp_path: Path) -> None:
    async with mail_server() as mailbox:
        async with running(tmp_path, **settings_of(mailbox)) as app:
            await write(app)
        async with running(tmp_path, **settings_of(mailbox)) as app, posting(app):
            await mailbox.until(1)
    assert len(mailbox.letters) == 1


async def test_stopping_waits_for_what_is_being_sent(tmp_path: Path) -> None:
    """Else its record would be missing, and it would be sent twice."""
    async with mail_server() as mailbox, running(tmp_path, **settings_of(mailbox)) as app:
        mailbox.delay_s = 0.3
        async with posting(app):
            email_id = await write(app)
            await asyncio.sleep(0.1)
        assert (await stored(app, email_id))["sent_at"] is not None
    assert len(mailbox.letters) == 1


async def test_what_was_written_without_a_server_does_not_pour_out(tmp_path: Path) -> None:
    async with mail_server() as mailbox, running(tmp_path, **settings_of(mailbox)) as app:
        old, fresh = await write(app), await write(app, "bob@shop.example")
        await app.db.write(
            lambda conn: conn.execute("update emails set created_at = ? where id = ?", (now(-2 * 86_400), old))
        )
        async with posting(app):
            await until_tried(app, fresh)
        row = await stored(app, old)
    assert [letter["To"] for letter in mailbox.letters] == ["bob@shop.example"]
    assert row["next_attempt_at"] is None and "no mail server" in row["error"]


async def test_a_database_that_fails_does_not_end_the_sender(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail_service, "RECORD_AGAIN_S", 0.01)
    failures = iter([True, True])
    note_sent = emails.note_sent

    def failing(conn: Any, email_id: str) -> None:
        if next(failures, False):
            raise OSError("no space left")
        note_sent(conn, email_id)

    monkeypatch.setattr(emails, "note_sent", failing)
    async with mail_server() as mailbox, running(tmp_path, **settings_of(mailbox)) as app, posting(app):
        row = await until_tried(app, await write(app))
    assert row["sent_at"] is not None
    assert len(mailbox.letters) == 1


async def test_emails_are_deleted_after_thirty_days(tmp_path: Path) -> None:
    async with running(tmp_path) as app:
        old, fresh = await write(app), await write(app)
        await app.db.write(
            lambda conn: conn.execute("update emails set created_at = ? where id = ?", (now(-31 * 86_400), old))
        )
        await retention.delete_old(app)
        assert [row["id"] for row in await app.db.rows("select id from emails")] == [fresh]


async def test_a_test_letter() -> None:
    async with mail_server() as mailbox:
        told = await send_test(Settings(**settings_of(mailbox)), ANN)
    assert told == f"Sent to {ANN} through 127.0.0.1:{mailbox.port}, unencrypted."
    assert [letter["Subject"] for letter in mailbox.to(ANN)] == ["FlowChat can send e-mail"]
    with pytest.raises(FlowChatError, match="FLOWCHAT_SMTP_URL"):
        await send_test(Settings(), ANN)
