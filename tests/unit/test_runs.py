"""Runs: who reads them, what stops them, how long they are kept."""

import asyncio
from collections.abc import Callable

import pytest

from flowchat.domain import Event
from flowchat.errors import FlowChatError
from flowchat.services import runs
from flowchat.services.runs import Run, Runs, Topic

DONE = {"refusal": False, "reason": None, "conversation_id": "", "conversation_token": "", "message_id": ""}
RESULT = {**DONE, "suggestions": [], "usage": {}}


def nothing() -> None:
    pass


async def endless(run: Run) -> None:
    run.publish(Event("retrieval.started"))
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        assert run.stopped_by
        run.fail(run.stopped_by)


async def short(run: Run) -> None:
    run.publish(Event("retrieval.started"))
    run.finish(RESULT)


async def read_names(run: Run, after: int = 0) -> list[str]:
    return [numbered[1].name async for numbered in run.events(after) if numbered]


async def test_subscribers_share_the_events() -> None:
    run = Run(Topic("key"), linger_s=0, on_end=nothing)
    run.start(short(run))
    everything, rest = await asyncio.gather(read_names(run), read_names(run, after=1))
    assert everything == ["retrieval.started", "stream.done"]
    assert rest == ["stream.done"]


async def test_the_last_subscriber_stops_it() -> None:
    ended: list[bool] = []
    run = Run(Topic("key"), linger_s=0, on_end=lambda: ended.append(True))
    run.start(endless(run))
    first, second = run.events(), run.events()
    await anext(first)
    await anext(second)
    await first.aclose()
    await asyncio.sleep(0.02)
    assert not ended
    await second.aclose()
    await run.wait()
    await asyncio.sleep(0)
    assert ended == [True]
    assert await read_names(run) == ["retrieval.started", "error", "stream.done"]


async def test_a_lingering_run_waits_for_its_client() -> None:
    run = Run(Topic("key"), linger_s=30, on_end=nothing)
    run.start(endless(run))
    events = run.events()
    await anext(events)
    await events.aclose()
    await asyncio.sleep(0.02)
    assert run.ended_at is None
    run.stop(FlowChatError("enough", "Enough."))
    await run.wait()


async def test_a_run_nobody_reads_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "CLAIM_S", 0.01)
    run = Run(Topic("key"), linger_s=30, on_end=nothing)
    run.start(endless(run))
    await run.wait()
    assert run.failure
    assert run.failure.code == "abandoned"


async def silent(run: Run) -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize("yields", [0, 1])  # stopped before its first step, and in the middle
async def test_every_run_ends_with_stream_done(yields: int) -> None:
    for stop, code in ((True, "enough"), (False, "internal_error")):
        run = Run(Topic("key"), linger_s=30, on_end=nothing)
        run.start(silent(run))
        for _ in range(yields):
            await asyncio.sleep(0)
        if stop:
            run.stop(FlowChatError("enough", "Enough."))
        elif run._task:
            run._task.cancel()
        assert await read_names(run) == ["error", "stream.done"]
        assert run.failure and run.failure.code == code


async def test_finished_runs_are_forgotten_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Runs()
    for number in range(3):
        run = kept.open(Topic("key"), f"k{number}", "hash", on_end=nothing)
        run.start(short(run))
        await run.wait()
        await asyncio.sleep(0)
    find: Callable[[int], Run | None] = lambda number: kept.resumable("key", f"k{number}", "hash")  # noqa: E731
    assert find(0)
    monkeypatch.setattr(runs, "KEEP_RUNS", 2)
    assert not find(0)
    assert find(2)
    monkeypatch.setattr(runs, "KEEP_S", -1)
    assert not find(2)
    assert kept.resumable("other key", "k2", "hash") is None


async def test_who_has_everything_gets_the_end_once_more() -> None:
    run = Run(Topic("key"), linger_s=0, on_end=nothing)
    run.start(short(run))
    await run.wait()
    for after in (2, 3, 999):
        assert await read_names(run, after) == ["stream.done"]


async def test_who_is_ahead_of_a_running_answer_gets_what_comes() -> None:
    run = Run(Topic("key"), linger_s=0, on_end=nothing)
    run.start(endless(run))
    await asyncio.sleep(0)
    reading = asyncio.create_task(read_names(run, after=50))
    await asyncio.sleep(0)
    run.stop(FlowChatError("enough", "Enough."))
    assert await reading == ["error", "stream.done"]


async def test_a_revocation_ends_what_it_concerns() -> None:
    runs_of = Runs()
    first = runs_of.open(Topic("key_1", frozenset({"src_1"})), "k", "hash", on_end=nothing)
    second = runs_of.open(Topic("key_2", frozenset({"src_1", "src_2"})), None, "hash", on_end=nothing)
    for run in (first, second):
        run.start(endless(run))
        await asyncio.sleep(0)
    runs_of.revoke("source", "src_3")
    runs_of.revoke("key", "src_1")
    await asyncio.sleep(0)
    assert (first.ended_at, second.ended_at) == (None, None)
    runs_of.revoke("key", "key_1")
    await first.wait()
    assert first.failure and first.failure.code == "key_revoked" and second.ended_at is None
    assert runs_of.resumable("key_1", "k", "hash") is None
    runs_of.revoke("source", "src_2")
    await second.wait()
    assert second.failure and second.failure.code == "source_revoked"


async def test_an_erasure_ends_what_it_concerns_and_waits_for_it() -> None:
    runs_of = Runs()
    erased = runs_of.open(Topic("key_1", visitor_id="v1"), "k1", "hash", on_end=nothing)
    other = runs_of.open(Topic("key_1", visitor_id="v2"), "k2", "hash", on_end=nothing)
    for run in (erased, other):
        run.start(endless(run))
        await asyncio.sleep(0)
    await runs_of.erase(lambda topic: topic.visitor_id == "v1")
    assert erased.failure and erased.failure.code == "conversation_erased" and other.ended_at is None
    assert runs_of.resumable("key_1", "k1", "hash") is None
    assert runs_of.resumable("key_1", "k2", "hash") is other
    await runs_of.stop_all()
