"""Questions: everything about `POST /v1/chat` that is not HTTP, up to the work of the answer itself."""

import hashlib
import hmac
import secrets
from collections.abc import Collection, Sequence
from contextlib import aclosing
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from flowchat.answer.cache import cache_key
from flowchat.answer.pipeline import Question
from flowchat.domain import Key, Source, new_id
from flowchat.errors import Busy, FlowChatError, NotFound
from flowchat.services import answers, idempotency, standing
from flowchat.services.answers import Asked, Thread
from flowchat.services.caps import Reservation
from flowchat.services.context import Appliance
from flowchat.services.credentials import check_not_revoked
from flowchat.services.fields import TEXT_PATTERN, Locale
from flowchat.services.limits import RESTART_RETRY_AFTER_S, Policy, visitor_of
from flowchat.services.operations import visitor_operation
from flowchat.services.runs import Run, Topic
from flowchat.store import conversations, sources, versions

MAX_QUERY_CHARS = 2000
HISTORY_QUERIES = 3

SourceName = Annotated[str, Meta(max_length=64)]


class ChatRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A question, and what it is asked of."""

    query: Annotated[
        str, Meta(min_length=1, max_length=MAX_QUERY_CHARS, pattern=TEXT_PATTERN, examples=["Do you ship abroad?"])
    ]
    source: Annotated[
        SourceName | Annotated[list[SourceName], Meta(max_length=50)] | None,
        Meta(description="Id or slug of a source, or a list of them. Left out: all sources of the key."),
    ] = None
    locale: Annotated[Locale | None, Meta(description="For FlowChat's own texts. Left out: the source's.")] = None
    conversation_id: Annotated[
        Annotated[str, Meta(max_length=64)] | None, Meta(description="The conversation that the question goes on with.")
    ] = None
    conversation_token: Annotated[
        Annotated[str, Meta(max_length=200)] | None, Meta(description="Came with conversation_id.")
    ] = None
    visitor_id: Annotated[
        Annotated[str, Meta(max_length=128)] | None,
        Meta(
            description="A name of your choice for the visitor: for limits of each visitor, and by which conversations "
            "can be found and erased."
        ),
    ] = None

    @property
    def sources(self) -> list[str]:
        """Empty: all sources of the key."""
        return source_names(self.source)


def source_names(source: str | list[str] | None) -> list[str]:
    if not source:
        return []
    return [source] if isinstance(source, str) else list(dict.fromkeys(source))


@visitor_operation("chat.ask", while_read_only=False)
async def open_chat(
    app: Appliance,
    key: Key,
    request: ChatRequest,
    *,
    idempotency_key: str | None = None,
    last_event_id: int = 0,
    client: str = "",
) -> tuple[Run, int]:
    """Ask a question.

    The answer is a stream of server-sent events, or one JSON object with `Accept: application/json`. With an
    `Idempotency-Key` it goes on for 60 seconds without its client, and the same request with `Last-Event-ID` gets the
    rest of it.

    Raises NotFound, Busy, and FlowChatError `rate_limited`, `quota_exceeded` or `idempotency_key_reused`: whatever can
    be known before the stream starts.
    """
    # Sources without a live version are asked all the same: the answer is then a refusal with reason `not_ready`, so
    # that a widget on a new site shows a text instead of breaking. Returned beside the run: the id of the last event
    # that its client has.
    asked_hash = hashlib.sha256(msgspec.json.encode(request)).hexdigest()
    if idempotency_key is not None:
        idempotency.check_key(idempotency_key)
        if run := app.runs.resumable(key.id, idempotency_key, asked_hash):
            return run, last_event_id
    check_going_on(app)
    app.limiter.count(policies(app, key, client, request.visitor_id))
    await standing.require_answering(app, key)
    found = await find_sources(app, key.tenant_id, request.sources, key.sources)
    thread = await _find_thread(app, key, request)
    question = await _question(app, key, request, found, thread)
    name = await cache_key(app.db, app.engines.embedder.name, question)
    remembered = app.cache.get(name)
    if remembered is None:
        app.slots.check_free()
    asked = Asked(key, question, thread, request.visitor_id, Reservation(key), name, remembered)
    await asked.reservation.take(app.db)
    # Of two equal requests at the same moment, one starts the answer and the other joins it: nothing awaits between.
    if idempotency_key is not None and (run := app.runs.resumable(key.id, idempotency_key, asked_hash)):
        await asked.reservation.give_back(app.db)
        return run, last_event_id
    try:
        return _start(app, asked, idempotency_key, asked_hash), 0
    except FlowChatError:
        await asked.reservation.give_back(app.db)
        raise


def policies(app: Appliance, key: Key, client: str, visitor_id: str | None = None) -> list[Policy]:
    """What limits the questions of that address and visitor.

    Ids are the client's word: inventing them gains nothing beyond what the address may ask.
    """
    address = f"{key.id} {visitor_of(client)}"
    visitor = f"{key.id} id {visitor_id}" if visitor_id else address
    return [
        Policy("questions", address, app.settings.questions_per_minute),
        Policy("visitor", visitor, key.limits.visitor_per_minute or 0),
        Policy("key", key.id, key.limits.per_minute or 0),
    ]


async def collect(run: Run) -> dict[str, Any]:
    """The finished answer, as the contract's JSON. Raises FlowChatError where the run failed."""
    async with aclosing(run.events()) as events:
        async for _ in events:
            pass
    if run.failure:
        raise run.failure
    return run.result


