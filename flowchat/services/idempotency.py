"""Idempotency keys: a request that is sent again gets the answer it had, and does nothing twice."""

import hashlib
import logging
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import msgspec

from flowchat.domain import Actor
from flowchat.errors import Conflict, DiskFull, FlowChatError
from flowchat.services import validate, vault
from flowchat.services.context import Context
from flowchat.store import idempotency
from flowchat.store.database import Connection

_log = logging.getLogger(__name__)
_KEY = re.compile(r"[!-~]{1,255}")


class Response(msgspec.Struct, frozen=True):
    """An answer as it was sent."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Attempt:
    """`former` is the answer to replay. Without one, set `response` once the work is done: it is kept."""

    former: Response | None = None
    response: Response | None = None


def check_key(key: str) -> str:
    """Raises FlowChatError for what can't be an idempotency key."""
    if not _KEY.fullmatch(key):
        raise validate.invalid("Idempotency-Key", "Idempotency-Key must be 1 to 255 visible ASCII characters.")
    return key


def request_hash(operation: str, actor: Actor, arguments: tuple[Any, ...]) -> str:
    """The same for requests that ask for the same with the same power: a replay may tell a new key's secret."""
    return hashlib.sha256(msgspec.json.encode((operation, sorted(actor.scopes), arguments))).hexdigest()


@asynccontextmanager
async def attempt(app: Context, actor: Actor, key: str, asked: str) -> AsyncIterator[Attempt]:
    """One try of the request whose hash is `asked`. A failed one leaves the key free for another try.

    Raises Conflict `idempotency_in_flight` or `idempotency_outcome_unknown` (409), and FlowChatError
    `idempotency_key_reused` (422) for a key that was sent with another request.
    """
    check_key(key)
    stored = await app.db.write(lambda conn: idempotency.begin(conn, actor.tenant_id, key, asked))
    if stored is not None:
        yield Attempt(former=_former(app, stored, asked))
        return
    current = Attempt()
    try:
        yield current
    finally:
        if (done := current.response) is not None:
            sealed = vault.seal(app.settings.data_dir, msgspec.json.encode(done).decode())
            await _note(app, lambda conn: idempotency.finish(conn, actor.tenant_id, key, sealed))
        else:
            await _note(app, lambda conn: idempotency.abandon(conn, actor.tenant_id, key))


async def _note(app: Context, transaction: Callable[[Connection], None]) -> None:
    """What was done, or not, stays so: without room for the note of it, the same request gets 409 until a restart."""
    try:
        await app.db.write(transaction)
    except DiskFull as full:
        _log.error("what came of an Idempotency-Key is not noted: %s", full.message)


def _former(app: Context, stored: idempotency.Stored, asked: str) -> Response:
    if stored.request_hash != asked:
        raise FlowChatError(
            "idempotency_key_reused",
            "This Idempotency-Key was sent with another request. Choose a new one for every request.",
            status=422,
            param="Idempotency-Key",
        )
    if stored.response is None:
        raise Conflict(
            "idempotency_in_flight",
            "The request with this Idempotency-Key is still being worked on. Try again in a second.",
            param="Idempotency-Key",
        )
    if stored.response == idempotency.INTERRUPTED:
        raise Conflict(
            "idempotency_outcome_unknown",
            "FlowChat was stopped while it worked on the request with this Idempotency-Key. Look whether it was done; "
            "if not, send it again with a new Idempotency-Key.",
            param="Idempotency-Key",
        )
    return msgspec.json.decode(vault.unseal(app.settings.data_dir, stored.response), type=Response)
