"""Questions and their answers: everything about `POST /v1/chat` that is not HTTP."""

import asyncio
import hashlib
import hmac
import logging
import re
import secrets
from contextlib import aclosing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import msgspec

from flowchat.answer.pipeline import Answer, Question
from flowchat.domain import Key, Source, new_id
from flowchat.errors import Busy, FlowChatError, NotFound
from flowchat.services import validate
from flowchat.services.context import Appliance
from flowchat.services.limits import RESTART_RETRY_AFTER_S, Quota
from flowchat.services.runs import Run
from flowchat.store import conversations as conversation_store
from flowchat.store import sources as source_store
from flowchat.store import versions as version_store
from flowchat.store.conversations import Message
from flowchat.store.database import Connection

MAX_QUERY_CHARS = 2000
HISTORY_QUERIES = 1
_IDEMPOTENCY_KEY = re.compile(r"[!-~]{1,255}")

_log = logging.getLogger(__name__)


class ChatRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A question as its client sent it; `read_request` makes one. `source`: id or slug, or several."""

    query: str
    source: str | Annotated[list[str], msgspec.Meta(max_length=50)] | None = None
    locale: str | None = None
    conversation_id: str | None = None
    conversation_token: str | None = None
    visitor_id: Annotated[str, msgspec.Meta(max_length=128)] | None = None

    @property
    def sources(self) -> list[str]:
        """Empty: all sources of the key."""
        if not self.source:
            return []
        return [self.source] if isinstance(self.source, str) else list(dict.fromkeys(self.source))


@dataclass(frozen=True, slots=True)
class Conversation:
    """The thread that a question belongs to. Its token lets only whoever began it go on with it."""

    id: str
    token: str
    is_new: bool
    queries: tuple[str, ...]


def read_request(payload: Any) -> ChatRequest:
    """Raises FlowChatError that names the field."""
    request = validate.read(payload, ChatRequest)
    query = request.query.strip()
    if not query:
        raise validate.invalid("query", "query is empty. Ask something.")
    if len(query) > MAX_QUERY_CHARS:
        raise validate.invalid("query", f"query may have at most {MAX_QUERY_CHARS} characters; this has {len(query)}.")
    if request.locale:
        validate.locale(request.locale)
    if request.conversation_id and not request.conversation_token:
        raise validate.invalid("conversation_token", "conversation_token is missing: it came with conversation_id.")
    return msgspec.structs.replace(request, query=query)


async def open_chat(
    app: Appliance,
    key: Key,
    request: ChatRequest,
    *,
    idempotency_key: str | None = None,
    last_event_id: int = 0,
    client: str = "",
) -> tuple[Run, int]:
    """Start answering, or join the answer that this very request started before.

    -> the run, and the id of the last event that its client has (0 but for one that comes back). Raises FlowChatError
    for whatever can be known before the stream starts. Sources without a live version are asked all the same: the
    answer is then a refusal with reason `not_ready`, so that a widget on a new site shows a text instead of breaking.
    """
    request_hash = hashlib.sha256(msgspec.json.encode(request)).hexdigest()
    if idempotency_key is not None:
        if not _IDEMPOTENCY_KEY.fullmatch(idempotency_key):
            raise validate.invalid("Idempotency-Key", "Idempotency-Key must be 1 to 255 visible ASCII characters.")
        if run := app.runs.resumable(key.id, idempotency_key, request_hash):
            return run, last_event_id
    _check_going_on(app)
    app.limiter.count(_client_of(key, client))
    sources = await _find_sources(app, key, request.sources)
    conversation = await _find_conversation(app, key, request)
    versions = tuple(await version_store.live(app.db, [source.id for source in sources])) if sources else ()
    app.slots.check_free()
    await _count_answer(app, key)
    # Nothing below awaits: of two equal requests at the same moment, one starts the answer and the other joins it.
    if idempotency_key is not None and (run := app.runs.resumable(key.id, idempotency_key, request_hash)):
        return run, last_event_id
    _check_going_on(app)
    app.slots.reserve()
    run = app.runs.open(key.id, idempotency_key, request_hash, on_end=app.slots.release)
    locale = request.locale or (sources[0].locale if sources else "en")
    question = Question(request.query, conversation.queries, versions, key.mode, locale)
    run.start(_answer(app, run, key, request, question, conversation))
    return run, 0


def _check_going_on(app: Appliance) -> None:
    if app.stopping.is_set():
        raise Busy("FlowChat is restarting. Ask again in a minute.", retry_after_s=RESTART_RETRY_AFTER_S)


def quota(app: Appliance, key: Key, client: str) -> Quota | None:
    """What is left of the client's questions a minute; None where there is no limit."""
    return app.limiter.quota(_client_of(key, client))


async def collect(run: Run) -> dict[str, Any]:
    """The finished answer, as the contract's JSON. Raises FlowChatError where the run failed."""
    async with aclosing(run.events()) as events:
        async for _ in events:
            pass
    if run.failure:
        raise run.failure
    return run.result


