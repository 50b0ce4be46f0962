"""Who goes first."""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor

from flowchat.engines.bridge import until
from flowchat.engines.priority import MOST_NICE, SearchTurn, lower_priority


async def test_one_searches_at_a_time_in_order() -> None:
    turn, order, hurried = SearchTurn(), [], []

    async def search(number: int) -> None:
        async with turn.take() as is_hurried:
            hurried.append(is_hurried)
            order.append((number, "begins"))
            await asyncio.sleep(0)
            order.append((number, "ends"))

    await asyncio.gather(*(search(number) for number in range(3)))
    async with turn.take() as alone:
        assert not alone
    assert order == [(number, what) for number in range(3) for what in ("begins", "ends")]
    assert hurried == [False, True, True]


async def test_who_gives_up_waiting_does_not_hold_up_others() -> None:
    turn = SearchTurn()

    async def search() -> None:
        async with turn.take():
            pass

    async with turn.take():
        waiting = asyncio.create_task(search())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait({waiting})
    async with turn.take() as is_hurried:
        assert not is_hurried


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
