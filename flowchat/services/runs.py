"""Answers in the making: each a task that numbers its events, so that clients may join, leave and come back."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from flowchat.domain import Event
from flowchat.errors import FlowChatError
from flowchat.services.limits import RESTART_RETRY_AFTER_S
from flowchat.store.revocations import RevokedKind

LINGER_S = 60.0  # how long a resumable answer goes on without its client (contract, section 2)
CLAIM_S = 5.0  # a client that has gone before it read anything never subscribes
KEEP_S = 900.0
KEEP_RUNS = 1000
_DONE_FIELDS = ("refusal", "reason", "conversation_id", "conversation_token", "message_id", "suggestions", "usage")


@dataclass(frozen=True, slots=True)
class Topic:
    """Whose answer it is and what it is from: what a revocation or an erasure finds it by."""

    key_id: str
    source_ids: frozenset[str] = frozenset()
    tenant_id: str = ""
    conversation_id: str = ""
    visitor_id: str | None = None

    def concerns(self, kind: RevokedKind, ident: str) -> bool:
        return ident == self.key_id if kind == "key" else ident in self.source_ids


class Run:
    """One answer. Its work publishes events; any number of subscribers read them, from 1 or from where they were."""

    def __init__(self, topic: Topic, linger_s: float, on_end: Callable[[], None]) -> None:
        self.topic = topic
        self.result: dict[str, Any] = {}
        self.failure: FlowChatError | None = None
        self.stopped_by: FlowChatError | None = None
        self.ended_at: float | None = None
        self._linger_s = linger_s
        self._on_end = on_end
        self._events: list[Event] = []
        self._news = asyncio.Event()
        self._subscribers = 0
        self._task: asyncio.Task[None] | None = None
        self._leaving: asyncio.TimerHandle | None = None

    def start(self, work: Coroutine[None, None, None]) -> None:
        """`work` publishes the events, the last of them by `finish` or `fail`."""
        self._task = asyncio.create_task(work)
        self._task.add_done_callback(self._end)
        self._stop_after(CLAIM_S)

    def publish(self, event: Event) -> None:
        self._events.append(event)
        self._wake()

    def finish(self, result: dict[str, Any]) -> None:
        """Publish `stream.done`. `result` is the whole answer as the contract's JSON."""
        self.result = result
        self.publish(Event("stream.done", {name: result[name] for name in _DONE_FIELDS if name in result}))

    def fail(self, error: FlowChatError) -> None:
        """Publish `error`, then `stream.done`."""
        self.failure = error
        self.publish(Event("error", {"code": error.code, "message": error.message}))
        self.publish(Event("stream.done", {"refusal": False, "reason": error.code}))

    def last(self, name: str) -> dict[str, Any]:
        """The data of the newest event of that name; empty if there was none."""
        return next((event.data for event in reversed(self._events) if event.name == name), {})

    async def events(
        self, after: int = 0, silence_s: float | None = None
    ) -> AsyncGenerator[tuple[int, Event] | None, None]:
        """The events with their ids (1, 2, …), from the one after `after` on. None: `silence_s` without news.

        Whoever has them all, or says so, gets the last one of a finished answer once more: no stream is empty.
        """
        self._subscribe()
        try:
            position = min(after, len(self._events) - bool(self.last("stream.done")))
            while True:
                news = self._news
                while position < len(self._events):
                    position += 1
                    yield position, self._events[position - 1]
                if self.ended_at is not None:
                    return
                try:
                    async with asyncio.timeout(silence_s):
                        await news.wait()
                except TimeoutError:
                    yield None
        finally:
            self._unsubscribe()

    def stop(self, why: FlowChatError) -> None:
        """Cancel the work; it finds the reason in `stopped_by`."""
        if self._task and not self._task.done() and self.stopped_by is None:
            self.stopped_by = why
            self._task.cancel()

    async def wait(self) -> None:
        """Until the work has ended."""
        if self._task:
            await asyncio.wait([self._task])

    def _subscribe(self) -> None:
        self._subscribers += 1
        if self._leaving:
            self._leaving.cancel()

    def _unsubscribe(self) -> None:
        self._subscribers -= 1
        if not self._subscribers and self.ended_at is None:
            self._stop_after(self._linger_s)

    def _stop_after(self, delay_s: float) -> None:
        why = FlowChatError("abandoned", "Nobody was reading this answer, so it was stopped. Ask again.", status=410)
        self._leaving = asyncio.get_running_loop().call_later(delay_s, self.stop, why)

    def _end(self, task: asyncio.Task[None]) -> None:
        if not self.last("stream.done"):
            # Its work was cancelled before it began, or where it could not say why it ends.
            broken_off = FlowChatError("internal_error", "The answer broke off. Ask again.", status=500)
            self.fail(self.stopped_by or broken_off)
        self.ended_at = time.monotonic()
        self._on_end()
        if self._leaving:
            self._leaving.cancel()
        self._wake()
        if not task.cancelled():
            task.result()  # a bug in the work reaches the event loop's exception handler

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()


