"""Sends e-mails from the outbox that the table `emails` is: at least once, each attempt recorded after it was made.

A process that is killed in between sends that one again, with the same Message-ID.
"""

import asyncio
import logging

from flowchat import logs
from flowchat.billing import Email
from flowchat.domain import new_id, now
from flowchat.errors import FlowChatError
from flowchat.logs import Work
from flowchat.net import mail
from flowchat.net.mail import MailRefused, MailServer
from flowchat.services.context import Context
from flowchat.settings import Settings
from flowchat.store import emails, restores
from flowchat.store.database import Connection

DELAYS_S = (0, 60, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600)  # before each attempt; after the last one it is given up
LOOK_S = 5.0
AT_ONCE = 20  # that are read from the outbox
RECORD_AGAIN_S = 5.0
TOO_OLD_S = 86_400
_NO_SERVER = "There was no mail server when it was written, and it is too old to be sent now."

log = logging.getLogger(__name__)


async def send_test(settings: Settings, recipient: str) -> str:
    """Send an e-mail that only says that it came; returns how it went. Raises FlowChatError."""
    server = mail.server_of(settings)
    if server is None:
        message = "No mail server is set: FLOWCHAT_SMTP_URL, such as smtp://USER:PASSWORD@mail.example.com:587"
        raise FlowChatError("no_mail_server", message)
    body = f"Hello,\n\nFlowChat at {settings.origin} can send e-mail.\n\nSomebody ran `flowchat mail test`.\n"
    tls = await mail.send(server, recipient, "FlowChat can send e-mail", body, new_id("eml"))
    return f"Sent to {recipient} through {server.place}, {tls or 'unencrypted'}."


class Postman:
    """Sends what is due, as it becomes due: `run()` in the one process that holds the data folder."""

    def __init__(self, app: Context, server: MailServer) -> None:
        self._app = app
        self._server = server
        self._due = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def wake(self) -> None:
        """Something is due now. From any thread, at any time."""
        if (loop := self._loop) is not None:
            loop.call_soon_threadsafe(self._due.set)

    async def run(self) -> None:
        """Until it is cancelled, which what is just being sent delays. Nothing that fails ends it."""
        self._loop = asyncio.get_running_loop()
        try:
            await self._give_up_old()
            while True:
                self._due.clear()
                await self._look()
                await self._until_woken()
        finally:
            self._loop = None

    async def _until_woken(self) -> None:
        """Or until it is time to look: another process has no wake-up to send."""
        try:
            async with asyncio.timeout(LOOK_S):
                await self._due.wait()
        except TimeoutError:
            pass

    async def _give_up_old(self) -> None:
        """What was written while there was no mail server must not pour out on the day there is one."""
        if await restores.held(self._app.db) is not None:
            return  # they wait for an operator, not for a mail server
        before = now(-TOO_OLD_S)
        await self._app.db.write(lambda conn: emails.give_up_untried(conn, before, _NO_SERVER))

    async def _look(self) -> None:
        try:
            if await restores.held(self._app.db) is not None:
                return
            while due := await emails.due(self._app.db, AT_ONCE):
                for email in due:
                    await self._whole(email)
        except Exception:
            log.exception("looking for e-mails that are due failed; it is tried again in %s s", LOOK_S)

    async def _whole(self, email: Email) -> None:
        """An attempt and its record, although this is cancelled meanwhile: else it would be sent twice."""
        attempt = asyncio.ensure_future(self._attempt(email))
        try:
            await asyncio.shield(attempt)
        except asyncio.CancelledError:
            await asyncio.wait({attempt})
            raise

    async def _attempt(self, email: Email) -> None:
        with logs.doing(Work(request_id=email.id, tenant_id=email.tenant_id or "")):
            error, is_final = await self._send(email)
            self._app.metrics.email_attempts.labels("failed" if error else "succeeded").inc()
            await self._keep(email, error, is_final)

    async def _send(self, email: Email) -> tuple[str | None, bool]:
        """What went wrong, and whether it always will."""
        try:
            await mail.send(self._server, email.recipient, email.subject, email.body, email.id)
        except FlowChatError as failure:
            return failure.message, isinstance(failure, MailRefused)
        except Exception:
            log.exception("an attempt to send the e-mail %s failed in an unexpected way", email.id)
            return "An unexpected error stopped this attempt; the appliance's log has the details.", False
        return None, False

    async def _keep(self, email: Email, error: str | None, is_final: bool) -> None:
        """Record the attempt, however long that takes: without it somebody would get the e-mail without end."""
        while True:
            try:
                return await self._app.db.write(lambda conn: _record(conn, email, error, is_final))
            except Exception:
                log.exception("an attempt to send the e-mail %s was not recorded; that is tried again", email.id)
            await asyncio.sleep(RECORD_AGAIN_S)


def _record(conn: Connection, email: Email, error: str | None, is_final: bool) -> None:
    if error is None:
        emails.note_sent(conn, email.id)
        return
    tries = email.attempts + 1
    pause_s = None if is_final or tries >= len(DELAYS_S) else DELAYS_S[tries]
    emails.note_failed(conn, email.id, error, None if pause_s is None else now(pause_s))
    outlook = "it is given up" if pause_s is None else f"the next attempt is in {pause_s} s"
    log.warning("the e-mail %s was not sent (attempt %s), %s: %s", email.id, tries, outlook, error)
