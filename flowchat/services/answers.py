"""The work of one answer: the pipeline's events, then what is stored, then `stream.done`, whatever happens."""

import asyncio
import hashlib
import logging
from collections.abc import Coroutine
from contextlib import aclosing
from dataclasses import asdict, dataclass, field
from time import monotonic
from typing import Any, TypeVar

from flowchat.answer.cache import Remembered, cache_key
from flowchat.answer.pipeline import Answer, Question
from flowchat.domain import Event, Key, UsageCounts, new_id
from flowchat.errors import DiskFull, FlowChatError
from flowchat.services.answer_watch import Watch
from flowchat.services.caps import Reservation
from flowchat.services.context import Appliance
from flowchat.services.limits import Place
from flowchat.services.runs import Run
from flowchat.settings import Settings
from flowchat.store import conversations, unanswered, usage
from flowchat.store.conversations import Message
from flowchat.store.database import Connection

T = TypeVar("T")

SEARCH_ENDS = ("generation.token", "nli.verified")  # a first text; a withheld sentence is one, too
SEARCH_ENDS_WITHOUT_QUOTES = ("retrieval.reranked",)  # nearly: the first text comes after generation

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Thread:
    """The conversation that a question belongs to. Its token lets only whoever began it go on with it."""

    id: str
    token: str
    is_new: bool
    queries: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """A question with all that was found out before its answer. `remembered`: what the cache has under `cache_key`."""

    key: Key
    question: Question
    thread: Thread
    visitor_id: str | None
    reservation: Reservation
    cache_key: str
    remembered: Remembered | None


def ends_of_search(settings: Settings) -> tuple[str, ...]:
    """The events from which an answer keeps no other waiting."""
    return SEARCH_ENDS if settings.lead_quotes else SEARCH_ENDS_WITHOUT_QUOTES