@dataclass(frozen=True, slots=True)
class _Kept:
    run: Run
    request_hash: str


class Runs:
    """The answers in the making, and for a while the finished ones that their client may ask for again."""

    def __init__(self) -> None:
        self._active: set[Run] = set()
        self._kept: OrderedDict[tuple[str, str], _Kept] = OrderedDict()

    def resumable(self, key_id: str, idempotency_key: str, request_hash: str) -> Run | None:
        """The run that this very request started. Raises FlowChatError (422) where another request used the key."""
        self._forget_old()
        kept = self._kept.get((key_id, idempotency_key))
        if kept is None:
            return None
        if kept.request_hash != request_hash:
            raise FlowChatError(
                "idempotency_key_reused",
                "This Idempotency-Key was sent with another question. Choose a new one for every question.",
                status=422,
                param="Idempotency-Key",
            )
        if kept.run.ended_at is not None and kept.run.failure is not None:
            del self._kept[key_id, idempotency_key]  # a retry starts afresh
            return None
        return kept.run

    def open(self, topic: Topic, idempotency_key: str | None, request_hash: str, on_end: Callable[[], None]) -> Run:
        """A new run, not started yet; resumable where there is an idempotency key."""

        def end() -> None:
            self._active.discard(run)
            on_end()

        run = Run(topic, LINGER_S if idempotency_key else 0, end)
        self._active.add(run)
        if idempotency_key:
            self._kept[topic.key_id, idempotency_key] = _Kept(run, request_hash)
        return run

    def revoke(self, kind: RevokedKind, ident: str) -> None:
        """Stop the answers that concern a key or a source that was revoked, and forget the finished ones."""
        self._drop(lambda topic: topic.concerns(kind, ident), _revoked(kind))

    async def erase(self, is_erased: Callable[[Topic], bool]) -> None:
        """Stop the answers in the making of what is erased, and forget the finished ones.

        What they store is stored when this returns: erase it then.
        """
        why = FlowChatError("conversation_erased", "The conversation of this answer was erased.", status=410)
        for run in self._drop(is_erased, why):
            await run.wait()

    async def stop_all(self) -> None:
        """End every answer with an `error` event: the appliance is about to stop."""
        why = FlowChatError(
            "shutting_down",
            "FlowChat is restarting. Ask again in a minute.",
            status=503,
            retry_after_s=RESTART_RETRY_AFTER_S,
        )
        stopping = list(self._active)
        for run in stopping:
            run.stop(why)
        for run in stopping:
            await run.wait()

    def _drop(self, concerns: Callable[[Topic], bool], why: FlowChatError) -> list[Run]:
        """Stop and forget; returns the runs that may still be at work."""
        stopped = [run for run in self._active if concerns(run.topic)]
        for run in stopped:
            run.stop(why)
        for name, kept in list(self._kept.items()):
            if concerns(kept.run.topic):
                del self._kept[name]
        return stopped

    def _forget_old(self) -> None:
        horizon = time.monotonic() - KEEP_S
        for name, kept in list(self._kept.items()):
            ended_at = kept.run.ended_at
            if ended_at is not None and (ended_at < horizon or len(self._kept) > KEEP_RUNS):
                del self._kept[name]


def _revoked(kind: RevokedKind) -> FlowChatError:
    if kind == "key":
        return FlowChatError("key_revoked", "The key of this answer was revoked.", status=401)
    return FlowChatError("source_revoked", "A source of this answer was revoked. Ask again.", status=410)
