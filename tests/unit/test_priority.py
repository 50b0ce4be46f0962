"""Who goes first."""

import asyncio
import os
import threading
from concurrent.futures import ThreadPoolExecutor

from flowchat.engines.bridge import to_its_end, until
from flowchat.engines.priority import MOST_NICE, lower_priority


async def test_work_that_cannot_be_stopped_is_waited_for() -> None:
    started, go_on, ended = threading.Event(), threading.Event(), threading.Event()

    def work(result: str) -> str:
        started.set()
        go_on.wait()
        ended.set()
        return result

    waiting = asyncio.create_task(to_its_end(work, "done"))
    await asyncio.to_thread(started.wait)
    waiting.cancel()
    await asyncio.sleep(0)
    assert not waiting.done()
    go_on.set()
    await asyncio.wait({waiting})
    assert waiting.cancelled() and ended.is_set()
    assert await to_its_end(work, "done") == "done"


def test_a_threads_priority_is_its_own_and_its_threads() -> None:
    before = os.getpriority(os.PRIO_PROCESS, 0)

    def priorities() -> tuple[int, int]:
        with ThreadPoolExecutor(1) as pool:
            return os.getpriority(os.PRIO_PROCESS, 0), pool.submit(os.getpriority, os.PRIO_PROCESS, 0).result()

    with ThreadPoolExecutor(1, initializer=lower_priority) as pool:
        own, started = pool.submit(priorities).result()
    assert own == started
    assert own > before or before == MOST_NICE
    assert os.getpriority(os.PRIO_PROCESS, 0) == before


async def test_steps_end_at_the_deadline_and_are_closed() -> None:
    closed = []

    async def steps():  # type: ignore[no-untyped-def]
        try:
            yield 1
            await asyncio.sleep(3600)
            yield 2
        finally:
            closed.append(True)

    deadline = asyncio.get_running_loop().time() + 0.05
    assert [step async for step in until(deadline, steps())] == [1]
    assert closed == [True]