def hash_token(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


@dataclass(slots=True)
class Timing:
    """When an answer was begun, and when its first text went out (s, monotonic)."""

    began_at: float = field(default_factory=monotonic)
    first_text_at: float | None = None

    def note(self, event: Event) -> None:
        if self.first_text_at is None and event.name == "generation.token":
            self.first_text_at = monotonic()

    @property
    def first_text_ms(self) -> dict[str, int]:
        """As it is stored; nothing where there was no text."""
        return {} if self.first_text_s is None else {"first_text_ms": round(1000 * self.first_text_s)}

    @property
    def first_text_s(self) -> float | None:
        return None if self.first_text_at is None else self.first_text_at - self.began_at


async def work(app: Appliance, run: Run, asked: Asked, place: Place | None) -> None:
    """Give the answer, in a place unless it is remembered.

    What is stored ends well; what fails, or is stopped, is counted by what was shown of it.
    """
    answer, timing, watch = Answer(), Timing(), Watch(app.metrics)
    answer.observe = watch.observe
    app.metrics.answer_cache.labels("hit" if asked.remembered else "miss").inc()
    failure = await failure_of(run, _give(app, run, asked, answer, place, timing))
    watch.end(answer, _outcome(run, asked, answer, failure, watch), timing.first_text_s)
    if failure:
        try:
            await _settle(app, run, asked, answer)
        except DiskFull:
            _log.error("an answer that broke off is not counted: %s", DiskFull().message)
        run.fail(failure)


def _outcome(run: Run, asked: Asked, answer: Answer, failure: FlowChatError | None, watch: Watch) -> str:
    """One of `metrics.OUTCOMES`."""
    if failure:
        return "stopped" if run.stopped_by else "failed"
    if answer.refusal:
        return "refused"
    if asked.remembered:
        return "cached"
    return "answered" if watch.has_generated else "quoted"


async def failure_of(run: Run, work: Coroutine[None, None, None]) -> FlowChatError | None:
    """Do a run's work. Returns why it failed or was stopped; None where it did not."""
    try:
        await work
    except FlowChatError as error:
        return error
    except TimeoutError:
        return FlowChatError("answer_timeout", "The answer took too long. Ask something narrower.", status=504)
    except asyncio.CancelledError:
        if run.stopped_by is None:
            raise
        return run.stopped_by
    except Exception:
        _log.exception("answering failed")
        return FlowChatError("internal_error", "Something went wrong inside FlowChat. Ask again.", status=500)
    return None


async def _give(app: Appliance, run: Run, asked: Asked, answer: Answer, place: Place | None, timing: Timing) -> None:
    async with asyncio.timeout(app.settings.answer_timeout_s):
        await _relay(app, run, asked, answer, place, timing)
    message = _message(asked, answer, timing)
    await _unbroken(_store(app, asked, answer, message))
    run.finish(_result(run, asked, answer, message))


async def _relay(app: Appliance, run: Run, asked: Asked, answer: Answer, place: Place | None, timing: Timing) -> None:
    if asked.remembered:
        run.publish(Event("retrieval.started", {"query": asked.question.query}))
        for event in asked.remembered.events:
            run.publish(event)
            timing.note(event)
        asked.remembered.fill(answer)
        return
    events = []
    search_ends = ends_of_search(app.settings)
    async with aclosing(app.answerer.answer(asked.question, answer)) as making:
        async for event in making:
            run.publish(event)
            timing.note(event)
            events.append(event)
            if place and event.name in search_ends:
                place.show()
    if answer.is_reduced:
        return
    if await cache_key(app.db, app.engines.embedder.name, asked.question) == asked.cache_key:  # nothing came between
        app.cache.put(asked.cache_key, events[1:], answer)


def _message(asked: Asked, answer: Answer, timing: Timing) -> Message:
    return Message(
        id=new_id("msg"),
        conversation_id=asked.thread.id,
        key_id=asked.key.id,
        query=asked.question.query,
        answer=answer.text,
        refusal=answer.refusal,
        reason=answer.reason,
        versions=tuple(version.id for version in asked.question.versions),
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
        verdicts=tuple(answer.verdicts),
        usage={"tokens_in": answer.tokens_in, "tokens_out": answer.tokens_out, **timing.first_text_ms},
    )


async def _unbroken(storing: Coroutine[None, None, T]) -> T:
    """Its result, even where this task is cancelled meanwhile: what was stored is billed, so its client gets it."""
    task = asyncio.create_task(storing)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        return await task


async def _store(app: Appliance, asked: Asked, answer: Answer, message: Message) -> None:
    key, thread = asked.key, asked.thread

    def transaction(conn: Connection) -> None:
        if thread.is_new:
            conversations.insert(
                conn, thread.id, key.tenant_id, key.id, hash_token(thread.token), asked.visitor_id or None
            )
        conversations.insert_message(conn, message)
        if answer.reason == "not_covered" and answer.query_vector is not None and key.is_metered:
            unanswered.insert(conn, message.id, key.tenant_id, app.engines.embedder.name, answer.query_vector)
        usage.record(
            conn,
            key.tenant_id,
            UsageCounts(
                queries=1,
                refusals=int(answer.refusal),
                tokens_in=answer.tokens_in,
                tokens_out=answer.tokens_out,
                billable_queries=int(key.is_metered and not answer.refusal),
            ),
            key_id=key.id,
            source_id=_source_id(asked.question, answer),
            message_id=message.id,
        )
        if answer.refusal:
            asked.reservation.release(conn)
        else:
            asked.reservation.end(conn)

    await app.db.write(transaction)


async def _settle(app: Appliance, run: Run, asked: Asked, answer: Answer) -> None:
    """Count an answer that broke off once any of its text was sent: else hanging up in time would get round the caps.

    It is not billed. An answer without text, and a refusal, are given back.
    """
    if not run.last("generation.token") or answer.refusal:
        await asked.reservation.give_back(app.db)
        return
    counts = UsageCounts(queries=1, tokens_in=answer.tokens_in, tokens_out=answer.tokens_out)
    key, source_id = asked.key, _source_id(asked.question, answer)

    def transaction(conn: Connection) -> None:
        usage.record(conn, key.tenant_id, counts, key_id=key.id, source_id=source_id)
        asked.reservation.end(conn)

    await app.db.write(transaction)


def _source_id(question: Question, answer: Answer) -> str | None:
    """The source that the answer is from: its first citation's, else its best chunk's, else the only one asked."""
    sources = {version.id: version.source_id for version in question.versions}
    by_chunk = {hit.chunk.id: sources.get(hit.chunk.version_id) for hit in answer.chunks}
    cited = answer.citations[0].chunk_id if answer.citations else ""
    best = answer.chunks[0].chunk.id if answer.chunks else ""
    only = question.source_ids[0] if len(question.source_ids) == 1 else None
    return by_chunk.get(cited) or by_chunk.get(best) or only


def _result(run: Run, asked: Asked, answer: Answer, message: Message) -> dict[str, Any]:
    return {
        "conversation_id": asked.thread.id,
        "conversation_token": asked.thread.token,
        "message_id": message.id,
        "answer": answer.text,
        "refusal": answer.refusal,
        "reason": answer.reason,
        "citations": [asdict(citation) for citation in answer.citations],
        "chunks": run.last("retrieval.reranked").get("chunks", []),
        "suggestions": answer.suggestions,
        "usage": {"tokens_in": answer.tokens_in, "tokens_out": answer.tokens_out},
    }