async def find_sources(
    app: Appliance, tenant_id: str, wanted: Sequence[str], allowed: Collection[str] = ()
) -> list[Source]:
    """The wanted sources, or all that answer; only `allowed` ones, if there are any. Raises NotFound."""
    if not wanted:
        answering = await sources.answering(app.db, tenant_id)
        return [source for source in answering if not allowed or source.id in allowed]
    found = []
    for name in wanted:
        source = await sources.get(app.db, tenant_id, name, is_counted=False)
        if source is None or source.status == "revoked" or (allowed and source.id not in allowed):
            raise NotFound("source", name, param="source")
        found.append(source)
    return found


async def _find_thread(app: Appliance, key: Key, request: ChatRequest) -> Thread:
    if not request.conversation_id:
        return Thread(new_id("cnv"), secrets.token_urlsafe(24), is_new=True, queries=())
    if not request.conversation_token:
        raise FlowChatError(
            "not_found",
            "conversation_token is missing: it came with conversation_id.",
            status=404,
            param="conversation_token",
        )
    stored = await conversations.token_hash(app.db, key.tenant_id, request.conversation_id)
    if stored is None or not hmac.compare_digest(stored, answers.hash_token(request.conversation_token)):
        # The same answer to both: ids can't be probed.
        raise NotFound("conversation", request.conversation_id, param="conversation_id")
    queries = await conversations.last_queries(app.db, request.conversation_id, HISTORY_QUERIES)
    return Thread(request.conversation_id, request.conversation_token, is_new=False, queries=tuple(queries))


async def _question(app: Appliance, key: Key, request: ChatRequest, found: list[Source], thread: Thread) -> Question:
    source_ids = tuple(source.id for source in found)
    return Question(
        query=request.query.strip() or request.query,
        history=thread.queries,
        versions=tuple(await versions.live(app.db, source_ids)) if source_ids else (),
        mode=key.mode,
        locale=request.locale or (found[0].locale if found else "en"),
        tenant_id=key.tenant_id,
        source_ids=source_ids,
        is_tenant_wide=not key.sources,
    )


def _start(app: Appliance, asked: Asked, idempotency_key: str | None, asked_hash: str) -> Run:
    """Raises Busy, Unauthorized and NotFound for what has changed while the question was looked at."""
    check_going_on(app)
    check_not_revoked(app, asked.key)
    for source_id in asked.question.source_ids:
        if source_id in app.revocations:
            raise NotFound("source", source_id, param="source")
    place = app.slots.reserve() if asked.remembered is None else None
    topic = Topic(
        key_id=asked.key.id,
        source_ids=frozenset(asked.question.source_ids),
        tenant_id=asked.key.tenant_id,
        conversation_id=asked.thread.id,
        visitor_id=asked.visitor_id,
    )
    run = app.runs.open(topic, idempotency_key, asked_hash, on_end=place.release if place else lambda: None)
    run.start(answers.work(app, run, asked, place))
    return run


def check_going_on(app: Appliance) -> None:
    """Raises Busy."""
    if app.stopping.is_set():
        raise Busy("FlowChat is restarting. Ask again in a minute.", retry_after_s=RESTART_RETRY_AFTER_S)