def _client_of(key: Key, client: str) -> str:
    return f"{key.id} {client}"


async def _find_sources(app: Appliance, key: Key, wanted: list[str]) -> list[Source]:
    if not wanted:
        answering = await source_store.answering(app.db, key.tenant_id)
        return [source for source in answering if not key.sources or source.id in key.sources]
    found = []
    for name in wanted:
        source = await source_store.get(app.db, key.tenant_id, name, is_counted=False)
        if source is None or source.status == "revoked" or (key.sources and source.id not in key.sources):
            raise NotFound("source", name, param="source")
        found.append(source)
    return found


async def _find_conversation(app: Appliance, key: Key, request: ChatRequest) -> Conversation:
    if not request.conversation_id:
        return Conversation(new_id("cnv"), secrets.token_urlsafe(24), is_new=True, queries=())
    token = request.conversation_token or ""
    stored = await conversation_store.token_hash(app.db, key.tenant_id, key.id, request.conversation_id)
    if stored is None or not hmac.compare_digest(stored, _hash(token)):
        # The same answer to both: ids can't be probed.
        raise NotFound("conversation", request.conversation_id, param="conversation_id")
    queries = await conversation_store.last_queries(app.db, request.conversation_id, HISTORY_QUERIES)
    return Conversation(request.conversation_id, token, is_new=False, queries=tuple(queries))


async def _count_answer(app: Appliance, key: Key) -> None:
    cap = key.daily_cap
    if cap is None:
        return
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    day = today.date().isoformat()
    if not await app.db.write(lambda conn: conversation_store.begin_answer(conn, key.id, day, cap)):
        left = today + timedelta(days=1) - datetime.now(UTC)
        raise FlowChatError(
            "quota_exceeded",
            f"This key may give {cap} answers a day, and has. It goes on at midnight UTC.",
            status=429,
            retry_after_s=max(1, int(left.total_seconds()) + 1),
        )


async def _answer(
    app: Appliance, run: Run, key: Key, request: ChatRequest, question: Question, conversation: Conversation
) -> None:
    """The work of a run: the pipeline's events, then the stored message, then `stream.done`, whatever happens."""
    answer = Answer()
    try:
        async with asyncio.timeout(app.settings.answer_timeout_s):
            await _relay(app, run, question, answer)
            message = _message(key, question, answer, conversation)
            await _store(app, key, request, conversation, message)
    except FlowChatError as error:
        run.fail(error)
    except TimeoutError:
        run.fail(FlowChatError("answer_timeout", "The answer took too long. Ask something narrower.", status=504))
    except asyncio.CancelledError:
        if run.stopped_by is None:
            raise
        run.fail(run.stopped_by)
    except Exception:
        _log.exception("answering failed")
        run.fail(FlowChatError("internal_error", "Something went wrong inside FlowChat. Ask again.", status=500))
    else:
        run.finish(_result(run, answer, message, conversation))


async def _relay(app: Appliance, run: Run, question: Question, answer: Answer) -> None:
    async with aclosing(app.answerer.answer(question, answer)) as events:
        run.publish(await anext(events))  # retrieval.started: at once, whoever is before us
        async with app.slots.turn:
            async for event in events:
                run.publish(event)
    if not question.versions:
        answer.reason = "not_ready"


def _message(key: Key, question: Question, answer: Answer, conversation: Conversation) -> Message:
    return Message(
        id=new_id("msg"),
        conversation_id=conversation.id,
        key_id=key.id,
        query=question.query,
        answer=answer.text,
        refusal=answer.refusal,
        reason=answer.reason,
        versions=tuple(version.id for version in question.versions),
        chunks=tuple(
            {
                "id": hit.chunk.id,
                "url": hit.chunk.url,
                "title": hit.chunk.title,
                "score": hit.score,
                "version_id": hit.chunk.version_id,
                "text": hit.chunk.text,
            }
            for hit in answer.chunks
        ),
        citations=tuple(answer.citations),
        usage={"tokens_in": answer.tokens_in, "tokens_out": answer.tokens_out},
    )


async def _store(app: Appliance, key: Key, request: ChatRequest, conversation: Conversation, message: Message) -> None:
    def transaction(conn: Connection) -> None:
        if conversation.is_new:
            conversation_store.insert(
                conn, conversation.id, key.tenant_id, key.id, _hash(conversation.token), request.visitor_id
            )
        conversation_store.insert_message(conn, message)

    await app.db.write(transaction)


def _result(run: Run, answer: Answer, message: Message, conversation: Conversation) -> dict[str, Any]:
    return {
        "conversation_id": conversation.id,
        "conversation_token": conversation.token,
        "message_id": message.id,
        "answer": answer.text,
        "refusal": answer.refusal,
        "reason": answer.reason,
        "citations": [asdict(citation) for citation in answer.citations],
        "chunks": run.last("retrieval.reranked").get("chunks", []),
        "suggestions": answer.suggestions,
        "usage": message.usage,
    }


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
